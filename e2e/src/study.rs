//! Studies on disk, to be dropped.
//!
//! Chromium opens dropped files by path, so they must exist; each set gets a folder of its own.

use std::path::PathBuf;

use phantom::synthetic::{Fill, SyntheticSpec};
use phantom::{Mark, Modality, Photometric};

use crate::{Bench, Error};

impl Bench {
    /// Writes a series below the bench's folder; returns the files in the order of the specification.
    pub fn write_series(&self, spec: &SyntheticSpec) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder().to_owned();
        let mut paths = Vec::new();
        spec.for_each(|name, bytes| {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, bytes)?;
            paths.push(path);
            Ok(())
        })?;
        Ok(paths)
    }

    /// Writes one file of any content.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.folder().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes)?;
        Ok(path)
    }
}

/// A CT in which no two neighbours are alike, with bright corners: good for comparing pictures.
pub fn ramp(name: &str) -> SyntheticSpec {
    SyntheticSpec {
        name: name.into(),
        dims: [64, 48, 20],
        spacing_mm: [1.5, 2.0, 4.0],
        origin_mm: [-48.0, -48.0, 10.0],
        fill: Fill::Ramp { base: -200.0, per: [4.0, 5.0, 12.0, 0.0] },
        marks: vec![
            Mark::Box { from: [4, 4, 2], to: [9, 7, 5], value: 900.0 },
            Mark::Box { from: [40, 30, 12], to: [55, 33, 15], value: -900.0 },
        ],
        window: Some((40.0, 800.0)),
        ..SyntheticSpec::default()
    }
}

/// The CT of the timing targets: 512 × 512 × 300, int16, uncompressed.
pub fn large_ct() -> SyntheticSpec {
    SyntheticSpec {
        name: "large".into(),
        dims: [512, 512, 300],
        spacing_mm: [0.75, 0.75, 1.0],
        origin_mm: [-191.625, -191.625, -150.0],
        fill: Fill::Body { noise: 12.0 },
        window: Some((40.0, 400.0)),
        ..SyntheticSpec::default()
    }
}

/// 512³ int16 with calcium in 1 % of the voxels, in about 1500 lesions: what the calcium benchmarks score.
pub fn calcium_ct() -> SyntheticSpec {
    let mut random = phantom::random::Random::new(1);
    let marks = (0..1506).map(|_| {
        let from = [0, 1, 2].map(|axis| (random.uniform() * f64::from([503, 503, 501][axis])) as u32);
        let to = [from[0] + 8, from[1] + 8, from[2] + 10];
        Mark::Box { from, to, value: (140.0 + random.uniform() * 600.0).round() }
    });
    SyntheticSpec {
        name: "calcium".into(),
        dims: [512, 512, 512],
        spacing_mm: [0.4, 0.4, 0.5],
        origin_mm: [-102.2, -102.2, -127.75],
        marks: marks.collect(),
        fill: Fill::Constant(0.0),
        window: Some((100.0, 700.0)),
        ..SyntheticSpec::default()
    }
}

/// A mammogram wider than many texture limits: 4736 × 2624, MONOCHROME1.
pub fn mammogram() -> SyntheticSpec {
    SyntheticSpec {
        name: "mammogram".into(),
        dims: [2624, 4736, 1],
        spacing_mm: [0.05, 0.05, 1.0],
        modality: Modality::Mg,
        photometric: Photometric::Monochrome1,
        bits_stored: 12,
        signed: false,
        fill: Fill::Ramp { base: 0.0, per: [0.8, 0.4, 0.0, 0.0] },
        marks: vec![Mark::Box { from: [200, 300, 0], to: [599, 699, 0], value: 4095.0 }],
        window: Some((2047.0, 4095.0)),
        ..SyntheticSpec::default()
    }
}
