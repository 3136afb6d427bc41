//! A check of an app before it is needed: what was read about it, and what will not work, each with
//! its mend. Judged without I/O.

pub mod facts;
pub mod finding;
mod lifecycle;
mod people;
pub mod reach;
mod repository;
mod stack;
pub mod template;

use serde::Serialize;

use crate::model::config::App;
use crate::model::{AppName, Repository};
use facts::Facts;
use finding::{Finding, Level};

/// A question for a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckWanted {
    /// The app; `None` for all.
    pub app: Option<AppName>,
    /// The app with which the page before ended.
    pub after: Option<AppName>,
}

/// The result of the check of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkup {
    /// The app.
    pub app: AppName,
    /// Its repository; absent where its configuration cannot be used.
    pub repository: Option<Repository>,
    /// How many findings are problems.
    pub problems: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// The findings, problems first.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// Judges what was read about an app.
    pub fn of(app: &App, facts: &Facts) -> Self {
        let mut findings = vec![Finding::ok("configuration", format!("{} is valid", app.source))];
        findings.extend(stack::judge(app, facts));
        findings.extend(repository::judge(app, facts));
        findings.extend(reach::judge(app, facts));
        findings.extend(people::judge(app, facts));
        Self::with(&app.name, Some(app.repository.clone()), findings)
    }

    /// The check of an app whose configuration cannot be used.
    pub fn unusable(app: &AppName, error: &str) -> Self {
        let mend = "correct that parameter; nothing of this app works until then";
        Self::with(app, None, vec![Finding::problem("configuration", error, mend)])
    }

    /// The check of an app for which there was no time.
    pub fn unfinished(app: &AppName) -> Self {
        let says = "it could not be checked in time: something that it reads does not answer";
        let mend = "check it alone, and look at the function's log";
        Self::with(app, None, vec![Finding::problem("time", says, mend)])
    }

    fn with(app: &AppName, repository: Option<Repository>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.level);
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self {
            app: app.clone(),
            repository,
            problems: count(Level::Problem),
            warnings: count(Level::Warning),
            findings,
        }
    }
}

#[cfg(test)]
mod tests;
