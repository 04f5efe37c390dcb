//! Regions: filling on a slice, growing from a seed, keeping the largest part.
//!
//! Each first finds its voxels on the unchanged labels and then puts them, so that the order of the search
//! cannot show in the result.

use scene::DVec3;

use super::components::{Bits, Connectivity, flood, largest};
use super::{Canvas, EditError};

/// Over edges of the slice only: a diagonal gap of one voxel is closed to a bucket of paint.
pub(super) fn fill(canvas: &mut Canvas, place: DVec3, label: u8) -> Result<(), EditError> {
    let seed = canvas.at_mm(place)?;
    let [columns, rows, _] = canvas.dims();
    let length = columns * rows;
    let first = seed / length * length;
    let from = canvas.get(seed);
    let mut found = Vec::new();
    let mut visited = Bits::new(length);
    let belongs = |at: usize| canvas.get(first + at) == from;
    flood([columns, rows, 1], Connectivity::Faces, [seed - first], &mut visited, belongs, |at| {
        found.push(at)
    });
    for at in found {
        canvas.put(first + at, label);
    }
    Ok(())
}

pub(super) fn grow(
    canvas: &mut Canvas,
    place: DVec3,
    [low, high]: [f64; 2],
    connectivity: Connectivity,
    label: u8,
    value: impl Fn(usize) -> Option<f64>,
) -> Result<(), EditError> {
    let seed = canvas.at_mm(place)?;
    let inside = |at: usize| value(at).is_some_and(|v| v >= low && v <= high);
    if !inside(seed) {
        return Err(EditError::Seed { value: value(seed).unwrap_or(f64::NAN), low, high });
    }
    // Other labels are walls: growing must not eat what somebody drew.
    let own = canvas.get(seed);
    let free = |at: usize| {
        let here = canvas.get(at);
        here == 0 || here == label || here == own
    };
    let mut found = Vec::new();
    let mut visited = Bits::new(canvas.len());
    let belongs = |at: usize| free(at) && inside(at);
    flood(canvas.dims(), connectivity, [seed], &mut visited, belongs, |at| found.push(at as u32));
    for at in found {
        canvas.put(at as usize, label);
    }
    Ok(())
}

pub(super) fn keep_largest(canvas: &mut Canvas, label: u8) {
    let keep = largest(canvas.dims(), Connectivity::Faces, |at| canvas.get(at) == label);
    for at in 0..canvas.len() {
        if canvas.get(at) == label && !keep.has(at) {
            canvas.put(at, 0);
        }
    }
}
