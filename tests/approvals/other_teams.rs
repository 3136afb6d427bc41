//! People of other teams and organisations, and where the app is installed.

use ecr_promoter::slack::team::Installation;
use serde_json::{Value, json};

use super::refused::is_refused;
use super::steps::{asked, asking, assert_nothing_was_promoted, button, command_by, of_two};
use crate::support::signature::form;
use crate::support::slack::{ALICE, CHANNEL, MALLORY, TEAM, interaction, signed};
use crate::support::steps::assert_runs;
use crate::support::world::Memory;

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
    let words = form(&command_by(ALICE, "T2", "web"));
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
