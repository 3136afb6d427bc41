//! The repository, its tags, and what would delete them.

use super::facts::{Facts, Read};
use super::finding::Finding;
use super::lifecycle::{Danger, danger};
use crate::model::Digest;
use crate::model::config::App;
use crate::model::image::TagMutability;

/// A production tag without its prefix, for questions about such tags.
const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

pub(super) fn judge(app: &App, facts: &Facts) -> Vec<Finding> {
    const ABOUT: &str = "repository";
    let name = &app.repository;
    let mutability = match &facts.repository {
        Ok(Some(mutability)) => mutability,
        Ok(None) => {
            let says = format!("there is no repository `{name}` in this account and region");
            let mend = "make it, or correct the key `repository`";
            return vec![Finding::problem(ABOUT, says, mend)];
        }
        Err(error) => {
            let says = format!("the repository `{name}` cannot be read: {}", error.words);
            let mend = "name it in the template's parameter Repository or MoreRepositoryArns";
            return vec![Finding::problem(ABOUT, says, mend)];
        }
    };
    let mut findings = vec![Finding::ok(ABOUT, format!("`{name}` is there"))];
    findings.extend(facts.newest.iter().map(|newest| of_candidate(app, newest)));
    findings.extend(of_mutability(app, mutability));
    findings.push(of_lifecycle(app, &facts.lifecycle));
    findings
}

fn of_candidate(app: &App, newest: &Read<Option<Digest>>) -> Finding {
    const ABOUT: &str = "candidate";
    let tag = &app.config.source_tag;
    match newest {
        Ok(Some(digest)) => Finding::ok(ABOUT, format!("`{tag}` is on {}", digest.short())),
        Ok(None) => Finding::warning(
            ABOUT,
            format!("no image has the tag `{tag}` yet"),
            "push one from CI, or name in the key `source_tag` the tag that CI pushes",
        ),
        Err(error) => Finding::unread(ABOUT, &format!("the image of `{tag}`"), error),
    }
}

fn of_mutability(app: &App, mutability: &TagMutability) -> Vec<Finding> {
    const ABOUT: &str = "tag-mutability";
    let config = &app.config;
    let mut findings = Vec::new();
    if app.candidate_tag().is_some_and(|tag| !mutability.can_move(tag)) {
        let says = format!("`{}` is immutable: CI can push it only once", config.source_tag);
        findings.push(Finding::problem(ABOUT, says, exclude(app)));
    }
    let production = format!("{}{COMMIT}", config.tag_prefix).parse();
    if production.is_ok_and(|tag| mutability.can_move(&tag)) {
        let says = format!(
            "tags `{}…` can be moved: whoever may push could put another image into production at \
             the next task's start, and a promotion takes one call longer",
            config.tag_prefix
        );
        findings.push(Finding::warning(ABOUT, says, exclude(app)));
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok(ABOUT, "production tags are immutable, and the source tag moves"));
    }
    findings
}

/// The command that makes all tags but the source tag immutable.
fn exclude(app: &App) -> String {
    format!(
        "aws ecr put-image-tag-mutability --repository-name {} --image-tag-mutability \
         IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters \
         filterType=WILDCARD,filter={}",
        app.repository, app.config.source_tag
    )
}

fn of_lifecycle(app: &App, policy: &Read<Option<String>>) -> Finding {
    const ABOUT: &str = "lifecycle";
    let policy = match policy {
        Ok(Some(policy)) => policy,
        Ok(None) => return Finding::ok(ABOUT, "the repository has no lifecycle policy"),
        Err(error) => return Finding::unread(ABOUT, "the lifecycle policy", error),
    };
    let prefix = &app.config.tag_prefix;
    let keep = format!(
        "let the rule with the lowest number select `{prefix}*` alone and keep at least 100 of its \
         images: no later rule takes these (examples/repository.yaml)"
    );
    match danger(policy, prefix, app.config.source_tag.as_str()) {
        Ok(None) => Finding::ok(ABOUT, "no rule of the lifecycle policy touches production tags"),
        Ok(Some(Danger::Production(rule))) => {
            let says = format!(
                "{rule} also takes images with tags `{prefix}…`: one that runs, or \
                                is to be rolled back to, would be gone"
            );
            Finding::problem(ABOUT, says, keep)
        }
        Ok(Some(Danger::Old(rule, count))) => {
            let says =
                format!("{rule} keeps the newest {count}: nothing older can be gone back to");
            Finding::ok(ABOUT, says)
        }
        Ok(Some(Danger::Beside(rule))) => {
            let says = format!(
                "{rule} takes images by a tag of CI's: an image goes with all its \
                                tags, also one that runs in production"
            );
            Finding::warning(ABOUT, says, keep)
        }
        Err(problem) => {
            let says = format!("the lifecycle policy cannot be judged: {problem}");
            Finding::warning(ABOUT, says, "see for yourself that it keeps production tags")
        }
    }
}
