//! People decide: requests, votes and verdicts, by clicks, slash commands and messages, over an AWS
//! and a Slack in memory.

mod support;

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::{ApprovalRequest, Progress};
use ecr_promoter::model::change_set::{Change, Replacement};
use ecr_promoter::model::state::State;
use ecr_promoter::slack::team::Installation;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::slack::{
    ALICE, BOB, Button, CHANNEL, MALLORY, TEAM, click, form, http, interaction, signature, signed,
    slash,
};
use support::{
    Fault, Memory, answers, event, interleave, push_event, sns, stack_changed,
    survives_every_fault, tag,
};

/// A message on the approval topic, and what it answers.
#[track_caller]
fn says(world: &Memory, words: &str, want: &str) -> Value {
    let now = world.get().now;
    answers(world, &sns(words, &format!("{words} at {now}"), now), want)
}

/// The look of every five minutes.
fn tick() -> Value {
    json!({ "action": "reconcile", "only_open_work": true })
}

#[track_caller]
fn look(world: &Memory, payload: &Value) -> Option<String> {
    let looked = world.invoke(payload, "tick").expect("an answer");
    looked["results"][0]["outcome"].as_str().map(str::to_owned)
}

fn state(world: &Memory) -> State {
    world.get().state.clone().expect("a state").0
}

fn request(world: &Memory) -> ApprovalRequest {
    state(world).request.expect("a request")
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// In approval mode, with a channel; and two people of whom this many must agree.
fn asking() -> Memory {
    Memory::new("approval").in_slack(&json!({}))
}

fn of_two(required: u32) -> Memory {
    Memory::new("approval").in_slack(&json!({ "approvers": [ALICE, BOB], "required": required }))
}

/// An image of this commit was pushed, and people are asked.
#[track_caller]
fn pushed(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    answers(world, &push_event(&digest), "approval_requested");
    digest
}

#[track_caller]
fn deployed(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    if world.get().in_flight.is_none() {
        says(world, "promote web", "promoted");
    }
    world.finish_update();
    answers(world, &stack_changed(), "deployed");
    digest
}

#[track_caller]
fn assert_nothing_was_promoted(world: &Memory) {
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert!(
        !world
            .get()
            .tags
            .keys()
            .any(|tag| tag.as_str().starts_with("production_") && tag.as_str() != "production_old")
    );
}

#[track_caller]
fn assert_runs(world: &Memory, digest: &Digest, commit: &str) {
    let production = format!("production_{commit}");
    assert_eq!(world.value(), production);
    assert_eq!(world.get().tags.get(&tag(&production)), Some(digest));
}

/// The newest message's button of this name.
#[track_caller]
fn button(world: &Memory, action_id: &str) -> Button {
    world.newest_message().button(action_id)
}

/// Somebody clicks on the newest message.
#[track_caller]
fn clicks(world: &Memory, user: &str, action_id: &str) -> Option<String> {
    let button = button(world, action_id);
    world.clicks(user, &button, &format!("{user}-{action_id}-{}", world.get().now.as_millisecond()))
}

fn actions(world: &Memory) -> Vec<String> {
    world.newest_message().buttons().into_iter().map(|button| button.action_id).collect()
}

// Asking

#[test]
fn a_push_asks_once_on_the_topic_and_in_slack_and_never_again() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    for payload in
        [push_event(&digest), push_event(&digest), tick(), event("scheduled"), stack_changed()]
    {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::ApprovalRequested]);
    assert_eq!(world.headlines(), ["web: abc1234 waits for approval"]);
    assert_eq!(actions(&world), ["approve", "reject"]);
    let notice = world.get().told[0].clone();
    let asked = request(&world);
    assert_eq!(
        (notice.digest, notice.request, notice.expires_at),
        (Some(digest), Some(asked.id.clone()), Some(asked.expires_at))
    );
    assert_eq!(
        button(&world, "approve").value,
        asked.id.as_str(),
        "a button carries nothing but the request's id"
    );
    assert_eq!(look(&world, &tick()), None, "a question that was asked is no open work");
    assert_nothing_was_promoted(&world);
}

#[test]
fn the_question_says_what_would_run_what_runs_and_since_when() {
    let world = asking();
    world.get_mut().config["repository_url"] = "https://github.com/acme/web".into();
    deployed(&world, "aaaaaaa");
    let since = state(&world).running.expect("it runs").since.expect("a time").as_second();
    let digest = pushed(&world, "bbbbbbb");
    let words = world.newest_message().words();
    for word in [
        digest.as_str(),
        "production_aaaaaaa",
        "https://github.com/acme/web/compare/aaaaaaa...bbbbbbb",
        &format!("!date^{since}^"),
    ] {
        assert!(words.contains(word), "{word} is not in {words}");
    }
}

#[test]
fn an_approval_on_the_topic_names_the_digest_the_commit_or_the_request() {
    for way in 0..3 {
        let world = asking();
        let digest = pushed(&world, "abc1234");
        let name =
            [digest.to_string(), "abc1234".to_owned(), request(&world).id.to_string()][way].clone();
        says(&world, &format!("approve web {name}"), "promoted");
        assert_runs(&world, &digest, "abc1234");
        assert_eq!(world.headlines(), ["web: abc1234 is on its way to production"]);
        assert_eq!(actions(&world), [""; 0]);
    }
}

#[test]
fn an_approval_that_names_nothing_or_another_request_approves_nothing() {
    let world = asking();
    pushed(&world, "abc1234");
    let now = world.get().now;
    world
        .invoke(&sns("approve web", "1", now), "1")
        .expect_err("what was the candidate a moment ago may not be it any more");
    says(&world, "approve web req-00000000000000000000000000000000", "refused");
    says(&world, "approve web fffffff", "refused");
    assert_nothing_was_promoted(&world);
    assert_eq!(request(&world).progress, Progress::Pending);
}

#[test]
fn a_click_promotes_and_the_message_says_who_and_how_it_ended() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    assert_eq!(clicks(&world, ALICE, "approve"), None, "the message itself says it");
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web: abc1234 is on its way to production"]);
    assert!(
        world.newest_message().words().contains("Approved by <@UALICE>"),
        "{:#?}",
        world.newest_message()
    );
    world.get_mut().now += SignedDuration::from_secs(130);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.headlines(), ["web: abc1234 is in production after 2 m 10 s"]);
    assert!(world.newest_message().words().contains("<@UALICE>"));
    assert_eq!(actions(&world), ["roll_back"]);
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Promoted, Outcome::Deployed]);
    assert_eq!(world.get().history[&0].promotion.by, "alice (Slack, UALICE)");
}

#[test]
fn a_second_click_and_a_duplicate_of_the_first_change_nothing() {
    for is_late in [false, true] {
        let world = asking();
        pushed(&world, "abc1234");
        let (approve, reject) = (button(&world, "approve"), button(&world, "reject"));
        world.clicks(ALICE, &approve, "1");
        if is_late {
            world.finish_update();
            answers(&world, &stack_changed(), "deployed");
        }
        let before = (world.updates(), world.told(), world.headlines(), world.get().history.len());
        world.clicks(ALICE, &approve, "1");
        world.clicks(ALICE, &approve, "2");
        world.clicks(BOB, &approve, "3");
        let said = world.clicks(BOB, &reject, "4").expect("the clicker is told");
        assert!(
            said.contains(if is_late {
                "it runs already"
            } else {
                "alice (Slack, UALICE) approved it before"
            }),
            "{said}"
        );
        assert_eq!(
            (world.updates(), world.told(), world.headlines(), world.get().history.len()),
            before
        );
    }
}

#[test]
fn the_message_gives_the_reason_where_it_failed() {
    let world = asking();
    pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    world.fail_update("the service did not <stabilize>");
    answers(&world, &stack_changed(), "failed");
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web: abc1234 did not reach production", vec![])
    );
    assert!(message.words().contains("the service did not &lt;stabilize&gt;"), "{message:#?}");
    let outcome = look(&world, &event("scheduled"));
    assert_eq!(
        (outcome.as_deref(), world.updates()),
        (Some("failed"), 1),
        "it is not tried again by itself"
    );
}

#[test]
fn what_failed_can_be_asked_for_and_approved_again() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    clicks(&world, ALICE, "approve");
    world.fail_update("no");
    answers(&world, &stack_changed(), "failed");
    let said = world.clicks(ALICE, &approve, "again").expect("the clicker is told");
    assert!(said.contains("failed (no)") && said.contains("`promote`"), "{said}");
    says(&world, "ask web", "approval_requested");
    assert_eq!(
        world.headlines(),
        ["web: abc1234 did not reach production", "web: abc1234 waits for approval"]
    );
    // Something is in the way when it is approved: it still goes out by itself afterwards.
    world.get_mut().status = "UPDATE_ROLLBACK_FAILED".to_owned();
    clicks(&world, ALICE, "approve");
    world.get_mut().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn the_message_says_who_cancelled() {
    let world = asking();
    pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    let said = world.writes(BOB, "cancel web", "cancel");
    assert!(said.contains("cancelled"), "{said}");
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "cancelled");
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web: the promotion of abc1234 was cancelled", vec![])
    );
    assert!(message.words().contains("bob"), "{message:#?}");
    assert_eq!(
        look(&world, &event("scheduled")).as_deref(),
        Some("held"),
        "and it is not asked for again by itself"
    );
    says(&world, "approve web abc1234", "held");
    assert_eq!(world.updates(), 1);
}

// Rejecting

#[test]
fn a_rejection_stands_against_an_approval_and_only_a_promote_goes_past_it() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    assert_eq!(clicks(&world, BOB, "reject"), None);
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web: abc1234 was rejected", vec![])
    );
    assert!(message.words().contains("Rejected by <@UBOB>"), "{message:#?}");
    let said = world.clicks(ALICE, &approve, "late").expect("whose approval came too late is told");
    assert!(said.contains("bob (Slack, UBOB) rejected it"), "{said}");
    says(&world, &format!("approve web {digest}"), "rejected");
    for payload in [push_event(&digest), tick(), event("scheduled")] {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_nothing_was_promoted(&world);
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Rejected]);
    says(&world, "promote web", "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_rejected_image_is_asked_for_again_only_when_it_comes_back() {
    let world = asking();
    let rejected = pushed(&world, "aaaaaaa");
    says(&world, &format!("reject web {rejected}"), "rejected");
    answers(&world, &push_event(&rejected), "rejected");
    pushed(&world, "bbbbbbb");
    world.get_mut().tags.insert(tag("latest"), rejected.clone());
    answers(&world, &push_event(&rejected), "approval_requested");
    says(&world, &format!("approve web {rejected}"), "promoted");
    assert_runs(&world, &rejected, "aaaaaaa");
    assert_eq!(
        world.told().iter().filter(|outcome| **outcome == Outcome::ApprovalRequested).count(),
        3
    );
}

#[test]
fn what_runs_cannot_be_rejected() {
    let world = asking();
    let digest = deployed(&world, "abc1234");
    let answer = says(&world, &format!("reject web {digest}"), "refused");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`rollback`")),
        "{answer:#}"
    );
}

#[test]
fn a_vote_without_a_question_is_the_question_too() {
    let world = asking();
    let digest = world.push("abc1234");
    says(&world, &format!("reject web {digest}"), "rejected");
    answers(&world, &push_event(&digest), "rejected");
    let newer = world.push("bbbbbbb");
    says(&world, &format!("approve web {newer}"), "promoted");
    assert_runs(&world, &newer, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        ["web: abc1234 was rejected", "web: bbbbbbb is on its way to production"]
    );
}

// Newer and older

#[test]
fn an_older_requests_button_does_nothing_and_names_the_candidate() {
    let world = asking();
    let older = pushed(&world, "aaaaaaa");
    let (approve, reject) = (button(&world, "approve"), button(&world, "reject"));
    let newer = pushed(&world, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        ["web: aaaaaaa was superseded", "web: bbbbbbb waits for approval"]
    );
    assert!(world.messages()[0].buttons().is_empty());
    for (button, trigger) in [(&approve, "1"), (&reject, "2")] {
        let said = world.clicks(ALICE, button, trigger).expect("the clicker is told");
        assert!(said.contains("bbbbbbb") && said.contains(newer.as_str()), "{said}");
    }
    let answer = says(&world, &format!("approve web {older}"), "superseded");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains(newer.as_str())),
        "{answer:#}"
    );
    assert_nothing_was_promoted(&world);
    assert_eq!(request(&world).votes, []);
}

#[test]
fn an_approval_does_not_carry_over_to_another_build_of_the_commit() {
    let world = asking();
    let first = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    let second = pushed(&world, "abc1234");
    assert!(world.clicks(ALICE, &approve, "1").is_some_and(|said| said.contains(second.as_str())));
    says(&world, &format!("approve web {first}"), "superseded");
    let answer = says(&world, "approve web abc1234", "refused");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("Name the digest")),
        "{answer:#}"
    );
    assert_nothing_was_promoted(&world);

    says(&world, &format!("approve web {second}"), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let third = pushed(&world, "abc1234");
    assert_ne!(
        request(&world).tag.expect("a tag").as_str(),
        "production_abc1234",
        "that is on another image"
    );
    answers(&world, &push_event(&third), "approval_requested");
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_revert_to_an_image_that_ran_before_is_asked_for_again() {
    let world = asking();
    let first = pushed(&world, "aaaaaaa");
    let of_first = button(&world, "approve");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        if commit == "bbbbbbb" {
            pushed(&world, commit);
        }
        clicks(&world, ALICE, "approve");
        world.finish_update();
        answers(&world, &stack_changed(), "deployed");
    }
    world.get_mut().tags.insert(tag("latest"), first.clone());
    answers(&world, &push_event(&first), "approval_requested");
    world.clicks(ALICE, &of_first, "old").expect("the clicker is told");
    assert_eq!(world.updates(), 2, "the first approval is used up");
    clicks(&world, ALICE, "approve");
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn what_came_to_production_another_way_needs_no_decision() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    says(&world, "promote web", "promoted");
    assert_eq!(world.headlines(), ["web: abc1234 is on its way to production"]);
    assert_eq!(world.clicks(ALICE, &approve, "1"), None);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!((world.updates(), actions(&world)), (1, vec!["roll_back".to_owned()]));
    assert_runs(&world, &digest, "abc1234");

    // By hand: the tag was made and the parameter set outside.
    let byhand = pushed(&world, "bbbbbbb");
    world.get_mut().tags.insert(tag("production_bbbbbbb"), byhand);
    world.foreign_update("production_bbbbbbb");
    world.finish_update();
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert_eq!(world.headlines()[1], "web: bbbbbbb is in production");
}

// Who may

#[test]
fn a_stranger_counts_for_nothing_and_leaves_no_trace() {
    let world = of_two(1);
    pushed(&world, "abc1234");
    let before = (world.get().state.clone(), world.get().commands.clone(), world.headlines());
    for (action, trigger) in [("approve", "1"), ("reject", "2")] {
        let said =
            world.clicks(MALLORY, &button(&world, action), trigger).expect("the stranger is told");
        assert!(said.contains("mallory") && said.contains("`approval.approvers`"), "{said}");
    }
    let older = world.image("aaaaaaa");
    for words in [
        "web",
        "promote web",
        "approve web abc1234",
        "reject web abc1234",
        "rollback web",
        "hold web x",
        "resume web",
        "cancel web",
    ] {
        let said = world.writes(MALLORY, words, words);
        assert!(
            said.contains("refused") && said.contains("`approval.approvers`"),
            "{words}: {said}"
        );
    }
    assert!(world.writes(MALLORY, &format!("promote web {older}"), "older").contains("refused"));
    assert!(world.writes(MALLORY, "ask web", "ask").contains("refused"));
    assert_eq!(
        (world.get().state.clone(), world.get().commands.clone(), world.headlines()),
        before
    );
    assert_nothing_was_promoted(&world);
    // The same message with the same trigger, from somebody who may, is not taken for the
    // stranger's.
    clicks(&world, ALICE, "approve");
    assert_eq!(world.updates(), 1);
}

#[test]
fn two_of_two_must_approve_and_one_person_is_one_vote() {
    let world = of_two(2);
    let digest = pushed(&world, "abc1234");
    let said = clicks(&world, ALICE, "approve").expect("the clicker is told");
    assert!(said.contains("1 of 2"), "{said}");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Approved]);
    let message = world.newest_message();
    assert!(message.words().contains("Approved by <@UALICE> (1 of 2)"), "{message:#?}");
    assert_eq!(actions(&world), ["approve", "reject"]);
    clicks(&world, ALICE, "approve");
    clicks(&world, MALLORY, "approve");
    world.writes(ALICE, "promote web", "promote");
    assert_nothing_was_promoted(&world);
    assert_eq!(
        world.told(),
        [Outcome::ApprovalRequested, Outcome::Approved],
        "a vote is told once"
    );
    assert_eq!(request(&world).votes.len(), 1);
    assert_eq!(clicks(&world, BOB, "approve"), None);
    assert_runs(&world, &digest, "abc1234");
    assert!(world.newest_message().words().contains("<@UALICE>, <@UBOB> (2 of 2)"));
}

#[test]
fn one_no_is_enough_against_any_number_of_approvals_before_the_last() {
    let world = of_two(2);
    pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    clicks(&world, ALICE, "approve");
    clicks(&world, BOB, "reject");
    assert!(world.clicks(BOB, &approve, "late").is_some_and(|said| said.contains("rejected")));
    assert_nothing_was_promoted(&world);
    let words = world.newest_message().words();
    assert!(words.contains("<@UALICE>") && words.contains("Rejected by <@UBOB>"), "{words}");
}

#[test]
fn a_vote_counts_only_while_its_voter_may_vote() {
    let world = of_two(2);
    let digest = pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    world.get_mut().config["approval"]["approvers"] = json!([BOB, "UCAROL"]);
    assert!(clicks(&world, BOB, "approve").is_some_and(|said| said.contains("1 of 2")));
    assert_nothing_was_promoted(&world);
    clicks(&world, "UCAROL", "approve");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn where_identities_count_what_anybody_can_claim_is_refused_and_a_promote_is_not() {
    for required in [1, 2] {
        let world = of_two(required);
        let digest = pushed(&world, "abc1234");
        let asked = state(&world);
        for action in ["approve", "reject"] {
            says(&world, &format!("{action} web {digest}"), "refused");
            for by in ["alice", ALICE, BOB] {
                let command = json!({
                    "action": action, "repository": "web", "digest": digest, "by": by,
                    "id": format!("{action}{by}"),
                });
                answers(&world, &command, "refused");
                let now = world.get().now;
                answers(
                    &world,
                    &sns(&command.to_string(), &format!("{action}-{by}"), now),
                    "refused",
                );
            }
        }
        assert_nothing_was_promoted(&world);
        assert_eq!(state(&world), asked);
        // The break-glass: who may publish is IAM's matter.
        says(&world, "promote web", "promoted");
        assert_runs(&world, &digest, "abc1234");
        assert_eq!(state(&world).open[0].by, "SNS");
    }
}

#[test]
fn a_claimed_name_is_shown_as_claimed() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    answers(
        &world,
        &json!({ "action": "approve", "repository": "web", "digest": digest, "by": "<!channel>" }),
        "promoted",
    );
    let message = world.newest_message();
    assert!(
        message.words().contains("`&lt;!channel&gt; (claimed, by a direct invocation)`"),
        "{message:#?}"
    );
}

#[test]
fn a_slash_promote_by_a_listed_person_is_a_vote_for_the_newest() {
    let world = of_two(2);
    let digest = pushed(&world, "abc1234");
    assert!(world.writes(ALICE, "web", "1").contains("1 of 2"));
    assert!(world.writes(ALICE, "promote web abc1234", "2").contains("1 of 2"));
    assert_nothing_was_promoted(&world);
    assert!(world.writes(BOB, &format!("promote web {digest}"), "3").contains("promoted"));
    assert_runs(&world, &digest, "abc1234");
    assert!(world.newest_message().words().contains("<@UALICE>, <@UBOB>"));
}

#[test]
fn an_older_commit_is_one_persons_choice_only_where_one_person_may_choose() {
    for required in [1, 2] {
        let world = of_two(required);
        let older = pushed(&world, "aaaaaaa");
        pushed(&world, "bbbbbbb");
        let said = world.writes(ALICE, "promote web aaaaaaa", "1");
        if required == 2 {
            assert!(said.contains("refused") && said.contains("`approval.required`"), "{said}");
            assert_nothing_was_promoted(&world);
        } else {
            assert!(said.contains("promoted"), "{said}");
            assert_runs(&world, &older, "aaaaaaa");
            assert!(state(&world).hold.is_some());
        }
    }
}

#[test]
fn orders_need_one_listed_person() {
    let world = of_two(2);
    let first = deployed(&world, "aaaaaaa");
    let second = deployed(&world, "bbbbbbb");
    assert!(world.writes(MALLORY, "hold web x", "1").contains("refused"));
    assert_eq!(state(&world).hold, None);
    assert!(world.writes(ALICE, "hold web release freeze", "2").contains("release freeze"));
    assert_eq!(state(&world).hold.expect("held").by, "alice (Slack, UALICE)");
    assert!(world.writes(MALLORY, "resume web", "3").contains("refused"));
    assert!(world.writes(BOB, "resume web", "4").contains("resumed"));
    assert!(world.writes(MALLORY, "rollback web", "5").contains("refused"));
    assert_runs(&world, &second, "bbbbbbb");
    assert!(world.writes(ALICE, "rollback web", "6").contains("promoted"));
    assert!(world.writes(MALLORY, "cancel web", "7").contains("refused"));
    assert!(world.writes(BOB, "cancel web", "8").contains("cancelled"));
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "cancelled");
    assert_runs(&world, &second, "bbbbbbb");
    assert!(world.writes(ALICE, "rollback web aaaaaaa", "9").contains("promoted"));
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn without_approvers_the_apps_own_channel_commands_it() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let before = (world.get().state.clone(), world.get().commands.clone());
    for words in ["web", "hold web x", &format!("approve web {digest}")] {
        let said = world.writes_in("C2", ALICE, words, words);
        assert!(said.contains("refused") && said.contains(CHANNEL), "{said}");
    }
    let mut elsewhere = interaction(ALICE, &button(&world, "approve"), "1");
    elsewhere["channel"]["id"] = "C2".into();
    let payload = signed(
        "/slack/interactions",
        &form(&[("payload", &elsewhere.to_string())]),
        world.get().now,
    );
    world.invoke(&payload, "1").expect("an answer");
    assert!(world.get().whispered.last().is_some_and(|said| said.contains(CHANNEL)));
    assert_eq!((world.get().state.clone(), world.get().commands.clone()), before);
    assert!(
        world.writes(MALLORY, "web", "2").contains("promoted"),
        "anyone in that channel, which Slack calls `privategroup`"
    );
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_channel_by_its_name_is_an_error_that_says_where_its_id_is() {
    for name in ["#releases", "releases"] {
        let world = asking();
        world.get_mut().config["approval"]["slack_channel"] = name.into();
        let digest = world.push("abc1234");
        let error =
            world.invoke(&push_event(&digest), "push").expect_err("it cannot be used").to_string();
        for words in
            ["/ecr-promoter/apps/web", "key `approval.slack_channel`", "`C…` or `G…`", "*About*"]
        {
            assert!(error.contains(words), "{words} is not in {error}");
        }
        assert!(world.get().state.is_none());
    }
}

#[test]
fn without_approvers_and_channel_nobody_in_slack_commands() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let said = world.writes(ALICE, &format!("approve web {digest}"), "1");
    assert!(said.contains("refused") && said.contains("`approval.slack_channel`"), "{said}");
    assert_nothing_was_promoted(&world);
}

#[test]
fn a_slash_command_answers_help_and_what_it_does_not_understand() {
    let world = asking();
    for text in ["", " ", "help", "HELP"] {
        assert!(world.writes(MALLORY, text, "1").contains("/promote rollback"));
    }
    assert!(world.writes(ALICE, "approve web", "2").contains("`help`"));
    assert!(
        world.writes(ALICE, "promote nosuchapp", "3").contains("`nosuchapp` is not configured.")
    );
    assert!(
        world
            .writes(ALICE, "promote wbe", "4")
            .contains("`wbe` is not configured: did you mean `web`?")
    );
    assert!(
        world
            .writes(ALICE, "prmote web", "5")
            .contains("`prmote` is not configured: did you mean `promote`?")
    );
    assert!(
        world
            .writes(ALICE, "prmote web 9fceb02", "6")
            .contains("`prmote` is no command: did you mean `promote`?")
    );
    assert!(world.writes(ALICE, "status wbe", "7").contains("did you mean `web`?"));
    assert!(world.writes(ALICE, "promote <!channel>", "4").contains("&lt;!channel&gt;"));
    assert!(world.writes(ALICE, "status web", "5").contains("production_old"));
    assert!(world.get().state.is_none() && world.get().commands.is_empty());
}

// Too late

#[test]
fn four_days_later_it_has_expired_and_asked_again_it_can_be_approved() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    world.get_mut().now += hours(96);
    let said = world.clicks(ALICE, &approve, "1").expect("the clicker is told");
    assert!(said.contains("expired"), "{said}");
    says(&world, &format!("approve web {digest}"), "expired");
    for payload in [push_event(&digest), tick(), event("scheduled"), event("scheduled")] {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Expired], "told once");
    assert_eq!(world.headlines(), ["web: nobody decided on abc1234 in time"]);
    assert_eq!(actions(&world), ["ask_again"]);
    assert_nothing_was_promoted(&world);

    let again = button(&world, "ask_again");
    assert_eq!(world.clicks(ALICE, &again, "2"), None);
    world.clicks(BOB, &again, "3");
    assert_eq!(world.told()[2..], [Outcome::ApprovalRequested], "two clicks are one question");
    assert_eq!(
        world.headlines(),
        ["web: nobody decided on abc1234 in time", "web: abc1234 waits for approval"]
    );
    assert!(
        world.clicks(ALICE, &approve, "4").is_some_and(|said| said.contains(digest.as_str())),
        "the old button stays old"
    );
    assert_nothing_was_promoted(&world);
    assert_eq!(clicks(&world, ALICE, "approve"), None);
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_request_expires_after_the_hours_that_are_configured_and_not_before() {
    let world = asking();
    world.get_mut().config["approval"]["expires_hours"] = 2.into();
    pushed(&world, "abc1234");
    world.get_mut().now += hours(2) - SignedDuration::from_secs(60);
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("approval_requested"));
    world.get_mut().now += SignedDuration::from_secs(60);
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("expired"));
    says(&world, "ask web", "approval_requested");
    assert_eq!(request(&world).progress, Progress::Pending);
}

#[test]
fn an_old_ask_again_asks_for_nothing_but_its_own_image() {
    let world = asking();
    pushed(&world, "aaaaaaa");
    world.get_mut().now += hours(96);
    look(&world, &event("scheduled"));
    let again = button(&world, "ask_again");
    let newer = pushed(&world, "bbbbbbb");
    assert!(world.clicks(ALICE, &again, "1").is_some_and(|said| said.contains(newer.as_str())));
    assert_eq!(world.headlines().len(), 2);
}

#[test]
fn an_approval_does_not_expire() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    world.foreign_update("production_old");
    clicks(&world, ALICE, "approve");
    world.get_mut().now += hours(96);
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

// Holds

#[test]
fn a_held_app_asks_in_auto_mode_and_an_approval_lifts_the_hold() {
    let world = Memory::new("auto").in_slack(&json!({}));
    says(&world, "hold web freeze <!channel> <script>", "held");
    let digest = pushed(&world, "abc1234");
    let message = world.newest_message();
    assert!(message.words().contains("freeze &lt;!channel&gt; &lt;script&gt;"), "{message:#?}");
    assert_eq!(world.clicks(ALICE, &message.button("approve"), "1"), None);
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(state(&world).hold, None);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let next = world.push("bbbbbbb");
    answers(&world, &push_event(&next), "promoted");
}

#[test]
fn a_resume_lets_the_pending_candidate_out_and_a_rejected_one_not() {
    for is_rejected in [false, true] {
        let world = Memory::new("auto").in_slack(&json!({}));
        says(&world, "hold web freeze", "held");
        let digest = pushed(&world, "abc1234");
        if is_rejected {
            clicks(&world, ALICE, "reject");
        }
        assert!(world.writes(BOB, "resume web", "1").contains("resumed"));
        for _ in 0..2 {
            look(&world, &tick());
        }
        if is_rejected {
            assert_nothing_was_promoted(&world);
            assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("rejected"));
        } else {
            assert_runs(&world, &digest, "abc1234");
            assert_eq!(world.headlines(), ["web: abc1234 is on its way to production"]);
        }
    }
}

#[test]
fn what_waited_in_auto_mode_is_no_open_work_once_people_are_asked() {
    let world = Memory::new("auto").in_slack(&json!({}));
    world.foreign_update("production_old");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "queued");
    says(&world, "hold web freeze", "held");
    world.finish_update();
    answers(&world, &stack_changed(), "approval_requested");
    assert_eq!(state(&world).waiting, None);
    assert_eq!(look(&world, &tick()), None);
}

// In the way

#[test]
fn what_is_approved_while_the_stack_is_busy_goes_next_whatever_is_pushed_meanwhile() {
    let world = asking();
    let approved = pushed(&world, "aaaaaaa");
    world.foreign_update("production_old");
    let said = clicks(&world, ALICE, "approve").expect("the clicker is told");
    assert!(said.contains("queued"), "{said}");
    assert_eq!(world.headlines(), ["web: aaaaaaa was approved and is waiting"]);
    clicks_again(&world);
    answers(&world, &push_event(&approved), "queued");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Queued], "told once");
    let newer = pushed(&world, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        ["web: aaaaaaa was approved and is waiting", "web: bbbbbbb waits for approval"]
    );
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &approved, "aaaaaaa");
    assert_eq!(
        world.headlines(),
        ["web: aaaaaaa is on its way to production", "web: bbbbbbb waits for approval"]
    );
    world.finish_update();
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert!(
        world.headlines()[0].starts_with("web: aaaaaaa is in production"),
        "{:?}",
        world.headlines()
    );
    assert_eq!(request(&world).progress, Progress::Pending);
    clicks(&world, ALICE, "approve");
    assert_runs(&world, &newer, "bbbbbbb");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(state(&world).earlier_requests, []);
}

/// Whoever still sees the buttons clicks on them again.
fn clicks_again(world: &Memory) {
    let approve = Button { action_id: "approve".to_owned(), value: request(world).id.to_string() };
    for (user, trigger) in [(ALICE, "again"), (BOB, "too")] {
        world.clicks(user, &approve, trigger);
    }
}

#[test]
fn of_two_approved_images_the_newer_goes_and_the_olders_message_says_so() {
    let world = asking();
    pushed(&world, "aaaaaaa");
    world.foreign_update("production_old");
    clicks(&world, ALICE, "approve");
    let newer = pushed(&world, "bbbbbbb");
    clicks(&world, ALICE, "approve");
    assert_eq!(
        world.headlines(),
        ["web: aaaaaaa was superseded", "web: bbbbbbb was approved and is waiting"]
    );
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &newer, "bbbbbbb");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.updates(), 1);
}

const TASK: &str = "AWS::ECS::TaskDefinition";

fn change(kind: &str, resource: &str) -> Change {
    Change {
        action: "Modify".to_owned(),
        kind: kind.to_owned(),
        resource: resource.to_owned(),
        within: None,
        replacement: Replacement::Yes,
    }
}

fn allowed() -> Vec<Change> {
    vec![change(TASK, "Task")]
}

fn forbidden() -> Vec<Change> {
    vec![change(TASK, "Task"), change("AWS::RDS::DBInstance", "Database")]
}

fn guarded(list: Vec<Change>) -> Memory {
    let world = asking();
    world.get_mut().config["guard"] = json!({ "allowed_changes": [format!("{TASK}:Replacement")] });
    world.get_mut().would_change.list = list;
    world
}

#[test]
fn where_a_guard_is_set_the_question_lists_the_changes_and_leaves_no_change_set() {
    let world = guarded(forbidden());
    let digest = pushed(&world, "abc1234");
    answers(&world, &push_event(&digest), "approval_requested");
    let list = [
        "Modify AWS::ECS::TaskDefinition Task, replacement",
        "Modify AWS::RDS::DBInstance Database, replacement",
    ];
    assert_eq!(world.get().told[0].changes, list);
    let words = world.newest_message().words();
    assert!(list.iter().all(|change| words.contains(change)), "{words}");
    assert!(world.get().change_sets.is_empty());
    assert_eq!((world.told(), world.headlines().len()), (vec![Outcome::ApprovalRequested], 1));
    assert_nothing_was_promoted(&world);
}

#[test]
fn what_is_approved_and_blocked_goes_out_without_another_approval_once_the_way_is_free() {
    let world = guarded(forbidden());
    let digest = pushed(&world, "abc1234");
    let said = clicks(&world, ALICE, "approve").expect("the clicker is told");
    assert!(said.contains("blocked") && said.contains("AWS::RDS::DBInstance"), "{said}");
    for _ in 0..2 {
        assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("blocked"));
    }
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web: abc1234 was approved and is waiting", vec![])
    );
    assert!(message.words().contains("AWS::RDS::DBInstance"), "{message:#?}");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Blocked], "told once");
    assert_nothing_was_promoted(&world);
    assert!(world.get().change_sets.is_empty());
    world.get_mut().would_change.list = allowed();
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("promoted"));
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web: abc1234 is on its way to production"]);
}

#[test]
fn what_blocks_two_images_alike_is_told_of_both() {
    let world = guarded(forbidden());
    for (commit, told) in [("aaaaaaa", 2), ("bbbbbbb", 4)] {
        pushed(&world, commit);
        clicks(&world, ALICE, "approve");
        assert_eq!(
            world.newest_message().headline,
            format!("web: {commit} was approved and is waiting")
        );
        assert_eq!(world.told().len(), told, "{:?}", world.told());
    }
    assert_eq!(world.headlines()[0], "web: aaaaaaa was superseded");
}

#[test]
fn what_is_approved_and_blocked_can_be_cancelled() {
    let world = guarded(forbidden());
    let digest = pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    let answer = says(&world, &format!("reject web {digest}"), "unchanged");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`cancel`")),
        "{answer:#}"
    );
    assert!(world.writes(BOB, "cancel web", "1").contains("cancelled"));
    assert_eq!(world.newest_message().headline, "web: the promotion of abc1234 was cancelled");
    assert_eq!(world.told().last(), Some(&Outcome::Cancelled));
    world.get_mut().would_change.list = allowed();
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("held"));
    assert_nothing_was_promoted(&world);
    assert!(world.writes(BOB, "cancel web", "2").contains("refused"), "only once");
}

#[test]
fn a_rollback_or_an_older_image_turns_away_from_what_was_approved_and_waits() {
    for words in ["rollback web", "promote web aaaaaaa"] {
        for is_busy in [false, true] {
            let world = asking();
            let first = deployed(&world, "aaaaaaa");
            deployed(&world, "bbbbbbb");
            pushed(&world, "ccccccc");
            if is_busy {
                world.foreign_update("production_bbbbbbb");
            } else {
                world.get_mut().status = "UPDATE_ROLLBACK_FAILED".to_owned();
            }
            clicks(&world, ALICE, "approve");
            assert_eq!(world.newest_message().headline, "web: ccccccc was approved and is waiting");
            if is_busy {
                says(&world, words, "queued");
                world.finish_update();
                answers(&world, &stack_changed(), "promoted");
            } else {
                world.get_mut().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
                says(&world, words, "promoted");
            }
            world.finish_update();
            for payload in [stack_changed(), tick(), event("scheduled")] {
                world.invoke(&payload, "request").expect("an answer");
            }
            assert_runs(&world, &first, "aaaaaaa");
            assert_eq!(
                world.headlines().last().map(String::as_str),
                Some("web: the promotion of ccccccc was cancelled"),
                "{words}"
            );
            assert!(state(&world).hold.is_some());
        }
    }
}

// Slack is down

#[test]
fn slack_being_down_stops_no_promotion_and_loses_no_question() {
    let world = asking();
    world.get_mut().slack_is_down = true;
    let digest = pushed(&world, "abc1234");
    assert_eq!(world.told(), [Outcome::ApprovalRequested], "the topic tells");
    assert_eq!(world.headlines(), [""; 0]);
    assert_eq!(
        look(&world, &tick()).as_deref(),
        Some("approval_requested"),
        "a question that was not posted is open work"
    );
    world.get_mut().slack_is_down = false;
    for _ in 0..3 {
        look(&world, &tick());
    }
    assert_eq!(world.headlines(), ["web: abc1234 waits for approval"]);
    assert_eq!(look(&world, &tick()), None);

    world.get_mut().slack_is_down = true;
    says(&world, &format!("approve web {digest}"), "promoted");
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web: abc1234 waits for approval"]);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Promoted, Outcome::Deployed]);
    world.get_mut().slack_is_down = false;
    for _ in 0..3 {
        look(&world, &tick());
    }
    assert_eq!(world.headlines().len(), 1, "no second message");
    assert!(
        world.headlines()[0].starts_with("web: abc1234 is in production after"),
        "{:?}",
        world.headlines()
    );
    assert_eq!(look(&world, &tick()), None);
}

#[test]
fn what_was_decided_while_slack_was_down_is_shown_when_it_is_back() {
    for (words, headline) in [
        ("approve web abc1234", "web: abc1234 is on its way to production"),
        ("reject web abc1234", "web: abc1234 was rejected"),
    ] {
        let world = asking();
        world.get_mut().slack_is_down = true;
        pushed(&world, "abc1234");
        let now = world.get().now;
        world.invoke(&sns(words, "1", now), "1").expect("an answer");
        world.get_mut().slack_is_down = false;
        look(&world, &tick());
        assert_eq!(world.headlines(), [headline]);
    }
}

#[test]
fn a_question_that_nobody_ever_saw_is_not_posted_once_it_is_superseded() {
    let world = asking();
    world.get_mut().slack_is_down = true;
    pushed(&world, "aaaaaaa");
    pushed(&world, "bbbbbbb");
    world.get_mut().slack_is_down = false;
    look(&world, &tick());
    assert_eq!(world.headlines(), ["web: bbbbbbb waits for approval"]);
    assert_eq!(look(&world, &tick()), None);
}

#[test]
fn a_question_that_could_not_be_posted_goes_where_the_configuration_says_now() {
    let world = asking();
    world.get_mut().config["approval"]["slack_channel"] = "C0WRONG".into();
    world.get_mut().slack_is_down = true;
    pushed(&world, "abc1234");
    world.get_mut().config["approval"]["slack_channel"] = "C0RIGHT".into();
    world.get_mut().slack_is_down = false;
    look(&world, &tick());
    let shown: Vec<Option<String>> =
        world.get().slack.values().map(|request| request.channel.clone()).collect();
    assert_eq!(shown, [Some("C0RIGHT".to_owned())]);
    // And a question that was asked before there was a channel is shown in the one that there is
    // now.
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    let world = world.in_slack(&json!({}));
    look(&world, &event("scheduled"));
    assert_eq!(world.headlines(), ["web: abc1234 waits for approval"]);
    assert_eq!(world.told(), [Outcome::ApprovalRequested]);
}

// After it

#[test]
fn the_roll_back_button_goes_back_only_from_what_runs() {
    let world = asking();
    let first = deployed(&world, "aaaaaaa");
    pushed(&world, "bbbbbbb");
    clicks(&world, ALICE, "approve");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let of_second = button(&world, "roll_back");
    let third = pushed(&world, "ccccccc");
    clicks(&world, ALICE, "approve");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let said = world.clicks(ALICE, &of_second, "1").expect("the clicker is told");
    assert!(said.contains("does not run any more"), "{said}");
    assert_runs(&world, &third, "ccccccc");
    let of_third = button(&world, "roll_back");
    assert_eq!(world.clicks(ALICE, &of_third, "2"), None);
    assert_eq!(world.value(), "production_bbbbbbb");
    world.clicks(ALICE, &of_third, "2");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    world.clicks(BOB, &of_third, "3");
    assert_eq!(
        (world.updates(), world.value().as_str()),
        (4, "production_bbbbbbb"),
        "a second click goes no further"
    );
    assert_ne!(first.as_str(), "");
    let next = pushed(&world, "ddddddd");
    assert!(state(&world).hold.is_some(), "{next}");
}

// Crashes

#[test]
fn a_question_survives_every_fault_at_every_call() {
    let asked = |world: &Memory, digest: &Digest| {
        for _ in 0..2 {
            look(world, &tick());
        }
        let times = world.told().len();
        assert!(
            (1..=2).contains(&times),
            "the question is asked, twice at worst: {:?}",
            world.told()
        );
        assert_eq!(world.get().told[0].digest.as_ref(), Some(digest));
        assert!((1..=2).contains(&world.headlines().len()), "{:?}", world.headlines());
        assert_eq!(actions(world), ["approve", "reject"]);
        assert_nothing_was_promoted(world);
    };
    let new = |world: Memory| {
        let digest = world.push("abc1234");
        (world, digest)
    };
    survives_every_fault(|| new(asking()), |_, digest| push_event(digest), asked);
    survives_every_fault(|| new(guarded(allowed())), |_, digest| push_event(digest), asked);
}

/// Somebody was asked about `abc1234`.
fn asked(world: Memory) -> (Memory, Digest) {
    let digest = pushed(&world, "abc1234");
    (world, digest)
}

fn carried_out_once(world: &Memory, digest: &Digest) {
    for _ in 0..2 {
        look(world, &tick());
    }
    // A click that came to nothing is made again.
    if request(world).progress == Progress::Pending {
        assert_nothing_was_promoted(world);
        assert_eq!(request(world).votes, []);
        clicks(world, ALICE, "approve");
    }
    assert_runs(world, digest, "abc1234");
    assert_eq!(world.updates(), 1, "one update");
    assert_eq!(request(world).votes.len(), 1);
    world.finish_update();
    for _ in 0..2 {
        look(world, &tick());
    }
    assert!(
        world
            .headlines()
            .iter()
            .all(|headline| headline.starts_with("web: abc1234 is in production")),
        "{:?}",
        world.headlines()
    );
    assert_eq!(look(world, &tick()), None);
}

#[test]
fn an_approval_survives_every_fault_at_every_call() {
    let by_sns = |world: &Memory, digest: &Digest| {
        sns(&format!("approve web {digest}"), "message-1", world.get().now)
    };
    let by_click =
        |world: &Memory, _: &Digest| click(world, ALICE, &button(world, "approve"), "trigger-1");
    survives_every_fault(|| asked(asking()), by_sns, carried_out_once);
    survives_every_fault(|| asked(asking()), by_click, carried_out_once);
    survives_every_fault(|| asked(guarded(allowed())), by_click, carried_out_once);
}

#[test]
fn a_rejection_survives_every_fault_at_every_call() {
    let by_click =
        |world: &Memory, _: &Digest| click(world, BOB, &button(world, "reject"), "trigger-1");
    survives_every_fault(
        || asked(asking()),
        by_click,
        |world, _| {
            for _ in 0..2 {
                look(world, &tick());
            }
            if request(world).progress == Progress::Pending {
                assert_eq!(request(world).votes, []);
                clicks(world, BOB, "reject");
            }
            assert_eq!(world.headlines(), ["web: abc1234 was rejected"]);
            assert_eq!(request(world).votes.len(), 1);
            assert_nothing_was_promoted(world);
            assert_eq!(look(world, &tick()), None);
        },
    );
}

#[test]
fn a_vote_of_two_survives_every_fault_at_every_call() {
    let by_click =
        |world: &Memory, _: &Digest| click(world, ALICE, &button(world, "approve"), "trigger-1");
    survives_every_fault(
        || asked(of_two(2)),
        by_click,
        |world, digest| {
            for _ in 0..2 {
                look(world, &tick());
            }
            clicks(world, ALICE, "approve");
            assert_nothing_was_promoted(world);
            clicks(world, BOB, "approve");
            assert_runs(world, digest, "abc1234");
            assert_eq!(request(world).votes.len(), 2);
        },
    );
}

// At the same time

/// Lets CloudFormation finish and delivers its events, until nothing changes any more.
fn settle(world: &Memory) {
    for _ in 0..10 {
        let before = (world.get().state.clone(), world.updates());
        if world.get().in_flight.is_some() {
            world.finish_update();
        }
        for payload in [stack_changed(), event("scheduled")] {
            world.invoke(&payload, "look").expect("an answer");
        }
        if world.get().in_flight.is_none() && before == (world.get().state.clone(), world.updates())
        {
            return;
        }
    }
    panic!("it does not come to rest: {:#?}", world.get().updates);
}

fn every_interleaving(start: &Memory, payloads: &[Value], check: impl Fn(&Memory)) {
    let runs = support::every_interleaving(start, payloads, |world| {
        settle(world);
        check(world);
    });
    assert!(runs > 100, "{runs} interleavings");
}

/// Whichever was written first stands, and everything agrees with it.
fn assert_one_verdict(world: &Memory) {
    let request = request(world);
    let (yes, no) = (
        request.votes.iter().filter(|vote| vote.approves).count(),
        request.votes.iter().filter(|vote| !vote.approves).count(),
    );
    let headline = world.newest_message().headline;
    if no == 1 {
        assert_eq!(
            (yes, request.progress, headline.as_str()),
            (0, Progress::Rejected, "web: abc1234 was rejected")
        );
        assert_nothing_was_promoted(world);
        assert!(!world.told().contains(&Outcome::Promoted));
    } else {
        assert_eq!(
            (yes, no, world.updates(), world.value().as_str()),
            (1, 0, 1, "production_abc1234")
        );
        assert!(headline.starts_with("web: abc1234 is in production"), "{headline}");
        assert!(!world.told().contains(&Outcome::Rejected));
    }
    assert_eq!(world.headlines().len(), 1);
}

#[test]
fn every_interleaving_of_an_approval_and_a_rejection_is_one_verdict() {
    let (world, digest) = asked(asking());
    let now = world.get().now;
    let by_sns = [
        sns(&format!("approve web {digest}"), "1", now),
        sns(&format!("reject web {digest}"), "2", now),
    ];
    every_interleaving(&world, &by_sns, assert_one_verdict);
}

#[test]
fn clicks_at_the_same_time_are_one_verdict() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (world, digest) = asked(asking());
        let (approve, reject) = (button(&world, "approve"), button(&world, "reject"));
        let payloads = [
            click(&world, ALICE, &approve, "1"),
            click(&world, BOB, &reject, "2"),
            slash(&world, CHANNEL, MALLORY, &format!("reject web {digest}"), "3"),
            click(&world, ALICE, &approve, "1"),
        ];
        let handlers = payloads.into_iter().map(|payload| world.handler(payload, "click"));
        for result in interleave(handlers, |left| random.usize(..left.len())) {
            result.expect("no sandbox died").unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        settle(&world);
        assert_one_verdict(&world);
    }
}

#[test]
fn every_interleaving_of_an_approval_and_a_newer_push_runs_what_was_approved_or_nothing() {
    let (world, approved) = asked(asking());
    let approve = sns(&format!("approve web {approved}"), "1", world.get().now);
    let newer = world.push("bbbbbbb");
    every_interleaving(&world, &[approve, push_event(&newer)], |world| {
        assert!(
            ["production_old", "production_abc1234"].contains(&world.value().as_str()),
            "{}",
            world.value()
        );
        assert_eq!(request(world).digest, newer);
        assert_eq!(request(world).progress, Progress::Pending);
        let first = &world.headlines()[0];
        assert!(
            first == "web: abc1234 was superseded" || world.value() == "production_abc1234",
            "{first} {}",
            world.value()
        );
    });
}

#[test]
fn a_newer_push_between_any_two_calls_of_an_approval_runs_what_was_approved_or_nothing() {
    for steps in 0.. {
        let (world, approved) = asked(asking());
        let payload = sns(&format!("approve web {approved}"), "1", world.get().now);
        let mut handler = Box::pin(world.handler(payload, "approve"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let is_done = (0..steps).any(|_| handler.as_mut().poll(&mut context).is_ready());
        let newer = world.push("bbbbbbb");
        world.invoke(&push_event(&newer), "push").expect("an answer");
        if !is_done {
            support::run(handler).expect("the sandbox lives").expect("an answer");
        }
        settle(&world);
        assert!(
            ["production_old", "production_abc1234"].contains(&world.value().as_str()),
            "{} after {steps}",
            world.value()
        );
        assert_eq!(request(&world).digest, newer, "after {steps} steps");
        let progress = request(&world).progress;
        assert_eq!(progress, Progress::Pending, "after {steps} steps");
        if is_done {
            assert!(steps > 5, "the handler takes several steps");
            break;
        }
    }
}

// The edge

/// Refused, with nothing changed and nothing called but reads.
#[track_caller]
fn is_refused(world: &Memory, payload: &Value, what: &str) {
    let before = world.fork();
    let calls = world.get().calls.len();
    let answer = world.invoke(payload, "http").expect("an answer, not a function error");
    let status = answer["statusCode"].as_u64().expect("a status");
    assert!((400..500).contains(&status), "{what}: {answer:#}");
    for call in &world.get().calls[calls..] {
        assert!(
            ["GetParameter", "GetItem", "Slack auth.test"]
                .iter()
                .any(|read| call.starts_with(read)),
            "{what}: {call}"
        );
    }
    let (before, after) = (before.get(), world.get());
    assert_eq!(
        (&before.state, &before.commands, &before.updates),
        (&after.state, &after.commands, &after.updates),
        "{what}"
    );
    assert_eq!(
        (before.told.len(), &before.slack, &before.whispered),
        (after.told.len(), &after.slack, &after.whispered),
        "{what}"
    );
    assert_eq!(
        (&before.tags, &before.history, &before.asked),
        (&after.tags, &after.history, &after.asked),
        "{what}"
    );
}

#[test]
fn what_is_not_signed_by_slack_now_is_refused() {
    let (world, _) = asked(asking());
    let now = world.get().now;
    let at = now.as_second();
    let payload =
        form(&[("payload", &interaction(ALICE, &button(&world, "approve"), "1").to_string())]);
    let words = form(&[
        ("team_id", TEAM),
        ("channel_id", CHANNEL),
        ("user_id", ALICE),
        ("text", "promote web"),
        ("trigger_id", "1"),
    ]);
    for (path, body) in [("/slack/interactions", &payload), ("/slack/commands", &words)] {
        let right = signature("signing-secret", &at.to_string(), body);
        let with = |timestamp: &str, signature: &str| http(path, body, timestamp, signature);
        let mut unsigned = with(&at.to_string(), &right);
        unsigned["headers"].as_object_mut().expect("headers").remove("x-slack-signature");
        is_refused(&world, &unsigned, "without a signature");
        let mut untimed = with(&at.to_string(), &right);
        untimed["headers"].as_object_mut().expect("headers").remove("x-slack-request-timestamp");
        is_refused(&world, &untimed, "without a time");
        for wrong in [
            "",
            "v0=",
            "v0=zz",
            &right[3..],
            &right.to_uppercase(),
            &format!("{right}0"),
            &right[..60],
            "☃",
        ] {
            is_refused(&world, &with(&at.to_string(), wrong), wrong);
        }
        for secret in ["", "another-secret", "xoxb-1"] {
            is_refused(
                &world,
                &with(&at.to_string(), &signature(secret, &at.to_string(), body)),
                secret,
            );
        }
        for other in [at - 600, at + 600, at - 301, at + 301, 0, i64::MAX] {
            is_refused(
                &world,
                &with(&other.to_string(), &signature("signing-secret", &other.to_string(), body)),
                "at another time",
            );
        }
        is_refused(&world, &with(&(at - 1).to_string(), &right), "another time than was signed");
        is_refused(
            &world,
            &http(path, &format!("{body}&x=1"), &at.to_string(), &right),
            "another body than was signed",
        );
        is_refused(&world, &with("now", &signature("signing-secret", "now", body)), "no time");
        for missing in [None, Some(String::new())] {
            let unset = world.fork();
            unset.get_mut().secrets.signing = missing;
            is_refused(&unset, &with(&at.to_string(), &right), "no secret is configured");
            is_refused(
                &unset,
                &with(&at.to_string(), &signature("", &at.to_string(), body)),
                "an empty secret",
            );
        }
    }
    assert_nothing_was_promoted(&world);
}

#[test]
fn what_slack_signed_and_is_not_for_us_is_refused() {
    let (world, _) = asked(asking());
    let right = interaction(ALICE, &button(&world, "approve"), "1");
    let now = world.get().now;
    let posted = |interaction: &Value| {
        signed("/slack/interactions", &form(&[("payload", &interaction.to_string())]), now)
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = right.clone();
        *changed.pointer_mut(pointer).expect(pointer) = value;
        posted(&changed)
    };
    for made_up in
        ["", "1", "req-", "req-00000000000000000000000000000000", "web", "../web", "{\"digest\":1}"]
    {
        is_refused(&world, &with("/actions/0/value", made_up.into()), made_up);
    }
    is_refused(&world, &with("/user/team_id", "T2".into()), "a guest of another team");
    for hostile in [
        "https://evil.example/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://hooks.slack.com.evil.example/",
    ] {
        is_refused(&world, &with("/response_url", hostile.into()), hostile);
    }
    is_refused(&world, &with("/user", Value::Null), "nobody");
    is_refused(&world, &with("/trigger_id", Value::Null), "no trigger");
    for body in [
        "",
        "payload",
        "payload={",
        "payload=%7B%7D",
        "{\"action\":\"promote\",\"repository\":\"web\"}",
    ] {
        is_refused(&world, &signed("/slack/interactions", body, now), body);
        is_refused(&world, &signed("/slack/commands", body, now), body);
    }
    let mut hostile = slash(&world, CHANNEL, ALICE, "promote web", "1");
    let fields = [
        ("team_id", TEAM),
        ("channel_id", CHANNEL),
        ("user_id", ALICE),
        ("text", "promote web"),
        ("trigger_id", "1"),
    ];
    hostile["body"] = Value::Null;
    is_refused(&world, &hostile, "no body");
    let hostile = form(&[&fields[..], &[("response_url", "https://evil.example/x")]].concat());
    is_refused(&world, &signed("/slack/commands", &hostile, now), "a hostile address");
    assert_nothing_was_promoted(&world);
}

/// The click and the slash command of somebody whom these fields describe.
fn from(
    world: &Memory,
    team: Option<&str>,
    own_team: Option<&str>,
    organisation: Option<&str>,
    user: &str,
    trigger: &str,
) -> [Value; 2] {
    let now = world.get().now;
    let mut click = interaction(user, &button(world, "approve"), trigger);
    click["team"] = team.map_or(Value::Null, |team| json!({ "id": team }));
    click["user"]["team_id"] = json!(own_team);
    click["enterprise"] =
        organisation.map_or(Value::Null, |id| json!({ "id": id, "name": "Acme" }));
    let click = signed("/slack/interactions", &form(&[("payload", &click.to_string())]), now);
    let fields = [
        ("team_id", team.unwrap_or("T9")),
        ("channel_id", CHANNEL),
        ("user_id", user),
        ("text", "web"),
        ("trigger_id", trigger),
    ];
    let organisation = organisation.map(|id| ("enterprise_id", id));
    let words = form(&fields.into_iter().chain(organisation).collect::<Vec<_>>());
    [click, signed("/slack/commands", &words, now)]
}

#[test]
fn people_of_other_teams_count_for_nothing_also_before_the_first_message() {
    let (world, _) = asked(asking());
    for (team, own_team) in [
        (Some(TEAM), Some("T2")),
        (Some("T2"), Some("T2")),
        (Some("T2"), Some(TEAM)),
        (Some("T2"), None),
    ] {
        for organisation in [None, Some("E1")] {
            let [click, words] = from(&world, team, own_team, organisation, ALICE, "1");
            is_refused(&world, &click, "a click of another team");
            if team != Some(TEAM) {
                is_refused(&world, &words, "a slash command of another team");
            }
        }
    }
    let [click, _] = from(&world, None, Some(TEAM), Some("E1"), ALICE, "1");
    is_refused(&world, &click, "an app of another organisation");
    // Nothing was posted yet that would say which team this is.
    let fresh = asking();
    fresh.push("abc1234");
    let words = form(&[
        ("team_id", "T2"),
        ("channel_id", CHANNEL),
        ("user_id", ALICE),
        ("text", "web"),
        ("trigger_id", "1"),
    ]);
    let now = fresh.get().now;
    is_refused(&fresh, &signed("/slack/commands", &words, now), "before the first message");
    assert_nothing_was_promoted(&world);
}

#[test]
fn without_slacks_word_where_the_app_is_installed_nobody_counts() {
    let (world, digest) = asked(asking());
    world.get_mut().installation = None;
    let before = (world.get().state.clone(), world.get().commands.clone());
    let [click, words] = from(&world, Some(TEAM), Some(TEAM), None, ALICE, "1");
    let answer = world.invoke(&click, "1").expect("an answer");
    assert_eq!(answer["statusCode"], 503, "{answer}");
    let told = world.get().whispered.last().cloned().expect("told");
    assert!(told.contains("Nothing was done") && told.contains("Try again"), "{told}");
    let answer = world.invoke(&words, "1").expect("an answer");
    assert!(
        answer["statusCode"] == 200
            && answer["body"].as_str().is_some_and(|body| body.contains("Nothing was done")),
        "{answer}"
    );
    assert_eq!((world.get().state.clone(), world.get().commands.clone()), before);
    assert!(world.writes(ALICE, "help", "2").contains("/promote rollback"), "help is no secret");
    world.get_mut().installation = Some(Installation { team: TEAM.to_owned(), organisation: None });
    assert_eq!(world.clicks(ALICE, &button(&world, "approve"), "3"), None);
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn people_of_other_teams_of_the_organisation_count_where_they_are_listed() {
    let grid = || Some(Installation { team: TEAM.to_owned(), organisation: Some("E1".to_owned()) });
    for (team, own_team) in
        [(Some(TEAM), Some("T2")), (Some("T2"), Some("T2")), (None, Some("T2")), (None, None)]
    {
        let (world, digest) = asked(of_two(1));
        world.get_mut().installation = grid();
        let [click, words] = from(&world, team, own_team, Some("E1"), MALLORY, "1");
        is_refused(&world, &click, "who is not listed");
        if team == Some("T2") {
            is_refused(&world, &words, "who is not listed");
        }
        let [click, _] = from(&world, team, own_team, Some("E2"), ALICE, "2");
        is_refused(&world, &click, "another organisation");
        let [click, _] = from(&world, team, own_team, Some("E1"), ALICE, "3");
        assert_eq!(world.invoke(&click, "3").expect("an answer")["statusCode"], 200);
        assert_runs(&world, &digest, "abc1234");
    }
    // Where nobody is listed, only the installed team counts.
    let (world, _) = asked(asking());
    world.get_mut().installation = grid();
    let [click, words] = from(&world, Some("T2"), Some("T2"), Some("E1"), ALICE, "1");
    is_refused(&world, &click, "nobody is listed");
    is_refused(&world, &words, "nobody is listed");
}

#[test]
fn a_check_of_the_certificate_is_answered_and_does_nothing() {
    let world = asking();
    let now = world.get().now;
    let body = form(&[("ssl_check", "1"), ("token", "x")]);
    let commanding = form(&[
        ("ssl_check", "1"),
        ("team_id", TEAM),
        ("channel_id", CHANNEL),
        ("user_id", ALICE),
        ("text", "hold web x"),
        ("trigger_id", "1"),
    ]);
    for path in ["/slack/commands", "/slack/interactions"] {
        for request in [
            http(path, &body, "", ""),
            http(path, &body, "1", "v0=0"),
            signed(path, &body, now),
            signed(path, &commanding, now),
        ] {
            assert_eq!(world.invoke(&request, "check").expect("an answer")["statusCode"], 200);
        }
        for other in ["ssl_check=0", "ssl_check", "ssl_check=1&ssl_check=1", "x=ssl_check%3D1"] {
            is_refused(&world, &http(path, other, "", ""), other);
        }
        is_refused(
            &world,
            &http(path, &format!("ssl_check=1&x={}", "x".repeat(5_000)), "", ""),
            "a large one",
        );
    }
    assert_eq!(
        (world.get().calls.len(), world.get().state.is_none()),
        (0, true),
        "nothing was even read"
    );
}

#[test]
fn who_may_not_command_looks_and_changes_nothing() {
    let (world, digest) = asked(guarded(allowed()));
    world.get_mut().config["approval"] = json!({ "slack_channel": CHANNEL, "approvers": [ALICE] });
    // There is something to close and to tell, and CloudFormation has words of its own.
    answers(&world, &json!({ "action": "promote", "repository": "web" }), "promoted");
    world.fail_update("arn:aws:ecs:us-east-1:012345678912:service/web/secret did not stabilize");
    world.push("bcd2345");
    let before = world.fork();
    let calls = world.get().calls.len();
    for words in [
        "plan web",
        &format!("plan web {digest}"),
        "status web",
        "history web",
        "reconcile web",
        "promote web",
        "cancel web",
    ] {
        let said = world.writes(MALLORY, words, words);
        for secret in ["arn:", "did not stabilize", "UPDATE_", "DynamoDB", "table"] {
            assert!(!said.contains(secret), "{words}: {said}");
        }
    }
    let reads = [
        "GetParameter",
        "GetItem",
        "BatchGetImage",
        "ListImages",
        "DescribeStacks",
        "DescribeStackEvents",
        "DescribeChangeSet",
    ];
    let own = ["Query", "DescribeImages", "Tags", "Slack auth.test"];
    for call in &world.get().calls[calls..] {
        assert!(reads.iter().chain(&own).any(|read| call.starts_with(read)), "{call}");
    }
    let (before, after) = (before.get(), world.get());
    assert_eq!(
        (&before.state, &before.commands, &before.change_sets),
        (&after.state, &after.commands, &after.change_sets)
    );
    assert_eq!(
        (before.told.len(), &before.slack, &before.history),
        (after.told.len(), &after.slack, &after.history)
    );
}

#[test]
fn who_may_not_command_is_told_no_names_of_what_failed() {
    let (world, _) = asked(of_two(1));
    for words in ["plan web", "status web", "history web"] {
        let at = world.get().calls.len();
        // The secret, the team and the configuration are read before; then comes the first read of
        // the look.
        world.get_mut().fault = Some((at + 3, Fault::Before));
        let said = world.writes(MALLORY, words, words);
        assert!(
            said.contains("the function's log says why") && !said.contains("GetItem"),
            "{words}: {said}"
        );
        world.get_mut().fault = None;
    }
}

#[test]
fn a_button_that_is_not_ours_is_heard_and_does_nothing() {
    let (world, _) = asked(asking());
    let before = world.get().state.clone();
    let calls = world.get().calls.len();
    let other = Button { action_id: "destroy".to_owned(), ..button(&world, "approve") };
    assert_eq!(world.clicks(ALICE, &other, "1"), None);
    assert_eq!(world.get().calls[calls..], ["GetParameter secret"]);
    assert_eq!(world.get().state, before);
}

#[test]
fn no_path_method_or_body_is_a_command() {
    let (world, digest) = asked(asking());
    let command = json!({ "action": "promote", "repository": "web", "digest": digest }).to_string();
    let now = world.get().now;
    for path in [
        "",
        "/",
        "/promote",
        "/slack",
        "/slack/interactions/",
        "/slack//commands",
        "/SLACK/commands",
        "/approve/web",
        "/../slack/commands",
    ] {
        is_refused(&world, &signed(path, &command, now), path);
        is_refused(&world, &signed(path, "promote web", now), path);
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "", "P OST"] {
        for path in ["/slack/interactions", "/slack/commands", "/"] {
            let mut payload = click(&world, ALICE, &button(&world, "approve"), "1");
            payload["rawPath"] = path.into();
            payload["requestContext"]["http"]["method"] = method.into();
            is_refused(&world, &payload, method);
        }
    }
    // Whatever else the payload looks like, as long as it is an HTTP request.
    let mut both = signed("/", "", now);
    both.as_object_mut().expect("an object").extend(
        json!({ "action": "promote", "repository": "web" }).as_object().expect("an object").clone(),
    );
    is_refused(&world, &both, "a command beside it");
    let mut sns_too = signed("/", "", now);
    sns_too["Records"] = sns("promote web", "1", now)["Records"].clone();
    is_refused(&world, &sns_too, "a record beside it");
    let mut event_too = signed("/slack/commands", "", now);
    event_too
        .as_object_mut()
        .expect("an object")
        .extend(push_event(&digest).as_object().expect("an object").clone());
    event_too["version"] = "2.0".into();
    is_refused(&world, &event_too, "an event beside it");
    let mut broken = signed("/slack/commands", "x", now);
    broken["body"] = "%%%".into();
    is_refused(&world, &broken, "a body that is not the base64 that it is said to be");
    assert_nothing_was_promoted(&world);
}

#[test]
fn words_from_outside_are_shown_as_they_are_and_to_nobody_as_markup() {
    let world = Memory::new("auto").in_slack(&json!({}));
    let hostile = "<!channel> <script>alert(1)</script> \u{1b}[31m \u{202e}x & <@U1>";
    answers(
        &world,
        &json!({
            "action": "hold", "repository": "web", "reason": hostile, "by": hostile, "id": "1",
        }),
        "held",
    );
    pushed(&world, "abc1234");
    for said in [world.newest_message().words(), world.writes(ALICE, "status web", "1")] {
        assert!(said.contains("&lt;!channel&gt; &lt;script&gt;alert(1)&lt;/script&gt;"), "{said}");
        assert!(
            !said.contains("<!channel") && !said.contains("<script") && !said.contains("<@U1"),
            "{said}"
        );
        assert!(!said.contains(['\u{1b}', '\u{202e}']) && !said.contains("u001b"), "{said}");
    }
}
