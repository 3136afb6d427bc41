//! `promote`, the operator's command of ecr-promoter. It only invokes the function, shows what it
//! answers, and follows a promotion to its end.
//!
//! Three kinds of modules: what is typed ([`args`], [`words`], [`command`]); what is decided from
//! values alone ([`exit`], [`follow::judge`], [`show`], [`mismatch`]); and what calls AWS or a
//! terminal ([`run`], [`report`], [`change`], [`records`], [`follow`], [`cloud`]).

pub mod answer;
pub mod args;
pub mod change;
pub mod cloud;
pub mod command;
pub mod confirm;
pub mod exit;
pub mod follow;
pub mod mismatch;
pub mod out;
pub mod records;
pub mod report;
pub mod run;
pub mod session;
pub mod show;
pub mod text;
pub mod words;
