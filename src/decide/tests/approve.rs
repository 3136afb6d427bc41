//! What people say, by what was decided before and through what it comes.

use super::*;
use crate::model::RequestId;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::command::{SlackOrigin, Standing};
use crate::model::notice::Notice;
use crate::model::state::State;

const REQUEST: &str = "req-0123456789abcdef0123456789abcdef";

/// Through what a word comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum From {
    Sns,
    Direct,
    Slack(&'static str),
}

pub(super) fn listed(required: u32) -> App {
    let approval =
        format!(r#"{{"slack_channel":"C1","approvers":["UALICE","UBOB"],"required":{required}}}"#);
    // What is shown in the channel is not what these tests are about.
    without_channel(app(&format!(
        r#"{{"stack":"web","commit_from":["annotation"],"approval":{approval}}}"#
    )))
}

fn without_channel(mut app: App) -> App {
    app.config.approval.slack_channel = None;
    app
}

pub(super) fn in_channel() -> App {
    app(r#"{"stack":"web","commit_from":["annotation"],"verify":false,
            "approval":{"slack_channel":"C1"}}"#)
}

pub(super) fn command(act: Act, from: From) -> Trigger {
    let (via, slack) = match from {
        From::Sns => (Via::Sns, None),
        From::Direct => (Via::Direct, None),
        From::Slack(user) => (
            Via::Slack,
            Some(Box::new(SlackOrigin {
                user: user.to_owned(),
                standing: Standing::Team,
                channel: Some("C1".to_owned()),
            })),
        ),
    };
    let app = "web".parse().expect("valid");
    Trigger::Command(Command {
        id: "1".to_owned(),
        act,
        app,
        names_repository: false,
        by: "somebody".to_owned(),
        via,
        slack,
        sent_at: None,
        trace: None,
    })
}

pub(super) fn id() -> RequestId {
    REQUEST.parse().expect("an id")
}

pub(super) fn request(progress: Progress) -> ApprovalRequest {
    let is_decided = progress != Progress::Pending
        && progress != Progress::Expired
        && progress != Progress::Superseded;
    let vote = Vote {
        by: "bob".to_owned(),
        user: Some("UBOB".to_owned()),
        via: Via::Slack,
        approves: progress != Progress::Rejected,
        at: seen().at,
        trace: None,
    };
    ApprovalRequest {
        note: None,
        notes: None,
        way_back: None,
        stack_id: None,
        way_back_commit: None,
        id: id(),
        digest: digest('b'),
        commit: Some("bbbbbbb".parse().expect("a commit")),
        tag: Some(tag('b')),
        running_tag: None,
        running_commit: None,
        running_since: None,
        at: seen().at,
        expires_at: seen().at + jiff::SignedDuration::from_hours(72),
        why: "mode".to_owned(),
        changes: Vec::new(),
        app: None,
        shown_changes: None,
        policy: None,
        votes: is_decided.then_some(vote).into_iter().collect(),
        promoted_by: None,
        is_approved: is_decided && progress != Progress::Rejected,
        progress,
        channel: None,
        posted: None,
        shown: None,
    }
}

/// `a` runs, `b` is the candidate, and this is known of its request.
pub(super) fn decided_so_far(request: Option<ApprovalRequest>) -> Snapshot {
    let running = Running {
        note: None,
        tag: tag('a').to_string(),
        digest: Some(digest('a')),
        commit: None,
        since: None,
        by: "x".to_owned(),
    };
    let state = State {
        running: Some(running),
        request,
        requests: 1,
        stack_id: Some("arn".to_owned()),
        ..State::new("web", "ProductionTag")
    };
    Snapshot {
        state: Some(state),
        events: Some(StackEvents::default()),
        version: Version(Some("1".to_owned())),
        ..pushed_b()
    }
}

pub(super) fn so_far(progress: Progress) -> Snapshot {
    decided_so_far(Some(request(progress)))
}

/// One of each.
pub(super) fn all() -> Vec<Progress> {
    let words = || "why".to_owned();
    vec![
        Progress::Pending,
        Progress::Rejected,
        Progress::Approved,
        Progress::Waiting(words()),
        Progress::Deploying,
        Progress::Verifying(words()),
        Progress::Deployed(Some(1)),
        Progress::Baking(words()),
        Progress::Failed(words()),
        Progress::Cancelled(words()),
        Progress::Superseded,
        Progress::Expired,
    ]
}

/// The state that is written, if one is.
pub(super) fn written(plan: &Plan) -> Option<&State> {
    plan.stages.iter().flatten().find_map(|action| {
        if let Action::SaveState(records) = action { records.state.as_ref() } else { None }
    })
}

/// What it comes to: the outcome, and whether an update is sent.
#[track_caller]
pub(super) fn comes_to(app: &App, act: Act, from: From, seen: &Snapshot) -> (Outcome, bool) {
    let plan = decided(app, &command(act, from), seen);
    let is_sent =
        plan.stages.iter().flatten().any(|action| matches!(action, Action::UpdateStack(_)));
    let puts = plan.stages.iter().flatten().any(|action| matches!(action, Action::PutTag { .. }));
    assert_eq!(is_sent, puts, "no tag without an update");
    (answer(&plan).outcome, is_sent)
}

pub(super) fn candidate() -> Choice {
    Choice::Image(ImageRef::Digest(digest('b')))
}

/// Every way of naming the candidate.
fn names() -> [Choice; 2] {
    [candidate(), Choice::Request(id())]
}

/// Whether a promotion goes on by itself.
fn is_open(progress: &Progress) -> bool {
    match progress {
        Progress::Approved | Progress::Waiting(_) | Progress::Deploying => true,
        Progress::Verifying(_) => true,
        Progress::Pending | Progress::Rejected | Progress::Superseded | Progress::Expired => false,
        Progress::Deployed(_) | Progress::Baking(_) | Progress::Failed(_) => false,
        Progress::Cancelled(_) => false,
    }
}

#[test]
fn an_approval_by_what_was_decided_before() {
    for progress in all() {
        let want = match &progress {
            Progress::Pending | Progress::Approved | Progress::Waiting(_) => {
                (Outcome::Promoted, true)
            }
            Progress::Deploying | Progress::Verifying(_) => (Outcome::Promoted, true),
            Progress::Rejected => (Outcome::Rejected, false),
            Progress::Deployed(_) | Progress::Baking(_) => (Outcome::Unchanged, false),
            Progress::Failed(_) => (Outcome::Failed, false),
            Progress::Cancelled(_) => (Outcome::Held, false),
            Progress::Superseded => (Outcome::Superseded, false),
            Progress::Expired => (Outcome::Expired, false),
        };
        for from in [From::Sns, From::Direct, From::Slack("UALICE")] {
            for choice in names() {
                assert_eq!(
                    comes_to(&in_channel(), Act::Approve(choice), from, &so_far(progress.clone())),
                    want,
                    "{progress:?} {from:?}"
                );
            }
        }
        for choice in names() {
            let got = comes_to(
                &listed(1),
                Act::Approve(choice),
                From::Slack("UALICE"),
                &so_far(progress.clone()),
            );
            assert_eq!(got, want, "{progress:?}");
        }
    }
    assert_eq!(
        comes_to(&asking(), Act::Approve(candidate()), From::Sns, &decided_so_far(None)),
        (Outcome::Promoted, true)
    );
}

#[test]
fn a_rejection_by_what_was_decided_before() {
    for progress in all() {
        let want = match &progress {
            Progress::Pending | Progress::Expired | Progress::Rejected => Outcome::Rejected,
            Progress::Approved | Progress::Waiting(_) | Progress::Deploying => Outcome::Unchanged,
            Progress::Verifying(_) | Progress::Deployed(_) | Progress::Baking(_) => {
                Outcome::Unchanged
            }
            Progress::Failed(_) | Progress::Cancelled(_) => Outcome::Unchanged,
            Progress::Superseded => Outcome::Superseded,
        };
        for from in [From::Sns, From::Direct, From::Slack("UALICE")] {
            for choice in names() {
                let got =
                    comes_to(&in_channel(), Act::Reject(choice), from, &so_far(progress.clone()));
                assert_eq!(got, (want, false), "{progress:?} {from:?}");
            }
        }
    }
    assert_eq!(
        comes_to(&asking(), Act::Reject(candidate()), From::Sns, &decided_so_far(None)),
        (Outcome::Rejected, false)
    );
}

#[test]
fn a_promote_in_slack_by_what_was_decided_before() {
    for progress in all() {
        for image in [None, Some(ImageRef::Digest(digest('b')))] {
            let act = Act::Promote(image);
            assert_eq!(
                comes_to(&listed(1), act.clone(), From::Slack("UALICE"), &so_far(progress.clone())),
                (Outcome::Promoted, true)
            );
            // Of two needed votes it is one, and goes past a rejection as a new request.
            let is_open = is_open(&progress);
            let want = if is_open { (Outcome::Promoted, true) } else { (Outcome::Approved, false) };
            assert_eq!(
                comes_to(&listed(2), act, From::Slack("UALICE"), &so_far(progress.clone())),
                want,
                "{progress:?}"
            );
        }
        assert_eq!(
            comes_to(&listed(2), Act::Promote(None), From::Sns, &so_far(progress)),
            (Outcome::Promoted, true),
            "the break-glass"
        );
    }
}

#[test]
fn to_ask_again_by_what_was_decided_before() {
    for progress in all() {
        let is_open = is_open(&progress);
        let want =
            if is_open { (Outcome::Promoted, true) } else { (Outcome::ApprovalRequested, false) };
        for act in [Act::Ask, Act::AskAgain(digest('b'))] {
            let seen = so_far(progress.clone());
            assert_eq!(
                comes_to(&in_channel(), act.clone(), From::Slack("UALICE"), &seen),
                want,
                "{progress:?}"
            );
            // While people are asked, what they have said so far counts on.
            if is_open || progress == Progress::Pending {
                continue;
            }
            let plan = decided(&in_channel(), &command(act, From::Slack("UALICE")), &seen);
            let state = written(&plan).expect("it is written");
            let asked = state.request.as_ref().expect("a request");
            assert_eq!(
                (asked.progress.clone(), asked.votes.len(), state.requests),
                (Progress::Pending, 0, 2)
            );
            assert_ne!(asked.id, id());
        }
        assert_eq!(
            comes_to(
                &in_channel(),
                Act::AskAgain(digest('a')),
                From::Slack("UALICE"),
                &so_far(progress)
            )
            .0,
            Outcome::Superseded
        );
    }
}

#[test]
fn a_push_or_a_look_by_what_was_decided_before() {
    for progress in all() {
        let want = match &progress {
            Progress::Pending => Outcome::ApprovalRequested,
            Progress::Rejected => Outcome::Rejected,
            Progress::Approved | Progress::Waiting(_) | Progress::Deploying => Outcome::Promoted,
            Progress::Verifying(_) => Outcome::Promoted,
            Progress::Expired => Outcome::Expired,
            // What the state knows beside it says more: that it failed, or that somebody turned
            // away from it.
            Progress::Deployed(_)
            | Progress::Baking(_)
            | Progress::Failed(_)
            | Progress::Cancelled(_)
            | Progress::Superseded => continue,
        };
        for trigger in [push('b'), Trigger::Due("schedule")] {
            let plan = decided(&asking(), &trigger, &so_far(progress.clone()));
            assert_eq!(answer(&plan).outcome, want, "{progress:?}");
            if want != Outcome::Promoted {
                assert_eq!(names_of(&plan), "", "nothing is written or told again");
            }
        }
    }
}

fn names_of(plan: &Plan) -> String {
    super::names(&plan.stages)
}

#[test]
fn an_approval_is_written_before_the_tag_is_put() {
    let approve = command(Act::Approve(candidate()), From::Sns);
    let sends = "PutTag\nUpdateStack\nTell\nMarkTold\nKeepAnswer";
    check(
        &asking(),
        &approve,
        &so_far(Progress::Pending),
        Outcome::Promoted,
        &format!("SaveState\n{sends}"),
    );
    check(
        &asking(),
        &approve,
        &decided_so_far(None),
        Outcome::Promoted,
        &format!("SaveState\n{sends}"),
    );
    // It was written before: nothing can come first any more.
    check(&asking(), &push('b'), &so_far(Progress::Approved), Outcome::Promoted, PROMOTES);
}

#[test]
fn a_vote_is_kept_once_for_each_person() {
    let approve = |user| command(Act::Approve(candidate()), From::Slack(user));
    let first = check(
        &listed(2),
        &approve("UALICE"),
        &so_far(Progress::Pending),
        Outcome::Approved,
        "SaveState\nTell\nMarkTold",
    );
    let state = written(&first).expect("written").clone();
    assert_eq!(state.request.as_ref().map(|request| request.votes.len()), Some(1));
    let then = Snapshot {
        state: Some(State { untold: Vec::new(), ..state }),
        ..so_far(Progress::Pending)
    };
    let again = check(&listed(2), &approve("UALICE"), &then, Outcome::Approved, "SaveState");
    assert_eq!(written(&again), None, "only the command is kept");
    assert_eq!(
        comes_to(&listed(2), Act::Approve(candidate()), From::Slack("UBOB"), &then),
        (Outcome::Promoted, true)
    );
    // Who is not listed any more counts no more.
    let others = r#"{"stack":"web","commit_from":["annotation"],"approval":{
        "slack_channel":"C1","approvers":["UBOB","UCAROL"],"required":2
    }}"#;
    let others = without_channel(app(others));
    let then = Snapshot { is_configuration_newer: true, ..then };
    assert_eq!(
        comes_to(&others, Act::Approve(candidate()), From::Slack("UBOB"), &then),
        (Outcome::Approved, false)
    );
}

#[test]
fn a_request_expires_at_its_time_and_only_while_nobody_has_decided() {
    for progress in all() {
        let later = |seconds: i64| {
            let seen = so_far(progress.clone());
            Snapshot {
                at: seen.at
                    + jiff::SignedDuration::from_hours(72)
                    + jiff::SignedDuration::from_secs(seconds),
                ..seen
            }
        };
        let expires = |seen: &Snapshot| {
            let plan = decided(&asking(), &Trigger::Due("schedule"), seen);
            let is_expiry = |notice: &Notice| notice.outcome == Outcome::Expired;
            let tells = |action: &Action| matches!(action, Action::Tell(it) if is_expiry(it));
            plan.stages.iter().flatten().any(tells)
        };
        assert!(!expires(&later(-1)), "{progress:?}");
        assert_eq!(expires(&later(0)), progress == Progress::Pending, "{progress:?}");
    }
}

#[test]
fn a_newer_candidate_takes_the_place_of_what_is_open() {
    let shown = |progress: Progress| {
        let posted = crate::model::approval::Posted {
            channel: "C1".to_owned(),
            ts: "1".to_owned(),
            team: None,
        };
        let request = ApprovalRequest {
            channel: Some("C1".to_owned()),
            posted: Some(posted),
            ..request(progress)
        };
        ApprovalRequest { shown: Some(request.to_show()), ..request }
    };
    for progress in all() {
        let seen =
            Snapshot { newest: Some(digest('a')), ..decided_so_far(Some(shown(progress.clone()))) };
        let plan = decided(&in_channel(), &Trigger::Due("schedule"), &seen);
        let left = written(&plan)
            .expect("written")
            .all_requests()
            .map(|request| request.progress.clone())
            .collect::<Vec<_>>();
        let is_open = !progress.is_final();
        assert_eq!(left, if is_open { vec![Progress::Superseded] } else { vec![] }, "{progress:?}");
        let shows =
            plan.stages.iter().flatten().filter(|action| matches!(action, Action::Show(_))).count();
        assert_eq!(shows, usize::from(is_open), "{progress:?}");
    }
}
