//! Large and slow: searches among more images than can be read, and looks at more apps than one
//! invocation has time for.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ecr_promoter::error::Error;
use ecr_promoter::model::AppName;
use ecr_promoter::model::answer::Answer;
use ecr_promoter::model::config::App;
use ecr_promoter::model::known_apps::Unfinished;
use ecr_promoter::model::report::Reply;
use ecr_promoter::model::state::{State, Waiting};
use ecr_promoter::schedule::{look_at_configured, look_at_several};
use ecr_promoter::world::Apps;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::interleave::{run, yield_now};
use support::steps::{command, push};
use support::world::Memory;

// Searches by commit

/// An update is never sent on reads that are more than some seconds old: the search itself took
/// longer than that.
#[test]
fn a_search_that_takes_a_while_is_made_once_and_acted_on() {
    let world = Memory::new("auto");
    world.push("abc1234");
    world.get_mut().search.0 = SignedDuration::from_secs(20);
    command(&world, "promote web abc1234", "promoted");
    let calls = world.get().calls.clone();
    assert_eq!(
        calls.iter().filter(|call| *call == "ListImages").count(),
        1,
        "one search: {calls:?}"
    );
}

/// The candidate's commit is in the question: that the rest cannot be searched stops no approval.
#[test]
fn a_commit_that_the_state_knows_is_found_in_a_repository_that_cannot_be_searched() {
    let world = Memory::new("approval");
    push(&world, "9fceb02", "approval_requested");
    world.get_mut().search.1 = 5_000;
    command(&world, "approve web 9fceb02", "promoted");
    assert_eq!(world.value(), "production_9fceb02");
    command(&world, "promote web fffffff", "refused");
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_words_that_work() {
    for words in
        ["approve web 9fceb02", "promote web 9fceb02", "rollback web 9fceb02", "reject web 9fceb02"]
    {
        let world = Memory::new("approval");
        world.push("abc1234");
        world.get_mut().search.1 = 1_200;
        let answer = command(&world, words, "refused");
        assert_eq!(
            answer["reason"],
            "`web` has too many images to search all of them for commit 9fceb02 (1200 were not \
             read). Name the image by its digest \
             (`sha256:…`), or by its production tag (`production_…`) if it has one",
        );
    }
}

#[test]
fn of_a_search_that_is_not_whole_one_match_is_named_and_not_taken() {
    let world = Memory::new("auto");
    let digest = world.push("9fceb02");
    world.get_mut().search.1 = 1_200;
    let answer = command(&world, "promote web 9fceb02", "refused");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains(&format!("found so far: {digest}")), "{reason}");
    let by_digest =
        json!({ "action": "promote", "repository": "web", "digest": digest }).to_string();
    command(&world, &by_digest, "promoted");
}

#[test]
fn a_refusal_lists_some_images_and_counts_the_others() {
    let world = Memory::new("auto");
    for _ in 0..25 {
        world.push("9fceb02");
    }
    let answer = command(&world, "promote web 9fceb02", "refused");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("25 images of `web` were built from a commit 9fceb02: sha256:"),
        "{reason}"
    );
    assert!(reason.ends_with(" and 15 more. Name the digest"), "{reason}");
}

// Looks at more apps than there is time for

/// An hour has the full look and twelve looks at open work.
const TICKS: usize = 12;

/// `web` and these further apps, of which each look takes this long.
struct Many {
    world: Memory,
    takes: SignedDuration,
    looked_at: RefCell<Vec<String>>,
    fails: BTreeSet<String>,
}

impl Many {
    fn new(further: usize, takes: SignedDuration) -> Self {
        let world = Memory::new("auto");
        let app = |n: usize| {
            (format!("app-{n:04}").parse().expect("a name"), (json!({ "stack": "web" }), None))
        };
        world.get_mut().others = (0..further).map(app).collect();
        Self { world, takes, looked_at: RefCell::default(), fails: BTreeSet::new() }
    }

    /// One invocation of a minute: what it answers, and whom it looked at.
    fn look(&self, only_open_work: bool) -> (Result<Value, Error>, Vec<String>) {
        let sandbox = self.world.sandbox();
        let deadline = self.world.get().now + SignedDuration::from_secs(60);
        let before = self.looked_at.borrow().len();
        let answer = run_in_time(look_at_configured(
            &sandbox,
            only_open_work,
            Some(deadline),
            async |app: &App| {
                yield_now().await;
                self.look_at(app)
            },
        ));
        let now = self.world.get().now;
        assert!(
            now < deadline,
            "the invocation is ended by Lambda: {}",
            now.duration_since(deadline)
        );
        (answer.map(|reply| json!(reply)), self.looked_at.borrow()[before..].to_vec())
    }

    fn look_at(&self, app: &App) -> Result<Reply, Error> {
        self.world.get_mut().now += self.takes;
        let name = app.name.to_string();
        self.looked_at.borrow_mut().push(name.clone());
        if self.fails.contains(&name) {
            return Err(Error::Unexpected { resource: name, problem: "it is broken".to_owned() });
        }
        Ok(Answer::ignored("looked at").about(app).into())
    }

    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        self.looked_at
            .borrow()
            .iter()
            .for_each(|name| *times.entry(name.clone()).or_default() += 1);
        times
    }

    fn unfinished(&self) -> Unfinished {
        self.world.get().unfinished.clone().map(|(unfinished, _)| unfinished).unwrap_or_default()
    }

    /// Something waits for the stack of these apps.
    fn open(&self, apps: impl IntoIterator<Item = usize>) {
        let now = self.world.get().now;
        for n in apps {
            let waiting = Waiting {
                since: now,
                outcome: ecr_promoter::model::answer::Outcome::Queued,
                reason: String::new(),
            };
            let state = State { waiting: Some(waiting), ..State::new("web", "ProductionTag") };
            let name: AppName = format!("app-{n:04}").parse().expect("a name");
            self.world.get_mut().others.get_mut(&name).expect("an app").1 = Some(state);
        }
    }
}

/// Time limits need a runtime, although none is ever reached here.
fn run_in_time<T>(future: impl Future<Output = T>) -> T {
    let clock =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock");
    let _entered = clock.enter();
    run(future)
}

#[test]
fn a_look_that_runs_out_of_time_goes_on_at_the_next_tick() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    let (answer, first) = many.look(false);
    let answer = answer.expect("an answer");
    assert!((40..=61).contains(&first.len()), "{}", first.len());
    assert_eq!(
        (answer["results"].as_array().map(Vec::len), &answer["left"]),
        (Some(first.len()), &json!(100 - first.len()))
    );

    let (answer, second) = many.look(true);
    assert_eq!(answer.expect("an answer")["left"], json!(100 - first.len() - second.len()));
    let (answer, third) = many.look(true);
    assert_eq!(answer.expect("an answer")["left"], Value::Null);
    assert_eq!([first, second, third].concat().len(), 100);
    assert!(many.times().values().all(|times| *times == 1), "{:?}", many.times());

    let calls = many.world.get().calls.len();
    let (answer, fourth) = many.look(true);
    assert_eq!((answer.expect("an answer"), fourth), (json!({ "results": [] }), vec![]));
    assert_eq!(
        many.world.get().calls[calls..],
        ["GetItem unfinished", "GetParametersByPath", "BatchGetItem"]
    );
}

/// 5,000 apps, of which AWS lets 5 be looked at in a second.
#[test]
fn all_of_five_thousand_apps_are_looked_at_within_two_hours_of_ticks() {
    let many = Many::new(4_999, SignedDuration::from_millis(200));
    for _ in 0..2 {
        many.look(false).0.expect("an answer");
        for _ in 0..TICKS {
            many.look(true).0.expect("an answer");
        }
    }
    let times = many.times();
    assert_eq!(times.len(), 5_000);
    // The hours that follow find nobody left behind either.
    for _ in 0..2 {
        many.look(false).0.expect("an answer");
        for _ in 0..TICKS {
            many.look(true).0.expect("an answer");
        }
    }
    let times = many.times();
    assert!(
        times.values().all(|times| (1..=3).contains(times)),
        "{:?} {:?}",
        times.values().min(),
        times.values().max()
    );
}

#[test]
fn an_hour_that_begins_while_a_round_is_under_way_starts_another_after_it() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    let (_, first) = many.look(false);
    let (_, second) = many.look(false);
    assert_eq!(
        first.iter().filter(|name| second.contains(name)).count(),
        0,
        "it goes on, and does not begin anew"
    );
    for _ in 0..4 {
        many.look(true).0.expect("an answer");
    }
    assert!(many.times().values().all(|times| *times == 2), "{:?}", many.times());
    assert!(!many.unfinished().is_due());
}

#[test]
fn one_that_fails_in_a_round_is_told_and_the_round_goes_on() {
    let mut many = Many::new(99, SignedDuration::from_secs(1));
    many.fails = ["app-0000", "app-0060"].map(str::to_owned).into();
    for (look, only_open_work, fails) in
        [(1, false, Some("`app-0000`")), (2, true, Some("`app-0060`")), (3, true, None)]
    {
        let error = many.look(only_open_work).0.err().map(|error| error.to_string());
        assert_eq!(error.is_some(), fails.is_some(), "look {look}: {error:?}");
        assert!(fails.is_none_or(|name| error.expect("an error").contains(name)), "look {look}");
    }
    assert_eq!(many.times().len(), 100);
}

#[test]
fn an_app_that_came_or_went_while_a_round_is_under_way_disturbs_nobody() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    let (_, first) = many.look(false);
    let next = many.unfinished().next.expect("there is more");
    many.world.get_mut().others.remove(&next);
    many.world
        .get_mut()
        .others
        .insert("app-new".parse().expect("a name"), (json!({ "stack": "web" }), None));
    for _ in 0..2 {
        many.look(true).0.expect("an answer");
    }
    assert_eq!(
        many.times().len(),
        99,
        "all but the one that is gone; the new one is known from the next hour on"
    );
    assert!(!first.contains(&"app-new".to_owned()));
    many.look(false).0.expect("an answer");
    many.look(true).0.expect("an answer");
    many.look(true).0.expect("an answer");
    assert_eq!(many.times()["app-new"], 1);
}

#[test]
fn more_open_work_than_there_is_time_for_is_looked_at_in_turn() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    many.look(false).0.expect("an answer");
    many.look(true).0.expect("an answer");
    many.look(true).0.expect("an answer");
    many.looked_at.borrow_mut().clear();
    many.open(0..90);
    for _ in 0..2 {
        let (answer, looked_at) = many.look(true);
        assert_eq!(answer.expect("an answer")["left"], json!(90 - looked_at.len()));
    }
    assert!(many.times().len() >= 80, "{}", many.times().len());
    many.look(true).0.expect("an answer");
    assert_eq!(many.times().len(), 90);
    assert!(many.times().values().all(|times| *times <= 2), "{:?}", many.times());
}

/// Neither keeps the other from its turn.
#[test]
fn open_work_and_the_round_through_all_apps_share_the_time() {
    let many = Many::new(199, SignedDuration::from_secs(1));
    many.open(0..100);
    many.look(false).0.expect("an answer");
    many.looked_at.borrow_mut().clear();
    let (_, looked_at) = many.look(true);
    let (open, others): (Vec<String>, Vec<String>) =
        looked_at.into_iter().partition(|name| name.as_str() < "app-0040");
    assert!(open.len() >= 15 && others.len() >= 15, "{} {}", open.len(), others.len());
}

#[test]
fn a_crash_before_it_was_written_where_to_go_on_forgets_nobody() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    many.look(false).0.expect("an answer");
    let (seen, told) = (many.unfinished(), many.looked_at.borrow().len());
    let kept = many.world.get().unfinished.clone();
    many.look(true).0.expect("an answer");
    many.world.get_mut().unfinished = kept;
    many.looked_at.borrow_mut().truncate(told);
    for _ in 0..2 {
        many.look(true).0.expect("an answer");
    }
    assert_eq!(many.times().len(), 100, "{seen:?}");
}

#[test]
fn of_many_failures_some_are_told_in_full() {
    let mut many = Many::new(300, SignedDuration::ZERO);
    many.fails = (0..300).map(|n| format!("app-{n:04}")).collect();
    let error = many.look(false).0.expect_err("they failed").to_string();
    assert!(
        error.starts_with("300 of 301 failed: `app-0000`: app-0000: it is broken; `app-0001`"),
        "{error}"
    );
    assert!(error.ends_with("; and 280 more"), "{error}");
}

#[test]
fn apps_of_one_stack_that_there_is_no_time_for_fail_so_that_lambda_tries_again() {
    let many = Many::new(99, SignedDuration::from_secs(1));
    let sandbox = many.world.sandbox();
    let apps = run(sandbox.apps()).expect("read");
    let deadline = many.world.get().now + SignedDuration::from_secs(60);
    let looked = run_in_time(look_at_several(&sandbox, apps, Some(deadline), async |app: &App| {
        many.look_at(app)
    }));
    let error = looked.expect_err("not all were looked at").to_string();
    assert!(
        error.contains("of 100 failed") && error.contains("the look did not finish in time"),
        "{error}"
    );
}

/// A topic that takes its time, and thousands of configurations that cannot be used: what was told
/// is remembered, the rest is told at the next look.
#[test]
fn troubles_that_there_is_no_time_to_tell_are_told_by_the_next_look() {
    let many = Many::new(199, SignedDuration::ZERO);
    many.look(false).0.expect("an answer");
    many.world
        .get_mut()
        .others
        .values_mut()
        .for_each(|(config, _)| *config = json!({ "stak": "web" }));
    many.world.get_mut().told_in = SignedDuration::from_secs(1);
    let mut told = Vec::new();
    for _ in 0..5 {
        many.look(false).0.expect_err("their configurations cannot be used");
        told.push(many.world.get().told.len());
    }
    assert!((30..60).contains(&told[0]), "{told:?}");
    assert_eq!(told.last(), Some(&199), "each once: {told:?}");
}

/// A call that never ends, as at the end of a broken network: cut off, told, and passed over.
#[tokio::test]
async fn a_look_that_never_ends_keeps_nobody_from_their_turn() {
    let many = Many::new(40, SignedDuration::ZERO);
    let sandbox = many.world.sandbox();
    let look = async |app: &App| match app.name.as_str() {
        "app-0000" | "app-0001" => std::future::pending().await,
        _ => many.look_at(app),
    };
    let deadline = || Some(many.world.get().now + SignedDuration::from_millis(600));
    for only_open_work in [false, true] {
        let looked = look_at_configured(&sandbox, only_open_work, deadline(), &look).await;
        match only_open_work {
            false => {
                let error = looked.expect_err("two are stuck").to_string();
                assert!(
                    error
                        .starts_with("2 of 41 failed: `app-0000`: the look did not finish in time"),
                    "{error}"
                );
            }
            true => assert_eq!(json!(looked.expect("an answer")), json!({ "results": [] })),
        }
    }
    assert_eq!(many.times().len(), 39);
    assert!(!many.unfinished().is_due());
}

/// Thousands of configurations in a Parameter Store that hardly answers: those that are known are
/// looked at all the same.
#[tokio::test]
async fn a_list_that_never_ends_keeps_no_known_app_from_its_turn() {
    let many = Many::new(40, SignedDuration::ZERO);
    let sandbox = many.world.sandbox();
    let deadline = || Some(many.world.get().now + SignedDuration::from_millis(600));
    let look = async |app: &App| many.look_at(app);
    look_at_configured(&sandbox, false, deadline(), &look).await.expect("an answer");
    many.world.get_mut().list_never_ends = true;
    for only_open_work in [false, true, true, true] {
        let error = look_at_configured(&sandbox, only_open_work, deadline(), &look)
            .await
            .expect_err("no list")
            .to_string();
        assert!(error.contains("reading the list of apps did not finish in time"), "{error}");
    }
    assert!(many.times().values().all(|times| *times == 2), "{:?}", many.times());
}
