//! The list of many apps: its order, its filter, and how long it takes.

use std::time::Instant;

use jiff::SignedDuration;

use super::steps::{board_by_invocation, pushed};
use crate::support::browser::get;
use crate::support::many::{add_apps, add_groups};
use crate::support::world::Memory;

/// The names of the apps, in the order in which they stand.
fn names(body: &str) -> Vec<&str> {
    let links = body.split("class=\"name\" href=\"").skip(1);
    links.filter_map(|link| Some(link.split_once('>')?.1.split_once('<')?.0)).collect()
}

#[test]
fn three_hundred_apps_are_shown_within_a_second() {
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    add_apps(&world, 300);
    let board = board_by_invocation(&world);
    let (began, clock) = (world.get().now, Instant::now());
    let page = get(&world, &board);
    let calls = world.get().now.duration_since(began);
    assert!(calls < SignedDuration::from_millis(800), "{calls:?} of calls of 20 ms each");
    let elapsed = clock.elapsed().as_millis();
    assert!(elapsed < 1_000, "{elapsed} ms");
    assert!(page.body.len() < 220_000, "{} bytes", page.body.len());
    assert_eq!(names(&page.body).len(), 301);
    page.says("301 apps").says("Needs somebody 31").says("Moving by itself 30");
    page.says("Held by a person 30").says("Running fine 180").says("Never looked at 30");
    page.says("team/service-000");
    assert_eq!(&names(&page.body)[..2], ["team/service-000", "team/service-010"]);
    assert_eq!(names(&page.body)[30], "web", "asked comes after blocked");
    assert!(page.body.contains("<title>31 need somebody · production · 0123-4567-8912</title>"));
}

#[test]
fn three_hundred_apps_in_groups_are_shown_within_a_second() {
    let world = Memory::new("approval");
    add_groups(&world, 100);
    let board = board_by_invocation(&world);
    let (began, clock) = (world.get().now, Instant::now());
    let page = get(&world, &board);
    let calls = world.get().now.duration_since(began);
    assert!(calls < SignedDuration::from_millis(800), "{calls:?} of calls of 20 ms each");
    assert!(clock.elapsed().as_millis() < 1_000, "{:?}", clock.elapsed());
    assert!(page.body.len() < 250_000, "{} bytes", page.body.len());
    assert_eq!(page.body.matches("class=\"name\"").count(), 301);
    page.says("25 need somebody").says("25 moving").says("250 running fine");
    page.says("Needs somebody 25, and 50 beside them");
    page.says("Moving by itself 25, and 50 beside them");
    page.says("Running fine 150 here, 100 in groups above");
}

#[test]
fn the_list_is_filtered_by_text_and_by_state() {
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    add_apps(&world, 20);
    let board = board_by_invocation(&world);
    let found = |query: &str| {
        let page = get(&world, &format!("{board}{query}"));
        assert_eq!(page.status, 200, "{query}");
        let names = names(&page.body).into_iter().map(str::to_owned).collect::<Vec<_>>();
        (page, names)
    };
    for (query, want) in [
        ("?q=SERVICE-007", &["team/service-007"][..]),
        ("?q=abc1234&state=", &["web"]),
        ("?q=dora", &["team/service-002", "team/service-012"]),
        ("?q=number+5%2C", &["team/service-005"]),
        ("?state=new", &["team/service-003", "team/service-013"]),
        ("?q=service-01&state=needs", &["team/service-010"]),
        ("?q=nothing+has+this", &[]),
    ] {
        let (page, names) = found(query);
        assert_eq!(names, want, "{query}");
        let matches = if want.len() == 1 { "matches" } else { "match" };
        page.says(&format!("{} of 21 apps {matches}", want.len()));
        assert!(page.body.contains(&format!("href=\"{board}\">Show all</a>")), "{query}");
    }
    // The query stays where refreshing is paused, and the field keeps the text.
    let (page, _) = found("?q=a%22%3Cb%3E&state=moving");
    assert!(page.is_refreshed(), "an app that is not shown is under way");
    assert!(page.body.contains("value=\"a&quot;&lt;b&gt;\""), "{}", page.body);
    let still = page.link("&amp;still").replace("&amp;", "&");
    assert_eq!(still, format!("{board}?q=a%22%3Cb%3E&state=moving&still"));
    assert!(!get(&world, &still).is_refreshed());
    for bad in ["?state=all", "?state=needs&state=held", "?q=a&q=b", "?x=1", "?still=1"] {
        assert_eq!(get(&world, &format!("{board}{bad}")).status, 400, "{bad}");
    }
}

#[test]
fn a_board_without_apps_says_how_to_begin() {
    let world = Memory::new("auto");
    world.get_mut().config = serde_json::Value::Null;
    let page = get(&world, &board_by_invocation(&world));
    page.says("No app yet").says("/ecr-promoter/apps/web").says("Look again");
}

#[test]
fn the_environment_that_is_configured_is_in_the_header_and_the_title() {
    let world = Memory::new("auto");
    world.get_mut().environment = Some("<b>staging".to_owned());
    let page = get(&world, &board_by_invocation(&world));
    assert!(page.body.contains("<p class=\"env other\"><b>&lt;b&gt;staging</b>"), "{}", page.body);
    let lost = get(&world, "/nowhere");
    assert_eq!(lost.status, 404);
    assert!(lost.body.contains("· &lt;b&gt;staging</title>"), "{}", lost.body);
    assert!(!lost.body.contains("0123-4567"), "no account without a valid link");
}
