//! The question: once, on the topic and in Slack; what an answer does, and what the message says of it.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use jiff::SignedDuration;

use super::steps::{
    actions, asking, assert_nothing_was_promoted, button, clicks, look, pushed, request, tick,
};
use crate::support::payloads::{event, push_event, sns, stack_changed, tag};
use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{answers, assert_runs, command, deploy, state};

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
    assert_eq!(world.headlines(), ["web → production: abc1234 waits for approval"]);
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
    deploy(&world, "aaaaaaa");
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
        command(&world, &format!("approve web {name}"), "promoted");
        assert_runs(&world, &digest, "abc1234");
        assert_eq!(world.headlines(), ["web → production: abc1234 is on its way to production"]);
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
    command(&world, "approve web req-00000000000000000000000000000000", "refused");
    command(&world, "approve web fffffff", "refused");
    assert_nothing_was_promoted(&world);
    assert_eq!(request(&world).progress, Progress::Pending);
}

#[test]
fn a_click_promotes_and_the_message_says_who_and_how_it_ended() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    assert_eq!(clicks(&world, ALICE, "approve"), None, "the message itself says it");
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web → production: abc1234 is on its way to production"]);
    assert!(
        world.newest_message().words().contains("Approved by <@UALICE>"),
        "{:#?}",
        world.newest_message()
    );
    world.get_mut().now += SignedDuration::from_secs(130);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.headlines(), ["web → production: abc1234 is in production after 2 m 10 s"]);
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
        ("web → production: abc1234 did not reach production", vec![])
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
    command(&world, "ask web", "approval_requested");
    assert_eq!(
        world.headlines(),
        [
            "web → production: abc1234 did not reach production",
            "web → production: abc1234 waits for approval"
        ]
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
        ("web → production: the promotion of abc1234 was cancelled", vec![])
    );
    assert!(message.words().contains("bob"), "{message:#?}");
    assert_eq!(
        look(&world, &event("scheduled")).as_deref(),
        Some("held"),
        "and it is not asked for again by itself"
    );
    command(&world, "approve web abc1234", "held");
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_rejection_stands_against_an_approval_and_only_a_promote_goes_past_it() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    assert_eq!(clicks(&world, BOB, "reject"), None);
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web → production: abc1234 was rejected", vec![])
    );
    assert!(message.words().contains("Rejected by <@UBOB>"), "{message:#?}");
    let said = world.clicks(ALICE, &approve, "late").expect("whose approval came too late is told");
    assert!(said.contains("bob (Slack, UBOB) rejected it"), "{said}");
    command(&world, &format!("approve web {digest}"), "rejected");
    for payload in [push_event(&digest), tick(), event("scheduled")] {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_nothing_was_promoted(&world);
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Rejected]);
    command(&world, "promote web", "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_rejected_image_is_asked_for_again_only_when_it_comes_back() {
    let world = asking();
    let rejected = pushed(&world, "aaaaaaa");
    command(&world, &format!("reject web {rejected}"), "rejected");
    answers(&world, &push_event(&rejected), "rejected");
    pushed(&world, "bbbbbbb");
    world.get_mut().tags.insert(tag("latest"), rejected.clone());
    answers(&world, &push_event(&rejected), "approval_requested");
    command(&world, &format!("approve web {rejected}"), "promoted");
    assert_runs(&world, &rejected, "aaaaaaa");
    assert_eq!(
        world.told().iter().filter(|outcome| **outcome == Outcome::ApprovalRequested).count(),
        3
    );
}

#[test]
fn what_runs_cannot_be_rejected() {
    let world = asking();
    let digest = deploy(&world, "abc1234");
    let answer = command(&world, &format!("reject web {digest}"), "refused");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`rollback`")),
        "{answer:#}"
    );
}

#[test]
fn a_vote_without_a_question_is_the_question_too() {
    let world = asking();
    let digest = world.push("abc1234");
    command(&world, &format!("reject web {digest}"), "rejected");
    answers(&world, &push_event(&digest), "rejected");
    let newer = world.push("bbbbbbb");
    command(&world, &format!("approve web {newer}"), "promoted");
    assert_runs(&world, &newer, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        [
            "web → production: abc1234 was rejected",
            "web → production: bbbbbbb is on its way to production"
        ]
    );
}
