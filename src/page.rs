//! Pages: plain HTML without script. Somebody whom an alarm woke up must be able to read them at
//! once: on a phone or a desk, in light or dark mode, with or without a screen reader. Each state
//! has a colour, a shape and a word. The template engine escapes everything from outside. No I/O
//! here.

pub mod approve;
pub mod board;
mod commits;
pub mod condition;
pub mod frame;
mod moment;
pub mod notice;
mod steps;
mod style;
mod symbol;
mod words;
