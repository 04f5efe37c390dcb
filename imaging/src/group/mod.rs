//! From the headers of many files to stacks: studies hold series, a series holds one or more stacks, and
//! every frame has a place in a stack or a reason why not.
//!
//! A DICOM series is not a volume: it may mix orientations, sizes, echoes and localizers. Stacks are what
//! one grid can hold; they are listed side by side, so that nothing of a series disappears.

mod geometry;
mod place;
mod split;
mod time;

use std::sync::Arc;

use scene::Grid;

use crate::dicom::DicomFile;
use crate::header::{FrameHeader, InstanceHeader, PixelLayout};
use crate::ledger::{Fate, FileId};

/// One DICOM file with a picture, after the scan. Shared: the next scan of a session groups it again.
pub struct Instance {
    /// In the ledger.
    pub file: FileId,
    /// Length of the file.
    pub bytes: u64,
    /// What its header says.
    pub header: InstanceHeader,
    /// What the decoder needs; only the image pixel module is kept.
    pub dicom: Arc<DicomFile>,
}

/// A frame of an instance, by position in the list that was grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameRef {
    /// Index of the instance.
    pub instance: usize,
    /// From 0.
    pub frame: usize,
}

/// A frame with everything that grouping asks about it.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    at: FrameRef,
    frame: &'a FrameHeader,
    instance: &'a InstanceHeader,
    pixels: &'a PixelLayout,
}

/// What one grid can hold.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Counts the series of a grouping; the stacks of one series share it.
    pub series: usize,
    /// Frames by time point, then slice; `None` where there is no image.
    pub slots: Vec<Option<FrameRef>>,
    /// Columns, rows, slices, and where they lie.
    pub grid: Grid,
    /// 1 for a 3D stack.
    pub time_points: u32,
    /// Seconds from the first time point; empty for a 3D stack or unknown times.
    pub times_s: Vec<f64>,
    /// What told the time points apart.
    pub time_rule: Option<String>,
    /// For the user, with values.
    pub warnings: Vec<String>,
}

impl Stack {
    /// The frame that represents the stack: the middle one that exists.
    pub fn middle(&self) -> Option<FrameRef> {
        let slices = self.grid.dims()[2] as usize;
        let first = &self.slots[..slices.min(self.slots.len())];
        outward(first.len()).find_map(|i| first[i]).or_else(|| self.slots.iter().find_map(|s| *s))
    }
}

/// Indices of a list of `n` from the middle outwards.
pub fn outward(n: usize) -> impl Iterator<Item = usize> {
    let middle = n / 2;
    (0..2 * n + 1)
        .map(move |k| if k % 2 == 0 { middle.checked_add(k / 2) } else { middle.checked_sub(k.div_ceil(2)) })
        .filter_map(move |i| i.filter(|i| *i < n))
}

/// What grouping found.
pub struct Grouping {
    /// In the order study, series number, place in the series.
    pub stacks: Vec<Stack>,
    /// Files that are part of no stack.
    pub fates: Vec<(FileId, Fate)>,
}

/// Groups all instances.
pub fn group(instances: &[Arc<Instance>]) -> Grouping {
    let (kept, mut fates) = split::drop_duplicates(instances);
    let mut stacks = Vec::new();
    for (number, series) in split::by_series(instances, &kept).into_iter().enumerate() {
        let mut candidates = Vec::new();
        for &index in &series {
            let header = &instances[index].header;
            let Some(pixels) = &header.pixels else { continue };
            for (frame, frame_header) in header.frames.iter().enumerate() {
                candidates.push(Candidate {
                    at: FrameRef { instance: index, frame },
                    frame: frame_header,
                    instance: header,
                    pixels,
                });
            }
        }
        let groups = split::by_stack(&candidates);
        let mut left_over = Vec::new();
        for members in groups {
            for placed in place::place(members) {
                stacks.push(Stack { series: number, ..placed.stack });
                left_over.extend(placed.left_over);
            }
        }
        // A file with one frame in a stack is used; others of its frames may still be left over.
        let used: std::collections::HashSet<usize> =
            stacks.iter().flat_map(|s| s.slots.iter().flatten()).map(|f| f.instance).collect();
        for (at, reason) in left_over {
            if !used.contains(&at.instance) {
                fates.push((instances[at.instance].file, Fate::Shown(reason)));
            }
        }
    }
    for file in stacks.iter().flat_map(|s| s.slots.iter().flatten()).map(|f| instances[f.instance].file) {
        fates.push((file, Fate::Used));
    }
    Grouping { stacks, fates }
}

#[cfg(test)]
mod tests {
    use super::outward;

    #[test]
    fn outward_visits_every_slice_once_from_the_middle() {
        assert_eq!(outward(5).collect::<Vec<_>>(), [2, 1, 3, 0, 4]);
        assert_eq!(outward(4).collect::<Vec<_>>(), [2, 1, 3, 0]);
        assert_eq!(outward(1).collect::<Vec<_>>(), [0]);
        assert_eq!(outward(0).count(), 0);
    }
}
