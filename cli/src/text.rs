//! Text for people: times and aligned columns. No I/O here.

pub mod moment;
pub mod table;
