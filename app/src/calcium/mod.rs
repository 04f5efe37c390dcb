//! Coronary calcium on the page: the panel with score and tools, the marks over the picture, files in and out.

mod export;
mod marks;
mod offer;
mod panel;
mod result;
mod settings;
mod tools;

pub use export::caption;
pub use marks::CalciumMarks;
pub use offer::{Analyses, offered};
pub use panel::CalciumPanel;
