//! Who counts, who commands, and who leaves no trace.

use ecr_promoter::model::answer::Outcome;
use serde_json::json;

use super::steps::{
    actions, asked, asking, assert_nothing_was_promoted, button, clicks, of_two, pushed, request,
};
use crate::support::guard::{allowed, guarded};
use crate::support::payloads::{push_event, sns, stack_changed};
use crate::support::signature::form;
use crate::support::slack::{ALICE, BOB, CHANNEL, MALLORY, interaction, signed};
use crate::support::steps::{answers, assert_runs, command, deploy, state};
use crate::support::world::{Fault, Memory};

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
            command(&world, &format!("{action} web {digest}"), "refused");
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
        command(&world, "promote web", "promoted");
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
    let first = deploy(&world, "aaaaaaa");
    let second = deploy(&world, "bbbbbbb");
    assert!(world.writes(MALLORY, "hold web x", "1").contains("refused"));
    assert_eq!(state(&world).hold, None);
    assert!(world.writes(ALICE, "hold web release freeze", "2").contains("release freeze"));
    assert_eq!(state(&world).hold.expect("held").by, "alice (Slack, UALICE)");
    assert!(world.writes(MALLORY, "resume web", "3").contains("refused"));
    assert!(world.writes(BOB, "resume web", "4").contains("resumed"));
    assert!(world.writes(MALLORY, "rollback web", "5").contains("refused"));
    assert_runs(&world, &second, "bbbbbbb");
    assert!(world.writes(ALICE, "rollback web", "6").contains("rolling back"));
    assert!(world.writes(MALLORY, "cancel web", "7").contains("refused"));
    assert!(world.writes(BOB, "cancel web", "8").contains("cancelled"));
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "cancelled");
    assert_runs(&world, &second, "bbbbbbb");
    assert!(world.writes(ALICE, "rollback web aaaaaaa", "9").contains("rolling back"));
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
            .contains("`prmote` is not a command: did you mean `promote`?")
    );
    assert!(world.writes(ALICE, "status wbe", "7").contains("did you mean `web`?"));
    assert!(world.writes(ALICE, "promote <!channel>", "4").contains("&lt;!channel&gt;"));
    assert!(world.writes(ALICE, "status web", "5").contains("production_old"));
    assert!(world.get().state.is_none() && world.get().commands.is_empty());
}

#[test]
fn who_may_not_command_looks_and_changes_nothing() {
    let (world, digest) = asked(guarded(asking(), allowed()));
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
            said.contains("function's log says why") && !said.contains("GetItem"),
            "{words}: {said}"
        );
        world.get_mut().fault = None;
    }
}
