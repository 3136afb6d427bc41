//! The real binary in a Lambda of our own, against the AWS emulator at `EMULATOR_URL`, through a
//! proxy that notes every call and lets chosen ones go wrong. Without `EMULATOR_URL` every test
//! says that it was left out.

/// How Slack signs.
#[path = "support/signature.rs"]
mod signature;

/// What the role may do.
#[path = "template/reading.rs"]
#[expect(dead_code, reason = "tests/template.rs uses more of it")]
mod reading;
#[path = "template/rights.rs"]
#[expect(dead_code, reason = "tests/template.rs uses more of it")]
mod rights;

mod emulator {
    // The stage.
    mod backend;
    mod cbor;
    mod cloud;
    mod cloudformation;
    mod cloudwatch;
    mod ecr;
    mod ecs;
    mod fake_slack;
    mod fault;
    mod http;
    mod image;
    mod lambda;
    mod large;
    mod role;
    mod slack_request;
    mod sts;
    mod table;
    mod world;

    // The tests.
    mod a_minute;
    mod audit;
    mod bake;
    mod board;
    mod cancels;
    mod check;
    mod commands;
    mod crashes;
    mod crowd;
    mod door;
    mod environment;
    mod faults;
    mod formats;
    mod guard;
    mod ignored;
    mod journey;
    mod least_privilege;
    mod metrics;
    mod mutations;
    mod promotion;
    mod races;
    mod refusals;
    mod schedule;
    mod search;
    mod shared_stack;
    mod slack;
    mod speed;
    mod state_size;
    mod targets;
    mod verification;
}
