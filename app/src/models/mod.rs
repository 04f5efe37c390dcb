//! Models on the page: which there are, running one on the series that is shown, and what came of it.
//!
//! The worker that runs them is started with the first run and ended to cancel one: the page without models loads
//! nothing of it.

mod earlier;
mod link;
mod section;

pub use earlier::{Earlier, none as no_results};
pub use link::{Pending, handed, load_manifest, take_dropped};
pub use section::ModelSection;
