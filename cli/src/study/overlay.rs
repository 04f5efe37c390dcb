//! A NIfTI of labels on the voxels of a series.
//!
//! Other programs turn and flip axes, so the world says where each voxel lies, not its index.

use std::path::Path;

use imaging::Volume;

use super::{Error, choose, load, open};

/// Labels on the grid of a series.
pub struct Overlay {
    /// One per voxel of one time point; 0 is nothing.
    pub labels: Vec<u8>,
    /// How they were laid over the series, where it was not voxel on voxel.
    pub note: Option<String>,
}

/// Reads a label map; `what` it is called in messages.
pub fn labels_on(path: &Path, what: &'static str, on: &Volume) -> Result<Overlay, Error> {
    let mut catalog = open(&[path.to_owned()])?;
    let index = choose(&catalog, None, |_| true)?;
    let (volume, _) = load(&mut catalog, index)?;
    let label = |i: usize| {
        let value = volume.voxels.get(i).map_or(0.0, |v| volume.rescale.apply(v));
        // A fraction or a large label is still not 0.
        if value == 0.0 || value.is_nan() { 0 } else { value.round().clamp(1.0, 255.0) as u8 }
    };
    let n = volume.grid.voxel_count();
    let same_size = volume.grid.dims() == on.grid.dims();
    let apart_mm = apart_mm(&volume, on);
    let voxel_mm = on.grid.spacing().into_iter().fold(f64::INFINITY, f64::min);
    // Files round positions differently; a shift by half a voxel is another grid.
    if same_size && apart_mm <= 0.5 * voxel_mm {
        return Ok(Overlay { labels: (0..n).map(label).collect(), note: None });
    }
    // A label for the centre of each voxel, if the map has one for nearly all of them.
    let [columns, rows, slices] = on.grid.dims();
    let from_voxel = volume.grid.voxel_from_world() * on.grid.world_from_voxel();
    let inside = volume.grid.dims().map(f64::from);
    let mut labels = Vec::with_capacity(on.grid.voxel_count());
    let mut outside = 0;
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                let p = from_voxel.transform_point3([x, y, z].map(f64::from).into()).to_array();
                let at = p.map(|v| (v + 0.5).floor());
                if at.iter().zip(inside).all(|(v, n)| *v >= 0.0 && *v < n) {
                    labels.push(label(volume.index(at.map(|v| v as u32), 0)));
                } else {
                    outside += 1;
                    labels.push(0);
                }
            }
        }
    }
    if outside * 100 <= labels.len() {
        let note = format!("The {what} lies on another grid; each voxel takes the nearest label.");
        return Ok(Overlay { labels, note: Some(note) });
    }
    if same_size && unplaced(&volume) {
        let note = format!("The {what} says nothing about its place; it is taken voxel by voxel.");
        return Ok(Overlay { labels: (0..n).map(label).collect(), note: Some(note) });
    }
    let why = format!(
        "its grid lies elsewhere: {:?} voxels against {:?}, a corner is {apart_mm:.1} mm away. Resample it to the series.",
        volume.grid.dims(),
        on.grid.dims()
    );
    Err(Error::Overlay { what, why })
}

/// The largest distance between corners of equal index.
fn apart_mm(a: &Volume, b: &Volume) -> f64 {
    let last = b.grid.dims().map(|n| f64::from(n - 1));
    let distances = (0..8u8).map(|corner| {
        let at = std::array::from_fn(|i| if corner >> i & 1 == 1 { last[i] } else { 0.0 });
        let [a, b] = [a, b].map(|v| v.grid.world_from_voxel().transform_point3(at.into()));
        a.distance(b)
    });
    distances.fold(0.0, f64::max)
}

/// A scaled identity at the origin is what programs write that know no place.
fn unplaced(volume: &Volume) -> bool {
    let placed = volume.grid.world_from_voxel();
    let m = placed.matrix3.to_cols_array_2d();
    let off_axis = (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|(i, j)| i != j);
    placed.translation.length() < 1e-6 && off_axis.map(|(i, j)| m[i][j].abs()).fold(0.0, f64::max) < 1e-9
}
