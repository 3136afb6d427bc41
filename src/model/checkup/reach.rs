//! What lies around the stack: the app before it, the registry it pulls from, its services and its
//! alarms.

use super::facts::Facts;
use super::finding::Finding;
use crate::model::config::App;

pub(super) fn judge(app: &App, facts: &Facts) -> Vec<Finding> {
    [of_target(app, facts), of_earlier(app, facts), of_replica(app, facts)]
        .into_iter()
        .chain([of_services(facts)])
        .flatten()
        .chain(of_alarms(app, facts))
        .collect()
}

fn of_target(app: &App, facts: &Facts) -> Option<Finding> {
    let role = app.config.target.as_ref()?.role.as_ref()?;
    // The stack's own finding says why it cannot be read.
    facts.stack.is_ok().then(|| Finding::ok("target-role", format!("{role} can be assumed")))
}

fn of_earlier(app: &App, facts: &Facts) -> Option<Finding> {
    const ABOUT: &str = "after";
    let after = &app.config.after.as_ref()?.app;
    Some(match facts.earlier.as_ref()? {
        Ok(Ok(())) => Finding::ok(ABOUT, format!("its images come from `{after}`")),
        Ok(Err(problem)) => {
            let mend = "name in `after.app` an app of the same repository that does not come after \
                        this one";
            Finding::problem(ABOUT, problem.clone(), mend)
        }
        Err(error) => Finding::unread(ABOUT, &format!("the app `{after}`"), error),
    })
}

fn of_replica(app: &App, facts: &Facts) -> Option<Finding> {
    const ABOUT: &str = "replication";
    let registry = app.config.target.as_ref()?.registry.as_ref()?;
    Some(match facts.replica.as_ref()? {
        Ok(Some(digest)) => {
            Finding::ok(ABOUT, format!("{registry} has the tag that runs, on {}", digest.short()))
        }
        Ok(None) => Finding::warning(
            ABOUT,
            format!("{registry} does not have the tag that runs: a promotion would wait for it"),
            format!(
                "let ECR replicate `{}` to that registry (a replication rule with this prefix, and \
                 a registry policy there), or leave out `target.registry` if the stack pulls from \
                 here",
                app.repository
            ),
        ),
        Err(error) => Finding::unread(ABOUT, &format!("the registry {registry}"), error),
    })
}

fn of_services(facts: &Facts) -> Option<Finding> {
    const ABOUT: &str = "services";
    Some(match facts.services.as_ref()? {
        Ok(0) => Finding::warning(
            ABOUT,
            "no ECS service of the stack runs this repository: a promotion counts as deployed as \
             soon as CloudFormation is done",
            "nothing, if the stack starts tasks by itself; else compare the repository in its task \
             definition",
        ),
        Ok(1) => Finding::ok(ABOUT, "1 ECS service of the stack runs this repository"),
        Ok(count) => {
            Finding::ok(ABOUT, format!("{count} ECS services of the stack run this repository"))
        }
        Err(error) => {
            let says = format!("what ECS runs cannot be read: {}", error.words);
            let mend = "deploy the function with VerifyServices=true and the right EcsServices, or \
                        set \"verify\": false; until then promotions end as `not verified`";
            Finding::warning(ABOUT, says, mend)
        }
    })
}

fn of_alarms(app: &App, facts: &Facts) -> Vec<Finding> {
    const ABOUT: &str = "alarms";
    let Some(read) = &facts.alarms else { return Vec::new() };
    let found = match read {
        Ok(found) => found,
        Err(error) => {
            let says = format!("the alarms cannot be read: {}", error.words);
            let mend = "deploy the function with WatchAlarms=true";
            return vec![match &app.config.bake {
                Some(_) => Finding::problem(ABOUT, says, mend),
                // CloudFormation reads these itself.
                None => Finding::warning(ABOUT, says, mend),
            }];
        }
    };
    let named = named_alarms(app);
    let mut findings: Vec<Finding> = Vec::new();
    for name in &named {
        match found.iter().find(|alarm| alarm.is_called(name)) {
            None => findings.push(Finding::problem(
                ABOUT,
                format!("there is no alarm `{name}`"),
                "make it, or correct its name in `bake.alarms` or `rollback.alarms`",
            )),
            Some(alarm) if alarm.is_on() => findings.push(Finding::warning(
                ABOUT,
                format!(
                    "`{name}` is in ALARM now: in a bake it counts for nothing while it stays so, and \
                     as a rollback alarm it ends each update at once"
                ),
                "find out why, or choose one that is quiet in good times",
            )),
            Some(_) => {}
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(ABOUT, format!("{} are there and quiet", named.join(", "))));
    }
    findings
}

/// The alarms that an app's configuration names.
pub fn named_alarms(app: &App) -> Vec<String> {
    let bake = app.config.bake.iter().flat_map(|bake| bake.alarms.iter().cloned());
    let rollback = app.config.rollback.iter().flat_map(|rollback| rollback.alarms.iter().cloned());
    bake.chain(rollback).collect()
}
