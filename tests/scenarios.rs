//! Whole invocations over an AWS in memory: a payload in, everything that came of it out. The main
//! ones are tried with a fault at every call, and delivered again as Lambda would.

mod support;

mod scenarios {
    mod audit;
    mod commands;
    mod crashes;
    mod guard;
    mod long_ago;
    mod notes;
    mod pushes;
    mod reports;
    mod rollbacks;
    mod schedule;
    mod stack_events;
}
