//! People decide: requests, votes and verdicts, by clicks, slash commands and messages, over an AWS
//! and a Slack in memory.

mod support;

mod approvals {
    mod steps;

    mod asking;
    mod at_the_same_time;
    mod bad_ends;
    mod crashes;
    mod holds;
    mod in_the_way;
    mod newer_and_older;
    mod other_teams;
    mod refused;
    mod slack_is_down;
    mod too_late;
    mod who_may;
}
