//! The one rule that says who or what may put an image into production. Every command and channel
//! asks [`objection_to`] when it decides. It is asked again before a waiting promotion is sent, so
//! that a policy that has become stricter counts.

use std::ops::ControlFlow::{Break, Continue};

use super::cause::Cause;
use super::draft::Draft;
use super::plan::{Decided, MayEnd};
use crate::model::approval::{Progress, approvers};
use crate::model::command::{SlackOrigin, Standing};
use crate::model::config::App;
use crate::model::config::policy::Mode;
use crate::model::config::policy::Policy;
use crate::model::promotion::Basis;
use crate::model::{Digest, RequestId};

/// What the rule must know about an image, besides the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// The source tag is on it.
    pub(super) is_newest: bool,
    /// Automation may not promote it: the app is held, or a person cancelled it or rolled back from
    /// it.
    pub(super) is_set_aside: bool,
    /// It was deployed before, or ran when the app was first seen, or runs now.
    pub(super) has_run: bool,
    /// How many people who may decide said yes to it.
    pub(super) votes: usize,
    /// Somebody said no to it.
    pub(super) is_rejected: bool,
}

/// Why this image may not go into production on this basis, if it may not.
pub(super) fn objection(policy: &Policy, basis: Basis, facts: Facts) -> Option<String> {
    let need = policy.required as usize;
    match basis {
        // IAM decides who may publish or invoke. Undoing goes back to an image that was permitted
        // before.
        Basis::BreakGlass | Basis::Undoing => None,
        Basis::Automation if policy.mode == Mode::Approval => Some(
            "the app's mode is `approval`: \
            people decide"
                .to_owned(),
        ),
        Basis::Automation if facts.is_set_aside => Some(
            "the app is held, or a person cancelled this image or rolled back from it".to_owned(),
        ),
        Basis::Automation if !facts.is_newest => {
            Some("only the newest image is promoted by itself".to_owned())
        }
        Basis::Automation => None,
        Basis::Person if need > 1 => Some(
            "`approval.required` asks for several people: in Slack they can promote the \
                  newest image only"
                .to_owned(),
        ),
        Basis::Person => None,
        Basis::Votes if facts.is_rejected => Some("it was rejected".to_owned()),
        Basis::Votes if facts.votes < need => Some(format!(
            "{} of {need} people who may decide \
            have approved it",
            facts.votes
        )),
        Basis::Votes => None,
        Basis::GoingBack if policy.needs_identity() && !facts.has_run => Some(
            "it never ran here, so a rollback cannot go back to it: it needs to be approved \
             (`rollback` without an image goes to what was \
             deployed before)"
                .to_owned(),
        ),
        Basis::GoingBack => None,
    }
}

/// Why this image may not go into production on this basis, if it may not: collects the facts
/// and asks the rule.
pub(super) fn objection_to(
    draft: &Draft<'_>,
    digest: &Digest,
    basis: Basis,
    request: Option<&RequestId>,
) -> Decided<Option<String>> {
    let by_id = request.and_then(|id| draft.state.all_requests().find(|request| request.id == *id));
    let question =
        by_id.or(draft.state.request.as_ref()).filter(|request| request.digest == *digest);
    let policy = draft.policy(question);
    let facts = Facts {
        is_newest: draft.seen.newest.as_ref() == Some(digest),
        is_set_aside: draft.state.hold.is_some()
            || draft.state.passed_over.as_ref() == Some(digest),
        has_run: basis == Basis::GoingBack && policy.needs_identity() && has_run(draft, digest)?,
        votes: question
            .map_or(0, |request| request.approvers(&policy).len())
            .max(votes_of_begun(draft, digest, request, &policy)),
        is_rejected: question.is_some_and(|request| request.progress == Progress::Rejected),
    };
    Ok(objection(&policy, basis, facts))
}

/// How many people approved a promotion that was begun. It keeps its votes, since the state keeps
/// few or none of an earlier request.
fn votes_of_begun(
    draft: &Draft<'_>,
    digest: &Digest,
    request: Option<&RequestId>,
    policy: &Policy,
) -> usize {
    let Some(id) = request else { return 0 };
    let own = draft
        .state
        .open
        .iter()
        .find(|open| open.digest == *digest && open.request.as_ref() == Some(id));
    let is_known = draft.state.all_requests().any(|request| request.id == *id);
    match own {
        None => 0,
        // An older version kept no votes; by then it had been decided.
        Some(open) if open.basis.is_none() && !is_known => policy.required as usize,
        Some(open) => approvers(&open.votes, policy).len(),
    }
}

/// Proves that the rule allows this image for its cause. Only [`permit`] makes one.
pub(super) struct Permit(Digest);

impl Permit {
    /// The image that may be promoted.
    pub(super) fn digest(&self) -> &Digest {
        &self.0
    }
}

/// Asks the rule. Ends the decision if the image may not go into production for this cause.
pub(super) fn permit(draft: &Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> MayEnd<Permit> {
    Ok(match objection_to(draft, digest, cause.basis, cause.request.as_ref())? {
        None => Continue(Permit(digest.clone())),
        Some(objection) => Break(draft.refused(&objection)),
    })
}

/// Whether it ran in production before, as far as is remembered.
fn has_run(draft: &Draft<'_>, digest: &Digest) -> Decided<bool> {
    if draft.state.first_ran.as_ref() == Some(digest)
        || draft.running_digest().as_ref() == Some(digest)
    {
        return Ok(true);
    }
    if draft.deployed()?.iter().any(|ended| ended.promotion.digest == *digest) {
        return Ok(true);
    }
    // An older version kept what ran first in the first promotion alone.
    let history = draft.seen.history.iter().flatten();
    let first = history
        .filter(|ended| ended.number == 0 && draft.state.first_ran.is_none())
        .map(|ended| &ended.promotion);
    let first = first
        .filter(|first| first.previous_digest.is_none())
        .find_map(|first| draft.as_production_tag(&first.previous_tag));
    Ok(first.map(|tag| draft.holder(&tag)).transpose()?.flatten() == Some(digest))
}

/// Why a person in Slack may not command an app, if that is so. `by` is what the person is called.
pub fn slack_objection(app: &App, origin: &SlackOrigin, by: &str) -> Option<String> {
    let approval = &app.config.approval;
    if !approval.approvers.is_empty() {
        let is_listed = approval.approvers.contains(&origin.user);
        return (!is_listed).then(|| format!("{by} is not one of the app's `approval.approvers`"));
    }
    if origin.standing == Standing::Organisation {
        return Some(format!(
            "{by} belongs to another team of the organisation: only those of its people whom \
             `approval.approvers` lists may command the app"
        ));
    }
    let Some(channel) = &approval.slack_channel else {
        return Some(format!(
            "`{}` has neither `approval.approvers` nor `approval.slack_channel`: nobody in Slack \
             may command it",
            app.name
        ));
    };
    (origin.channel.as_ref() != Some(channel))
        .then(|| format!("`{}` is commanded from the channel {channel} only", app.name))
}

/// Why somebody may not approve or reject, if that is so: only Slack proves who somebody is.
pub fn identity_objection(policy: &Policy, slack: Option<&SlackOrigin>) -> Option<&'static str> {
    let is_unproven = policy.needs_identity() && slack.is_none();
    is_unproven.then_some(
        "`approval.approvers` or `approval.required` asks for people whose \
                           identity Slack proves: decide there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Basis; 6] = [
        Basis::Automation,
        Basis::BreakGlass,
        Basis::Person,
        Basis::Votes,
        Basis::GoingBack,
        Basis::Undoing,
    ];

    fn policy(mode: Mode, approvers: &[&str], required: u32) -> Policy {
        Policy {
            mode,
            approvers: approvers.iter().map(|id| (*id).to_owned()).collect(),
            required,
            links: approvers.is_empty(),
        }
    }

    /// Every policy that makes a difference.
    fn policies() -> Vec<Policy> {
        let with_mode = |mode| {
            [
                policy(mode, &[], 1),
                policy(mode, &["UALICE"], 1),
                policy(mode, &["UALICE", "UBOB"], 2),
                policy(mode, &[], 2),
            ]
        };
        [Mode::Auto, Mode::Approval].into_iter().flat_map(with_mode).collect()
    }

    /// Every combination of facts.
    fn facts() -> Vec<Facts> {
        let bit = |n: u32, bit: u32| n & (1 << bit) != 0;
        let of = |n: u32| Facts {
            is_newest: bit(n, 0),
            is_set_aside: bit(n, 1),
            has_run: bit(n, 2),
            is_rejected: bit(n, 3),
            votes: (n >> 4) as usize,
        };
        (0..48).map(of).collect()
    }

    #[test]
    fn the_rule_for_every_basis_policy_and_image() {
        for policy in policies() {
            for facts in facts() {
                let identities_count = !policy.approvers.is_empty() || policy.required > 1;
                for basis in ALL {
                    let may = match basis {
                        Basis::BreakGlass | Basis::Undoing => true,
                        Basis::Automation => {
                            policy.mode == Mode::Auto && facts.is_newest && !facts.is_set_aside
                        }
                        Basis::Person => policy.required == 1,
                        Basis::Votes => {
                            facts.votes >= policy.required as usize && !facts.is_rejected
                        }
                        Basis::GoingBack => facts.has_run || !identities_count,
                    };
                    assert_eq!(
                        objection(&policy, basis, facts).is_none(),
                        may,
                        "{basis:?} {policy:?} {facts:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_stricter_of_two_policies_counts() {
        let loose = policy(Mode::Auto, &[], 1);
        let strict = policy(Mode::Approval, &["UALICE", "UBOB"], 2);
        for (now, asked) in [(&loose, &strict), (&strict, &loose)] {
            assert_eq!(
                now.clone().or_stricter(asked),
                strict,
                "who was listed counts where nobody is now"
            );
        }
        let others = policy(Mode::Auto, &["UCAROL"], 1);
        assert_eq!(
            others.or_stricter(&strict),
            policy(Mode::Approval, &["UCAROL"], 2),
            "who is listed counts as now"
        );
    }
}
