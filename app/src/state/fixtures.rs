//! Volumes for the tests of the page's state: unequal sizes and spacings, so that a swapped axis cannot pass.
//! Only compiled for tests.

use contract::calcium::Vessel;
use protocol::calcium::{Band, Lesion, Sums, Table};
use protocol::perfusion::{Findings, Map};
use protocol::{Derived, NamedWindow, SeriesId, VolumeInfo};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Window};

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
        calcium: protocol::calcium::Offer::Refused("not asked".into()),
        perfusion: protocol::perfusion::Offer::Refused("not asked".into()),
        frame: 0,
        derived: None,
    }
}

/// Three lesions, the largest given to the LAD.
pub fn calcium_table() -> Table {
    let lesion = |id: u32, vessel: Option<Vessel>, agatston: f64| Lesion {
        id,
        vessel,
        agatston,
        volume_mm3: agatston / 2.0,
        peak_hu: 300.0,
        slices: [id, id],
        centre_mm: [10.0, 20.0, 11.0 + 7.25 * f64::from(id)],
        on_mm: [9.5, 20.5, 11.0 + 7.25 * f64::from(id)],
    };
    Table {
        threshold_hu: 130.0,
        standard_threshold_hu: 130.0,
        stamp: None,
        vessels: Vessel::ALL.map(|v| (v, Sums::default())).to_vec(),
        unassigned: Sums::default(),
        total: Sums::default(),
        agatston_rounded: 0,
        category: "A0".into(),
        classic: "none".into(),
        assigned: true,
        lesions: vec![lesion(1, Some(Vessel::Lad), 90.0), lesion(7, None, 40.0), lesion(3, None, 5.0)],
        lesion_count: 3,
        without_effect: vec![],
        steps: 0,
        settings: vec![],
        settings_sha256: String::new(),
        band: Some(Band { lowest: 0.0, highest: 1.0, class_flips: false, alternatives: vec![] }),
        risk_percent: None,
        warnings: vec![],
        backend: "cpu".into(),
        ms: 1.0,
        quick: false,
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

/// A map of [`dynamic`], as the engine makes it.
pub fn derived(what: Map) -> VolumeInfo {
    let windows = what
        .usual_range()
        .map(|[low, high]| NamedWindow { name: what.name().into(), window: Window::from_range(low, high) });
    VolumeInfo {
        unit: what.unit().into(),
        windows: windows.into_iter().collect(),
        derived: Some(Derived { source: S, what }),
        ..ct()
    }
}

/// Maps of [`dynamic`] and nothing else.
pub fn findings() -> Findings {
    let maps = Map::ALL.into_iter().enumerate().map(|(i, map)| (map, SeriesId(11 + i as u32)));
    Findings { maps: maps.collect(), times_s: dynamic().times_s, ..Findings::default() }
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
