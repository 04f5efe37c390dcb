//! Steps on a label map on the model's grid, before it goes back to the image's.
//!
//! On the model's grid, because a card's authors measured them there.

use contract::models::Post;

use crate::edit::components::{Connectivity, enclosed, largest};

/// Applies one step to every label; `dims` are columns, rows, slices.
pub(super) fn apply(step: Post, labels: &mut [u8], dims: [usize; 3]) {
    let mut present = [false; 256];
    labels.iter().for_each(|label| present[usize::from(*label)] = true);
    for label in (1..=255u8).filter(|label| present[usize::from(*label)]) {
        match step {
            Post::LargestComponent => {
                let keep = largest(dims, Connectivity::Faces, |at| labels[at] == label);
                for (at, voxel) in labels.iter_mut().enumerate() {
                    if *voxel == label && !keep.has(at) {
                        *voxel = 0;
                    }
                }
            }
            Post::FillHoles => {
                let holes = enclosed(dims, |at| labels[at] == label);
                for (voxel, hole) in labels.iter_mut().zip(&holes) {
                    if *voxel == 0 && *hole {
                        *voxel = label;
                    }
                }
            }
        }
    }
}
