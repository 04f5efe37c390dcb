//! Which voxels of a panel are marked, and in what colour.
//!
//! A mark is decided on stored values, so that the voxels in colour are exactly those that a threshold counts: the
//! range is turned from values into stored values once, with the very rescale that every voxel goes through.

use imaging::Volume;
use imaging::volume::Rescale;

use crate::volume::VoxelFormat;

/// Labels that have a colour: all that a byte holds.
pub const COLOURS: usize = 256;

/// Outlines wider than this hide what they should bound.
const WIDEST_OUTLINE_PX: u32 = 16;

/// How marked voxels are shown. Slabs are always filled: an outline of a projection is one of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Every marked pixel with the alpha of its label.
    #[default]
    Fill,
    /// Only pixels that have another mark or none within this many pixels to either side, above or below; opaque.
    Outline(u32),
    /// Outlines opaque, the rest with the alpha of its label.
    Both(u32),
}

impl Style {
    /// The width of the outline in pixels; `None` where there is none.
    pub(crate) fn outline_px(self) -> Option<u32> {
        match self {
            Self::Fill => None,
            Self::Outline(px) | Self::Both(px) => Some(px.clamp(1, WIDEST_OUTLINE_PX)),
        }
    }

    /// As slice.wgsl takes it.
    pub(crate) fn code(self) -> u32 {
        let style = match self {
            Self::Fill => 0,
            Self::Outline(_) => 1,
            Self::Both(_) => 2,
        };
        style | self.outline_px().unwrap_or(0) << 2
    }
}

/// Marks the voxels that lie in a box, hold a stored value of a range and have a label with a colour.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayDraw {
    /// Smallest stored value that is marked.
    pub lowest: f32,
    /// Largest stored value that is marked.
    pub highest: f32,
    /// First voxel of the box, and the one past its last along each axis. `None`: the whole volume.
    pub region: Option<[[u32; 3]; 2]>,
    /// Red, green, blue, alpha by label. An alpha of 0 marks nothing.
    pub palette: Box<[[u8; 4]; COLOURS]>,
    /// Filled, outlined or both.
    pub style: Style,
}

impl OverlayDraw {
    /// Every value of every voxel.
    pub fn everything(palette: [[u8; 4]; COLOURS]) -> Self {
        Self {
            lowest: f32::NEG_INFINITY,
            highest: f32::INFINITY,
            region: None,
            palette: Box::new(palette),
            style: Style::Fill,
        }
    }

    /// The voxels whose value lies in `lowest..=highest`; `None` where there is no such value. Labels beyond the
    /// end of the palette have no colour.
    pub fn of_values(
        volume: &Volume,
        [lowest, highest]: [f64; 2],
        region: Option<[[u32; 3]; 2]>,
        palette: &[[u8; 4]],
    ) -> Option<Self> {
        let format = VoxelFormat::of(&volume.voxels);
        let [lowest, highest] = stored_range(format, volume.rescale, [lowest, highest])?;
        let palette = Box::new(std::array::from_fn(|label| palette.get(label).copied().unwrap_or_default()));
        Some(Self { lowest, highest, region, palette, style: Style::Fill })
    }

    /// First voxel and the one past the last, inside the volume; empty boxes end where they begin.
    pub(crate) fn region_within(&self, dims: [u32; 3]) -> [[u32; 3]; 2] {
        let Some([from, to]) = self.region else { return [[0; 3], dims] };
        let from = std::array::from_fn(|axis| from[axis].min(dims[axis]));
        [from, std::array::from_fn(|axis| to[axis].clamp(from[axis], dims[axis]))]
    }
}

/// The smallest and the largest stored value `v` with `lowest <= rescale.apply(v) <= highest`, of all that voxels of
/// this format can hold; `None` if there is none. What lies between them belongs to the set as well, because
/// rounding never turns an order around.
pub fn stored_range(format: VoxelFormat, rescale: Rescale, [lowest, highest]: [f64; 2]) -> Option<[f32; 2]> {
    if !(rescale.slope.is_finite() && rescale.intercept.is_finite()) {
        return None;
    }
    // Whole numbers in the order of the stored values, end exclusive.
    let (first, end) = match format {
        VoxelFormat::I16 => (i64::from(i16::MIN), i64::from(i16::MAX) + 1),
        VoxelFormat::U16 => (0, i64::from(u16::MAX) + 1),
        VoxelFormat::F32 => (i64::from(float_key(f32::MIN)), i64::from(float_key(f32::MAX)) + 1),
        VoxelFormat::Rgba8 => return None,
    };
    let stored = |n: i64| if format == VoxelFormat::F32 { float_of_key(n as i32) } else { n as f32 };
    let value = |n: i64| rescale.apply(f64::from(stored(n)));
    let falling = rescale.slope < 0.0;
    let begins = |n| if falling { value(n) <= highest } else { value(n) >= lowest };
    let goes_on = |n| if falling { value(n) >= lowest } else { value(n) <= highest };
    let from = first_where(first, end, begins);
    let to = first_where(first, end, |n| !goes_on(n));
    // NaN as a limit lets nothing begin or nothing go on.
    (from < to).then(|| [stored(from), stored(to - 1)])
}

/// The first number from which on something holds; `end` if there is none.
fn first_where(mut low: i64, end: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let mut high = end;
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// A whole number with the order of the floats: those of one sign are ordered as their bits are (IEEE 754), and
/// with the others flipped the negative ones lie below. -0 comes just before 0.
pub(crate) fn float_key(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

fn float_of_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) as u32 >> 1) as i32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: [f64; 9] = [-1e9, -1000.0, -0.3, 0.0, 50.0, 129.5, 130.0, 130.000_000_1, 1e9];
    const RESCALES: [(f64, f64); 8] = [
        (1.0, -1024.0),
        (0.1, -3.7),
        (2.5, 0.0),
        (-1.0, 300.0),
        (-0.3, 7.1),
        (0.0, 60.0),
        (1e-30, 0.0),
        (1e306, -1.0),
    ];

    fn each_range(look: impl Fn(Rescale, [f64; 2])) {
        for (slope, intercept) in RESCALES {
            for lowest in LIMITS.into_iter().chain([f64::NEG_INFINITY, f64::NAN]) {
                for highest in LIMITS.into_iter().chain([f64::INFINITY, f64::NAN]) {
                    look(Rescale { slope, intercept }, [lowest, highest]);
                }
            }
        }
    }

    /// The definition itself, for every value that 16 bits can hold.
    #[test]
    fn a_range_holds_exactly_the_stored_values_of_the_definition() {
        let formats: [(VoxelFormat, Vec<f32>); 2] = [
            (VoxelFormat::I16, (i16::MIN..=i16::MAX).map(f32::from).collect()),
            (VoxelFormat::U16, (0..=u16::MAX).map(f32::from).collect()),
        ];
        for (format, all) in &formats {
            each_range(|rescale, [lowest, highest]| {
                let range = stored_range(*format, rescale, [lowest, highest]);
                for stored in all {
                    let value = rescale.slope * f64::from(*stored) + rescale.intercept;
                    let want = value >= lowest && value <= highest;
                    let got = range.is_some_and(|[low, high]| *stored >= low && *stored <= high);
                    assert_eq!(got, want, "{format:?} {rescale:?} {lowest}..={highest}: {stored}");
                }
            });
        }
    }

    #[test]
    fn a_range_of_floats_ends_at_the_last_float_that_belongs_to_it() {
        let near = |x: f32| [x.next_down(), x, x.next_up()];
        let mut probes: Vec<f32> = [-0.0, 1e-40, 129.5, 130.0, -130.0, 1154.0, 50.0, 1e9].map(near).concat();
        probes.extend([f32::MIN, f32::MAX, -1e30, 1e30]);
        each_range(|rescale, [lowest, highest]| {
            let range = stored_range(VoxelFormat::F32, rescale, [lowest, highest]);
            // Both sides of both ends, and what lies far away.
            let ends = range.map(|ends| ends.map(near).concat()).unwrap_or_default();
            for stored in probes.iter().chain(&ends).copied().filter(|x| x.is_finite()) {
                let value = rescale.slope * f64::from(stored) + rescale.intercept;
                let want = value >= lowest && value <= highest;
                let got = range.is_some_and(|[low, high]| stored >= low && stored <= high);
                assert_eq!(got, want, "{rescale:?} {lowest}..={highest}: {stored:e}");
            }
        });
    }

    #[test]
    fn colour_and_broken_rescales_have_no_range() {
        let all = [f64::NEG_INFINITY, f64::INFINITY];
        assert_eq!(stored_range(VoxelFormat::Rgba8, Rescale::default(), all), None);
        for (slope, intercept) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (1.0, f64::NAN)] {
            assert_eq!(stored_range(VoxelFormat::I16, Rescale { slope, intercept }, all), None);
        }
    }

    #[test]
    fn a_box_is_cut_to_the_volume() {
        let of = |region| OverlayDraw { region, ..OverlayDraw::everything([[0; 4]; COLOURS]) };
        let dims = [22, 23, 30];
        assert_eq!(of(None).region_within(dims), [[0; 3], dims]);
        assert_eq!(of(Some([[1, 2, 3], [9, 99, u32::MAX]])).region_within(dims), [[1, 2, 3], [9, 23, 30]]);
        assert_eq!(of(Some([[5, 50, 3], [4, 60, 3]])).region_within(dims), [[5, 23, 3], [5, 23, 3]]);
    }
}
