//! Where panels lie on the one canvas.
//! Rectangles are rounded by their edges, not by their sizes, so that neighbours never overlap or leave a
//! stray column of pixels at fractional device pixel ratios.

use serde::{Deserialize, Serialize};

/// Height of the strip above each panel, in CSS pixels.
pub const HEADER_HEIGHT: f64 = 32.0;
/// Space between panels, in CSS pixels.
pub const GAP: f64 = 2.0;

/// How the viewer is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutKind {
    /// One panel.
    #[default]
    Single,
    /// Axial large, coronal and sagittal beside it.
    Planes,
    /// The three planes and a coronal slab, in equal cells.
    Quad,
    /// The axial plane large, projections of everything beside it.
    Overview,
    /// Four maps of one plane, in equal cells.
    Maps,
    /// The picture in which vessels are chosen large, two maps that follow the choice beside it.
    Vessels,
}

impl LayoutKind {
    pub fn panel_count(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Planes | Self::Overview | Self::Vessels => 3,
            Self::Quad | Self::Maps => 4,
        }
    }
}

/// A rectangle in CSS pixels from the viewer's top left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CssRect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl CssRect {
    fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width: width.max(1.0), height: height.max(1.0) }
    }

    /// The part of a cell that shows the image.
    pub fn below_header(self) -> Self {
        let header = HEADER_HEIGHT.min(self.height - 1.0);
        Self::new(self.x, self.y + header, self.width, self.height - header)
    }
}

/// A rectangle in device pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PxRect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl PxRect {
    pub fn from_css(r: CssRect, device_pixel_ratio: f64) -> Self {
        let edge = |v: f64| (v * device_pixel_ratio).round().max(0.0) as u32;
        let (x, y) = (edge(r.x), edge(r.y));
        Self {
            x,
            y,
            width: edge(r.x + r.width).saturating_sub(x).max(1),
            height: edge(r.y + r.height).saturating_sub(y).max(1),
        }
    }
}

/// The cells of a layout in reading order, header strips included.
pub fn cells(kind: LayoutKind, width: f64, height: f64) -> Vec<CssRect> {
    match kind {
        LayoutKind::Single => vec![CssRect::new(0.0, 0.0, width, height)],
        LayoutKind::Planes | LayoutKind::Overview | LayoutKind::Vessels if width >= height => {
            let left = ((width - GAP) * 0.62).floor();
            let right = width - GAP - left;
            let top = ((height - GAP) * 0.5).floor();
            vec![
                CssRect::new(0.0, 0.0, left, height),
                CssRect::new(left + GAP, 0.0, right, top),
                CssRect::new(left + GAP, top + GAP, right, height - GAP - top),
            ]
        }
        LayoutKind::Planes | LayoutKind::Overview | LayoutKind::Vessels => {
            let top = ((height - GAP) * 0.58).floor();
            let left = ((width - GAP) * 0.5).floor();
            vec![
                CssRect::new(0.0, 0.0, width, top),
                CssRect::new(0.0, top + GAP, left, height - GAP - top),
                CssRect::new(left + GAP, top + GAP, width - GAP - left, height - GAP - top),
            ]
        }
        LayoutKind::Quad | LayoutKind::Maps => {
            let left = ((width - GAP) * 0.5).floor();
            let top = ((height - GAP) * 0.5).floor();
            let (right, bottom) = (width - GAP - left, height - GAP - top);
            vec![
                CssRect::new(0.0, 0.0, left, top),
                CssRect::new(left + GAP, 0.0, right, top),
                CssRect::new(0.0, top + GAP, left, bottom),
                CssRect::new(left + GAP, top + GAP, right, bottom),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_neither_overlap_nor_leave_the_viewer() {
        for kind in [LayoutKind::Single, LayoutKind::Planes, LayoutKind::Quad, LayoutKind::Overview] {
            for (w, h) in [(1161.0, 803.0), (390.0, 600.0), (701.0, 700.5)] {
                for ratio in [1.0, 1.25, 1.5, 3.0] {
                    let cells = cells(kind, w, h);
                    assert_eq!(cells.len(), kind.panel_count());
                    let px: Vec<PxRect> = cells.iter().map(|c| PxRect::from_css(*c, ratio)).collect();
                    for (i, a) in px.iter().enumerate() {
                        assert!(f64::from(a.x + a.width) <= (w * ratio).round(), "{kind:?} {w} {ratio}");
                        assert!(f64::from(a.y + a.height) <= (h * ratio).round(), "{kind:?} {h} {ratio}");
                        for b in &px[i + 1..] {
                            let apart = a.x + a.width <= b.x
                                || b.x + b.width <= a.x
                                || a.y + a.height <= b.y
                                || b.y + b.height <= a.y;
                            assert!(apart, "{kind:?} at {ratio}: {a:?} overlaps {b:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn edges_are_rounded_not_sizes() {
        // 0.5 + 100.5 at ratio 1: the right edge is 101, wherever the left edge was rounded to.
        let a = PxRect::from_css(CssRect::new(0.0, 0.0, 100.4, 10.0), 1.25);
        let b = PxRect::from_css(CssRect::new(100.4, 0.0, 50.3, 10.0), 1.25);
        assert_eq!(a.x + a.width, b.x, "neighbours share an edge");
    }

    #[test]
    fn a_tiny_viewer_still_has_pixels() {
        for c in cells(LayoutKind::Quad, 3.0, 3.0) {
            let p = PxRect::from_css(c.below_header(), 1.0);
            assert!(p.width >= 1 && p.height >= 1);
        }
    }
}
