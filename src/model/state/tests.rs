use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::model::Tag;
use crate::model::approval::{Posted, Progress, Vote};
use crate::model::bake::WatchedAlarm;
use crate::model::command::{Trace, Via};
use crate::model::config::policy::Mode;
use crate::model::ecs::known::KnownService;
use crate::model::identity::SourceIdentity;
use crate::model::limits::{APPROVERS_OF_A_NOTICE, SERVICES, cut_changes};
use crate::model::notes::{Candidate, ChangeNotes, Direction};
use crate::model::notice::Thread;
use crate::model::promotion::{Basis, End, ReplicaWait};
use crate::model::soaking::Soaking;
use crate::samples;

/// DynamoDB's limit. An item's JSON is longer than what DynamoDB counts: it has quotes and commas
/// besides names and values.
const MOST_BYTES: usize = 400 * 1024;

/// The policy of the longest configuration that Parameter Store takes: 8 KB.
fn policy() -> Policy {
    Policy {
        mode: Mode::Approval,
        approvers: vec!["U".repeat(20); 8 * 1024 / 23],
        required: 60,
        links: false,
    }
}

/// The longest tag that a request and a promotion can have.
fn longest_tag() -> Tag {
    format!("production_{}", "a".repeat(117)).parse().expect("a tag")
}

fn longest_token() -> Token {
    "t".repeat(128).parse().expect("a token")
}

fn longest_commit() -> Option<Commit> {
    Some("a".repeat(40).parse().expect("a commit"))
}

fn votes(text: &str, many: usize) -> Vec<Vote> {
    let trace = Some(Trace { address: Some("a".repeat(45)), agent: Some("g".repeat(200)) });
    let user = Some("U".repeat(20));
    let at = Timestamp::MAX;
    vec![Vote { by: text.to_owned(), user, via: Via::Slack, approves: true, at, trace }; many]
}

/// The longest note of a commit.
fn note(text: &str) -> CommitNote {
    let (subject, author) = (Some(text.to_owned()), Some(text.to_owned()));
    let at = Some(Timestamp::MAX);
    let url = Some("u".repeat(300));
    CommitNote { commit: longest_commit(), subject, author, at, url }.within_limits()
}

fn notes(text: &str, many: usize) -> Option<ChangeNotes> {
    Some(ChangeNotes::new(vec![note(text); many], Direction::Diverged(many)))
}

/// What is known of a stack's services, and what was seen of candidates.
fn services(many: usize) -> KnownServices {
    let digest = Digest::of(b"x");
    let service = KnownService {
        arn: "a".repeat(200),
        revision: Some("a".repeat(230)),
        digest: Some(digest),
        is_promoted: false,
    };
    let list = vec![service; many.min(SERVICES)];
    KnownServices { as_of: Some(Timestamp::MAX), list, has_failed: true }
}

fn candidates(text: &str, many: usize) -> Candidates {
    let mut candidates = Candidates::default();
    for build in 0..many {
        let digest = Digest::of(build.to_string().as_bytes());
        candidates.see(Candidate { digest, note: note(text) });
    }
    candidates
}

/// A request in which each text is this one, and each list is as long as `many` says.
fn request(text: &str, many: usize) -> ApprovalRequest {
    let channel = "C".repeat(80);
    let (ts, team) = ("1".repeat(40), Some("T".repeat(40)));
    ApprovalRequest {
        note: Some(note(text)),
        notes: notes(text, many),
        way_back: Some(Digest::of(b"x")),
        way_back_commit: longest_commit(),
        commit: longest_commit(),
        tag: Some(longest_tag()),
        running_tag: Some(text.to_owned()),
        running_commit: None,
        running_since: Some(Timestamp::MAX),
        at: Timestamp::MAX,
        expires_at: Timestamp::MAX,
        why: text.to_owned(),
        changes: vec![text.to_owned(); many],
        shown_changes: Some(vec!["0".repeat(8); 501]),
        policy: Some(policy()),
        votes: votes(text, many),
        promoted_by: Some(text.to_owned()),
        is_approved: true,
        progress: Progress::Waiting(text.to_owned()),
        channel: Some(channel.clone()),
        posted: Some(Posted { channel, ts, team }),
        ..samples::request()
    }
}

/// A promotion in which each text is this one, and each list is as long as `many` says.
fn promotion(text: &str, many: usize) -> Promotion {
    let digest = Digest::of(b"x");
    Promotion {
        note: Some(note(text)),
        notes: notes(text, many),
        token: longest_token(),
        digest: digest.clone(),
        commit: longest_commit(),
        tag: longest_tag(),
        previous_tag: text.to_owned(),
        previous_commit: longest_commit(),
        previous_digest: Some(digest.clone()),
        stack: "s".repeat(200),
        by: text.to_owned(),
        via: Via::Slack,
        identity: Some(SourceIdentity::of_slack(&"U".repeat(64))),
        replica: Some(ReplicaWait { since: Timestamp::MAX, is_told: true }),
        basis: Some(Basis::GoingBack),
        pushed_at: Some(Timestamp::MAX),
        at: Timestamp::MAX,
        sent_at: Some(Timestamp::MAX),
        accepted_at: Some(Timestamp::MAX),
        command: Some("c".repeat(300)),
        rolls_back: Some(text.to_owned()),
        rolls_back_digest: Some(digest),
        why: Some(text.to_owned()),
        cancelled_by: Some(text.to_owned()),
        request: Some(samples::request().id),
        votes: votes(text, many),
        change_set: Some("a".repeat(300)),
        deletes_change_sets: vec![text.to_owned(); many],
    }
}

/// The longest thread.
fn thread() -> Thread {
    Thread {
        channel: "C".repeat(80),
        ts: "1".repeat(40),
        approvers: vec!["U".repeat(64); APPROVERS_OF_A_NOTICE],
        runs: true,
        way_back: Some(Digest::of(b"x")),
        way_back_commit: longest_commit(),
    }
}

/// The longest notice about this promotion.
fn notice(promotion: &Promotion, text: &str, many: usize) -> Notice {
    let (at, long) = (Timestamp::MAX, || text.to_owned());
    Notice {
        changes: vec![long(); many],
        expires_at: Some(at),
        about: Some(long()),
        thread: Some(Box::new(thread())),
        ..promotion.notice(Outcome::ApprovalRequested, long(), at)
    }
}

/// The longest memory of an earlier stage.
fn stage() -> SeenStage {
    let soaking = Soaking {
        digest: Digest::of(b"x"),
        commit: longest_commit(),
        until: Timestamp::MAX,
        is_baking: true,
    };
    let after = "a".repeat(256).parse().expect("a name");
    SeenStage { after, ended: u64::MAX, soaking: Some(soaking) }
}

/// A state in which each text is this one, and each list is as long as `many` says.
fn full(text: &str, many: usize) -> State {
    let (at, digest, long) = (Timestamp::MAX, Digest::of(b"x"), || text.to_owned());
    let (request, promotion) = (request(text, many), promotion(text, many));
    let notice = notice(&promotion, text, many);
    let change_set = KnownChangeSet {
        token: longest_token(),
        name: Some("n".repeat(60)),
        arn: Some("a".repeat(200)),
        at,
        is_removed: false,
    };
    let mut state = State {
        services: Some(services(many)),
        candidates: candidates(text, many),
        running: Some(Running {
            note: Some(note(text)),
            tag: "v".repeat(4096),
            digest: Some(digest.clone()),
            commit: None,
            since: Some(at),
            by: long(),
        }),
        moved_tag: Some(MovedTag { tag: longest_tag().to_string(), to: Some(digest) }),
        open: vec![promotion.clone(); 3],
        hold: Some(Hold { by: long(), at, reason: long() }),
        waiting: Some(Waiting { since: at, outcome: Outcome::Blocked, reason: long() }),
        trouble: Some(long()),
        earlier_requests: vec![request.clone(); many],
        request: Some(request),
        untold: vec![notice; many],
        change_sets: vec![change_set; many],
        policy: Some(policy()),
        target: Some("t".repeat(400)),
        alarmed: vec![Digest::of(b"x"); many],
        stage: Some(stage()),
        ..State::new("web", "ProductionTag")
    };
    for build in 0..many {
        let digest = Digest::of(build.to_string().as_bytes());
        state.end(&Promotion { digest, ..promotion.clone() }, End::Failed, long(), at);
    }
    for request in state.request.iter_mut().chain(&mut state.earlier_requests) {
        request.shown = Some(request.to_show());
    }
    after_cloudformation(state, &promotion, text, many)
}

/// What is kept once CloudFormation is done.
fn after_cloudformation(state: State, promotion: &Promotion, text: &str, many: usize) -> State {
    let bake = Bake {
        alarms: vec![WatchedAlarm { name: "a".repeat(255), state: Some("OK".to_owned()) }; 10],
        told: vec![text.to_owned(); many],
        ..Bake::begin(promotion, 1440, Timestamp::UNIX_EPOCH)
    };
    let mut verifying = Verification::begin(promotion.clone(), 1440, Timestamp::UNIX_EPOCH);
    verifying.progress = text.to_owned();
    verifying.problem = Some(text.to_owned());
    State { bake: Some(bake), verifying: Some(verifying), ..state }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    })]
    #[test]
    fn any_state_fits_into_an_item(
        letter in prop_oneof![Just("x"), Just("é"), Just("漢"), Just("🚀")],
        most in 0..4_000_usize,
        many in 0..130_usize,
    ) {
        let kept = full(&letter.repeat(most), many).within_limits();
        let size = serde_json::to_string(&kept).expect("JSON").len();
        prop_assert!(size < MOST_BYTES, "{size} bytes");
        prop_assert_eq!(kept.clone().within_limits(), kept, "what is kept stays as it is");
    }
}

#[test]
fn the_largest_state_fits_into_an_item() {
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

#[test]
fn a_hold_by_a_rollback_has_the_persons_reason() {
    let hold = |reason: &str| Hold {
        by: "dora".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        reason: reason.to_owned(),
    };
    for (reason, is_way_back, why) in [
        ("rolled back from `production_a`", true, None),
        (
            "rolled back from `production_a`: empty `carts`: again",
            true,
            Some("empty `carts`: again"),
        ),
        ("release freeze: `a`: b", false, None),
    ] {
        let hold = hold(reason);
        assert_eq!((hold.is_way_back(), hold.why_back()), (is_way_back, why), "{reason}");
    }
}

#[test]
fn candidates_from_long_before_what_runs_are_forgotten() {
    let digest = |build: usize| Digest::of(build.to_string().as_bytes());
    let kept = |runs: Option<usize>| {
        let running = runs.map(|build| Running {
            tag: "production_9fceb02".to_owned(),
            digest: Some(digest(build)),
            commit: None,
            note: None,
            since: None,
            by: "dora".to_owned(),
        });
        let state = State {
            candidates: candidates("a subject", 20),
            running,
            ..State::new("web", "ProductionTag")
        };
        let candidates = state.within_limits().candidates;
        (candidates.0.len(), candidates.0[0].digest.clone())
    };
    assert_eq!(kept(None), (20, digest(0)));
    assert_eq!(kept(Some(99)), (20, digest(0)), "it is not known what came before");
    assert_eq!(kept(Some(3)), (20, digest(0)));
    assert_eq!(kept(Some(12)), (11, digest(9)), "three before it, itself, and seven after it");
}

#[test]
fn the_state_remembers_the_last_ends_alone() {
    let mut state = State::new("web", "ProductionTag");
    for build in 0..9 {
        let token = format!("ecr-promoter-{build}").parse().expect("a token");
        let ended = Promotion { token, ..samples::promotion() };
        state.end(&ended, End::Deployed, "UPDATE_COMPLETE", Timestamp::UNIX_EPOCH);
    }
    let tokens: Vec<&str> = state.recent.iter().map(|recent| recent.token.as_str()).collect();
    assert_eq!(tokens, [7, 8].map(|build| format!("ecr-promoter-{build}")));
    let times = state.recent.iter().filter(|recent| recent.at.is_some()).count();
    assert_eq!(times, 1, "only the last one has its time");
}
