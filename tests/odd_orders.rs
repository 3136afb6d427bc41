//! Odd orders of commands, upgrades in the middle of things, and configurations that move: what
//! ends in the right place all the same. Over the AWS in memory.

mod support;

mod odd_orders {
    mod steps;

    mod approvals;
    mod commands;
    mod configurations;
    mod upgrades;
}
