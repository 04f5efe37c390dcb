//! Series that the GPU must treat like the twin: odd boxes, masks with holes, vessels that are not mixed, every signal,
//! voxels without concentration.

use super::Signal;
use crate::kernels::Extent;
use crate::kernels::shapes::scatter;

/// Frames of a box.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// Columns, rows, slices of the box.
    pub extent: [usize; 3],
    /// Values of the box, by frame.
    pub frames: Vec<Vec<f32>>,
    /// Frames that are not to be mixed any more.
    pub is_mixed: Vec<bool>,
    /// From the centre outwards, along columns, rows, slices; empty where nothing is mixed.
    pub kernels: [Vec<f32>; 3],
    /// Voxels of the box that give and take; empty where nothing is mixed.
    pub inside: Vec<bool>,
    /// Voxels whose curves are wanted, as places in the box.
    pub places: Vec<u32>,
    /// How it becomes concentration.
    pub signal: Signal,
    /// Samples.
    pub baseline: usize,
    /// Voxels of a slab.
    pub slab: usize,
}

impl Case {
    /// By voxel of the box 1 / the weights within the mask, 0 outside; empty where nothing is mixed.
    pub fn shares(&self) -> Vec<f32> {
        let [columns, rows, _] = self.extent;
        let all: Vec<[usize; 3]> =
            (0..self.inside.len()).map(|i| [i % columns, i / columns % rows, i / columns / rows]).collect();
        let weight = |a: [usize; 3], b: [usize; 3]| -> f32 {
            (0..3)
                .map(|axis| self.kernels[axis].get(a[axis].abs_diff(b[axis])).copied().unwrap_or(0.0))
                .product()
        };
        let share = |here: usize| {
            let members = (0..all.len()).filter(|there| self.inside[*there]);
            1.0 / members.map(|there| weight(all[here], all[there])).sum::<f32>()
        };
        (0..all.len()).map(|here| if self.inside[here] { share(here) } else { 0.0 }).collect()
    }
}

/// `exp(-i^2 / (2 sd^2))`
fn gaussian(sd: f64, reach: usize) -> Vec<f32> {
    (0..=reach).map(|i| (-0.5 * (i as f64 / sd).powi(2)).exp() as f32).collect()
}

/// A level that differs from voxel to voxel, a bolus and some noise; falling where contrast darkens.
fn frames(extent: [usize; 3], samples: usize, signal: Signal) -> Vec<Vec<f32>> {
    let voxels: usize = extent.iter().product();
    let value = |voxel: usize, t: usize| {
        let level = 30.0 + (scatter(voxel as u32) % 900) as f32;
        let u = t as f32 - samples as f32 / 4.0 - (voxel % 3) as f32;
        let bolus = if u > 0.0 { u * u * (-u / 1.5).exp() } else { 0.0 };
        let noise = (scatter((voxel * samples + t) as u32 ^ 0x9e37) % 1000) as f32 / 500.0 - 1.0;
        match signal {
            Signal::Logarithm(_) => level * (-0.3 * bolus).exp() * (1.0 + 0.01 * noise),
            Signal::Linear | Signal::Concentration => level - 200.0 + 60.0 * bolus + noise,
        }
    };
    (0..samples).map(|t| (0..voxels).map(|voxel| value(voxel, t)).collect()).collect()
}

/// Plants what has no concentration into voxels that are not mixed; they are the last places.
fn spoil(case: &mut Case) {
    let n = case.places.len();
    let mut put = |from_end: usize, value: &dyn Fn(usize, f32) -> f32| {
        let place = case.places[n - 1 - from_end] as usize;
        for (t, frame) in case.frames.iter_mut().enumerate() {
            frame[place] = value(t, frame[place]);
        }
    };
    put(0, &|t, v| if t == 5 { f32::NAN } else { v });
    put(1, &|t, v| if t == 0 { f32::INFINITY } else { v });
    put(2, &|_, _| 41.0);
    if matches!(case.signal, Signal::Logarithm(_)) {
        put(3, &|t, v| if t == 6 { -v } else { v });
        put(4, &|t, v| if t < 4 { 0.0 } else { v });
    }
}

/// The cases; fewer of them where a page waits.
pub fn cases(extent: Extent) -> Vec<Case> {
    let signals = [
        ("linear", Signal::Linear),
        ("logarithm", Signal::Logarithm(-33.0)),
        ("concentration", Signal::Concentration),
    ];
    let shapes = [
        ("smoothed", [13, 11, 5], [2, 3, 1]),
        ("as it is", [17, 5, 4], [0, 0, 0]),
        ("one slice", [31, 9, 1], [4, 5, 0]),
        ("wider than the box", [5, 4, 2], [9, 7, 6]),
        ("one row", [83, 1, 1], [3, 0, 0]),
    ];
    let all = shapes.iter().flat_map(|shape| signals.iter().map(move |signal| (shape, signal)));
    let some = if extent == Extent::SelfCheck { 2 } else { usize::MAX };
    all.take(some).enumerate().map(|(i, (shape, signal))| case(i, *shape, *signal)).collect()
}

fn case(
    i: usize,
    (shape, extent, reach): (&str, [usize; 3], [usize; 3]),
    (name, signal): (&str, Signal),
) -> Case {
    let voxels: usize = extent.iter().product();
    let (mixes, samples) = (reach != [0; 3], 12 + i);
    // A hole in the mask; the last ten are vessels.
    let inside = |v: usize| v + 10 < voxels && !(v % 7 == 3 && v % 5 == 1);
    let kernels = reach.map(|r| gaussian(0.4 + r as f64 / 3.0, r));
    let mut case = Case {
        name: format!("{name}, {shape}"),
        extent,
        frames: frames(extent, samples, signal),
        is_mixed: (0..samples).map(|t| t == 7).collect(),
        kernels: if mixes { kernels } else { Default::default() },
        inside: if mixes { (0..voxels).map(inside).collect() } else { Vec::new() },
        // Not all voxels of the box are wanted.
        places: (0..voxels as u32).filter(|v| v % 4 != 1 || *v as usize + 10 >= voxels).collect(),
        signal,
        baseline: 4,
        slab: if i.is_multiple_of(2) { 32 } else { 1024 },
    };
    spoil(&mut case);
    case
}
