//! Small widgets: icons, dialogs, notices, buttons.
//! Each is named and focusable by itself, so that features cannot forget it.

mod badge;
mod button;
mod icon;
mod modal;
mod notices;

pub use badge::BackendBadge;
pub use button::{ActionButton, IconButton};
pub use icon::{Glyph, Icon};
pub use modal::Modal;
pub use notices::Notices;
