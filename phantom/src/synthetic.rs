//! Small and large volumes on demand for tests: any spacing, orientation, encoding and number of times.
//!
//! Marks lie on voxels, not in millimetres, so that their true position and length follow from the header
//! alone and no rasterisation can blur them.

use glam::DVec3;

use crate::file::{Image, Modality, Photometric, SeriesInfo, StudyInfo, Syntax, TimePoint, write};
use crate::random::Random;
use crate::{Error, NamedFile};

/// Something bright at a known place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// One voxel.
    Voxel {
        /// Column, row, slice.
        at: [u32; 3],
        /// In the unit of the series.
        value: f64,
    },
    /// All voxels from corner to corner, both included: a rod where two of the sides are short.
    Box {
        /// First corner.
        from: [u32; 3],
        /// Opposite corner.
        to: [u32; 3],
        /// In the unit of the series.
        value: f64,
    },
}

/// What fills the volume around the marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// One value everywhere.
    Constant(f64),
    /// `base + column * per_column + row * per_row + slice * per_slice + time * per_time`: no two
    /// neighbours are alike, so a swapped or reversed axis changes the picture.
    Ramp {
        /// At the first voxel.
        base: f64,
        /// Per column, row, slice and time point.
        per: [f64; 4],
    },
    /// A body-like ellipse with normal noise of this standard deviation, for timing with realistic bytes.
    Body {
        /// Standard deviation of the noise.
        noise: f64,
    },
}

/// A series to write. [`SyntheticSpec::default`] is a small CT; change what matters to the test.
#[derive(Clone, Debug)]
pub struct SyntheticSpec {
    /// Stem of the UIDs and of the file names.
    pub name: String,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Along columns, rows and slices.
    pub spacing_mm: [f64; 3],
    /// Directions of a row and of a column (LPS), as Image Orientation (Patient).
    pub orientation: [f64; 6],
    /// True: slices follow one another along row × column; false: against it.
    pub along_normal: bool,
    /// Centre of the first voxel, LPS.
    pub origin_mm: [f64; 3],
    /// Encoding.
    pub syntax: Syntax,
    /// Storage class.
    pub modality: Modality,
    /// Photometric interpretation.
    pub photometric: Photometric,
    /// 9 to 16; 16 are allocated.
    pub bits_stored: u16,
    /// Pixel representation.
    pub signed: bool,
    /// Rescale slope and intercept.
    pub rescale: (f64, f64),
    /// Centre and width; none leaves the choice to the reader.
    pub window: Option<(f64, f64)>,
    /// One entry per time point; empty for a static series.
    pub times_s: Vec<f64>,
    /// Around the marks.
    pub fill: Fill,
    /// Painted in order.
    pub marks: Vec<Mark>,
    /// Write the files in an order and with names that say nothing about their place.
    pub shuffled: bool,
}

impl Default for SyntheticSpec {
    fn default() -> Self {
        Self {
            name: "synthetic".into(),
            dims: [32, 30, 12],
            spacing_mm: [1.0, 1.0, 2.0],
            orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            along_normal: true,
            origin_mm: [-16.0, -15.0, 100.0],
            syntax: Syntax::ExplicitLittle,
            modality: Modality::Ct,
            photometric: Photometric::Monochrome2,
            bits_stored: 16,
            signed: true,
            rescale: (1.0, 0.0),
            window: Some((40.0, 400.0)),
            times_s: Vec::new(),
            fill: Fill::Constant(0.0),
            marks: Vec::new(),
            shuffled: false,
        }
    }
}

impl SyntheticSpec {
    /// Directions of the column, row and slice index in the patient, unit length.
    pub fn axes(&self) -> [DVec3; 3] {
        let [a, b, c, d, e, f] = self.orientation;
        let (row, column) = (DVec3::new(a, b, c), DVec3::new(d, e, f));
        let normal = row.cross(column);
        [row, column, if self.along_normal { normal } else { -normal }]
    }

    /// Patient position (LPS, mm) of a voxel index; halves are voxel faces.
    pub fn world_from_voxel(&self, voxel: [f64; 3]) -> DVec3 {
        let axes = self.axes();
        DVec3::from(self.origin_mm)
            + (0..3).map(|i| axes[i] * self.spacing_mm[i] * voxel[i]).fold(DVec3::ZERO, |a, b| a + b)
    }

    /// Outer length in mm of a box mark along column, row and slice direction.
    pub fn box_mm(&self, from: [u32; 3], to: [u32; 3]) -> [f64; 3] {
        std::array::from_fn(|i| f64::from(from[i].abs_diff(to[i]) + 1) * self.spacing_mm[i])
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::Specification(why));
        let [row, column, _] = self.axes();
        if (row.length() - 1.0).abs() > 1e-6
            || (column.length() - 1.0).abs() > 1e-6
            || row.dot(column).abs() > 1e-6
        {
            return refuse(format!("orientation {:?} is not two orthogonal unit vectors", self.orientation));
        }
        if self.dims.contains(&0) || self.dims[0] > 65_535 || self.dims[1] > 65_535 {
            return refuse(format!("dimensions {:?} must be 1 to 65535", self.dims));
        }
        if !(9..=16).contains(&self.bits_stored) {
            return refuse(format!("{} bits stored; 9 to 16 can be written", self.bits_stored));
        }
        if self.rescale.0 == 0.0 || self.spacing_mm.iter().any(|s| s.is_nan() || *s <= 0.0) {
            return refuse("the rescale slope and the spacings must be positive".into());
        }
        Ok(())
    }

    /// The stored value for a value in the unit of the series, clamped to what the bits hold.
    fn stored(&self, value: f64) -> u16 {
        let (lo, hi) = if self.signed {
            let half = f64::from(1u32 << (self.bits_stored - 1));
            (-half, half - 1.0)
        } else {
            (0.0, f64::from((1u32 << self.bits_stored) - 1))
        };
        let raw = ((value - self.rescale.1) / self.rescale.0).round().clamp(lo, hi) as i32;
        // Bits above High Bit are zero: readers must extend the sign themselves (PS3.5 8.1.1).
        (raw & ((1 << self.bits_stored) - 1)) as u16
    }

    fn slice(&self, slice: u32, time: u32, noise: &[f64]) -> Vec<u16> {
        let [columns, rows, slices] = self.dims;
        let mut pixels = Vec::with_capacity(columns as usize * rows as usize);
        let z = 2.0 * (f64::from(slice) + 0.5) / f64::from(slices) - 1.0;
        // A different stretch of the noise table for each slice; 7919 is a prime that shares no factor with it.
        let mut at = (slice as usize * 7919 + time as usize * 104_729) % noise.len().max(1);
        for row in 0..rows {
            let y = 2.0 * (f64::from(row) + 0.5) / f64::from(rows) - 1.0;
            for column in 0..columns {
                let value = match self.fill {
                    Fill::Constant(value) => value,
                    Fill::Ramp { base, per: [c, r, s, t] } => {
                        base + c * f64::from(column)
                            + r * f64::from(row)
                            + s * f64::from(slice)
                            + t * f64::from(time)
                    }
                    Fill::Body { .. } => {
                        let x = 2.0 * (f64::from(column) + 0.5) / f64::from(columns) - 1.0;
                        at = (at + 1) % noise.len();
                        let r2 = x * x / 0.81 + y * y / 0.5;
                        let inner = (x.abs() - 0.45).powi(2) / 0.09 + (y * y) / 0.2 + z * z / 1.2;
                        let tissue = if r2 > 1.0 {
                            -1000.0
                        } else if inner < 1.0 {
                            -850.0
                        } else {
                            40.0
                        };
                        tissue + noise[at]
                    }
                };
                pixels.push(self.stored(value));
            }
        }
        for mark in &self.marks {
            let (from, to, value) = match *mark {
                Mark::Voxel { at, value } => (at, at, value),
                Mark::Box { from, to, value } => (from, to, value),
            };
            let span = |i: usize| from[i].min(to[i])..=from[i].max(to[i]).min(self.dims[i] - 1);
            if span(2).contains(&slice) {
                for row in span(1) {
                    for column in span(0) {
                        pixels[row as usize * columns as usize + column as usize] = self.stored(value);
                    }
                }
            }
        }
        pixels
    }

    fn infos(&self) -> (StudyInfo, SeriesInfo) {
        let study = StudyInfo {
            key: format!("synthetic/{}", self.name),
            patient_name: "Phantom^Synthetic".into(),
            patient_id: "PHANTOM-TEST".into(),
            description: "Synthetic test volume".into(),
            study_id: "TEST".into(),
        };
        let series = SeriesInfo {
            modality: self.modality,
            number: 1,
            description: self.name.clone(),
            body_part: if self.modality == Modality::Mg { "BREAST" } else { "CHEST" }.into(),
            contrast_agent: None,
            syntax: self.syntax,
            photometric: self.photometric,
            bits_stored: self.bits_stored,
            signed: self.signed,
            slope: self.rescale.0,
            intercept: self.rescale.1,
            windows: self.window.iter().map(|(c, w)| (*c, *w, "TEST".to_owned())).collect(),
        };
        (study, series)
    }

    /// Hands out one file after another, for volumes that should not be held twice.
    pub fn for_each(&self, mut take: impl FnMut(String, Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        self.check()?;
        let (study, series) = self.infos();
        let noise: Vec<f64> = match self.fill {
            Fill::Body { noise } => {
                let mut random = Random::new(41);
                (0..1_000_003).map(|_| random.normal() * noise).collect()
            }
            _ => Vec::new(),
        };
        let times = self.times_s.len().max(1) as u32;
        let count = self.dims[2] * times;
        for place in 0..count {
            // With a step coprime to the count every place is met once.
            let k = if self.shuffled { coprime_step(count) * place % count } else { place };
            let (time, slice) = (k / self.dims[2], k % self.dims[2]);
            let position = self.world_from_voxel([0.0, 0.0, f64::from(slice)]);
            let image = Image {
                number: if self.shuffled { place + 1 } else { k + 1 } as i32,
                columns: self.dims[0] as u16,
                rows: self.dims[1] as u16,
                pixel_mm: [self.spacing_mm[0], self.spacing_mm[1]],
                thickness_mm: self.spacing_mm[2],
                increment_mm: self.spacing_mm[2],
                position_mm: position.to_array(),
                orientation: self.orientation,
                time: self.times_s.get(time as usize).map(|at_s| TimePoint {
                    index: time,
                    count: times,
                    at_s: *at_s,
                }),
                pixels: self.slice(slice, time, &noise),
            };
            take(format!("{}/{place:05}.dcm", self.name), write(&study, &series, &image)?)?;
        }
        Ok(())
    }
}

/// Near the golden section of `n`, so that neighbours end up far apart.
fn coprime_step(n: u32) -> u32 {
    let gcd = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let start = (f64::from(n) * 0.618) as u32;
    (start.max(1)..).find(|s| gcd(*s, n) == 1).unwrap_or(1)
}

/// The files of a series, in the order in which they are to be dropped.
pub fn synthetic(spec: &SyntheticSpec) -> Result<Vec<NamedFile>, Error> {
    let mut files = Vec::with_capacity(spec.dims[2] as usize * spec.times_s.len().max(1));
    spec.for_each(|name, bytes| {
        files.push((name, bytes));
        Ok(())
    })?;
    Ok(files)
}
