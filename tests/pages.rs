//! The pages in a real headless Chromium, served by the real binary through a function URL of our
//! own. Each page that a test comes by is checked: the console, its HTML, how it fits, and
//! accessibility. Without Chromium, its driver or `EMULATOR_URL` every test says that it was left
//! out.

/// What the role may do.
#[path = "template/reading.rs"]
#[expect(dead_code, reason = "tests/template.rs uses more of it")]
mod reading;
#[path = "template/rights.rs"]
#[expect(dead_code, reason = "tests/template.rs uses more of it")]
mod rights;

/// The stage of tests/emulator.rs.
#[expect(dead_code, reason = "the pages need a part of it")]
mod emulator {
    pub(crate) mod backend;
    pub(crate) mod cbor;
    pub(crate) mod cloud;
    pub(crate) mod cloudformation;
    pub(crate) mod cloudwatch;
    pub(crate) mod ecr;
    pub(crate) mod ecs;
    pub(crate) mod fake_slack;
    pub(crate) mod fault;
    pub(crate) mod http;
    pub(crate) mod image;
    pub(crate) mod lambda;
    pub(crate) mod large;
    pub(crate) mod role;
    pub(crate) mod slack_request;
    pub(crate) mod sts;
    pub(crate) mod world;
}

mod support;

// Where the stage looks for it.
use support::signature;

mod browser {
    // The stage.
    mod checks;
    mod chromium;
    mod gateway;
    mod stage;

    // The tests.
    mod approve;
    mod board;
    mod many;
    mod pictures;
}
