//! What an operation changed, and the list of operations that can be taken back.
//!
//! Kept as single voxels with what they were and became: a stroke changes thousands of voxels of millions, and
//! taking it back must not depend on how it was made.

use crate::labels::LabelVolume;

/// How much memory a history may take before it forgets its oldest steps.
const MAX_BYTES: usize = 256 << 20;

/// The voxels that one operation changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Voxels of a slice, to tell which slices changed.
    slice_length: usize,
    at: Vec<u32>,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Edit {
    pub(super) fn new(slice_length: usize) -> Self {
        Self { slice_length: slice_length.max(1), at: Vec::new(), before: Vec::new(), after: Vec::new() }
    }

    /// Positions fit into 32 bits: `apply` has seen to it.
    pub(super) fn note(&mut self, at: usize, before: u8, after: u8) {
        self.at.push(at as u32);
        self.before.push(before);
        self.after.push(after);
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// How many voxels changed.
    pub fn voxels(&self) -> usize {
        self.at.len()
    }

    /// Slices with a change, in order: what a copy on the GPU has to bring up to date.
    pub fn slices(&self) -> Vec<u32> {
        let mut slices: Vec<u32> =
            self.at.iter().map(|at| (*at as usize / self.slice_length) as u32).collect();
        slices.dedup();
        slices.sort_unstable();
        slices.dedup();
        slices
    }

    fn bytes(&self) -> usize {
        self.at.len() * 6
    }

    /// Backwards, for a voxel that was changed twice.
    fn take_back(&self, labels: &mut LabelVolume) {
        let voxels = labels.voxels_mut();
        for (at, before) in self.at.iter().zip(&self.before).rev() {
            voxels[*at as usize] = *before;
        }
    }

    fn do_again(&self, labels: &mut LabelVolume) {
        let voxels = labels.voxels_mut();
        for (at, after) in self.at.iter().zip(&self.after) {
            voxels[*at as usize] = *after;
        }
    }
}

/// Operations on one label map, newest last. It must see every change, or positions mean something else.
#[derive(Clone, Debug, Default)]
pub struct History {
    done: Vec<Edit>,
    undone: Vec<Edit>,
}

impl History {
    /// Keeps an operation. What was taken back before can no longer be done again. Nothing is no step.
    pub fn push(&mut self, edit: Edit) {
        if edit.is_empty() {
            return;
        }
        self.undone.clear();
        self.done.push(edit);
        let mut bytes: usize = self.done.iter().map(Edit::bytes).sum();
        while bytes > MAX_BYTES && self.done.len() > 1 {
            bytes -= self.done.remove(0).bytes();
        }
    }

    /// Takes the newest operation back; returns the slices that changed, `None` where there is none.
    pub fn undo(&mut self, labels: &mut LabelVolume) -> Option<Vec<u32>> {
        let edit = self.done.pop()?;
        edit.take_back(labels);
        let slices = edit.slices();
        self.undone.push(edit);
        Some(slices)
    }

    /// Does again what was taken back last.
    pub fn redo(&mut self, labels: &mut LabelVolume) -> Option<Vec<u32>> {
        let edit = self.undone.pop()?;
        edit.do_again(labels);
        let slices = edit.slices();
        self.done.push(edit);
        Some(slices)
    }

    /// Steps that can be taken back.
    pub fn undo_steps(&self) -> usize {
        self.done.len()
    }

    /// Steps that can be done again.
    pub fn redo_steps(&self) -> usize {
        self.undone.len()
    }
}
