//! What the tests over an AWS in memory share: the AWS, the people, and how they are put to the test.

#![allow(dead_code, reason = "each test crate uses a part of it")]

// The AWS in memory.
mod change_sets;
pub(crate) mod ecs;
mod images;
mod looks;
mod notices;
mod parted;
mod sandbox;
mod stack;
mod table;
pub(crate) mod world;

// What happens in it.
pub(crate) mod browser;
pub(crate) mod guard;
pub(crate) mod many;
pub(crate) mod payloads;
pub(crate) mod signature;
pub(crate) mod slack;
pub(crate) mod steps;

// Faults, and several at once.
pub(crate) mod faults;
pub(crate) mod interleave;
