//! The apps of one repository: which ones belong together, and in which order they stand. A
//! configuration may be wrong: no app is left out because of that.

use std::collections::BTreeMap;

use super::row::Row;
use crate::model::{AppName, Repository};

/// What stands between the parts of a name.
const SEPARATORS: [char; 4] = ['-', '_', '.', '/'];

/// The apps of one repository, in the order of their stages.
pub struct Family<'a> {
    /// The repository; `None` for an app that names none.
    pub repository: Option<Repository>,
    /// The apps: those that come after no other first, then those after them, and so on. Those at
    /// the same place stand by name.
    pub apps: Vec<&'a Row>,
}

impl Family<'_> {
    /// The names of its apps.
    pub fn names(&self) -> Vec<AppName> {
        self.apps.iter().map(|row| row.name.clone()).collect()
    }

    /// Whether this app is one of them.
    pub fn has(&self, name: &AppName) -> bool {
        self.apps.iter().any(|row| row.name == *name)
    }

    /// Whether some of its apps come after others.
    pub fn has_stages(&self) -> bool {
        self.apps.iter().any(|row| row.after().is_some())
    }

    /// What the names of the apps begin with, which the name of the repository says too.
    pub fn prefix(&self) -> &str {
        let names: Vec<&str> = self.apps.iter().map(|row| row.name.as_str()).collect();
        prefix(&names, self.repository.as_ref().map_or("", Repository::as_str))
    }
}

/// Puts the apps of each repository together. An app whose configuration cannot be used belongs to
/// those that come after it, else to the repository of its name.
pub fn families(rows: &[Row]) -> Vec<Family<'_>> {
    let apps = rows.iter().filter_map(|row| row.app.as_ref().ok());
    let followed: BTreeMap<&AppName, &Repository> =
        apps.filter_map(|app| Some((&app.config.after.as_ref()?.app, &app.repository))).collect();
    let repository = |row: &Row| match &row.app {
        Ok(app) => Some(app.repository.clone()),
        Err(_) => followed.get(&row.name).copied().cloned().or_else(|| row.name.repository()),
    };
    let mut families: BTreeMap<Repository, Vec<&Row>> = BTreeMap::new();
    let mut alone = Vec::new();
    for row in rows {
        match repository(row) {
            Some(repository) => families.entry(repository).or_default().push(row),
            None => alone.push(Family { repository: None, apps: vec![row] }),
        }
    }
    let families = families
        .into_iter()
        .map(|(repository, apps)| Family { repository: Some(repository), apps: in_order(apps) });
    families.chain(alone).collect()
}

/// Puts the apps of one repository into the order of their stages.
fn in_order(mut apps: Vec<&Row>) -> Vec<&Row> {
    let after: BTreeMap<&AppName, Option<&AppName>> =
        apps.iter().map(|row| (&row.name, row.after().map(|after| &after.app))).collect();
    apps.sort_by_cached_key(|row| (place(&after, &row.name), &row.name));
    apps
}

/// How many stages come before an app. Where one of them is unknown, the app stands behind all
/// others; in a circle, at the end.
fn place(after: &BTreeMap<&AppName, Option<&AppName>>, name: &AppName) -> usize {
    let mut at = name;
    for steps in 0..after.len() {
        match after.get(at) {
            Some(Some(earlier)) => at = earlier,
            Some(None) => return steps,
            None => return after.len() + steps,
        }
    }
    match after.get(at) {
        Some(_) => usize::MAX,
        None => 2 * after.len(),
    }
}

/// What all of these names begin with, up to a separator. The name of the repository itself may
/// stand among them.
fn prefix<'a>(names: &[&'a str], repository: &str) -> &'a str {
    let others = || names.iter().copied().filter(|name| *name != repository);
    let Some(first) = others().next() else { return "" };
    let common = |so_far: usize, name: &str| {
        let same = first.bytes().zip(name.bytes()).take(so_far).take_while(|(a, b)| a == b);
        same.count()
    };
    let length = if others().count() < names.len() {
        let is_longer = |name: &str| {
            let rest = name.strip_prefix(repository);
            rest.is_some_and(|rest| rest.starts_with(SEPARATORS))
        };
        if others().all(is_longer) { repository.len() + 1 } else { 0 }
    } else if names.len() < 2 {
        0
    } else {
        let common = others().fold(first.len(), common);
        first[..common].rfind(SEPARATORS).map_or(0, |at| at + 1)
    };
    if names.contains(&&first[..length]) { "" } else { &first[..length] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::App;

    /// An app of the repository `web`, or of its own.
    fn row(name: &str, config: Option<&str>) -> Row {
        let name: AppName = name.parse().expect("a name");
        let app = match config {
            Some(config) => App::parse(&name, "x", config).map_err(|error| error.to_string()),
            None => Err("broken".to_owned()),
        };
        Row { name, app, state: Ok(None), stack: None }
    }

    fn stage(name: &str, after: &str) -> Row {
        let after = match after {
            "" => String::new(),
            after => format!(r#", "after": {{"app": "{after}"}}"#),
        };
        row(name, Some(&format!(r#"{{"repository": "web", "stack": "x"{after}}}"#)))
    }

    fn names(rows: &[Row]) -> Vec<String> {
        let names = |family: &Family<'_>| {
            let names: Vec<&str> = family.apps.iter().map(|row| row.name.as_str()).collect();
            names.join(" ")
        };
        families(rows).iter().map(names).collect()
    }

    #[test]
    fn stages_stand_in_their_order_whatever_the_configurations_say() {
        let table: [(&[(&str, &str)], &str); 6] = [
            (&[("c", "b"), ("b", "a"), ("a", "")], "a b c"),
            (&[("z", ""), ("b", "z"), ("a", "z"), ("c", "a")], "z a b c"),
            (&[("b", ""), ("a", ""), ("z", "a")], "a b z"),
            (&[("a", "b"), ("b", "a"), ("c", "")], "c a b"),
            (&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "")], "d a b c"),
            (&[("a", "gone"), ("b", ""), ("c", "b"), ("d", "a")], "b c a d"),
        ];
        for (apps, want) in table {
            let rows: Vec<Row> = apps.iter().map(|(name, after)| stage(name, after)).collect();
            assert_eq!(names(&rows), [want], "{apps:?}");
            let is_chain = apps.iter().any(|(_, after)| !after.is_empty());
            assert_eq!(families(&rows)[0].has_stages(), is_chain);
        }
    }

    #[test]
    fn an_app_that_cannot_be_used_stays_with_those_of_its_repository() {
        let rows = [
            stage("us", "staging"),
            row("staging", None),
            row("web", None),
            row("shop", Some(r#"{"stack": "shop"}"#)),
            row("other", None),
        ];
        assert_eq!(names(&rows), ["other", "shop", "staging web us"]);
    }

    #[test]
    fn a_prefix_ends_at_a_separator_and_leaves_something_of_each_name() {
        for (names, want) in [
            (&["web-staging", "web-us", "web-eu"][..], "web-"),
            (&["team/web-us", "team/web-eu"], "team/web-"),
            (&["web-us-east", "web-us-west"], "web-us-"),
            (&["web", "web-us", "web-eu"], "web-"),
            (&["web", "web-us-east"], "web-"),
            (&["web", "shop"], ""),
            (&["web", "webshop"], ""),
            (&["webus", "webeu"], ""),
            (&["web-us"], ""),
            (&["web"], ""),
        ] {
            assert_eq!(prefix(names, "web"), want, "{names:?}");
        }
    }
}
