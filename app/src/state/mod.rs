//! What the page shows, as plain data: no DOM, no JavaScript, no signal.
//! Kept pure so that everything a key or a pointer does is tested natively, without a browser.

pub mod action;
mod apply;
pub mod calcium;
pub mod cine;
pub mod curves;
mod flow_view;
pub mod gesture;
pub mod history;
pub mod layout;
pub mod library;
pub mod linked;
pub mod marking;
pub mod measurement;
pub mod midline;
pub mod models;
pub mod outbox;
pub mod perfusion;
pub mod presets;
pub mod queries;
pub mod results;
pub mod segmentation;
pub mod workspace;

pub use action::{Action, Tool};
pub use layout::LayoutKind;
pub use library::Library;
pub use measurement::MeasurementId;
pub use workspace::{PanelId, Workspace};

#[cfg(test)]
pub mod fixtures;
