//! Operators that compute each element from the elements at the same place.
//!
//! Three shapes of them: of one tensor, of two or more that are broadcast, and those that choose or convert.

mod binary;
mod select;
mod unary;

pub use binary::{Binary, BinaryKind, Variadic, VariadicKind};
pub use select::{Cast, Clip, Where, cast};
pub use unary::Unary;

pub(super) use binary::{parse_binary, parse_variadic};
pub(super) use select::{parse_cast, parse_cast_like, parse_clip, parse_where};
pub(super) use unary::parse_unary;
