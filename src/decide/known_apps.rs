//! What people are told of configurations as such: one that cannot be used, and one that is gone.
//! Each once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::AppName;
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::known_apps::{KnownApps, Trouble};
use crate::model::notice::Notice;

/// Notices of what has changed since the last full look. `after` has each app, and why its
/// configuration cannot be used. `source` names an app's parameter.
pub fn untold(
    before: &KnownApps,
    after: &BTreeMap<AppName, Option<String>>,
    source: impl Fn(&AppName) -> String,
    now: Timestamp,
) -> Vec<(App, Notice)> {
    let notice = |app: &AppName, outcome: Outcome, reason: String| {
        (
            App::without_configuration(app, &source(app)),
            Notice::new(outcome, "schedule", reason, now),
        )
    };
    let is_told = |app: &AppName, words: &str| {
        before
            .apps
            .get(app)
            .and_then(Option::as_ref)
            .is_some_and(|known| *known == Trouble::of(words))
    };
    let unusable = after.iter().filter_map(|(app, trouble)| {
        let words = trouble.as_ref().filter(|words| !is_told(app, words))?;
        Some(notice(app, Outcome::Blocked, words.clone()))
    });
    let deleted = before.apps.keys().filter(|app| !after.contains_key(*app)).map(|app| {
        let reason = format!(
            "its configuration, Parameter Store {}, was deleted: ecr-promoter leaves it \
                     alone from now on",
            source(app)
        );
        notice(app, Outcome::Ignored, reason)
    });
    unusable.chain(deleted).collect()
}

/// The most apps that are remembered once their configuration was deleted: 1,000 names of the
/// longest kind fit into one item.
const GONE: usize = 1_000;

/// The roster to write once people were told. The apps in `untold` keep their old entry, so that
/// the next full look tells about them.
pub fn told(
    before: &KnownApps,
    after: &BTreeMap<AppName, Option<String>>,
    untold: &BTreeSet<AppName>,
) -> KnownApps {
    let now = after.iter().map(|(app, words)| (app.clone(), words.as_deref().map(Trouble::of)));
    let mut apps: BTreeMap<AppName, Option<Trouble>> = now.collect();
    for app in untold {
        match before.apps.get(app) {
            Some(known) => apps.insert(app.clone(), known.clone()),
            None => apps.insert(app.clone(), None),
        };
    }
    let gone = before.gone.iter().chain(before.apps.keys());
    let gone = gone.filter(|app| !apps.contains_key(*app)).take(GONE).cloned().collect();
    KnownApps { apps, gone }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_became_unusable_or_is_gone_is_told_once() {
        let [good, bad, gone]: [AppName; 3] =
            ["good", "bad", "gone"].map(|name| name.parse().expect("a name"));
        let look = |before: &KnownApps, apps: &[(&AppName, Option<&str>)]| {
            let after = apps
                .iter()
                .map(|(app, trouble)| ((*app).clone(), trouble.map(str::to_owned)))
                .collect();
            let notices =
                untold(before, &after, |app| format!("/apps/{app}"), Timestamp::UNIX_EPOCH);
            let words: Vec<String> = notices
                .iter()
                .map(|(app, n)| format!("{} {} {}", app.name, n.outcome, n.reason))
                .collect();
            (told(before, &after, &BTreeSet::new()), words)
        };
        let (first, told) =
            look(&KnownApps::default(), &[(&good, None), (&bad, None), (&gone, None)]);
        assert!(told.is_empty());
        let (second, told) = look(&first, &[(&good, None), (&bad, Some("key `stak`"))]);
        let reason = "its configuration, Parameter Store /apps/gone, was deleted: ecr-promoter \
                      leaves it alone from now on";
        assert_eq!(told, ["bad blocked key `stak`".to_owned(), format!("gone ignored {reason}")]);
        // The audit still finds it, until it is configured again.
        assert_eq!(second.gone, BTreeSet::from([gone.clone()]));
        assert!(look(&second, &[(&good, None), (&gone, None)]).0.gone.contains(&bad));
        assert!(!look(&second, &[(&good, None), (&gone, None)]).0.gone.contains(&gone));
        assert!(look(&second, &[(&good, None), (&bad, Some("key `stak`"))]).1.is_empty());
        assert_eq!(
            look(&second, &[(&good, None), (&bad, Some("key `mod`"))]).1,
            ["bad blocked key `mod`"]
        );
        assert!(look(&second, &[(&good, None), (&bad, None)]).1.is_empty());
    }

    #[test]
    fn what_could_not_be_told_is_told_by_the_next_look() {
        let [good, bad, gone]: [AppName; 3] =
            ["good", "bad", "gone"].map(|name| name.parse().expect("a name"));
        let before = KnownApps {
            apps: [(good.clone(), None), (gone.clone(), None)].into(),
            gone: BTreeSet::new(),
        };
        let after = BTreeMap::from([
            (good.clone(), Some("key `stak`".to_owned())),
            (bad.clone(), Some("key `mod`".to_owned())),
        ]);
        let about = |before: &KnownApps| -> Vec<String> {
            let notices =
                untold(before, &after, |app| format!("/apps/{app}"), Timestamp::UNIX_EPOCH);
            notices.into_iter().map(|(app, _)| app.name.to_string()).collect()
        };
        assert_eq!(about(&before), ["bad", "good", "gone"]);
        let nothing =
            told(&before, &after, &BTreeSet::from([good.clone(), bad.clone(), gone.clone()]));
        assert_eq!(about(&nothing), ["bad", "good", "gone"]);
        assert_eq!(about(&told(&before, &after, &BTreeSet::from([gone]))), ["gone"]);
        assert!(about(&told(&before, &after, &BTreeSet::new())).is_empty());
    }
}
