//! Window presets: the header's own first, then the ones the modality is read with.
//! Values: soft tissue to brain as OHIF ships them, stroke and calcium as commonly read; other modalities
//! have no absolute scale, so they get what the values suggest.

use protocol::{NamedWindow, VolumeInfo};
use scene::{VoiFunction, Window};

/// Name, centre, width, in HU.
pub const CT: [(&str, f64, f64); 7] = [
    ("Soft tissue", 40.0, 400.0),
    ("Lung", -600.0, 1500.0),
    ("Liver", 90.0, 150.0),
    ("Bone", 480.0, 2500.0),
    ("Brain", 40.0, 80.0),
    ("Stroke", 40.0, 40.0),
    ("Calcium", 300.0, 1500.0),
];

/// What the number keys and the chips offer for this series. CT: keys 1 to 7 are always the table above,
/// so that the hand can learn them; the header's windows follow. Others: the header's first.
pub fn presets(info: &VolumeInfo) -> Vec<NamedWindow> {
    if info.colour {
        return Vec::new();
    }
    let full = NamedWindow { name: "Full range".into(), window: Window::from_range(info.min, info.max) };
    let mut list = Vec::new();
    // PET and MR values are not HU, and a CT derived object may carry another unit.
    if info.modality == "CT" && (info.unit.is_empty() || info.unit == "HU") {
        list.extend(CT.iter().map(|&(name, center, width)| NamedWindow {
            name: name.into(),
            window: Window { center, width, function: VoiFunction::Linear },
        }));
    }
    list.extend(info.windows.iter().cloned());
    list.push(full);
    list.dedup_by(|b, a| a.window == b.window);
    list
}

/// What a series is first shown with: the header's window, else what its modality is read with, else all values.
pub fn first_window(info: &VolumeInfo) -> Window {
    info.windows
        .first()
        .map(|n| n.window)
        .or_else(|| presets(info).first().map(|n| n.window))
        .unwrap_or_else(|| Window::from_range(info.min, info.max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{ct, picture};

    #[test]
    fn ct_keys_are_the_table() {
        let p = presets(&ct());
        for (i, (name, center, width)) in CT.iter().enumerate() {
            assert_eq!(p[i].name, *name);
            assert_eq!((p[i].window.center, p[i].window.width), (*center, *width));
        }
        assert_eq!(p.last().map(|n| n.name.as_str()), Some("Full range"));
    }

    #[test]
    fn the_header_decides_how_a_series_first_looks() {
        let mut info = ct();
        info.windows = vec![NamedWindow {
            name: "Header".into(),
            window: Window { center: 1.0, width: 2.0, function: VoiFunction::Sigmoid },
        }];
        assert_eq!(first_window(&info).center, 1.0);
        info.windows.clear();
        assert_eq!(first_window(&info).center, 40.0);
        let p = picture();
        assert_eq!(first_window(&p), Window::from_range(p.min, p.max));
    }
}
