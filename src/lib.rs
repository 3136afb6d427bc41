//! ecr-promoter deploys container images: after a push to ECR, or on command, it tags the image as
//! `production_<commit>` and updates the parameter `ProductionTag` of a CloudFormation stack.
//!
//! It is a reconciler. An event tells *when* to look, never *what is true*: each look reads what is
//! there, decides, and writes.
//!
//! ```text
//! payload -> event -> handle -> reconcile -> World::observe   (reads)
//!                                         -> decide           (pure)
//!                                         -> World::apply     (writes)
//! ```
//!
//! `ARCHITECTURE.md` at the root of the repository says what each module is for, which modules a
//! module may use, and why. The modules stand below in that order, the lowest first.

// 1: plain text, addresses, HTTP, logs
pub mod address;
pub mod function_url;
pub mod json;
pub mod logging;
pub mod text;

// 2: the nouns
pub mod model;

// 3: formats of what comes in and goes out
pub mod event;
pub mod link;
pub mod notification;
pub mod settings;
pub mod slack;

// 4: errors
pub mod error;

// 5: the ports
pub mod world;

// 6: decisions, pages, and the services behind the ports
pub mod decide;
pub mod page;
pub mod services;

// 7: one app
pub mod reconcile;

// 8: many apps, and HTTP requests
pub mod schedule;
pub mod web;

// 9: one invocation
pub mod handle;

#[cfg(test)]
mod samples;
