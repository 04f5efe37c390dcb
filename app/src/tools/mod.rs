//! The toolbar and the inspector.

mod inspector;
mod toolbar;

pub use inspector::Inspector;
pub use toolbar::Toolbar;
