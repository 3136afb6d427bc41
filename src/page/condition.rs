//! The condition of an app in one word, with what a person must know beside it. One rule serves the
//! board, the app's page, the titles and the pictures of the tabs.

mod judge;
mod kind;

pub(super) use judge::{of, runs, soaks};
pub use kind::Group;
pub(super) use kind::{Condition, Kind, worst};
