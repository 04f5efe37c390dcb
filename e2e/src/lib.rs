//! The real page in a real browser against the real server.
//!
//! Everything is driven from outside, as a person would: files are dropped, the mouse is dragged, keys are
//! pressed, and what counts is the pixels and the numbers on the screen. A test holds one [`Bench`], which
//! owns a server, a proxy that sees every request, and a browser, and ends them all when it is dropped.

pub mod axe;
mod bench;
mod devtools;
mod driver;
mod error;
mod http;
mod page;
pub mod picture;
mod process;
mod proxy;
mod server;
pub mod study;

pub use bench::{Bench, Options};
pub use devtools::DevTools;
pub use driver::{Driver, Element, Key};
pub use error::Error;
pub use page::{Button, Rect};
pub use picture::Picture;
pub use proxy::Seen;
pub use server::{binary, dist, workspace};
