//! A small picture of a slice for the study list.
//!
//! Drawn here, on the CPU, so that the list is complete before a GPU is ready; the same formulas as the
//! renderer's (`scene::Window`), sampled without smoothing.

use scene::{VoiFunction, Window};

use crate::volume::{Volume, Voxels};

/// Eight-bit RGBA, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Four bytes per pixel.
    pub rgba: Vec<u8>,
}

/// The window a series opens with: the file's first, else the range of its values.
pub fn initial_window(volume: &Volume, range: Option<(f64, f64)>) -> Window {
    match (volume.windows.first(), range) {
        (Some((_, window)), _) => *window,
        (None, Some((low, high))) => Window::from_range(low, high),
        (None, None) => Window::from_range(0.0, 255.0),
    }
}

/// One slice in a picture of at most `side` pixels, in the shape it has in the patient.
pub fn thumbnail(volume: &Volume, slice: u32, time_index: u32, window: &Window, side: u32) -> Thumbnail {
    let [columns, rows, slices] = volume.grid.dims();
    let [column, row, _] = volume.grid.spacing();
    let (width_mm, height_mm) = (f64::from(columns) * column, f64::from(rows) * row);
    let scale = f64::from(side.max(1)) / width_mm.max(height_mm);
    let pixels = |mm: f64| ((mm * scale).round() as u32).clamp(1, side.max(1));
    let (width, height) = (pixels(width_mm), pixels(height_mm));
    let slice = slice.min(slices - 1);
    let mut rgba = Vec::with_capacity((width * height * 4) as usize);
    for y in 0..height {
        for x in 0..width {
            // The voxel under the middle of the pixel.
            let pick = |i: u32, n: u32, of: u32| ((f64::from(i) + 0.5) * f64::from(of) / f64::from(n)) as u32;
            let voxel =
                [pick(x, width, columns).min(columns - 1), pick(y, height, rows).min(rows - 1), slice];
            rgba.extend(match &volume.voxels {
                Voxels::Rgba8(v) => v.get(volume.index(voxel, time_index)).copied().unwrap_or([0, 0, 0, 255]),
                _ => {
                    let level = match (volume.value(voxel, time_index), &volume.voi_lut) {
                        (None, _) => 0.0,
                        (Some(value), Some(lut)) if window.function == VoiFunction::Lut => lut.apply(value),
                        (Some(value), _) => window.apply(value),
                    };
                    let present = volume.value(voxel, time_index).is_some();
                    let level = if volume.monochrome1 && present { 1.0 - level } else { level };
                    let grey = (level * 255.0).round() as u8;
                    [grey, grey, grey, 255]
                }
            });
        }
    }
    Thumbnail { width, height, rgba }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

    #[test]
    fn shape_and_grey_are_those_of_the_patient() {
        let m = DMat3::from_diagonal(DVec3::new(2.0, 1.0, 5.0));
        let grid =
            Grid::new([4, 4, 2], DAffine3::from_mat3(m), LengthUnit::Millimetre, Frame::Patient).unwrap();
        let mut volume = Volume::new(Voxels::I16((0..32).collect()), grid);
        let window = Window::from_range(16.0, 31.0);
        let t = thumbnail(&volume, 1, 0, &window, 8);
        assert_eq!((t.width, t.height), (8, 4));
        assert_eq!(&t.rgba[0..4], [0, 0, 0, 255]);
        assert_eq!(&t.rgba[t.rgba.len() - 4..], [255, 255, 255, 255]);
        volume.monochrome1 = true;
        assert_eq!(&thumbnail(&volume, 1, 0, &window, 8).rgba[0..4], [255, 255, 255, 255]);
        volume.missing = vec![[0, 1]];
        assert_eq!(&thumbnail(&volume, 1, 0, &window, 8).rgba[0..4], [0, 0, 0, 255], "missing stays black");
    }
}
