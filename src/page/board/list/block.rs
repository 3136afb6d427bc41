//! The blocks of the list: an app by itself, or all apps of one repository side by side.

use jiff::Timestamp;
use maud::{Markup, html};

use super::line::{Among, line};
use crate::model::AppName;
use crate::page::board::Viewer;
use crate::page::board::filter::Filter;
use crate::page::board::row::Row;
use crate::page::board::stages::{Family, families};
use crate::page::commits::Named;
use crate::page::condition::{Condition, Group, Kind};
use crate::page::words::count;

/// One app of a block.
pub(super) struct Judged<'a> {
    row: &'a Row,
    /// Its condition.
    pub(super) condition: Condition,
    /// Whether the filter takes this app itself.
    pub(super) is_match: bool,
}

/// What stands together on the list.
pub(super) struct Block<'a> {
    family: Family<'a>,
    /// The apps, in their order.
    pub(super) apps: Vec<Judged<'a>>,
}

/// All blocks, in the order in which they stand on the list.
pub(super) fn blocks<'a>(rows: &'a [Row], filter: &Filter, now: Timestamp) -> Vec<Block<'a>> {
    let judge = |row: &'a Row| {
        let condition = row.condition(now);
        let is_match = filter.takes(&row.searched(&condition), condition.kind.group());
        Judged { row, condition, is_match }
    };
    let block = |family: Family<'a>| {
        let apps = family.apps.iter().copied().map(judge).collect();
        let mut block = Block { family, apps };
        block.share();
        block
    };
    let mut blocks: Vec<Block<'a>> = families(rows).into_iter().map(block).collect();
    blocks.sort_by(|a, b| (a.worst().rank(), a.name()).cmp(&(b.worst().rank(), b.name())));
    blocks
}

impl Block<'_> {
    /// The condition that needs somebody most. The block stands where an app with it would.
    fn worst(&self) -> &Condition {
        let conditions = self.apps.iter().map(|app| &app.condition);
        conditions.min_by_key(|condition| condition.rank()).expect("a block has an app")
    }

    /// The section that it stands in.
    pub(super) fn section(&self) -> Group {
        self.worst().kind.group()
    }

    /// How many of its apps are in this state.
    pub(super) fn count(&self, group: Group) -> usize {
        self.apps.iter().filter(|app| app.condition.kind.group() == group).count()
    }

    fn name(&self) -> &str {
        match (&self.family.repository, self.apps.as_slice()) {
            (Some(repository), [_, _, ..]) => repository.as_str(),
            (_, apps) => apps[0].row.name.as_str(),
        }
    }

    /// Lets each app know what the others know: the commit of an image, and since when an image
    /// that soaks has run in the stage before.
    fn share(&mut self) {
        if self.apps.len() < 2 {
            return;
        }
        let known: Vec<(AppName, Option<Timestamp>, Named)> = self
            .apps
            .iter()
            .filter_map(|app| {
                Some((app.row.name.clone(), app.condition.since, app.condition.runs.clone()?))
            })
            .collect();
        for Judged { row, condition, .. } in &mut self.apps {
            let own = condition.runs.as_mut().into_iter().chain(condition.next.as_mut());
            own.for_each(|image| known.iter().for_each(|(_, _, other)| image.learn(other)));
            if condition.kind == Kind::Soaking
                && let (Some(after), Some(next)) = (row.after(), &condition.next)
            {
                let is_it = |name: &AppName, runs: &Named| *name == after.app && runs.is_same(next);
                let source = known.iter().find(|(name, _, runs)| is_it(name, runs));
                condition.since = source.and_then(|(_, since, _)| *since);
            }
        }
    }

    /// The newest image of a group: what the first stage is about to run, or else runs.
    fn lead(&self) -> Option<Named> {
        let first = self.apps.iter().filter(|app| app.row.after().is_none());
        let first: Vec<&Condition> = first.map(|app| &app.condition).collect();
        let all = self.apps.iter().map(|app| &app.condition);
        let comes = |condition: &&Condition| {
            // What has failed goes nowhere.
            condition.next.clone().filter(|_| condition.kind != Kind::Failed)
        };
        first
            .iter()
            .find_map(comes)
            .or_else(|| first.iter().find_map(|condition| condition.runs.clone()))
            .or_else(|| all.clone().find_map(|condition| comes(&condition)))
            .or_else(|| all.clone().find_map(|condition| condition.runs.clone()))
    }

    /// The block as a part of the list.
    pub(super) fn draw(&self, viewer: &Viewer<'_>) -> Markup {
        if let [Judged { row, condition, .. }] = self.apps.as_slice() {
            return line(viewer, row, condition, Among::default());
        }
        let lead = self.lead();
        let lines = self.apps.iter().enumerate().map(|(at, Judged { row, condition, .. })| {
            let before = at.checked_sub(1).map(|at| &self.apps[at].row.name);
            let after = row.after().map(|after| &after.app).filter(|after| before != Some(after));
            let among = Among { prefix: self.family.prefix(), lead: lead.as_ref(), after };
            line(viewer, row, condition, among)
        });
        let has_stages = self.family.has_stages();
        let noun = if has_stages { "stage" } else { "app" };
        html! {
            li class={ "group " (self.worst().kind.tone().class()) } {
                p class="gname" { b { (self.name()) } " " (count(self.apps.len(), noun)) }
                @if has_stages { ol class="track" { @for line in lines { (line) } } }
                @else { ul { @for line in lines { (line) } } }
            }
        }
    }
}
