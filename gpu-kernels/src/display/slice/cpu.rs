//! The CPU twin of the slice pass, from the rules in `slice`, and the drawing path where there is no GPU.
//!
//! A row of pixels is sampled at a time, for one sample of the slab after the other: memory is then read
//! along rows, positions are stepped by adding, and only the part of a row that lies inside is visited, which
//! whole-number positions make exact.

mod mark;
mod sample;

use imaging::{Volume, Voxels};
use scene::{DVec3, Interpolation, SlabMode};

use self::mark::{Marker, Marks};
use self::sample::{Float, Sampler, Stored};
use super::{GreyMap, PanelDraw, Samples};
use crate::display::BACKGROUND;
use crate::labels::Labels;
use crate::volume::ArrivedSlices;

/// A picture to draw into: RGBA, 8 bits each, rows `stride_bytes` apart.
pub struct Picture<'a> {
    /// At least `stride_bytes * height_px` bytes.
    pub pixels: &'a mut [u8],
    /// Columns.
    pub width_px: u32,
    /// Rows.
    pub height_px: u32,
    /// Bytes from one row to the next.
    pub stride_bytes: usize,
}

/// One pixel or voxel of 2^32 parts.
pub(crate) const ONE: i64 = 1 << 32;
const HALF: i64 = 1 << 31;

/// Positions in 1/2^32 voxel: of the first sample at the panel's first pixel (plus half a voxel), and the
/// steps per pixel right, down, and per sample away.
#[derive(Clone, Copy)]
struct Walk {
    origin: [i64; 3],
    right: [i64; 3],
    down: [i64; 3],
    away: [i64; 3],
}

impl Walk {
    fn new(panel: &PanelDraw, samples: &Samples) -> Self {
        let m = panel.voxel_from_screen;
        let parts = |v: DVec3| v.to_array().map(|x| (x * ONE as f64).round() as i64);
        let away = parts(m.matrix3.z_axis * samples.step);
        let plane = parts(m.transform_point3(DVec3::new(0.5, 0.5, 0.0)) + 0.5);
        Self {
            origin: add(plane, away, samples.first),
            right: parts(m.matrix3.x_axis),
            down: parts(m.matrix3.y_axis),
            away,
        }
    }
}

/// `a + n * step`
fn add(a: [i64; 3], step: [i64; 3], n: i64) -> [i64; 3] {
    std::array::from_fn(|i| a[i].wrapping_add(step[i].wrapping_mul(n)))
}

/// Fills the picture with what lies outside every volume.
pub fn clear(picture: &mut Picture<'_>) {
    for row in picture.pixels.chunks_mut(picture.stride_bytes.max(1)).take(picture.height_px as usize) {
        for pixel in row.chunks_exact_mut(4).take(picture.width_px as usize) {
            pixel.copy_from_slice(&BACKGROUND);
        }
    }
}

/// Draws one panel of one time point. Other parts of the picture stay as they are.
///
/// `labels` are the volume's, if it has any; they show where the panel has an overlay.
pub fn draw(
    panel: &PanelDraw,
    volume: &Volume,
    time_index: u32,
    arrived: &ArrivedSlices,
    labels: Option<&Labels>,
    picture: &mut Picture<'_>,
) {
    let count: usize = panel.dims.iter().map(|&n| n as usize).product();
    let start = time_index as usize * count;
    let range = start..start + count;
    match &volume.voxels {
        Voxels::I16(v) => draw_grey(panel, v.get(range), arrived, labels, picture),
        Voxels::U16(v) => draw_grey(panel, v.get(range), arrived, labels, picture),
        // Floats tell by themselves whether they are a measurement.
        Voxels::F32(v) => {
            let voxels = v.get(range).map(bytemuck::cast_slice::<f32, Float>);
            draw_grey(panel, voxels, arrived, labels, picture);
        }
        Voxels::Rgba8(v) => draw_colour(panel, v.get(range), arrived, picture),
    }
}

/// The rows of the panel that lie on the picture, each cut to the columns that do; with their row numbers.
fn panel_rows<'a>(
    panel: &PanelDraw,
    picture: &'a mut Picture<'_>,
) -> impl Iterator<Item = (usize, &'a mut [u8])> {
    let rect = panel.rect;
    let left = rect.x_px.min(picture.width_px) as usize;
    let right = rect.x_px.saturating_add(rect.width_px).min(picture.width_px) as usize;
    let bottom = rect.y_px.saturating_add(rect.height_px).min(picture.height_px);
    let rows = bottom.saturating_sub(rect.y_px) as usize;
    picture
        .pixels
        .chunks_mut(picture.stride_bytes.max(1))
        .skip(rect.y_px as usize)
        .take(rows)
        .map(move |row| {
            let end = (right * 4).min(row.len());
            &mut row[(left * 4).min(end)..end]
        })
        .enumerate()
}

fn fill_background(rows: Vec<(usize, &mut [u8])>) {
    for (_, row) in rows {
        for pixel in row.chunks_exact_mut(4) {
            pixel.copy_from_slice(&BACKGROUND);
        }
    }
}

fn draw_grey<T: Stored>(
    panel: &PanelDraw,
    voxels: Option<&[T]>,
    arrived: &ArrivedSlices,
    labels: Option<&Labels>,
    picture: &mut Picture<'_>,
) {
    let rows: Vec<_> = panel_rows(panel, picture).collect();
    let (Some(samples), Some(voxels)) = (panel.samples(false), voxels) else {
        return fill_background(rows);
    };
    let arrived: Vec<bool> = (0..panel.dims[2]).map(|z| arrived.contains(z)).collect();
    let sampler = Sampler::new(panel, voxels, &arrived);
    let marker = panel.overlay.as_ref().map(|overlay| Marker::new(overlay, panel.dims, &sampler, labels));
    let walk = Walk::new(panel, &samples);
    let draw_some = |rows: Vec<(usize, &mut [u8])>| {
        let mut marks = Marks::default();
        let mut slab = SlabRow::new(panel.rect.width_px as usize, panel.stored_slab_mode());
        for (y, row) in rows {
            let width = row.len() / 4;
            slab.restart(width);
            let start = add(walk.origin, walk.down, y as i64);
            for k in 0..samples.count {
                let at = add(start, walk.away, i64::from(k));
                let (from, to) = inside(at, walk.right, [[0; 3], panel.dims], width);
                if from < to {
                    let first = add(at, walk.right, from as i64);
                    sampler.run(first, walk.right, &mut slab.line[from..to]);
                    slab.fold(from, to, samples.count);
                }
            }
            slab.write(panel, row);
            if let Some(marker) = &marker {
                marker.row(&walk, start, samples.count, &mut marks, row);
            }
        }
    };
    in_parallel(rows, draw_some);
}

/// Natively the rows are shared among the processors; in the browser the engine worker is one thread.
fn in_parallel<'a, F>(rows: Vec<(usize, &'a mut [u8])>, work: F)
where
    F: Fn(Vec<(usize, &'a mut [u8])>) + Sync,
{
    #[cfg(not(target_arch = "wasm32"))]
    {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(rows.len() / 16 + 1);
        if threads > 1 {
            // Neighbouring rows cost alike, so dealing them out in turn keeps the shares equal.
            let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
            for (i, row) in rows.into_iter().enumerate() {
                shares[i % threads].push(row);
            }
            std::thread::scope(|scope| {
                for share in shares {
                    scope.spawn(|| work(share));
                }
            });
            return;
        }
    }
    work(rows);
}

/// First and one past the last pixel of a row whose sample lies in a box of voxels (from, to).
fn inside(start: [i64; 3], right: [i64; 3], region: [[u32; 3]; 2], width: usize) -> (usize, usize) {
    let (mut from, mut to) = (0i64, width as i64);
    for axis in 0..3 {
        // first <= start + x * right <= last, in whole numbers
        let [first, last] = [i64::from(region[0][axis]) * ONE, i64::from(region[1][axis]) * ONE - 1];
        let (p, step) = (start[axis], right[axis]);
        if step == 0 {
            if p < first || p > last {
                return (0, 0);
            }
        } else {
            let (enter, leave) = if step > 0 { (first - p, last - p) } else { (p - last, p - first) };
            let step = step.abs();
            from = from.max(ceil_div(enter, step));
            to = to.min(leave.div_euclid(step) + 1);
        }
    }
    if from < to { (from as usize, to as usize) } else { (0, 0) }
}

fn ceil_div(a: i64, b: i64) -> i64 {
    -(-a).div_euclid(b)
}

/// What the samples of a row have come to so far.
struct SlabRow {
    mode: SlabMode,
    /// The samples just taken; NaN where there is no value.
    line: Vec<f32>,
    value: Vec<f32>,
    count: Vec<u32>,
}

impl SlabRow {
    fn new(width: usize, mode: SlabMode) -> Self {
        Self { mode, line: vec![0.0; width], value: vec![0.0; width], count: vec![0; width] }
    }

    fn restart(&mut self, width: usize) {
        self.value[..width].fill(match self.mode {
            SlabMode::Mip => f32::NEG_INFINITY,
            SlabMode::MinIp => f32::INFINITY,
            SlabMode::Mean => 0.0,
        });
        self.count[..width].fill(0);
    }

    fn fold(&mut self, from: usize, to: usize, samples: u32) {
        let line = &self.line[from..to];
        let value = &mut self.value[from..to];
        let count = &mut self.count[from..to];
        if samples == 1 {
            value.copy_from_slice(line);
            for (n, s) in count.iter_mut().zip(line) {
                *n = u32::from(!s.is_nan());
            }
            return;
        }
        match self.mode {
            // Comparisons with NaN are false, so a missing sample changes nothing.
            SlabMode::Mip => {
                for (v, s) in value.iter_mut().zip(line) {
                    *v = if *s > *v { *s } else { *v };
                }
            }
            SlabMode::MinIp => {
                for (v, s) in value.iter_mut().zip(line) {
                    *v = if *s < *v { *s } else { *v };
                }
            }
            SlabMode::Mean => {
                for (v, s) in value.iter_mut().zip(line) {
                    *v += if s.is_nan() { 0.0 } else { *s };
                }
            }
        }
        for (n, s) in count.iter_mut().zip(line) {
            *n += u32::from(!s.is_nan());
        }
    }

    fn write(&self, panel: &PanelDraw, row: &mut [u8]) {
        let mean = self.mode == SlabMode::Mean;
        let colours = panel.colours.as_deref();
        for ((pixel, value), count) in row.chunks_exact_mut(4).zip(&self.value).zip(&self.count) {
            if *count == 0 {
                pixel.copy_from_slice(&BACKGROUND);
                continue;
            }
            let stored = if mean { *value / *count as f32 } else { *value };
            let grey = grey_of(panel, panel.rescale.apply(f64::from(stored)));
            let shown = if panel.invert { 255 - grey } else { grey };
            let [r, g, b] = colours.map_or([shown; 3], |colours| colours[usize::from(shown)]);
            pixel.copy_from_slice(&[r, g, b, 255]);
        }
    }
}

fn grey_of(panel: &PanelDraw, value: f64) -> u8 {
    let y = match &panel.grey {
        GreyMap::Window(window) => window.apply(value),
        GreyMap::Lut(lut) => lut.apply((value + 0.5).floor()),
    };
    (y * 255.0 + 0.5) as u8
}

fn draw_colour(
    panel: &PanelDraw,
    voxels: Option<&[[u8; 4]]>,
    arrived: &ArrivedSlices,
    picture: &mut Picture<'_>,
) {
    let rows: Vec<_> = panel_rows(panel, picture).collect();
    let (Some(samples), Some(voxels)) = (panel.samples(true), voxels) else {
        return fill_background(rows);
    };
    let walk = Walk::new(panel, &samples);
    let linear = panel.interpolation == Interpolation::Linear;
    let [nx, ny, _] = panel.dims.map(|n| n as usize);
    for (y, row) in rows {
        let start = add(walk.origin, walk.down, y as i64);
        let (from, to) = inside(start, walk.right, [[0; 3], panel.dims], row.len() / 4);
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            pixel.copy_from_slice(&BACKGROUND);
            let at = add(start, walk.right, x as i64);
            if x < from || x >= to || !arrived.contains((at[2] >> 32) as u32) {
                continue;
            }
            for channel in 0..3 {
                let level = |x: usize, y: usize, z: usize| f32::from(voxels[(z * ny + y) * nx + x][channel]);
                let value = if linear {
                    sample::trilinear(at, panel.dims, level)
                } else {
                    let [x, y, z] = at.map(|p| (p >> 32) as usize);
                    level(x, y, z)
                };
                let shown = (value + 0.5).floor() as u8;
                pixel[channel] = if panel.invert { 255 - shown } else { shown };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_is_exact_at_both_ends() {
        let dims = [[0; 3], [4, 4, 4]];
        let middle = [ONE, ONE, ONE];
        // Steps of half a voxel from -1: inside from 0 to 3.5 (plus half a voxel already in the position).
        let start = [-ONE, ONE, ONE];
        assert_eq!(inside(start, [HALF, 0, 0], dims, 100), (2, 10));
        assert_eq!(inside([4 * ONE, ONE, ONE], [-HALF, 0, 0], dims, 100), (1, 9));
        assert_eq!(inside([4 * ONE - 1, ONE, ONE], [-HALF, 0, 0], dims, 100), (0, 8));
        assert_eq!(inside(middle, [0, 0, 0], dims, 7), (0, 7));
        assert_eq!(inside([4 * ONE, 0, 0], [0, 0, 0], dims, 7), (0, 0));
        // Every pixel is judged as the position itself says.
        let (start, right) = ([-3 * ONE + 12345, 77, 4 * ONE - 1], [ONE / 3, 5, -ONE / 50]);
        let (from, to) = inside(start, right, dims, 40);
        for x in 0..40 {
            let at = add(start, right, x);
            let is_inside = (0..3).all(|i| at[i] >= 0 && at[i] < 4 * ONE);
            assert_eq!(is_inside, (from as i64..to as i64).contains(&x), "pixel {x}");
        }
        // A box within the volume: from 1 inclusive to 3 exclusive along each axis, both ways.
        let part = [[1; 3], [3; 3]];
        assert_eq!(inside([-ONE, ONE, 3 * ONE - 1], [HALF, 0, 0], part, 100), (4, 8));
        assert_eq!(inside([3 * ONE, ONE, ONE], [-HALF, 0, 0], part, 100), (1, 5));
        assert_eq!(inside([ONE, ONE - 1, ONE], [HALF, 0, 0], part, 100), (0, 0));
        assert_eq!(inside(middle, [HALF, 0, 0], [[2; 3], [2; 3]], 100), (0, 0));
    }
}
