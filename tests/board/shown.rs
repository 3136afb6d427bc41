//! What the list and an app's page show.

use ecr_promoter::model::state::{Hold, State};
use serde_json::json;

use super::steps::{board_by_invocation, board_in_slack, pushed, with_approvers};
use crate::support::browser::{Page, get};
use crate::support::payloads::{event, push_event};
use crate::support::steps::{command, finish, two_deployed};
use crate::support::world::Memory;

#[test]
fn the_list_shows_all_apps_and_what_waits_comes_first() {
    let world = Memory::new("approval");
    let held = State {
        hold: Some(Hold {
            by: "alice".to_owned(),
            at: world.get().now,
            reason: "release freeze".to_owned(),
        }),
        ..State::new("held", "ProductionTag")
    };
    world.get_mut().others = [
        ("a/quiet", json!({ "stack": "quiet" }), None),
        ("team/held", json!({ "stack": "held" }), Some(held)),
        ("wrong", json!({ "stack": 5 }), None),
    ]
    .map(|(name, config, state)| (name.parse().expect("a name"), (config, state)))
    .into();
    pushed(&world, "abc1234");
    let calls = world.get().calls.len();
    let page = get(&world, &board_by_invocation(&world));
    insta::assert_snapshot!(page.text(), @r"
    production 0123-4567-8912
    carol (claimed) · 14 min left
    Board
    4 apps.
    Find an app, commit or person
    StateAllNeeds somebodyMoving by itselfHeld by a personRunning fineNever looked at
    Filter
    2 need somebody
    0 moving
    1 held
    0 running fine
    Needs somebody 2
    wrong Configuration error Key stack: found 5; expected a text in quotes. Write for example &quot;stack&quot;: &quot;web&quot; (in Parameter Store /ecr-promoter/apps/wrong)
    web Waits for approval 6c905feb9961 → abc1234 0 s
    Held by a person 1
    team/held Held by alice “release freeze” 0 s
    Never looked at 1
    a/quiet Never looked at The first look comes within an hour new
    As of 09:41:30 UTC. All times in UTC. This address acts as you: do not pass it on. ecr-promoter
    ");
    assert!(!page.is_refreshed(), "nothing is under way");
    let calls: Vec<String> = world.get().calls[calls..]
        .iter()
        .filter(|call| *call != "GetParameter secret")
        .cloned()
        .collect();
    assert_eq!(
        calls,
        ["PutItem session", "GetItem session", "GetParametersByPath", "BatchGetItem"],
        "nothing is under way"
    );
    assert_eq!(get(&world, &page.link("/app/team/held")).status, 200);
    get(&world, &page.link("/app/wrong"))
        .says("Configuration error")
        .says("expected a text in quotes");
}

#[test]
fn what_is_under_way_is_shown_with_its_progress_and_looked_at_anew() {
    let world = Memory::new("auto");
    pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let page = get(&world, &board);
    page.says("Updating").says("CloudFormation").says("abc1234");
    assert!(page.is_refreshed());
    let still = get(&world, &page.link("?still"));
    assert!(!still.is_refreshed());
    let app = get(&world, &format!("{board}/app/web"));
    assert!(app.is_refreshed());
    app.says("On its way: updating").says("CloudFormation updates the stack");
    app.says("production_abc1234");
    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    let page = get(&world, &board);
    assert!(!page.is_refreshed());
    page.says("Running").says("abc1234");
}

#[test]
fn somebody_elses_operation_is_shown_as_such() {
    let world = Memory::new("auto");
    world.foreign_update("production_old");
    let page = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    assert!(page.is_refreshed());
    page.says("Somebody else started this operation");
}

#[test]
fn an_app_is_shown_in_full() {
    let world = with_approvers("auto");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    two_deployed(&world);
    world.get_mut().config["mode"] = json!("approval");
    pushed(&world, "abc1234");
    let page = get(&world, &format!("{}/app/web", board_in_slack(&world, "UALICE")));
    insta::assert_snapshot!(page.text(), @r"
    production 0123-4567-8912
    someone (UALICE) in Slack · 14 min left
    Board
    web
    Now bbbbbbb running
    Next abc1234 waits for approval
    Next: waits for approval asked 0 s ago, open until Fri 09:41
    abc1234
    abc1234. Asked because the app's mode is approval
    1 commit on top of bbbbbbb · compare with what runs
    abc1234  0 s ago Approve… Reject… Promote abc1234…
    Commit, tag and digest in full
    Commit
    abc1234
    Tag
    production_abc1234
    Digest
    sha256:0ea7a6e077dbcee6a4c9bde618d3c6af8137fad99f4954db7e059674cf17f9af
    Now: running since 09:41, 0 s
    bbbbbbb
    bbbbbbb, promoted by push of latest. Roll back to aaaaaaa… Hold…
    Look now
    Commit, tag and digest in full
    Commit
    bbbbbbb
    Tag
    production_bbbbbbb
    Digest
    sha256:211096c9fbba0c9e3c88f92300c10a8b20e5d6ebb411ade5aaceb844910cfe29
    Stack
    web UPDATE_COMPLETE
    Parameter
    ProductionTag: production_bbbbbbb
    Mode
    approval
    Before 1 promotion
    aaaaaaa
    Ran 0 s, 09:41 to 09:41. Promoted by push of latest, through a push, took 0 s.
    Roll back to this: aaaaaaa
    Numbers last 30 days
    Deployments
    2 · rollbacks aside
    Lead time
    0 s · median, from the push of an image until it ran; waiting for people counts
    Change failures
    0 of 2, 0 % · failed, or rolled back from afterwards
    Time to restore
    none · median, from a deployment that was rolled back from until the image before it ran again
    As of 09:41:31 UTC. All times in UTC. This address acts as you: do not pass it on. ecr-promoter
    ");
    assert_eq!(page.link("compare"), "https://github.com/acme/web/compare/bbbbbbb...abc1234");
    let acts: Vec<String> = page
        .acts()
        .iter()
        .map(|act| act.split_once("/act/").expect("an act").1.to_owned())
        .collect();
    let kinds: Vec<&str> =
        acts.iter().map(|act| act.split_once('/').expect("a repository").0).collect();
    assert_eq!(kinds, ["approve", "reject", "promote", "rollback", "hold", "rollback"]);
}

#[test]
fn what_is_remembered_of_another_stack_is_not_shown_as_the_apps_own() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let board = board_by_invocation(&world);
    get(&world, &board).says("bbbbbbb");
    world.get_mut().config["parameter"] = json!("AppName");
    get(&world, &board).says("Never looked at");
    get(&world, &format!("{board}/app/web")).says("Never looked at");
}

#[test]
fn an_app_that_was_never_looked_at_has_a_page() {
    let world = Memory::new("auto");
    let page = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    assert_eq!(page.status, 200);
    page.says("production_old").says("Never looked at").says("No promotion has ended yet");
}

#[test]
fn the_ci_run_of_an_image_is_linked_as_candidate_on_its_way_and_running() {
    let run = |number: u32| format!("https://github.com/acme/web/actions/runs/{number}?a=b&c=d");
    let linked =
        |page: &Page, number: u32| page.links().contains(&run(number).replace('&', "&amp;"));
    let world = Memory::new("approval");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    let board = board_by_invocation(&world);
    let app = || get(&world, &format!("{board}/app/web"));
    let candidate = |commit: &str, url: &str| {
        let digest = world.push_with_run(commit, url);
        world.invoke(&push_event(&digest), "push").expect("an answer");
    };
    candidate("aaaaaaa", &run(1));
    assert!(linked(&app(), 1), "the candidate");
    command(&world, "promote web", "promoted");
    assert!(linked(&app(), 1), "on its way");
    finish(&world);
    candidate("bbbbbbb", &run(2));
    let page = app();
    assert!(linked(&page, 1) && linked(&page, 2), "what runs, and the candidate");
    candidate("ccccccc", "https://evil.example/actions/runs/3");
    assert!(!app().body.contains("evil.example"));
    world.get_mut().config["repository_url"] = json!("https://git.example/acme/web");
    assert!(!app().body.contains("actions/runs"), "the repository is another one now");
}
