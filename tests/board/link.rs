//! The link: who gets one, how long it lasts, and what is none.

use ecr_promoter::model::approval::ApprovalLink;
use ecr_promoter::model::session::BoardLink;
use ecr_promoter::model::{Proof, SessionId};
use jiff::SignedDuration;
use serde_json::json;

use super::steps::{
    board_by_invocation, board_in_slack, everything, fifteen_minutes_and_a_second_go_by, forces,
    path, pushed, slash, with_approvers,
};
use crate::support::browser::{get, signer};
use crate::support::payloads::sns;
use crate::support::world::{LINK_SECRET, Memory, PUBLIC_URL};

#[test]
fn a_board_is_given_for_fifteen_minutes_to_whoever_may_invoke() {
    let world = Memory::new("approval");
    let answer = world.invoke(&json!({ "action": "board" }), "board").expect("a link");
    assert_eq!(answer["expires_at"], "2026-03-17T09:56:30Z");
    assert_eq!(answer.as_object().map(|fields| fields.len()), Some(3), "{answer}");
    let board = path(&answer);
    assert_eq!(get(&world, &board).status, 200);
    get(&world, &board).says("somebody who may invoke the function · 14 min left");
    get(&world, &board_by_invocation(&world))
        .says("carol (claimed) · 14 min left")
        .says("This address acts as you: do not pass it on.");
}

#[test]
fn a_board_without_its_parameters_says_how_to_make_them() {
    let error = |change: fn(&Memory)| {
        let world = Memory::new("approval");
        change(&world);
        world.invoke(&json!({ "action": "board" }), "board").expect_err("no link").to_string()
    };
    insta::assert_snapshot!(error(|world| world.get_mut().link_secret = None), @"configuration error in Parameter Store /ecr-promoter/link-secret: there is no such parameter, but links are signed with it. Create it with: aws ssm put-parameter --type SecureString --name /ecr-promoter/link-secret --value \"$(openssl rand -hex 32)\"");
    insta::assert_snapshot!(error(|world| world.get_mut().public_url = None), @"configuration error in Parameter Store /ecr-promoter/public-url: there is no such parameter, so the function has no public address, and the board needs one. Deploy ecr-promoter's template with PublicUrl=on, which makes the address and this parameter");
}

#[test]
fn a_board_is_not_for_sns_and_takes_nothing_else() {
    let world = Memory::new("approval");
    let now = world.get().now;
    for message in ["board", "board web", r#"{"action":"board"}"#] {
        let error = world
            .invoke(&sns(message, "1", now), "sns")
            .expect_err("nobody would get it")
            .to_string();
        assert!(error.contains("SNS carries no answer"), "{error}");
    }
    for payload in [
        json!({ "action": "board", "repository": "web" }),
        json!({ "action": "board", "by": null }),
    ] {
        world.invoke(&payload, "direct").expect_err("not understood");
    }
}

#[test]
fn a_board_that_expired_neither_shows_nor_acts() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UALICE");
    let act = format!("{board}/act/approve/web?image={digest}");
    fifteen_minutes_and_a_second_go_by(&world);
    let before = everything(&world);
    for address in [board.clone(), format!("{board}/app/web"), act.clone()] {
        let page = get(&world, &address);
        assert_eq!(page.status, 410);
        page.says("too old");
    }
    assert_eq!(forces(&world, &act, &[]).status, 410);
    assert_eq!(everything(&world), before);
}

#[test]
fn a_board_with_another_character_is_no_board() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let last = if board.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{last}", &board[..board.len() - 1]);
    let before = everything(&world);
    for address in [
        forged.clone(),
        format!("{forged}/app/web"),
        format!("{forged}/act/hold/web"),
        "/board/x".to_owned(),
    ] {
        assert_eq!(get(&world, &address).status, 404, "{address}");
    }
    assert_eq!(
        forces(&world, &format!("{forged}/act/approve/web?image={digest}"), &[]).status,
        404
    );
    assert_eq!(everything(&world), before);
}

#[test]
fn an_approval_links_token_is_no_board() {
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    let request =
        world.get().state.as_ref().and_then(|(state, _)| state.request.clone()).expect("a request");
    let link = ApprovalLink { request: request.id, digest: request.digest };
    let token = signer(PUBLIC_URL).mint(&link, request.expires_at).expect("a key");
    assert_eq!(get(&world, &format!("/board/{}", token.expose())).status, 404);
}

#[test]
fn the_link_secret_alone_makes_nobody() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UALICE");
    let known = world.get().sessions.values().next().cloned().expect("a session");
    assert_eq!(
        (known.slack.as_ref().map(|origin| origin.user.as_str()), known.by.as_str()),
        (Some("UALICE"), "someone")
    );
    // Whoever has the secret signs what they like: of a session that was never written, or whose
    // proof they cannot know.
    let until = world.get().now + SignedDuration::from_mins(15);
    let made_up = [
        BoardLink { session: SessionId::of("mallory"), proof: Proof::of([1; 16]) },
        BoardLink { session: known.id.clone(), proof: Proof::of([0; 16]) },
    ];
    let before = everything(&world);
    for link in &made_up {
        let forged =
            format!("/board/{}", signer(PUBLIC_URL).mint(link, until).expect("a key").expose());
        for address in [
            forged.clone(),
            format!("{forged}/app/web"),
            format!("{forged}/act/approve/web?image={digest}"),
        ] {
            assert_eq!(get(&world, &address).status, 404, "{address}");
        }
        assert_eq!(
            forces(&world, &format!("{forged}/act/approve/web?image={digest}"), &[]).status,
            404
        );
    }
    assert_eq!(everything(&world), before);
    // And a session ends when it was said to, whatever the link says.
    assert_eq!(get(&world, &board).status, 200);
    let longer = format!(
        "/board/{}",
        signer(PUBLIC_URL)
            .mint(&known.link(), until + SignedDuration::from_hours(1))
            .expect("a key")
            .expose()
    );
    fifteen_minutes_and_a_second_go_by(&world);
    assert_eq!(get(&world, &longer).status, 404);
}

#[test]
fn a_command_that_comes_again_gets_no_second_link() {
    let world = with_approvers("approval");
    let command = slash(&world, "UALICE", "board");
    let said = |request: &str| {
        let answer = world.invoke(&command, request).expect("an answer");
        answer["body"].as_str().expect("a body").to_owned()
    };
    assert!(said("1").contains("/board/"));
    for request in ["1", "2"] {
        let again = said(request);
        assert!(again.contains("it gives only one") && !again.contains("/board/"), "{again}");
    }
    assert_eq!(world.get().sessions.len(), 1);
    assert!(
        board_in_slack(&world, "UALICE").starts_with("/board/"),
        "another command gets another one"
    );
}

#[test]
fn a_board_of_another_deployment_with_the_same_secret_is_none_here() {
    let world = with_approvers("approval");
    let board = board_in_slack(&world, "UALICE");
    world.get_mut().public_url = Some("https://another.lambda-url.us-east-1.on.aws/".to_owned());
    assert_eq!(get(&world, &board).status, 404);
    world.get_mut().public_url = None;
    assert_eq!(get(&world, &board).status, 404);
    world.get_mut().public_url = Some(PUBLIC_URL.to_owned());
    assert_eq!(get(&world, &board).status, 200);
}

#[test]
fn what_cannot_be_a_link_causes_no_call() {
    let world = Memory::new("approval");
    let board = board_by_invocation(&world);
    let calls = world.get().calls.len();
    let expired = format!(
        "{}.1.{}",
        &board["/board/".len()..][..8],
        board.splitn(3, '.').nth(2).expect("the rest")
    );
    for token in [
        "x",
        "x.y.z.a",
        "AAAAAAAA.9999999999.e30.AAAA",
        &"a".repeat(3_000),
        &board["/board/".len() + 1..],
        "%00",
        "../..",
    ] {
        for address in [
            format!("/board/{token}"),
            format!("/board/{token}/app/web"),
            format!("/approve/{token}"),
        ] {
            assert_eq!(get(&world, &address).status, 404, "{address}");
        }
    }
    assert_eq!(get(&world, &format!("/board/{expired}")).status, 410);
    assert_eq!(world.get().calls.len(), calls);
}

#[test]
fn a_link_secret_that_can_be_guessed_is_an_error_that_says_the_mend() {
    let world = Memory::new("approval");
    let board = board_by_invocation(&world);
    for secret in ["short", &format!("{LINK_SECRET}\nshort")] {
        world.get_mut().link_secret = Some(secret.to_owned());
        let error =
            world.invoke(&json!({ "action": "board" }), "board").expect_err("no link").to_string();
        for words in
            ["/ecr-promoter/link-secret", "fewer than 32 characters", "openssl rand -hex 32"]
        {
            assert!(error.contains(words), "{words} is not in {error}");
        }
        assert_eq!(get(&world, &board).status, 500, "closed, also for links of the other key");
    }
}
