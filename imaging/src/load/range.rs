//! Smallest and largest value, slice by slice, with and without padding.
//!
//! Kept while loading because a later pass over the voxels would cost as much as reading them.

use scene::Grid;

use super::convert::{SliceRef, slice_ref};
use crate::volume::{Padding, Rescale, Voxels};

/// Ranges of the values seen so far, in the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ValueRange {
    without_padding: Option<(f64, f64)>,
    all: Option<(f64, f64)>,
}

impl ValueRange {
    /// Takes one slice in.
    pub(super) fn add(
        &mut self,
        voxels: &Voxels,
        grid: &Grid,
        slot: usize,
        padding: Option<Padding>,
        rescale: Rescale,
    ) {
        let Some(slice) = slice_ref(voxels, grid, slot) else { return };
        // NaN fails every comparison and so stays out.
        let stored = |keep: &dyn Fn(f64) -> bool| -> Option<(f64, f64)> {
            fn span<T: Copy + Into<f64>>(v: &[T], keep: &dyn Fn(f64) -> bool) -> (f64, f64) {
                v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| {
                    let x: f64 = (*x).into();
                    if keep(x) { (lo.min(x), hi.max(x)) } else { (lo, hi) }
                })
            }
            let (lo, hi) = match slice {
                SliceRef::I16(v) => span(v, keep),
                SliceRef::U16(v) => span(v, keep),
                SliceRef::F32(v) => span(v, keep),
                SliceRef::Rgba8 => return None,
            };
            (lo <= hi).then_some((lo, hi))
        };
        let all = match slice {
            // The plain case is the common one; a closure per voxel would show in the loading time.
            SliceRef::I16(v) => {
                v.iter().min().zip(v.iter().max()).map(|(a, b)| (f64::from(*a), f64::from(*b)))
            }
            SliceRef::U16(v) => {
                v.iter().min().zip(v.iter().max()).map(|(a, b)| (f64::from(*a), f64::from(*b)))
            }
            _ => stored(&|x| x.is_finite()),
        };
        let valid = match padding {
            Some(p) if all.is_some_and(|(lo, hi)| lo <= p.high && hi >= p.low) => {
                stored(&|x| x.is_finite() && !p.contains(x))
            }
            _ => all,
        };
        widen(&mut self.all, all, rescale);
        widen(&mut self.without_padding, valid, rescale);
    }

    /// Padding left out; where everything is padding, padding is all there is.
    pub fn values(&self) -> Option<(f64, f64)> {
        self.without_padding.or(self.all)
    }

    /// Padding included.
    pub fn all(&self) -> Option<(f64, f64)> {
        self.all
    }
}

fn widen(range: &mut Option<(f64, f64)>, stored: Option<(f64, f64)>, rescale: Rescale) {
    let Some((a, b)) = stored.map(|(lo, hi)| (rescale.apply(lo), rescale.apply(hi))) else { return };
    // A negative slope turns them around.
    let (lo, hi) = (a.min(b), a.max(b));
    *range = Some(range.map_or((lo, hi), |(l, h)| (l.min(lo), h.max(hi))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_nan_stay_out() {
        let grid = Grid::picture(4, 1, 1).unwrap();
        let mut range = ValueRange::default();
        let voxels = Voxels::I16(vec![-2000, 5, 7, 9]);
        let padding = Some(Padding { low: -2000.0, high: -2000.0 });
        range.add(&voxels, &grid, 0, padding, Rescale { slope: -2.0, intercept: 1.0 });
        assert_eq!(range.values(), Some((-17.0, -9.0)));
        assert_eq!(range.all(), Some((-17.0, 4001.0)));
        let mut range = ValueRange::default();
        range.add(&Voxels::F32(vec![f32::NAN, 1.5, -3.0, f32::INFINITY]), &grid, 0, None, Rescale::default());
        assert_eq!(range.values(), Some((-3.0, 1.5)));
    }
}
