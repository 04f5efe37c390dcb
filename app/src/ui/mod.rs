//! Small widgets: icons, dialogs, notices, buttons.
//! Each is named and focusable by itself, so that features cannot forget it.

mod badge;
mod button;
mod icon;
mod modal;
mod notices;
mod number;

pub use badge::BackendBadge;
pub use button::{ActionButton, IconButton, UndoRedo};
pub use icon::{Glyph, Icon};
pub use modal::Modal;
pub use notices::Notices;
pub use number::typed_number;
