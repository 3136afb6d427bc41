//! What people are told of configurations as such: one that cannot be used, and one that is gone. Each once.

use jiff::Timestamp;

use crate::answer::Outcome;
use crate::config::App;
use crate::model::Repository;
use crate::state::{Notice, Roster};

/// What has become so between two looks. `source` names a repository's parameter.
pub fn untold(before: &Roster, after: &Roster, source: impl Fn(&Repository) -> String, now: Timestamp) -> Vec<(App, Notice)> {
    let notice = |repository: &Repository, outcome: Outcome, reason: String| {
        (App::without_configuration(repository, &source(repository)), Notice::new(outcome, "schedule", reason, now))
    };
    let is_new =
        |(repository, trouble): &(&Repository, &Option<String>)| before.apps.get(*repository).and_then(Option::as_ref) != trouble.as_ref();
    let unusable =
        after.apps.iter().filter(is_new).filter_map(|(repository, trouble)| Some(notice(repository, Outcome::Blocked, trouble.clone()?)));
    let deleted = before.apps.keys().filter(|repository| !after.apps.contains_key(*repository)).map(|repository| {
        let reason =
            format!("its configuration, Parameter Store {}, was deleted: ecr-promoter leaves it alone from now on", source(repository));
        notice(repository, Outcome::Ignored, reason)
    });
    unusable.chain(deleted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_became_unusable_or_is_gone_is_told_once() {
        let [good, bad, gone]: [Repository; 3] = ["good", "bad", "gone"].map(|name| name.parse().expect("a name"));
        let look = |before: &Roster, apps: &[(&Repository, Option<&str>)]| {
            let after = Roster { apps: apps.iter().map(|(app, trouble)| ((*app).clone(), trouble.map(str::to_owned))).collect() };
            let notices = untold(before, &after, |app| format!("/apps/{app}"), Timestamp::UNIX_EPOCH);
            let told: Vec<String> = notices.iter().map(|(app, n)| format!("{} {} {}", app.repository, n.outcome, n.reason)).collect();
            (after, told)
        };
        let (first, told) = look(&Roster::default(), &[(&good, None), (&bad, None), (&gone, None)]);
        assert!(told.is_empty());
        let (second, told) = look(&first, &[(&good, None), (&bad, Some("key `stak`"))]);
        let reason = "its configuration, Parameter Store /apps/gone, was deleted: ecr-promoter leaves it alone from now on";
        assert_eq!(told, ["bad blocked key `stak`".to_owned(), format!("gone ignored {reason}")]);
        assert!(look(&second, &[(&good, None), (&bad, Some("key `stak`"))]).1.is_empty());
        assert_eq!(look(&second, &[(&good, None), (&bad, Some("key `mod`"))]).1, ["bad blocked key `mod`"]);
        assert!(look(&second, &[(&good, None), (&bad, None)]).1.is_empty());
    }
}
