//! ecr-promoter: an ECR push, or a command, retags that very image as `production_<commit>` and
//! updates the CloudFormation stack's `ProductionTag`.
//!
//! It is a reconciler. Events say *when* to look, never *what is true*: every trigger leads to
//! observe, decide, apply.
//!
//! ```text
//! payload ─► event::parse ─► Event ─► World::observe ─► Snapshot ─► decide ─► Plan ─► World::apply, stage by stage
//!                                      (reads only)        ▲      (pure)                (writes only)
//!                                                          └── World::read, where a decision asks for more
//! ```
//!
//! The modules, in the order to read them:
//!
//! * [`text`]: foreign words on one plain line
//! * [`nearest`], [`json`]: the right word for a misspelt one, and what is wrong with JSON, in
//!   people's words
//! * [`model`], [`config`]: the words of the domain and what users configure; parsed once, valid
//!   from then on
//! * [`event`]: what came
//! * [`web`], [`slack`], [`link`]: what came over HTTP, Slack's side of the wire, and links that
//!   carry their own right
//! * [`image`], [`stack`], [`review`], [`request`], [`state`], [`session`]: what is known of an
//!   image, of a stack and of what would change in it, what people are asked, what is remembered,
//!   and who may use a board
//! * [`world`]: the port: what can be seen and what can be done
//! * [`decide`]: the decision
//! * [`handle`]: one invocation, in one direction
//! * [`aws`]: the real world behind the port
//! * [`answer`], [`message`], [`page`], [`error`], [`logging`]: what goes out

pub mod address;
pub mod function_url;
pub mod json;
pub mod logging;
pub mod nearest;
pub mod text;

pub mod model;

pub mod event;
pub mod link;
pub mod notification;
pub mod settings;
pub mod slack;

pub mod error;

pub mod world;

pub mod decide;
pub mod page;
pub mod services;

pub mod reconcile;

pub mod schedule;
pub mod web;

pub mod handle;
