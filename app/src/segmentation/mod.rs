//! Label maps on the page: the list of labels, the tools that edit them, files in and out.

mod files;
mod link;
mod list;
mod marks;
mod panel;
mod tools;

pub use link::{adopt, lay, send_pending, take};
pub use marks::StrokeMark;
pub use panel::LabelSection;
