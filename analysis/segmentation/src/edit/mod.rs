//! Changes by hand: what may be done to a label map, one operation a step.
//!
//! An operation is a plain value in millimetres, so that it means the same on every grid and can travel between
//! threads. It never touches a locked label, neither adding to it nor taking from it, and returns what changed
//! as an [`Edit`], which takes it back.

mod brush;
pub mod components;
mod distance;
mod history;
mod interpolate;
mod region;
mod smooth;
#[cfg(test)]
mod tests;

use imaging::Volume;
use scene::DVec3;
use serde::{Deserialize, Serialize};

pub use components::Connectivity;
pub use history::{Edit, History};

use crate::labels::LabelVolume;

/// More points than a hand draws in one stroke.
const MAX_POINTS: usize = 100_000;
/// Wider than any person.
const MAX_RADIUS_MM: f64 = 2000.0;

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EditError {
    /// No such structure.
    #[error("There is no label {0}. Add it before it is painted.")]
    Unknown(u8),
    /// Nothing may be added to it or taken from it.
    #[error("{0} is locked. Unlock it to change it.")]
    Locked(String),
    /// The background is no structure that could be kept or smoothed.
    #[error("Choose a label first: the background cannot be {0}.")]
    Background(&'static str),
    /// A place that is no place, a radius that is no radius.
    #[error("A stroke of {points} points with a radius of {radius_mm} mm cannot be drawn.")]
    Stroke {
        /// How many.
        points: usize,
        /// As given.
        radius_mm: f64,
    },
    /// The place lies outside of the image.
    #[error("The point lies outside of the image. Click on it.")]
    Outside,
    /// Growing begins with a voxel of the range.
    #[error("The voxel here has the value {value}, which is not between {low} and {high}. Widen the range.")]
    Seed {
        /// Of the image; NaN for padding.
        value: f64,
        /// Smallest of the range.
        low: f64,
        /// Largest of the range.
        high: f64,
    },
    /// Fewer than two slices with something between them.
    #[error("{0} is drawn on fewer than two slices, or on all of them: nothing lies between.")]
    NothingBetween(String),
    /// Labels of another image.
    #[error("The label map has another grid than the image. Open the labels on their own image.")]
    OtherGrid,
    /// Positions of changes are kept in 32 bits.
    #[error("The label map has {0} voxels, more than edits can take back. Load a part of it.")]
    TooLarge(usize),
}

/// What is done to a label map. A label of 0 rubs out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Operation {
    /// A ball along a stroke, or a disc in the plane with this normal. With `range` only voxels whose value
    /// lies in it.
    Paint {
        /// What the voxels become.
        label: u8,
        /// The points of the stroke, joined by straight lines.
        along_mm: Vec<DVec3>,
        /// Of ball or disc.
        radius_mm: f64,
        /// `None` for a ball.
        normal: Option<DVec3>,
        /// Smallest and largest value, in the image's unit.
        range: Option<[f64; 2]>,
    },
    /// What hangs together on one slice of the grid and has the label of the voxel at a point.
    Fill {
        /// What the voxels become.
        label: u8,
        /// In the first of them.
        at_mm: DVec3,
    },
    /// All background that hangs together with a voxel and whose value lies in a range.
    Grow {
        /// What the voxels become.
        label: u8,
        /// In the first of them.
        from_mm: DVec3,
        /// Smallest and largest value, in the image's unit.
        range: [f64; 2],
        /// Which neighbours touch.
        #[serde(default)]
        connectivity: Connectivity,
    },
    /// All but the largest component of a label becomes background.
    KeepLargest {
        /// Which.
        label: u8,
    },
    /// A voxel belongs to the label where most of its 27 neighbours (itself among them) do.
    Smooth {
        /// Which.
        label: u8,
    },
    /// Background between two drawn slices becomes the label where the shapes blend.
    Interpolate {
        /// Which.
        label: u8,
    },
    /// The whole label becomes background.
    Clear {
        /// Which.
        label: u8,
    },
}

impl Operation {
    fn label(&self) -> u8 {
        match self {
            Self::Paint { label, .. }
            | Self::Fill { label, .. }
            | Self::Grow { label, .. }
            | Self::KeepLargest { label }
            | Self::Smooth { label }
            | Self::Interpolate { label }
            | Self::Clear { label } => *label,
        }
    }

    /// What the background cannot be; `None` where 0 is meant to rub out.
    fn needs_label(&self) -> Option<&'static str> {
        match self {
            Self::Paint { .. } | Self::Fill { .. } | Self::Grow { .. } => None,
            Self::KeepLargest { .. } => Some("reduced to its largest part"),
            Self::Smooth { .. } => Some("smoothed"),
            Self::Interpolate { .. } => Some("interpolated"),
            Self::Clear { .. } => Some("cleared"),
        }
    }
}

/// Applies an operation. `image` gives the values that ranges ask for. On an error nothing has changed.
pub fn apply(
    labels: &mut LabelVolume,
    image: &Volume,
    time_index: u32,
    operation: &Operation,
) -> Result<Edit, EditError> {
    if image.grid.dims() != labels.grid().dims() {
        return Err(EditError::OtherGrid);
    }
    if u32::try_from(labels.voxels().len()).is_err() {
        return Err(EditError::TooLarge(labels.voxels().len()));
    }
    let label = operation.label();
    match (labels.label(label), operation.needs_label()) {
        (None, Some(what)) if label == 0 => return Err(EditError::Background(what)),
        (None, _) if label != 0 => return Err(EditError::Unknown(label)),
        (Some(described), _) if described.locked => return Err(EditError::Locked(described.name.clone())),
        _ => {}
    }
    let mut canvas = Canvas::new(labels);
    match operation {
        Operation::Paint { along_mm, radius_mm, normal, range, .. } => {
            let stroke = brush::Stroke::new(along_mm, *radius_mm, *normal)?;
            let within = |at: usize| match range {
                None => true,
                Some([low, high]) => value(image, time_index, at).is_some_and(|v| v >= *low && v <= *high),
            };
            brush::paint(&mut canvas, &stroke, label, within);
        }
        Operation::Fill { at_mm, .. } => region::fill(&mut canvas, *at_mm, label)?,
        Operation::Grow { from_mm, range, connectivity, .. } => {
            let values = |at| value(image, time_index, at);
            region::grow(&mut canvas, *from_mm, *range, *connectivity, label, values)?;
        }
        Operation::KeepLargest { .. } => region::keep_largest(&mut canvas, label),
        Operation::Smooth { .. } => smooth::majority(&mut canvas, label),
        Operation::Interpolate { .. } => interpolate::between(&mut canvas, label)?,
        Operation::Clear { .. } => {
            for at in 0..canvas.len() {
                if canvas.get(at) == label {
                    canvas.put(at, 0);
                }
            }
        }
    }
    Ok(canvas.edit)
}

/// Value of the image at a voxel of one time point; `None` where it holds no measurement.
fn value(image: &Volume, time_index: u32, at: usize) -> Option<f64> {
    let [columns, rows, _] = image.grid.dims().map(|n| n as usize);
    let voxel = [at % columns, at / columns % rows, at / (columns * rows)].map(|n| n as u32);
    image.value(voxel, time_index).filter(|value| value.is_finite())
}

/// A label map under change: every voxel goes through `put`, which keeps locks and the account.
struct Canvas<'a> {
    labels: &'a mut LabelVolume,
    locked: [bool; 256],
    edit: Edit,
}

impl<'a> Canvas<'a> {
    fn new(labels: &'a mut LabelVolume) -> Self {
        let locked = std::array::from_fn(|id| labels.locked(id as u8));
        let [columns, rows, _] = labels.grid().dims();
        Self { labels, locked, edit: Edit::new(columns as usize * rows as usize) }
    }

    fn len(&self) -> usize {
        self.labels.voxels().len()
    }

    fn dims(&self) -> [usize; 3] {
        self.labels.grid().dims().map(|n| n as usize)
    }

    fn get(&self, at: usize) -> u8 {
        self.labels.voxels()[at]
    }

    fn put(&mut self, at: usize, label: u8) {
        let voxel = &mut self.labels.voxels_mut()[at];
        if *voxel == label || self.locked[usize::from(*voxel)] || self.locked[usize::from(label)] {
            return;
        }
        self.edit.note(at, *voxel, label);
        *voxel = label;
    }

    /// Index of the voxel at a place.
    fn at_mm(&self, place: DVec3) -> Result<usize, EditError> {
        let [columns, rows, _] = self.dims();
        let [x, y, z] = self.labels.grid().voxel_at(place).ok_or(EditError::Outside)?.map(|n| n as usize);
        Ok((z * rows + y) * columns + x)
    }
}
