//! Everything that calls AWS: who asks, and the function.

pub mod aws;
pub mod function;
