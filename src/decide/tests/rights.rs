//! Who may decide, and who may put which image into production.

use super::approve::{
    From, all, candidate, comes_to, command, decided_so_far, id, in_channel, listed, request,
    so_far, written,
};
use super::*;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::command::{RollbackStep, RollbackTo};
use crate::model::promotion::{Ended, Promotion};

#[test]
fn where_identities_count_only_slack_decides() {
    for progress in all() {
        for app in [listed(1), listed(2)] {
            for from in [From::Sns, From::Direct] {
                for act in [
                    Act::Approve(candidate()),
                    Act::Reject(candidate()),
                    Act::Approve(Choice::Request(id())),
                ] {
                    assert_eq!(
                        comes_to(&app, act, from, &so_far(progress.clone())),
                        (Outcome::Refused, false),
                        "{progress:?} {from:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_stranger_writes_nothing() {
    let acts = [
        Act::Approve(candidate()),
        Act::Reject(Choice::Request(id())),
        Act::Promote(None),
        Act::Promote(Some(ImageRef::Digest(digest('a')))),
        back(RollbackTo::Previous),
        back(from_a()),
        Act::Cancel,
        Act::Hold("why".to_owned()),
        Act::Resume,
        Act::Ask,
        Act::AskAgain(digest('b')),
    ];
    for progress in all() {
        for act in acts.clone() {
            let plan = check(
                &listed(1),
                &command(act, From::Slack("UMALLORY")),
                &so_far(progress.clone()),
                Outcome::Refused,
                "",
            );
            assert!(answer(&plan).reason.contains("`approval.approvers`"));
        }
    }
}

/// `b` is the candidate that people are asked about, `c` was deployed before `a`, which runs, and
/// nobody was ever asked about `d`.
fn before_anybody_decided() -> Snapshot {
    let asked = ApprovalRequest { votes: Vec::new(), ..request(Progress::Pending) };
    let mut seen = decided_so_far(Some(asked));
    for letter in ['c', 'd'] {
        seen.images.insert(digest(letter), Ok(image(letter)));
    }
    seen.tags = tags([(tag('a'), digest('a')), (tag('c'), digest('c'))]);
    seen.unavailable = ['a', 'b', 'c', 'd'].map(|letter| (digest(letter), None)).into();
    let deployed = |number, letter, previous: char| {
        let promotion = Promotion {
            digest: digest(letter),
            tag: tag(letter),
            previous_tag: tag(previous).to_string(),
            previous_digest: Some(digest(previous)),
            ..promotion()
        };
        Ended { number, promotion, end: End::Deployed, reason: String::new(), ended_at: seen.at }
    };
    seen.history = Some(vec![deployed(1, 'a', 'c'), deployed(0, 'c', 'c')]);
    seen
}

fn promotion() -> Promotion {
    let plan = decided(&auto(), &push('b'), &pushed_b());
    written(&plan).expect("written").open[0].clone()
}

/// Acts, each with the image that it is about.
fn acts() -> Vec<(Act, char)> {
    let by_digest = |letter| Some(ImageRef::Digest(digest(letter)));
    let to = |letter| RollbackTo::Image(ImageRef::Digest(digest(letter)));
    vec![
        (Act::Promote(None), 'b'),
        (Act::Promote(by_digest('c')), 'c'),
        (Act::Promote(by_digest('d')), 'd'),
        (Act::Approve(candidate()), 'b'),
        (Act::Approve(Choice::Image(ImageRef::Digest(digest('d')))), 'd'),
        (back(RollbackTo::Previous), 'c'),
        (back(to('c')), 'c'),
        (back(to('d')), 'd'),
        (back(to('b')), 'b'),
        (back(from_a()), 'c'),
        (Act::Resume, 'b'),
        (Act::Ask, 'b'),
        (Act::Hold("freeze".to_owned()), 'b'),
    ]
}

fn back(to: RollbackTo) -> Act {
    Act::Rollback(to, None)
}

fn from_a() -> RollbackTo {
    let step = RollbackStep { from: digest('a'), to: None, is_chosen: false };
    RollbackTo::Shown(Box::new(step))
}

/// Whether this person, or what comes through SNS or a direct invocation, may do this.
fn may(
    act: &Act,
    image: char,
    who: &str,
    one_is_enough: bool,
    identities_count: bool,
    commanders: &str,
) -> bool {
    let is_slack = who.starts_with('U');
    match act {
        _ if is_slack && !commanders.contains(who) => false,
        Act::Promote(_) => !is_slack || one_is_enough,
        Act::Approve(_) => image == 'b' && one_is_enough && (is_slack || !identities_count),
        Act::Rollback(..) => image == 'c' || !identities_count,
        Act::Plan(_) | Act::PlanRollback(_) => false,
        Act::Status | Act::History(_) | Act::Reconcile => false,
        Act::Cancel | Act::Hold(_) | Act::Resume => false,
        Act::Reject(_) | Act::Ask | Act::AskAgain(_) => false,
    }
}

#[test]
fn who_may_put_which_image_into_production_by_which_act() {
    // Whether identities count, how many people must approve, and who in Slack may command.
    let policies = [
        (asking(), false, 1, ""),
        (in_channel(), false, 1, "UALICE UMALLORY"),
        (listed(1), true, 1, "UALICE"),
        (listed(2), true, 2, "UALICE"),
    ];
    for (app, identities_count, required, commanders) in &policies {
        for (who, from) in [
            ("SNS", From::Sns),
            ("direct", From::Direct),
            ("UALICE", From::Slack("UALICE")),
            ("UMALLORY", From::Slack("UMALLORY")),
        ] {
            for (act, image) in &acts() {
                let may = may(act, *image, who, *required == 1, *identities_count, commanders);
                let plan = decided(app, &command(act.clone(), from), &before_anybody_decided());
                let sent = plan.stages.iter().flatten().find_map(|action| {
                    if let Action::UpdateStack(update) = action { Some(update) } else { None }
                });
                let want = may.then(|| tag(*image));
                assert_eq!(
                    sent.map(|update| update.tag.clone()),
                    want,
                    "{act:?} by {who}, {required} required: {}",
                    answer(&plan).reason
                );
            }
        }
    }
}
