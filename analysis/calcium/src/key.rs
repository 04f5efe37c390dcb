//! Stored values as integers whose order is the order of Hounsfield units.
//!
//! Thresholds, peaks and labels then need integer comparisons only, whatever the type, the slope or its sign:
//! nothing is rescaled per voxel, and CPU and GPU cannot differ by a rounding.

use imaging::volume::Rescale;
use imaging::{Volume, Voxels};

/// A stored value in an order-preserving form. Ascending keys are ascending HU for a positive slope.
pub trait Stored: Copy + Send + Sync {
    /// What is kept of a candidate: as narrow as the stored value.
    type Key: Copy + Ord + Send + Sync + Into<i32>;
    /// Largest and smallest key.
    const LIMITS: (Self::Key, Self::Key);
    /// The key, not yet turned for a negative slope; `None` for what is no number.
    fn key(self) -> Option<Self::Key>;
    /// Bitwise complement: reverses the order without an overflow.
    fn reversed(key: Self::Key) -> Self::Key;
    /// The key for a number that `i32` holds and [`Stored::LIMITS`] enclose.
    fn narrow(key: i32) -> Self::Key;
}

impl Stored for i16 {
    type Key = i16;
    const LIMITS: (i16, i16) = (i16::MIN, i16::MAX);
    fn key(self) -> Option<i16> {
        Some(self)
    }
    fn reversed(key: i16) -> i16 {
        !key
    }
    fn narrow(key: i32) -> i16 {
        key.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }
}

impl Stored for u16 {
    type Key = i16;
    const LIMITS: (i16, i16) = (i16::MIN, i16::MAX);
    fn key(self) -> Option<i16> {
        Some((self ^ 0x8000) as i16)
    }
    fn reversed(key: i16) -> i16 {
        !key
    }
    fn narrow(key: i32) -> i16 {
        <i16 as Stored>::narrow(key)
    }
}

impl Stored for f32 {
    type Key = i32;
    const LIMITS: (i32, i32) = (i32::MIN, i32::MAX);
    fn key(self) -> Option<i32> {
        // IEEE 754 numbers of one sign are ordered as integers; flipping the other bits of negative ones
        // puts those below. -0 becomes 0, or the two would differ.
        // Infinities are no measurement and would swallow every mean.
        self.is_finite().then(|| {
            let bits = (self + 0.0).to_bits() as i32;
            bits ^ (((bits >> 31) as u32) >> 1) as i32
        })
    }
    fn reversed(key: i32) -> i32 {
        !key
    }
    fn narrow(key: i32) -> i32 {
        key
    }
}

/// Which of the types a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    I16,
    U16,
    F32,
}

/// The way from keys to Hounsfield units and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    kind: Kind,
    rescale: Rescale,
}

impl Scale {
    /// Of a volume; `None` for colour.
    pub fn of(volume: &Volume) -> Option<Self> {
        let kind = match volume.voxels {
            Voxels::I16(_) => Kind::I16,
            Voxels::U16(_) => Kind::U16,
            Voxels::F32(_) => Kind::F32,
            Voxels::Rgba8(_) => return None,
        };
        Some(Self { kind, rescale: volume.rescale })
    }

    /// Whether larger stored values are smaller HU.
    pub fn negative(&self) -> bool {
        self.rescale.slope < 0.0
    }

    /// Whether keys take 32 bits and stand for floats.
    pub(crate) fn wide(&self) -> bool {
        self.kind == Kind::F32
    }

    /// The stored value behind a key.
    pub fn stored(&self, key: i32) -> f64 {
        let key = if self.negative() { !key } else { key };
        match self.kind {
            Kind::I16 => f64::from(key),
            Kind::U16 => f64::from(key) + 32768.0,
            Kind::F32 => f64::from(f32::from_bits((key ^ (((key >> 31) as u32) >> 1) as i32) as u32)),
        }
    }

    /// Sum of the stored values behind `n` keys of 16 bits that sum up to `keys`.
    pub(crate) fn stored_sum(&self, keys: i64, n: usize) -> f64 {
        // `!key` is `-1 - key`.
        let keys = if self.negative() { -keys - n as i64 } else { keys };
        let offset = if self.kind == Kind::U16 { 32768 * n as i64 } else { 0 };
        (keys + offset) as f64
    }

    /// Hounsfield units of a key.
    pub fn hu(&self, key: i32) -> f64 {
        self.rescale.apply(self.stored(key))
    }

    /// Mean HU of `n` voxels whose stored values sum up to `stored_sum`.
    pub fn mean_hu(&self, stored_sum: f64, n: u32) -> f64 {
        let Rescale { slope, intercept } = self.rescale;
        // In this order whole numbers stay exact up to the division.
        (slope * stored_sum + intercept * f64::from(n)) / f64::from(n)
    }

    /// The smallest key whose HU is at least `hu`; one more than the largest key if there is none.
    pub fn cut(&self, hu: f64) -> i64 {
        // HU does not descend with the key; that the rescale is evaluated exactly as for a voxel makes
        // `HU >= threshold` hold to the last bit.
        self.first(|key| self.hu(key) >= hu)
    }

    /// Keys from the first to the second, inclusive, are stored values from `low` to `high`; `None`: none are.
    pub(crate) fn keys_between(&self, low: f64, high: f64) -> Option<[i32; 2]> {
        if low.is_nan() || high.is_nan() {
            return None;
        }
        let (from, end) = if self.negative() {
            (self.first(|k| self.stored(k) <= high), self.first(|k| self.stored(k) < low))
        } else {
            (self.first(|k| self.stored(k) >= low), self.first(|k| self.stored(k) > high))
        };
        (from < end).then(|| [from as i32, (end - 1) as i32])
    }

    /// The smallest key that `is_reached`, where all after it are too; one more than the largest if none is.
    fn first(&self, is_reached: impl Fn(i32) -> bool) -> i64 {
        let (mut low, mut high) = match self.kind {
            Kind::I16 | Kind::U16 => (i64::from(i16::MIN), i64::from(i16::MAX) + 1),
            // Beyond these lie the keys of the infinities and of NaN, which no voxel has.
            Kind::F32 => {
                let key = |v: f32| i64::from(v.key().unwrap_or(0));
                if self.negative() {
                    (!key(f32::MAX), !key(f32::MIN) + 1)
                } else {
                    (key(f32::MIN), key(f32::MAX) + 1)
                }
            }
        };
        while low < high {
            let middle = (low + high) >> 1;
            if is_reached(middle as i32) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use scene::Grid;

    use super::*;

    fn scale(voxels: Voxels, slope: f64, intercept: f64) -> Scale {
        let mut volume = Volume::new(voxels, Grid::picture(1, 1, 1).unwrap());
        volume.rescale = Rescale { slope, intercept };
        Scale::of(&volume).unwrap()
    }

    #[test]
    fn keys_of_floats_are_ordered_and_come_back() {
        let values = [f32::MIN, -3.5e30, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 129.999_99, 130.0, f32::MAX];
        let s = scale(Voxels::F32(vec![0.0]), 1.0, 0.0);
        for pair in values.windows(2) {
            let (a, b) = (pair[0].key().unwrap(), pair[1].key().unwrap());
            assert!(a < b || (a == b && pair[0] == pair[1]), "{pair:?}");
            assert_eq!(s.stored(a), f64::from(pair[0]));
        }
        assert_eq!([f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(Stored::key), [None; 3]);
    }

    #[test]
    fn the_cut_is_the_first_value_that_reaches() {
        for (slope, intercept) in [(1.0, -1024.0), (0.1, -3.7), (2.5, 0.0), (-1.0, 300.0), (-0.3, 7.1)] {
            for hu in [130.0, 129.5, -1000.0, 50.0, 1e9, -1e9] {
                let s = scale(Voxels::I16(vec![0]), slope, intercept);
                let cut = s.cut(hu);
                for stored in i16::MIN..=i16::MAX {
                    let key = if s.negative() { i16::reversed(stored) } else { stored };
                    let reaches = slope * f64::from(stored) + intercept >= hu;
                    assert_eq!(i64::from(key) >= cut, reaches, "{stored} {slope} {intercept} {hu}");
                }
                let s = scale(Voxels::U16(vec![0]), slope, intercept);
                let cut = s.cut(hu);
                for stored in (0..=u16::MAX).step_by(7) {
                    let key = stored.key().unwrap();
                    let key = if s.negative() { u16::reversed(key) } else { key };
                    let reaches = slope * f64::from(stored) + intercept >= hu;
                    assert_eq!(i64::from(key) >= cut, reaches, "{stored} {slope} {intercept} {hu}");
                    assert_eq!(s.stored(i32::from(key)), f64::from(stored));
                }
            }
        }
        let s = scale(Voxels::F32(vec![0.0]), -2.0, 10.0);
        let cut = s.cut(130.0);
        for (stored, reaches) in [(-60.0f32, true), (-59.999_996, false), (-1e30, true), (5.0, false)] {
            assert_eq!(i64::from(!stored.key().unwrap()) >= cut, reaches, "{stored}");
        }
    }

    #[test]
    fn keys_between_two_stored_values_are_those_values() {
        for slope in [1.0, -1.0] {
            for (low, high) in
                [(-3.5, 7.0), (0.0, 0.0), (0.2, 0.8), (5.0, -5.0), (-1e9, 1e9), (f64::NAN, 3.0)]
            {
                let i16s = scale(Voxels::I16(vec![0]), slope, 0.0);
                let f32s = scale(Voxels::F32(vec![0.0]), slope, 0.0);
                let turned = |k: i32| if slope < 0.0 { !k } else { k };
                for value in -9..9i16 {
                    let inside = f64::from(value) >= low && f64::from(value) <= high;
                    let has =
                        |keys: Option<[i32; 2]>, k: i32| keys.is_some_and(|[a, b]| (a..=b).contains(&k));
                    assert_eq!(
                        has(i16s.keys_between(low, high), turned(i32::from(value))),
                        inside,
                        "{value}"
                    );
                    let key = turned(f32::from(value).key().unwrap());
                    assert_eq!(
                        has(f32s.keys_between(low, high), key),
                        inside,
                        "{value} {low} {high} {slope}"
                    );
                }
            }
        }
    }
}
