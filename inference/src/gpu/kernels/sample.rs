//! An image at the places of another grid that may lie askew: the first step of what is done to it for a model.
//!
//! From the stored numbers, two to a word, and straight from grid to grid: passes along axes, as `resample` makes them,
//! cannot turn.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::unpack::words_of;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{DISPATCH_MACS, Program, Recorder, Source, groups_of};
use crate::image::Sampling;

/// Seven lerps in f32 between numbers below 1,000, at places that are exact to a ten millionth of a voxel.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 5e-4,
    rel: 1e-6,
    why: "lerps in f32 of stored numbers up to 1,000 and between neighbours that differ by all of that",
};

/// What is written for a sample that lies outside: the lowest number. Not NaN, which compilers may take for anything.
pub const OUTSIDE: f32 = f32::MIN;

const PADDED: u32 = 1;
const LINEAR: u32 = 2;

/// Voxels that a place may be away from the first one: beyond, 65,536ths do not fit 32 bits.
const FARTHEST: f64 = 32_000.0;

/// `struct Params` of `shaders/inference/sample.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    dims: [u32; 4],
    image: [u32; 4],
    slice: [u32; 4],
    origin: [i32; 4],
    along_x: [i32; 4],
    along_y: [i32; 4],
    along_z: [i32; 4],
    origin_rest: [f32; 4],
    along_x_rest: [f32; 4],
    along_y_rest: [f32; 4],
    along_z_rest: [f32; 4],
    values: [f32; 4],
}

field_offsets!(
    dims,
    image,
    slice,
    origin,
    along_x,
    along_y,
    along_z,
    origin_rest,
    along_x_rest,
    along_y_rest,
    along_z_rest,
    values
);

/// How an image's numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Their types.
pub enum Kind {
    I16,
    U16,
    F32,
}

/// One sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How the numbers are stored.
    pub kind: Kind,
    /// Columns, rows, slices of the image.
    pub image: [usize; 3],
    /// Stored numbers that are no measurement, both inclusive; nor is what is not finite.
    pub padding: Option<[f64; 2]>,
    /// What takes their place.
    pub fill: f64,
    /// Where the samples lie.
    pub sampling: Sampling,
}

impl Sample {
    /// Whether the kernel's integers hold all of its places.
    pub fn fits(&self) -> bool {
        let Sampling { dims, steps, .. } = &self.sampling;
        let corners = (0..8).map(|c: usize| {
            self.sampling.place(std::array::from_fn(|axis| (c >> axis & 1) * dims[axis].saturating_sub(1)))
        });
        let near = |v: &f64| v.abs() < FARTHEST;
        self.sampling.samples() > 0
            && self.sampling.samples() <= i32::MAX as usize
            && self.image.iter().all(|&n| n > 0 && (n as f64) < FARTHEST)
            && self.image.iter().product::<usize>() <= i32::MAX as usize
            && steps.iter().flatten().all(near)
            && corners.flatten().all(|v| near(&v))
    }

    fn params(&self, first: u64, many: u64) -> Params {
        let Sampling { dims, origin, steps, linear, slack } = self.sampling;
        let kind = match self.kind {
            Kind::I16 => 0,
            Kind::U16 => 1,
            Kind::F32 => 2,
        };
        let flags = if linear { LINEAR } else { 0 } | if self.padding.is_some() { PADDED } else { 0 };
        let of = |[x, y, z]: [usize; 3], w| [x as u32, y as u32, z as u32, w];
        let [low, high] = self.padding.unwrap_or_default();
        let (origin, origin_rest) = split(origin);
        let [(along_x, along_x_rest), (along_y, along_y_rest), (along_z, along_z_rest)] = steps.map(split);
        Params {
            dims: of(dims, flags),
            image: of(self.image, kind),
            slice: [first as u32, many as u32, 0, 0],
            origin,
            along_x,
            along_y,
            along_z,
            origin_rest,
            along_x_rest,
            along_y_rest,
            along_z_rest,
            values: [inner(low, true), inner(high, false), self.fill as f32, slack as f32],
        }
    }
}

/// In 65,536ths, and what they leave.
fn split(place: [f64; 3]) -> ([i32; 4], [f32; 4]) {
    let mut both = ([0; 4], [0.0; 4]);
    for (axis, v) in place.into_iter().enumerate() {
        let fixed = (v * 65_536.0).round();
        both.0[axis] = fixed as i32;
        both.1[axis] = (v - fixed / 65_536.0) as f32;
    }
    both
}

/// The f32 next to a bound on its inner side, so that no f32 changes sides.
fn inner(bound: f64, lower: bool) -> f32 {
    let near = bound as f32;
    match f64::from(near).total_cmp(&bound) {
        std::cmp::Ordering::Less if lower => near.next_up(),
        std::cmp::Ordering::Greater if !lower => near.next_down(),
        _ => near,
    }
}

/// Adds a sampling: one word per sample, columns first, as f32; [`OUTSIDE`] where a sample has no nearest voxel.
///
/// # Errors
/// Where it does not fit.
pub fn record(rec: &mut Recorder, job: &Sample, image: &Block, out: &Block) -> Result<(), GpuFault> {
    if !job.fits() {
        return Err(GpuFault::unfit("sample", format!("{:?} lies too far from the image", job.sampling)));
    }
    let program =
        Program { name: "sample", source: Source::Shader(&wgsl::SAMPLE), entry: "main", constants: &[] };
    let (samples, taps) = (job.sampling.samples() as u64, if job.sampling.linear { 8 } else { 1 });
    let most = DISPATCH_MACS / taps;
    let mut first = 0;
    while first < samples {
        let many = most.min(samples - first);
        let params = job.params(first, many);
        let bound = [(1, image), (2, out)];
        rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(many)?, many * taps)?;
        first += many;
    }
    Ok(())
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

/// Steps of a grid that is turned about (1, -2, 0.5), as nobody's axes are: Rodrigues' formula, scaled per axis.
fn askew(angle: f64, scale: [f64; 3]) -> [[f64; 3]; 3] {
    let length = (1.0f64 + 4.0 + 0.25).sqrt();
    let axis = [1.0 / length, -2.0 / length, 0.5 / length];
    let (sin, cos) = (angle.sin(), angle.cos());
    std::array::from_fn(|column| {
        std::array::from_fn(|k| {
            let across = match (3 + k - column) % 3 {
                0 => cos,
                1 => axis[(column + 2) % 3] * sin,
                _ => -axis[(column + 1) % 3] * sin,
            };
            (across + axis[k] * axis[column] * (1.0 - cos)) * scale[column]
        })
    })
}

impl Spec for ThisKernel {
    type Job = Sample;

    fn cases() -> Vec<Case<Sample>> {
        const IDENTITY: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let mut cases = Vec::new();
        let mut add = |name: &str, kind, image: [usize; 3], dims, origin, steps, linear| {
            let many = image.iter().product();
            let values: Vec<f32> = noise(21, many).iter().map(|x| (x * 1000.0).round()).collect();
            let padding = (linear && many > 8).then_some([-400.5, -200.0]);
            let words = match kind {
                Kind::I16 => Words::U32(words_of(
                    &values.iter().flat_map(|x| (*x as i16).to_le_bytes()).collect::<Vec<_>>(),
                )),
                Kind::U16 => Words::U32(words_of(
                    &values.iter().flat_map(|x| (x.abs() as u16 + 64_000).to_le_bytes()).collect::<Vec<_>>(),
                )),
                // Some are no numbers.
                Kind::F32 => Words::F32(
                    values
                        .iter()
                        .enumerate()
                        .map(|(i, x)| if i % 17 == 5 { [f32::NAN, f32::INFINITY][i % 2] } else { x * 0.37 })
                        .collect(),
                ),
            };
            let sampling = Sampling { dims, origin, steps, linear, slack: 1e-4 };
            cases.push(Case {
                name: format!("{name}, {kind:?}, {}", if linear { "linear" } else { "nearest" }),
                job: Sample { kind, image, padding, fill: -777.0, sampling },
                inputs: vec![words],
            });
        };
        for kind in [Kind::I16, Kind::U16, Kind::F32] {
            for linear in [true, false] {
                add("one voxel", kind, [1; 3], [1; 3], [0.0; 3], IDENTITY, linear);
                add("itself", kind, [7, 5, 3], [7, 5, 3], [0.0; 3], IDENTITY, linear);
                let steps = askew(0.7, [0.61, 1.13, 0.37]);
                add("askew", kind, [22, 23, 30], [31, 17, 29], [-3.2, 4.9, 1.3], steps, linear);
            }
        }
        let flipped = [[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        add("flipped and permuted", Kind::I16, [4, 5, 6], [6, 4, 5], [3.0, 0.0, 5.0], flipped, true);
        add("flipped and permuted", Kind::I16, [4, 5, 6], [6, 4, 5], [3.0, 0.0, 5.0], flipped, false);
        // Ties belong to the upper voxel, also those that rounding moved a little below.
        let halves = [[0.5, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        add("ties", Kind::I16, [9, 3, 2], [22, 3, 2], [-1.0 - 1e-6, 0.0, 0.0], halves, false);
        add("both edges", Kind::I16, [9, 3, 2], [44, 3, 2], [-1.0, 0.0, 0.0], halves, true);
        add("wholly outside", Kind::U16, [3, 4, 5], [4, 4, 4], [5.0, 9.0, -40.0], IDENTITY, true);
        // Far along a row: 20,000 steps of a third.
        let thirds = [[1.0 / 3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        add("far", Kind::F32, [6_700, 2, 1], [20_000, 2, 1], [0.1, 0.3, 0.0], thirds, true);
        cases
    }

    fn record(rec: &mut Recorder, job: &Sample, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Sample, inputs: &[Words]) -> Words {
        let [nx, ny, _] = job.image;
        let words = inputs[0].bits();
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let stored = |x: usize, y: usize, z: usize| -> f64 {
            let at = (z * ny + y) * nx + x;
            let value = match job.kind {
                Kind::I16 => f64::from(i16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])),
                Kind::U16 => f64::from(u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])),
                Kind::F32 => f64::from(f32::from_bits(words[at])),
            };
            let padded = job.padding.is_some_and(|[low, high]| value >= low && value <= high);
            if value.is_finite() && !padded { value } else { job.fill }
        };
        let Sampling { dims, linear, slack, .. } = job.sampling;
        let mut result = Vec::new();
        for z in 0..dims[2] {
            for y in 0..dims[1] {
                for x in 0..dims[0] {
                    let p = job.sampling.place([x, y, z]);
                    let near = p.map(|v| (v + 0.5 + slack).floor());
                    let inside = (0..3).all(|k| near[k] >= 0.0 && near[k] < job.image[k] as f64);
                    result.push(if !inside {
                        OUTSIDE
                    } else if !linear {
                        stored(near[0] as usize, near[1] as usize, near[2] as usize) as f32
                    } else {
                        // Each neighbour by its share of the cube.
                        let mut sum = 0.0;
                        for corner in 0..8usize {
                            let mut share = 1.0;
                            let at: [usize; 3] = std::array::from_fn(|k| {
                                let upper = (corner >> k & 1) as f64;
                                let part = p[k] - p[k].floor();
                                share *= if upper > 0.0 { part } else { 1.0 - part };
                                (p[k].floor() + upper).clamp(0.0, job.image[k] as f64 - 1.0) as usize
                            });
                            if share > 0.0 {
                                sum += share * stored(at[0], at[1], at[2]);
                            }
                        }
                        sum as f32
                    });
                }
            }
        }
        Words::F32(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_the_integers_are_refused() {
        let steps = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let sampling = Sampling { dims: [4, 5, 6], origin: [0.0; 3], steps, linear: true, slack: 1e-4 };
        let job = Sample { kind: Kind::I16, image: [4, 5, 6], padding: None, fill: 0.0, sampling };
        assert!(job.fits());
        let with = |sampling: Sampling| Sample { sampling, ..job };
        assert!(!with(Sampling { origin: [0.0, -32_001.0, 0.0], ..sampling }).fits());
        assert!(!with(Sampling { origin: [0.0, f64::NAN, 0.0], ..sampling }).fits());
        assert!(!with(Sampling { dims: [4, 5, 32_002], ..sampling }).fits(), "its last slice");
        assert!(!with(Sampling { dims: [0, 5, 6], ..sampling }).fits());
        assert!(!Sample { image: [1, 1, 40_000], ..job }.fits());
    }

    #[test]
    fn a_bound_keeps_every_float_on_its_side() {
        for bound in [-400.5, 0.1, -0.1, 1e-50, 16_777_217.0, -16_777_217.0] {
            let (low, high) = (inner(bound, true), inner(bound, false));
            assert!(f64::from(low) >= bound && f64::from(low.next_down()) < bound, "{bound}");
            assert!(f64::from(high) <= bound && f64::from(high.next_up()) > bound, "{bound}");
        }
    }
}
