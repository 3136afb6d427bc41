//! Several apps of one repository: how they stand on the list, and what an app's page says about
//! the others.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::steps::{board_by_invocation, pushed};
use crate::support::browser::{Page, get};
use crate::support::payloads::stack_changed;
use crate::support::world::{Fault, Memory, STACK_ID};

const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

fn stack_id(name: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:012345678912:stack/{name}/1")
}

fn add(world: &Memory, name: &str, config: &Value) {
    let mut whole = json!({
        "repository": "web", "stack": name, "mode": "approval",
        "commit_from": ["tag", "annotation"],
    });
    for (key, value) in config.as_object().expect("an object") {
        whole[key] = value.clone();
    }
    world.add_app(name, &stack_id(name), whole);
    look(world, name);
}

fn look(world: &Memory, name: &str) {
    let payload = json!({ "action": "reconcile", "app": name });
    world.invoke(&payload, "reconcile").expect("a look");
}

/// `web`, and `web-us` and `web-eu` after it. A commit runs in `web` and soaks for `web-us`.
fn three_stages() -> Memory {
    let world = Memory::new("auto");
    add(&world, "web-us", &json!({ "after": { "app": "web", "soak_minutes": 60 } }));
    add(&world, "web-eu", &json!({ "after": { "app": "web-us", "soak_minutes": 30 } }));
    pushed(world.at("web"), COMMIT);
    world.at("web").finish_update();
    world.invoke(&stack_changed(), "stack event").expect("a look");
    for name in ["web-us", "web-eu"] {
        look(&world, name);
    }
    world.at("web");
    world
}

/// What the list says about the groups, a line for each part.
fn lines(page: &Page) -> Vec<String> {
    let text = page.text();
    let from = text.lines().skip_while(|line| !line.ends_with("running fine")).skip(1);
    from.take_while(|line| !line.starts_with("As of ")).map(str::to_owned).collect()
}

#[test]
fn stages_stand_in_their_order_and_a_commit_can_be_followed() {
    let world = three_stages();
    let page = get(&world, &board_by_invocation(&world));
    let lines = lines(&page);
    assert_eq!(lines[..2], ["Moving by itself 1, and 2 beside them", "web 3 stages"]);
    let begins = ["web Running 9fceb02", "web-us Soaking until 10:41", "web-eu Running "];
    for (line, begin) in lines[2..5].iter().zip(begins) {
        assert!(line.starts_with(begin), "{line} does not start with {begin}");
    }
    assert!(lines[3].contains("→ 9fceb02"), "{}", lines[3]);
    assert_eq!(lines[5..], ["Running fine 2 in groups above"]);
    let lead = format!("<code class=\"lead\" title=\"{COMMIT}\">9fceb02</code>");
    assert_eq!(page.body.matches(&lead).count(), 2, "{}", page.body);
    assert_eq!(page.body.matches("class=\"lead\"").count(), 2);
    assert_eq!(page.body.matches("<span class=\"vh\">web-</span>").count(), 2);
    assert!(page.body.contains("<ol class=\"track\">"));
    page.says("3 apps").says("0 need somebody").says("1 moving").says("2 running fine");
    assert!(page.body.contains("<title>1 moving"), "{}", page.body);
}

#[test]
fn a_group_stands_whole_in_the_section_of_its_worst_stage() {
    let world = three_stages();
    world.get_mut().now += SignedDuration::from_mins(61);
    look(&world, "web-us");
    let board = board_by_invocation(world.at("web"));
    let page = get(&world, &board);
    let lines = lines(&page);
    assert_eq!(lines[..2], ["Needs somebody 1, and 2 beside them", "web 3 stages"]);
    assert!(lines[3].starts_with("web-us Waits for approval"), "{}", lines[3]);
    assert!(page.body.contains("<li class=\"group ask\">"));
    assert!(page.body.contains("<title>1 needs somebody"));

    // A filter that takes one stage shows the others beside it.
    for (query, found) in [("?state=needs", 1), ("?state=fine", 2), ("?q=web-eu", 1)] {
        let page = get(&world, &format!("{board}{query}"));
        let verb = if found == 1 { "matches" } else { "match" };
        page.says(&format!("{found} of 3 apps {verb}")).says("A group is shown whole.");
        assert_eq!(page.body.matches("class=\"name\"").count(), 3, "{query}");
        assert!(!page.text().contains("in groups above"), "{query}");
    }
    let all = get(&world, &format!("{board}?q=web"));
    all.says("3 of 3 apps match");
    assert!(!all.text().contains("A group is shown whole"));
}

#[test]
fn apps_side_by_side_are_a_group_without_an_order() {
    let world = Memory::new("approval");
    add(&world, "web-b", &json!({}));
    add(&world, "web-a", &json!({}));
    let board = board_by_invocation(world.at("web"));
    let page = get(&world, &board);
    page.says("web 3 apps");
    assert!(!page.body.contains("class=\"track\""), "no app comes after another");
    get(&world, &format!("{board}/app/web-a"))
        .says("One of 3 apps of the repository web, beside web and web-b.");
}

#[test]
fn the_page_of_a_stage_says_what_soaks_and_what_comes_before_and_after() {
    let world = three_stages();
    let board = board_by_invocation(&world);
    let page = get(&world, &format!("{board}/app/web-us"));
    page.says("Comes after web: an image must first run there for 1 h.");
    page.says("web-eu comes after it.");
    page.says("Next: soaks in web until 10:41 in 59 min");
    page.says("9fceb02. Runs in web since 09:41");
    page.says("It may come here after 1 h there").says("Then people are asked.");
    assert!(page.body.contains("title=\"Tue 17 Mar 2026, 10:41:"));
    assert!(page.body.contains("<title>web-us: soaking until 10:41"), "{}", page.body);
    assert!(page.body.contains("<nav aria-label=\"Stages of web\">"));
    assert_eq!(page.body.matches("aria-current=\"page\"").count(), 1);
    for other in ["web", "web-us", "web-eu"] {
        let linked = get(&world, &page.link(&format!("/app/{other}")));
        assert_eq!(linked.status, 200, "{other}");
    }
    get(&world, &format!("{board}/app/web")).says("web-us comes after it.");
    // What soaks for the next stage is not what soaks for the one after that.
    let last = get(&world, &format!("{board}/app/web-eu"));
    assert!(!last.text().contains("Next:"), "{}", last.text());
}

#[test]
fn the_page_of_a_stage_shows_its_candidate_and_its_acts() {
    let world = three_stages();
    world.get_mut().now += SignedDuration::from_mins(61);
    look(&world, "web-us");
    let board = board_by_invocation(world.at("web"));
    let page = get(&world, &format!("{board}/app/web-us"));
    page.says("Next: waits for approval").says("9fceb02");
    assert!(!page.text().contains("soaks in web until"), "{}", page.text());
    let act = page.link("/act/approve/web-us");
    get(&world, &act).says("Approve");
}

#[test]
fn a_stage_before_that_cannot_be_read_breaks_no_page() {
    let world = three_stages();
    let board = board_by_invocation(&world);
    let address = format!("{board}/app/web-us");
    let before = world.get().calls.len();
    get(&world, &address);
    let calls = world.get().calls[before..].to_vec();
    let at = calls.iter().position(|call| call == "Query stage").expect("it is read");
    let fail_at = world.get().calls.len() + at;
    world.get_mut().fault = Some((fail_at, Fault::Before));
    let page = get(&world, &address);
    assert_eq!(page.status, 200);
    page.says("What runs there could not be read just now.");
    page.says("Next: soaks in web until 10:41");
}

#[test]
fn a_stage_after_an_app_that_is_not_configured_keeps_its_line_and_its_page() {
    let world = Memory::new("auto");
    let config = json!({ "repository": "web", "stack": "us", "after": { "app": "web-stagin" } });
    world.add_app("web-us", &stack_id("us"), config);
    let board = board_by_invocation(&world);
    let page = get(&world, &board);
    assert_eq!(page.body.matches("class=\"name\"").count(), 2, "{}", page.text());
    page.says("web 2 stages").says("after web-stagin · ");
    get(&world, &format!("{board}/app/web-us"))
        .says("Comes after web-stagin")
        .says("web-stagin is not configured");
}

#[test]
fn the_account_and_region_of_a_target_stand_beside_the_stack() {
    let world = Memory::new("auto");
    let target = json!({
        "role": "arn:aws:iam::222222222222:role/ecr-promoter-target", "region": "eu-west-1",
    });
    let config = json!({ "repository": "web", "stack": "web-eu", "target": target });
    let id = STACK_ID.replace("us-east-1:012345678912", "eu-west-1:222222222222");
    world.add_app("web-eu", &id, config);
    let board = board_by_invocation(&world);
    get(&world, &format!("{board}/app/web-eu"))
        .says("Stack web-eu in account 2222-2222-2222, region eu-west-1.");
    let own = get(&world, &format!("{board}/app/web"));
    assert!(!own.text().contains("in account"), "{}", own.text());
}
