//! Where people decide about what a mail asks.

/// The page of an approval request, as far as a mail can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The address of the page. It is for people only.
    At(String),
    /// A link would decide, but the function has no public address.
    NeedsAddress,
    /// The notice asks nothing, or links are not configured.
    None,
}
