//! Crowds: several sandboxes at once, in any order, with duplicates, losses, deaths, and people in
//! between. Deterministic: a schedule is a list of choices, and a seed that fails is printed and
//! can be run again with `SIMULATION_SEED=<seed>`.
//!
//! The world itself asserts at every call what must always hold: a tag is never moved, an update's
//! token is in the state before it is sent, every other parameter is named, nobody else's update is
//! cancelled. At rest, the rest is asserted.

mod support;

mod simulation {
    mod at_rest;
    mod interleavings;
    mod stories;
}
