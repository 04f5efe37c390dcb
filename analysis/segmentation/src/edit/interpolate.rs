//! Slices between two that were drawn.
//!
//! Shape-based interpolation (Raya and Udupa, 1990): the signed distance to the border is blended from the one
//! slice to the other, and a voxel belongs where the blend is positive. Only background is filled.

use super::distance::signed;
use super::{Canvas, EditError};

pub(super) fn between(canvas: &mut Canvas, label: u8) -> Result<(), EditError> {
    let [columns, rows, slices] = canvas.dims();
    let length = columns * rows;
    let spacing = canvas.labels.grid().spacing();
    let drawn: Vec<usize> = (0..slices).filter(|z| canvas.labels.slice(*z as u32).contains(&label)).collect();
    if !drawn.windows(2).any(|pair| pair[1] > pair[0] + 1) {
        let name = canvas.labels.label(label).map_or_else(String::new, |label| label.name.clone());
        return Err(EditError::NothingBetween(name));
    }
    let field = |canvas: &Canvas, z: usize| {
        let set: Vec<bool> = canvas.labels.slice(z as u32).iter().map(|voxel| *voxel == label).collect();
        signed(columns, rows, [spacing[0], spacing[1]], &set)
    };
    for pair in drawn.windows(2).filter(|pair| pair[1] > pair[0] + 1) {
        let (first, last) = (field(canvas, pair[0]), field(canvas, pair[1]));
        let span = (pair[1] - pair[0]) as f64;
        for z in pair[0] + 1..pair[1] {
            let t = (z - pair[0]) as f64 / span;
            for at in 0..length {
                let blend = (1.0 - t) * first[at] + t * last[at];
                if blend > 0.0 && canvas.get(z * length + at) == 0 {
                    canvas.put(z * length + at, label);
                }
            }
        }
    }
    Ok(())
}
