//! What leaves the page and comes back: downloads, pictures of the view, files that are chosen, saved sessions.
//!
//! Common to all analyses. Nothing leaves the browser: a file is made in memory and handed to its own download.

mod choose;
mod download;
mod picture;
mod session;

pub use choose::FileButton;
pub use download::keep;
pub use picture::{PICTURE, PictureButton, save_picture};
pub use session::{Saved, reopen, text_of};
