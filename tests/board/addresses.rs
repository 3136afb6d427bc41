//! Forms and addresses that mean nothing, and words from outside.

use ecr_promoter::model::state::Hold;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

use super::steps::{
    ONCE, board_by_invocation, board_in_slack, does, everything, forces, pushed, with_approvers,
};
use crate::support::browser::{HOST, browse, get, http, post};
use crate::support::signature::form;
use crate::support::world::Memory;

#[test]
fn a_form_of_another_site_or_of_no_page_does_nothing() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let approve = format!("{board}/act/approve/web?image={digest}");
    let before = everything(&world);
    for headers in [
        json!({ "host": HOST, "origin": "https://evil.example" }),
        json!({ "host": HOST, "sec-fetch-site": "cross-site" }),
        json!({ "host": HOST, "origin": "null" }),
    ] {
        assert_eq!(
            browse(&world, "POST", &approve, &headers, &form(&[("once", ONCE)])).status,
            403,
            "{headers}"
        );
    }
    let twice = [("once", ONCE), ("once", ONCE)];
    for fields in [
        &[][..],
        &[("once", "")],
        &[("once", "X123456789abcdef0123456789abcdef")],
        &twice,
        &[("once", ONCE), ("reason", "x")],
        &[("once", ONCE), ("x", "1")],
    ] {
        assert_eq!(post(&world, &approve, fields).status, 400, "{fields:?}");
    }
    let hold = format!("{board}/act/hold/web");
    let long = "é".repeat(201);
    let reasons = [("reason", "x"), ("reason", "x")];
    for more in
        [&[][..], &[("reason", " ")], &[("reason", &long)], &[("why", "x")], reasons.as_slice()]
    {
        assert_eq!(forces(&world, &hold, more).status, 400, "{more:?}");
    }
    let back = format!("{board}/act/rollback/web");
    let target = ("to", digest.as_str());
    for more in [
        &[target, ("why", long.as_str())][..],
        &[target, ("why", "x"), ("why", "")],
        &[target, ("reason", "x")],
    ] {
        assert_eq!(forces(&world, &back, more).status, 400, "{more:?}");
    }
    assert_eq!(everything(&world), before);
}

#[test]
fn an_address_that_means_nothing_is_an_error_of_whoever_made_it() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let check = |want: u64, method: &str, rest: &str| {
        let page = browse(&world, method, &format!("{board}{rest}"), &json!({ "host": HOST }), "");
        assert_eq!(page.status, want, "{method} {rest}");
        page
    };
    for rest in [
        "/",
        "/app",
        "/app/",
        "/app/Web",
        "/app/web/",
        "/apps/web",
        "/act",
        "/act/hold",
        "/act/hold/",
        "/act/destroy/web",
        "/act/HOLD/web",
        "/app/none",
    ] {
        check(404, "GET", rest);
    }
    for rest in [
        "?x",
        "?still=1",
        "?still&still",
        "/app/web?x=1",
        "/act/hold/web?image=1",
        "/act/approve/web",
        "/act/approve/web?image=latest",
        "/act/rollback/web?image=",
    ] {
        check(400, "GET", rest);
    }
    check(400, "GET", &format!("/act/approve/web?image={digest}&image={digest}"));
    for (method, rest, allow) in [
        ("POST", "", "GET, HEAD"),
        ("POST", "/app/web", "GET, HEAD"),
        ("PUT", "/act/hold/web", "GET, HEAD, POST"),
        ("DELETE", "", "GET, HEAD"),
    ] {
        assert_eq!(check(405, method, rest).headers["allow"], allow);
    }
    for path in ["/", "/board", "/board/", "/board//app/web"] {
        assert_eq!(get(&world, path).status, 404, "{path}");
    }
    assert_eq!(check(200, "HEAD", "").body, "");
    assert_eq!(check(200, "HEAD", "/app/web").body, "");
    assert_eq!(check(404, "HEAD", "/app/none").body, "");
}

#[test]
fn markup_in_what_comes_from_outside_is_text() {
    let world = with_approvers("approval");
    let evil = "<img src=x onerror=alert(1)>\"'&";
    pushed(&world, "abc1234");
    {
        let mut inner = world.get_mut();
        let (state, _) = inner.state.as_mut().expect("a state");
        let request = state.request.as_mut().expect("a request");
        request.why = evil.to_owned();
        request.changes = vec![evil.to_owned()];
        state.hold =
            Some(Hold { by: evil.to_owned(), at: Timestamp::UNIX_EPOCH, reason: evil.to_owned() });
        state.running.as_mut().expect("something runs").by = evil.to_owned();
        state.running.as_mut().expect("something runs").tag = evil.to_owned();
        state.trouble = Some(evil.to_owned());
        inner.parameters.insert("ProductionTag".to_owned(), evil.to_owned());
        inner.others =
            [("wrong".parse().expect("a name"), (json!({ "stack": "x", evil: 1 }), None))].into();
    }
    let board = board_in_slack(&world, "UALICE");
    world.get_mut().sessions.values_mut().for_each(|session| session.by = evil.to_owned());
    for address in [
        board.clone(),
        format!("{board}/app/web"),
        format!("{board}/app/wrong"),
        format!("{board}/act/hold/web"),
    ] {
        let page = get(&world, &address);
        assert!(page.body.contains("&lt;img"), "{address}: it is shown");
        assert!(
            !page.body.contains("<img") && !page.body.contains("\"'&"),
            "{address}: {}",
            page.body
        );
    }
    let held = does(&world, &format!("{board}/act/hold/web"), &[("reason", evil)]);
    assert!(held.body.contains("&lt;img") && !held.body.contains("<img"), "{}", held.body);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn no_address_makes_it_panic_and_every_unknown_one_is_a_4xx(
        method in "GET|HEAD|POST|PUT|OPTIONS|[A-Z]{1,6}",
        rest in prop_oneof![any::<String>(), "[/a-z0-9._%-]{0,30}", "/(app|act)/(hold|approve|rollback|[a-z]{1,6})/[a-z/]{0,8}"],
        query in prop_oneof![Just(String::new()), any::<String>(), "(image|still|x)(=[a-z0-9:]{0,9})?"],
        body in any::<String>(),
    ) {
        let world = Memory::new("approval");
        let board = board_by_invocation(&world);
        let before = everything(&world);
        let mut request = http(&method, "", &json!({ "host": HOST }), &body);
        request["rawPath"] = format!("{board}{rest}").into();
        request["rawQueryString"] = query.clone().into();
        let answer = world.invoke(&request, "http").expect("an HTTP answer");
        let status = answer["statusCode"].as_u64().expect("a status");
        let is_known = rest.is_empty() || rest == "/app/web" || rest.starts_with("/act/") && rest.ends_with("/web");
        prop_assert!((400..500).contains(&status) || is_known && status == 200, "{} {}{}?{}: {}", method, board, rest, query, status);
        prop_assert_eq!(everything(&world), before);
    }
}
