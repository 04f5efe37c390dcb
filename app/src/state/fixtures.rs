//! Volumes for the tests of the page's state: unequal sizes and spacings, so that a swapped axis cannot pass.
//! Only compiled for tests.

use protocol::{SeriesId, VolumeInfo};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use super::Workspace;

/// The series of [`opened`].
pub const S: SeriesId = SeriesId(1);

fn info(grid: Grid, modality: &str, unit: &str) -> VolumeInfo {
    VolumeInfo {
        grid,
        unit: unit.into(),
        colour: false,
        windows: vec![],
        monochrome1: false,
        modality: modality.into(),
        time_points: 1,
        times_s: vec![],
        time_rule: String::new(),
        min: -1000.0,
        max: 3096.0,
        lossy: None,
        corner_left: vec![],
        corner_right: vec![],
        warnings: vec![],
    }
}

/// 22 x 23 x 30 voxels of 0.75 x 2.5 x 7.25 mm.
pub fn ct() -> VolumeInfo {
    let m = DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
    let grid = Grid::new(
        [22, 23, 30],
        DAffine3::from_mat3_translation(m, DVec3::new(5.0, -7.0, 11.0)),
        LengthUnit::Millimetre,
        Frame::Patient,
    )
    .unwrap();
    info(grid, "CT", "HU")
}

/// The same, six time points, 1.5 s apart.
pub fn dynamic() -> VolumeInfo {
    VolumeInfo {
        time_points: 6,
        times_s: (0..6).map(|i| f64::from(i) * 1.5).collect(),
        time_rule: "acquisition time".into(),
        ..ct()
    }
}

/// A picture of 640 x 480 without spacing.
pub fn picture() -> VolumeInfo {
    VolumeInfo { min: 0.0, max: 255.0, ..info(Grid::picture(640, 480, 1).unwrap(), "OT", "") }
}

/// A desktop's viewer that shows this series and nothing else.
pub fn opened(info: VolumeInfo) -> Workspace {
    let mut w = Workspace::default();
    w.resize(1200.0, 800.0, 1.0);
    w.learn(S, info);
    assert!(w.show(S));
    w
}
