//! Line icons, 20 units square, drawn with the text's colour.
//! Inline paths and not a font: one request less, and they stay sharp at every size.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    Window,
    Scroll,
    Pan,
    Zoom,
    Crosshair,
    Length,
    Angle,
    Rectangle,
    Ellipse,
    Probe,
    Single,
    Planes,
    Quad,
    Reset,
    Rotate,
    FlipHorizontal,
    FlipVertical,
    Invert,
    Fit,
    OneToOne,
    Play,
    Pause,
    Menu,
    Sliders,
    Settings,
    Help,
    Close,
    File,
    Folder,
    Maximise,
    Minimise,
    Warning,
    Trash,
    Lock,
    Calcium,
    Perfusion,
    Artery,
    Vein,
    Pin,
    Check,
    Assign,
    Scalpel,
    Freehand,
    Eraser,
    Region,
    Undo,
    Redo,
    Eye,
    EyeOff,
    Brush,
    Bucket,
}

impl Glyph {
    fn path(self) -> &'static str {
        match self {
            Self::Window => "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14zM10 3v14M10 6h3.6M10 9h6M10 12h6.4M10 15h4",
            Self::Scroll => {
                "M4 5.5h12v9H4zM6 3h8M6 17h8M10 8v4M8.4 9.4L10 7.8l1.6 1.6M8.4 10.7L10 12.3l1.6-1.6"
            }
            Self::Pan => "M10 2.5v15M2.5 10h15M8 4.5l2-2l2 2M8 15.5l2 2l2-2M4.5 8l-2 2l2 2M15.5 8l2 2l-2 2",
            Self::Zoom => {
                "M8.5 3a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11zM12.6 12.6L17 17M8.5 6.2v4.6M6.2 8.5h4.6"
            }
            Self::Crosshair => "M10 2.5v5M10 12.5v5M2.5 10h5M12.5 10h5",
            Self::Length => "M3.5 16.5l13-13M2 15l3 3M15 2l3 3M8.2 9.4l1.6 1.6M11 6.6l1.6 1.6",
            Self::Angle => "M15.5 4L4 16h13M9.2 10.6a7 7 0 0 1 2.4 5.4",
            Self::Rectangle => "M3 5h14v10H3zM3 5h.01M17 5h.01",
            Self::Ellipse => "M10 5c4.2 0 7.2 2.2 7.2 5s-3 5-7.2 5s-7.2-2.2-7.2-5s3-5 7.2-5z",
            Self::Probe => {
                "M10 2.6c3 0 5 2.1 5 4.9c0 3.6-5 9.9-5 9.9s-5-6.3-5-9.9c0-2.8 2-4.9 5-4.9zM10 6a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2z"
            }
            Self::Single => "M3 4h14v12H3z",
            Self::Planes => "M3 4h14v12H3zM11.5 4v12M11.5 10H17",
            Self::Quad => "M3 4h14v12H3zM10 4v12M3 10h14",
            Self::Reset => "M4.2 8.4A6.2 6.2 0 1 1 4 11.6M4 4.2v4.4h4.4",
            Self::Rotate => "M15.8 8.4A6.2 6.2 0 1 0 16 11.6M16 4.2v4.4h-4.4",
            Self::FlipHorizontal => "M10 2.5v15M7.5 5v10L2.5 15zM12.5 5v10l5 0z",
            Self::FlipVertical => "M2.5 10h15M5 7.5h10L15 2.5zM5 12.5h10l0 5z",
            Self::Invert => "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14zM10 3a7 7 0 0 1 0 14z",
            Self::Fit => "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4M7 8h6v4H7z",
            Self::OneToOne => "M4.5 6.5L6.5 5v10M13.5 6.5l2-1.5v10M10 8v.01M10 12v.01",
            Self::Play => "M6 4l10 6l-10 6z",
            Self::Pause => "M6.5 4v12M13.5 4v12",
            Self::Menu => "M3 5.5h14M3 10h14M3 14.5h9",
            Self::Sliders => "M3 6h7M14 6h3M12 4v4M3 14h3M10 14h7M8 12v4",
            Self::Settings => {
                "M10 7.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6zM10 2.5v2.2M10 15.3v2.2M2.5 10h2.2M15.3 10h2.2M4.7 4.7l1.6 1.6M13.7 13.7l1.6 1.6M15.3 4.7l-1.6 1.6M6.3 13.7l-1.6 1.6"
            }
            Self::Help => "M7.2 7.4c.2-1.7 1.3-2.6 2.9-2.6s2.8 1 2.8 2.4c0 2.3-2.9 2.2-2.9 4.8M10 15v.01",
            Self::Close => "M5 5l10 10M15 5L5 15",
            Self::File => "M5 2.5h6.5L15 6v11.5H5zM11.2 2.7v3.6h3.6",
            Self::Folder => "M2.5 5h5l1.8 2h8.2v8.5h-15z",
            Self::Maximise => "M11.5 3H17v5.5M8.5 17H3v-5.5M17 3l-5.5 5.5M3 17l5.5-5.5",
            Self::Minimise => "M17 8.5h-5.5V3M3 11.5h5.5V17M11.5 8.5L17 3M8.5 11.5L3 17",
            Self::Warning => "M10 3.2L17.6 16.5H2.4zM10 8v4M10 14.2v.01",
            Self::Trash => "M4 5.5h12M8 5.5V3.5h4v2M5.5 5.5l.8 11h7.4l.8-11M8.5 8.5v5M11.5 8.5v5",
            Self::Lock => "M5 9h10v8H5zM7 9V6.4a3 3 0 0 1 6 0V9",
            Self::Calcium => {
                "M10 16.5C5.5 13.4 3 10.6 3 7.6A3.7 3.7 0 0 1 10 5.8A3.7 3.7 0 0 1 17 7.6C17 10.6 14.5 13.4 10 16.5zM8 9.5h.01M11.5 11h.01M11 8h.01"
            }
            Self::Perfusion => "M3 16.5V3.5M3 16.5h14M3 14.5c3.500 0 3.500-9 6-9s3 7.500 8 8",
            Self::Artery => "M10 3v14M10 8l5-4M10 11L5 6.500M7.500 17h5",
            Self::Vein => "M4 3c1 5 5 4 6 8v6M16 3c-1 5-5 4-6 8",
            Self::Pin => "M10 2.800v8M6.500 10.800h7M7.500 3h5v5l1.500 2.800M7.500 3v5L6 10.800M10 11v6.500",
            Self::Check => "M4 10.500l4 4l8-9",
            Self::Assign => "M4 16l1-3.6L13.6 3.8l2.6 2.6L7.6 15zM11.6 5.8l2.6 2.6M3.5 17.5h13",
            Self::Scalpel => "M3 17L15.5 4.5c1.3 1.3 1 3.4-.6 5L11 13H7M3 17l4-1.6",
            Self::Freehand => {
                "M4 12c-1-4 3-8 7-7.5c5 .6 6.500 4.500 4 7c-2 2-4 .5-6 2c-2 1.600-4.300 1-5-1.500z"
            }
            Self::Eraser => "M8 16.5h9M4 12.500l7.500-7.500 4.500 4.500-7 7h-2z M7.500 9l4.500 4.500",
            Self::Region => "M4 7V4h3M13 4h3v3M16 13v3h-3M7 16H4v-3M10 7.500v5M7.500 10h5",
            Self::Undo => "M7.500 4.500L4 8l3.500 3.500M4 8h7a4.500 4.500 0 0 1 0 9H8",
            Self::Redo => "M12.500 4.500L16 8l-3.500 3.500M16 8H9a4.500 4.500 0 0 0 0 9h3",
            Self::Eye => {
                "M2.500 10c2-3.500 4.600-5.200 7.500-5.200s5.500 1.700 7.500 5.200c-2 3.500-4.600 5.200-7.500 5.200s-5.500-1.700-7.500-5.200zM10 7.600a2.400 2.400 0 1 0 0 4.800a2.400 2.400 0 1 0 0-4.800z"
            }
            Self::EyeOff => {
                "M2.500 10c2-3.500 4.600-5.200 7.500-5.200s5.500 1.700 7.500 5.200c-2 3.500-4.600 5.200-7.500 5.200s-5.500-1.700-7.500-5.200zM3.500 16.500l13-13"
            }
            Self::Brush => {
                "M16.500 3.500L9 11M9 11c-2-.4-3.600.6-4 2.500c-.2 1.200-.8 2-1.800 2.500c2.600 1 6.400.6 7.300-2.200c.4-1.200-.3-2.400-1.500-2.800z"
            }
            Self::Bucket => {
                "M8.500 3.500l6.500 6.500l-6 6l-6.500-6.500zM2.800 9.500h11.700M16.300 12.500c.9 1.300 1.300 2 1.300 2.700a1.300 1.300 0 0 1-2.600 0c0-.7.400-1.400 1.300-2.700z"
            }
        }
    }
}

/// Decoration only: the control around it carries the name.
#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    let filled = matches!(glyph, Glyph::Play);
    view! {
        <svg class="icon" class:filled=filled viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <path d=glyph.path() />
        </svg>
    }
}
