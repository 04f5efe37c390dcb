//! One label per voxel of an image's grid, and what the labels are called.
//!
//! A byte per voxel and no more: 104 structures on 512³ fit into 128 MB, where a mask for each took 14 GB.

use contract::models::{Code, label_colour};
use scene::Grid;
use serde::{Deserialize, Serialize};

/// Why labels were not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// Not one label per voxel.
    #[error("The grid has {expected} voxels, but {found} labels came. Use a label map on the image's grid.")]
    Length {
        /// Voxels of the grid.
        expected: usize,
        /// As given.
        found: usize,
    },
    /// More structures than a byte can tell apart.
    #[error("There are {0} different labels, at most 255 fit. Merge some before.")]
    TooMany(usize),
    /// 0 is the background.
    #[error("Label 0 is the background and has no name or colour. Number structures from 1.")]
    Background,
    /// No such structure.
    #[error("There is no label {0}. Add it first.")]
    Unknown(u8),
}

/// One structure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Its value in the voxels, 1 to 255.
    pub id: u8,
    /// For people.
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// No edit changes its voxels, neither adding nor taking away.
    pub locked: bool,
    /// What it is in a terminology.
    pub code: Option<Code>,
}

impl Label {
    /// A label with the name `Label 7` and a colour of its own.
    pub fn numbered(id: u8) -> Self {
        Self { id, name: format!("Label {id}"), colour: label_colour(id), locked: false, code: None }
    }
}

/// Labels of every voxel of one time point. Order: columns, rows, slices.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelVolume {
    grid: Grid,
    voxels: Vec<u8>,
    labels: Vec<Label>,
}

impl LabelVolume {
    /// Nothing labelled yet.
    pub fn empty(grid: Grid) -> Self {
        let voxels = vec![0; grid.voxel_count()];
        Self { grid, voxels, labels: Vec::new() }
    }

    /// Takes labels as they are. Values without a description get one; descriptions are sorted by their value.
    pub fn new(grid: Grid, voxels: Vec<u8>, described: Vec<Label>) -> Result<Self, LabelError> {
        if voxels.len() != grid.voxel_count() {
            return Err(LabelError::Length { expected: grid.voxel_count(), found: voxels.len() });
        }
        if described.iter().any(|label| label.id == 0) {
            return Err(LabelError::Background);
        }
        let mut volume = Self { grid, voxels, labels: Vec::new() };
        for label in described {
            volume.describe(label)?;
        }
        let mut present = [false; 256];
        for label in &volume.voxels {
            present[usize::from(*label)] = true;
        }
        for id in 1..=255u8 {
            if present[usize::from(id)] && volume.label(id).is_none() {
                volume.describe(Label::numbered(id))?;
            }
        }
        Ok(volume)
    }

    /// Where the voxels lie.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// One label per voxel.
    pub fn voxels(&self) -> &[u8] {
        &self.voxels
    }

    /// One slice, row by row.
    pub fn slice(&self, slice: u32) -> &[u8] {
        let [columns, rows, _] = self.grid.dims().map(|n| n as usize);
        let length = columns * rows;
        self.voxels.get(slice as usize * length..(slice as usize + 1) * length).unwrap_or_default()
    }

    /// For the edits of this crate alone: they keep the account of what changed.
    pub(crate) fn voxels_mut(&mut self) -> &mut [u8] {
        &mut self.voxels
    }

    /// In the order of their values.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The description of a label.
    pub fn label(&self, id: u8) -> Option<&Label> {
        self.labels.iter().find(|label| label.id == id)
    }

    /// Adds a description or puts it in the place of the one with its value.
    pub fn describe(&mut self, label: Label) -> Result<(), LabelError> {
        if label.id == 0 {
            return Err(LabelError::Background);
        }
        match self.labels.binary_search_by_key(&label.id, |l| l.id) {
            Ok(at) => self.labels[at] = label,
            Err(at) => self.labels.insert(at, label),
        }
        Ok(())
    }

    /// The smallest value that no label has.
    pub fn free_id(&self) -> Result<u8, LabelError> {
        (1..=255u8).find(|id| self.label(*id).is_none()).ok_or(LabelError::TooMany(256))
    }

    /// Whether edits leave the voxels of this label alone.
    pub fn locked(&self, id: u8) -> bool {
        self.label(id).is_some_and(|label| label.locked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid::picture(3, 2, 1).unwrap()
    }

    #[test]
    fn every_value_gets_a_description() {
        let described = Label { name: "Liver".into(), ..Label::numbered(9) };
        let volume = LabelVolume::new(grid(), vec![0, 2, 2, 9, 0, 4], vec![described]).unwrap();
        let names: Vec<&str> = volume.labels().iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["Label 2", "Label 4", "Liver"]);
        assert_eq!(volume.free_id(), Ok(1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let short = LabelVolume::new(grid(), vec![0; 5], vec![]).unwrap_err();
        assert_eq!(short, LabelError::Length { expected: 6, found: 5 });
        let zero = LabelVolume::new(grid(), vec![0; 6], vec![Label { id: 0, ..Label::numbered(1) }]);
        assert_eq!(zero.unwrap_err(), LabelError::Background);
        let all = (1..=255).map(Label::numbered).collect();
        assert_eq!(
            LabelVolume::new(grid(), vec![0; 6], all).unwrap().free_id(),
            Err(LabelError::TooMany(256))
        );
    }
}
