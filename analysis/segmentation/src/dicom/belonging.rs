//! Which series of a catalog a segmentation belongs to.
//!
//! Decided from headers alone, when files are opened: a study list and a reader are told before a voxel is read.

use imaging::header::InstanceHeader;
use imaging::{Catalog, FileId, Series};
use scene::DVec3;

use super::read::is_segmentation;

/// Cosine of 2.6 degrees: planes that differ by less are those of one acquisition.
const PARALLEL: f64 = 0.999;

/// A segmentation object among the files of a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// In the ledger.
    pub file: FileId,
    /// Its own entries in the catalog: one for each segment, or one for all.
    pub rows: Vec<usize>,
    /// The series that it lies over; empty where they are not there.
    pub onto: Vec<usize>,
}

/// Every segmentation object of a catalog, in the order of its series.
pub fn belonging<S: imaging::Source>(catalog: &Catalog<S>) -> Vec<Segmentation> {
    let mut found: Vec<Segmentation> = Vec::new();
    for row in 0..catalog.series.len() {
        for slot in catalog.frames(row).into_iter().flatten() {
            if !is_segmentation(&slot.header.sop_class_uid) {
                break;
            }
            match found.iter_mut().find(|s| s.file == slot.file) {
                Some(known) if known.rows.contains(&row) => {}
                Some(known) => known.rows.push(row),
                None => {
                    let onto = images(&catalog.series, slot.header);
                    found.push(Segmentation { file: slot.file, rows: vec![row], onto });
                }
            }
        }
    }
    found
}

/// PS3.3 C.12.2: Referenced Series Sequence (0008,1115) names the images; an object without one belongs to the series of
/// its Frame of Reference UID (0020,0052). Of the stacks of a series those count that lie in its planes, if any does: a
/// localizer is crossed by every segmentation.
fn images(series: &[Series], header: &InstanceHeader) -> Vec<usize> {
    let belongs = |s: &Series| {
        if header.refers_to.is_empty() {
            !s.uid.is_empty()
                && !s.frame_of_reference_uid.is_empty()
                && s.frame_of_reference_uid == header.frame_of_reference_uid
        } else {
            header.refers_to.contains(&s.uid)
        }
    };
    let normal = header.frames.first().and_then(|f| f.orientation).map(|[row, column]| row.cross(column));
    let parallel = |s: &Series| {
        let across = s.grid.as_ref().map(|g| g.world_from_voxel().matrix3.z_axis.normalize_or_zero());
        across.zip(normal).is_some_and(|(a, b): (DVec3, DVec3)| a.dot(b).abs() > PARALLEL)
    };
    let is_image = |s: &Series| s.displayable && !s.colour && s.modality != "SEG";
    let mine: Vec<usize> =
        series.iter().enumerate().filter(|(_, s)| is_image(s) && belongs(s)).map(|(at, _)| at).collect();
    let fits: Vec<usize> = mine.iter().copied().filter(|at| parallel(&series[*at])).collect();
    if fits.is_empty() { mine } else { fits }
}
