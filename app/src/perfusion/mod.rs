//! Perfusion on the page: the steps from frames to maps, the curves below the picture, colour bars, files in and out.

mod bar;
mod curves;
mod export;
mod fields;
mod findings;
mod marks;
mod offer;
mod panel;
mod plot;
mod sides;
mod slot;
mod steps;

pub use bar::ColourBar;
pub use curves::CurveDock;
pub use export::draw_bars;
pub use marks::FlowMarks;
pub use offer::{PerfusionButton, offered};
pub use panel::PerfusionPanel;
pub use slot::SlotSelect;
