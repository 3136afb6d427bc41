use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::model::answer::Outcome;
use crate::model::approval::{Posted, Vote};
use crate::model::command::{Trace, Via};
use crate::model::config::Mode;
use crate::model::limits::cut_changes;
use crate::model::promotion::Basis;
use crate::model::{Digest, Token};

/// DynamoDB's limit. An item's JSON is longer than what DynamoDB counts: it has quotes and commas
/// besides names and values.
const MOST_BYTES: usize = 400 * 1024;

/// As long as Parameter Store takes a configuration: 8 KB.
fn policy() -> Policy {
    Policy {
        mode: Mode::Approval,
        approvers: vec!["U".repeat(20); 8 * 1024 / 23],
        required: 60,
        links: false,
    }
}

/// A state in which each text is this one, and each list is as long as `many` says.
fn full(text: &str, many: usize) -> State {
    let tag = "production_".to_owned() + &"a".repeat(117);
    let (tag, digest) = (tag.parse().expect("a tag"), Digest::of(b"x"));
    let token: Token = "t".repeat(128).parse().expect("a token");
    let id = format!("req-{}", "0".repeat(32)).parse().expect("an id");
    let at = Timestamp::MAX;
    let long = || text.to_owned();
    let several = || vec![long(); many];
    let trace = Some(Trace { address: Some("a".repeat(45)), agent: Some("g".repeat(200)) });
    let vote =
        Vote { by: long(), user: Some("U".repeat(20)), via: Via::Slack, approves: true, at, trace };
    let request = ApprovalRequest {
        id,
        digest: digest.clone(),
        commit: Some("a".repeat(40).parse().expect("a commit")),
        tag: Some(tag),
        running_tag: Some(long()),
        running_commit: None,
        running_since: Some(at),
        at,
        expires_at: at,
        why: long(),
        changes: several(),
        repository: None,
        shown_changes: Some(vec!["0".repeat(8); 501]),
        policy: Some(policy()),
        votes: vec![vote.clone(); many],
        promoted_by: Some(long()),
        is_approved: true,
        progress: Progress::Waiting(long()),
        channel: Some("C".repeat(80)),
        posted: Some(Posted {
            channel: "C".repeat(80),
            ts: "1".repeat(40),
            team: Some("T".repeat(40)),
        }),
        shown: None,
    };
    let tag: crate::model::Tag = request.tag.clone().expect("a tag");
    let promotion = Promotion {
        token: token.clone(),
        digest: digest.clone(),
        commit: request.commit.clone(),
        tag: tag.clone(),
        previous_tag: long(),
        previous_commit: request.commit.clone(),
        previous_digest: Some(digest.clone()),
        stack: "s".repeat(200),
        by: long(),
        via: Via::Slack,
        basis: Some(Basis::GoingBack),
        at,
        sent_at: Some(at),
        accepted_at: Some(at),
        command: Some("c".repeat(300)),
        rolls_back: Some(long()),
        rolls_back_digest: Some(digest.clone()),
        cancelled_by: Some(long()),
        request: Some(request.id.clone()),
        votes: vec![vote; many],
        deletes_change_sets: several(),
    };
    let notice = Notice {
        changes: several(),
        expires_at: Some(at),
        ..promotion.notice(Outcome::ApprovalRequested, long(), at)
    };
    let mut state = State {
        running: Some(Running {
            tag: "v".repeat(4096),
            digest: Some(digest.clone()),
            commit: None,
            since: Some(at),
            by: long(),
        }),
        moved_tag: Some(MovedTag { tag: tag.to_string(), to: Some(digest.clone()) }),
        open: vec![promotion.clone(); 3],
        hold: Some(Hold { by: long(), at, reason: long() }),
        waiting: Some(Waiting { since: at, outcome: Outcome::Blocked, reason: long() }),
        trouble: Some(long()),
        earlier_requests: vec![request.clone(); many],
        request: Some(request),
        untold: vec![notice; many],
        change_sets: vec![
            KnownChangeSet {
                token,
                name: Some("n".repeat(60)),
                arn: Some("a".repeat(200)),
                at,
                is_removed: false
            };
            many
        ],
        policy: Some(policy()),
        ..State::new("web", "ProductionTag")
    };
    for build in 0..many {
        let failed =
            Promotion { digest: Digest::of(build.to_string().as_bytes()), ..promotion.clone() };
        state.end(&failed, End::Failed, long(), at);
    }
    for request in state.request.iter_mut().chain(&mut state.earlier_requests) {
        request.shown = Some(request.to_show());
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    })]
    #[test]
    fn a_state_is_kept_within_what_dynamodb_takes(letter in prop_oneof![Just("x"), Just("é"), Just("漢"), Just("🚀")], most in 0..4_000_usize, many in 0..130_usize) {
        let kept = full(&letter.repeat(most), many).within_limits();
        let size = serde_json::to_string(&kept).expect("JSON").len();
        prop_assert!(size < MOST_BYTES, "{size} bytes");
        prop_assert_eq!(kept.clone().within_limits(), kept, "what is kept stays as it is");
    }
}

#[test]
fn the_largest_state_is_kept_within_what_dynamodb_takes() {
    let size =
        serde_json::to_string(&full(&"x".repeat(5_000), 600).within_limits()).expect("JSON").len();
    assert!((200_000..MOST_BYTES).contains(&size), "{size} bytes");
}

#[test]
fn a_list_that_is_cut_says_how_much_is_missing() {
    let mut changes: Vec<String> =
        (0..500).map(|n| format!("Modify AWS::RDS::DBInstance Database{n}")).collect();
    cut_changes(&mut changes, 10);
    assert_eq!((changes.len(), changes[9].as_str()), (10, "and 491 more"));
}
