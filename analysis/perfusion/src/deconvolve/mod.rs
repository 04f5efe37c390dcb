//! From concentration to the residue function `k(t) = CBF R(t)`: every method, made ready for one artery.
//!
//! What depends on the artery alone is computed once ([`Factor::new`]); blocks of voxels then run through it
//! independently of one another.

mod circulant;
mod corner;
mod ladder;
mod linear;
mod lucy;
mod standard;

use contract::perfusion::{Method, Session};

pub use circulant::Circulant;
pub use corner::Corner;
pub use ladder::{Ladder, oscillation};
pub use linear::{Linear, Peaks};
pub use lucy::Lucy;

use crate::curves::{Curves, LANES};

/// Why a curve cannot be divided out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FactorError {
    /// Nothing in it.
    #[error(
        "The arterial curve is 0 or no number everywhere, so nothing can be divided by it. Choose another artery."
    )]
    Flat,
    /// Outside of 0 to 1.
    #[error(
        "A truncation of {0} cannot be: use a share of the largest singular value between 0 and 1, such as 0.1."
    )]
    Truncation(f64),
    /// Not positive.
    #[error("A limit of oscillation of {0} cannot be: use a positive number, such as 0.035.")]
    Oscillation(f64),
    /// Not positive.
    #[error("A lambda of {0} cannot be: use a share of the largest singular value above 0, such as 0.2.")]
    Lambda(f64),
    /// 0 or absurd.
    #[error("{0} iterations cannot be: use 1 to 1000; 10 to 20 are usual.")]
    Iterations(u32),
}

/// What one voxel gives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Highest value of the residue function, 1/s.
    pub value: f32,
    /// Its time in samples; negative where tissue is earlier than the artery.
    pub lag: i32,
    /// Sum of the residue function times the step; only of methods that define volume by it.
    pub area: Option<f32>,
}

/// A method, ready for one artery.
#[derive(Clone, Debug)]
pub enum Factor {
    /// One matrix for all voxels.
    Linear {
        /// The matrix.
        inverse: Linear,
        /// Rows from `samples` on are negative times.
        circulant: bool,
    },
    /// Each voxel takes the first of several truncations that is smooth enough.
    Ladder(Ladder),
    /// Each voxel takes the lambda at the corner of its L-curve.
    Corner(Corner),
    /// See [`Lucy`].
    Lucy {
        /// Steps.
        lucy: Lucy,
        /// Between samples.
        dt_s: f64,
    },
}

impl Factor {
    /// For an artery on an even axis.
    pub fn new(aif: &[f64], dt_s: f64, session: &Session) -> Result<Self, FactorError> {
        let share = session.truncation();
        let circulant = || Circulant::new(aif, dt_s, session.matrix).ok_or(FactorError::Flat);
        let between = |v: f64| v.is_finite() && (0.0..1.0).contains(&v);
        match session.method {
            Method::Csvd | Method::Ssvd if !between(share) => Err(FactorError::Truncation(share)),
            Method::Csvd => Ok(Self::Linear { inverse: circulant()?.truncated(share), circulant: true }),
            Method::Ssvd => {
                if aif.iter().any(|a| !a.is_finite()) {
                    return Err(FactorError::Flat);
                }
                let inverse =
                    standard::truncated(aif, dt_s, session.matrix, share).ok_or(FactorError::Flat)?;
                Ok(Self::Linear { inverse, circulant: false })
            }
            Method::Osvd => {
                let limit = session.oscillation;
                if !(limit.is_finite() && limit > 0.0) {
                    return Err(FactorError::Oscillation(limit));
                }
                Ok(Self::Ladder(Ladder::new(&circulant()?, limit)))
            }
            Method::Tikhonov => match session.lambda {
                Some(lambda) if !(lambda.is_finite() && lambda > 0.0) => Err(FactorError::Lambda(lambda)),
                Some(lambda) => Ok(Self::Linear { inverse: circulant()?.tikhonov(lambda), circulant: true }),
                None => Ok(Self::Corner(Corner::new(&circulant()?))),
            },
            Method::LucyRichardson => {
                if !(1..=1000).contains(&session.iterations) {
                    return Err(FactorError::Iterations(session.iterations));
                }
                if aif.iter().any(|a| !a.is_finite()) {
                    return Err(FactorError::Flat);
                }
                let lucy = Lucy::new(aif, dt_s, session.iterations).ok_or(FactorError::Flat)?;
                Ok(Self::Lucy { lucy, dt_s })
            }
        }
    }

    /// All voxels of some blocks, in their order; the last block may hold fewer voxels than lanes.
    pub fn run(&self, curves: &Curves, blocks: std::ops::Range<usize>) -> Vec<Found> {
        let samples = curves.samples();
        let count = (curves.len() - blocks.start * LANES).min(blocks.len() * LANES);
        let mut out = match self {
            Self::Linear { inverse, circulant } => {
                let mut work = Vec::new();
                let found = blocks.flat_map(|b| {
                    let peaks = inverse.peaks(curves.block(b), &mut work);
                    (0..LANES).map(move |lane| found(&peaks, lane, samples, *circulant))
                });
                found.collect::<Vec<_>>()
            }
            Self::Ladder(ladder) => ladder.run(curves, blocks),
            Self::Corner(corner) => corner.run(curves, blocks, count),
            Self::Lucy { lucy, dt_s } => {
                let (mut x, mut work) = (vec![0.0; samples * LANES], vec![0.0; samples * LANES]);
                let mut out = Vec::with_capacity(blocks.len() * LANES);
                for b in blocks {
                    lucy.run(curves.block(b), &mut x, &mut work);
                    let (peaks, sums) = lucy::summary(&x);
                    out.extend((0..LANES).map(|lane| Found {
                        area: Some(sums[lane] * *dt_s as f32),
                        ..found(&peaks, lane, samples, false)
                    }));
                }
                out
            }
        };
        out.truncate(count);
        out
    }

    /// Whether rows from `samples` on are negative times.
    pub fn circulant(&self) -> bool {
        match self {
            Self::Linear { circulant, .. } => *circulant,
            Self::Ladder(_) | Self::Corner(_) => true,
            Self::Lucy { .. } => false,
        }
    }

    /// The residue function of one curve in 1/s, in f64 where the method is linear; for circulant methods the
    /// second half are negative times.
    pub fn residue(&self, curve: &[f64]) -> Vec<f64> {
        match self {
            Self::Linear { inverse, .. } => inverse.residue(curve),
            Self::Ladder(ladder) => ladder.residue(curve),
            Self::Corner(corner) => corner.residue(curve),
            Self::Lucy { lucy, .. } => lucy.residue(curve),
        }
    }
}

/// The peak of a lane with its time.
fn found(peaks: &Peaks, lane: usize, samples: usize, circulant: bool) -> Found {
    Found { value: peaks.value[lane], lag: lag(peaks.row[lane] as usize, samples, circulant), area: None }
}

/// Rows of a circulant method from `samples` on are times before 0.
pub(crate) fn lag(row: usize, samples: usize, circulant: bool) -> i32 {
    if circulant && row >= samples { row as i32 - 2 * samples as i32 } else { row as i32 }
}
