//! Which image a command names.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::plan::{Decided, First};
use crate::model::command::ImageRef;
use crate::model::{Commit, Digest, Tag};
use crate::text::nearest::did_you_mean;
use crate::world::snapshot::{Matches, Question};

/// How many images a refusal lists at most.
const MOST_LISTED: usize = 10;

/// The image that a command names; the inner `Err` says why there is none.
pub(super) fn named(
    draft: &Draft<'_>,
    image: Option<&ImageRef>,
) -> Decided<Result<Digest, String>> {
    let newest = || match (&draft.seen.newest, draft.soaking()) {
        // Whoever means the newest image means the one that still soaks.
        (Some(newest), Some(_)) if draft.runs(newest) => Err(draft.no_candidate()),
        (Some(newest), _) => Ok(newest.clone()),
        (None, _) => Err(draft.no_candidate()),
    };
    Ok(match image {
        None => newest(),
        Some(ImageRef::Tag(tag)) if Some(tag) == draft.app.candidate_tag() => newest(),
        Some(ImageRef::Tag(tag)) => tagged(draft, tag)?,
        Some(ImageRef::Digest(digest)) => Ok(digest.clone()),
        Some(ImageRef::Commit(commit)) => {
            let matches = draft
                .seen
                .matches
                .get(commit)
                .ok_or_else(|| First::Read(Question::Matches(commit.clone())))?;
            match known_by_commit(draft, commit, matches)? {
                Some(known) => Ok(known),
                None => only_one(draft, commit, matches),
            }
        }
    })
}

/// The image that a tag names. A production tag names the image that it was made for, even if
/// somebody has moved it since.
fn tagged(draft: &Draft<'_>, tag: &Tag) -> Decided<Result<Digest, String>> {
    let digest = match draft.recorded(tag)? {
        Some(recorded) => Some(recorded),
        None => draft.holder(tag)?.cloned(),
    };
    Ok(digest.ok_or_else(|| {
        let source_tag = draft.app.config.source_tag.as_str();
        let known = draft.state.recorded().map(|(tag, _)| tag).chain([source_tag]);
        format!(
            "no image of `{}` has the tag `{tag}`{}",
            draft.app.repository,
            did_you_mean(tag.as_str(), known).trim_end_matches('.')
        )
    }))
}

/// The one image of a commit that the state, the history or its production tag knows, where the
/// repository has too many images to search them all.
fn known_by_commit(
    draft: &Draft<'_>,
    commit: &Commit,
    matches: &Matches,
) -> Decided<Option<Digest>> {
    if matches.unread == 0 {
        return Ok(None);
    }
    let state = &draft.state;
    let asked = state.all_requests().map(|request| (&request.commit, &request.digest));
    let open = state.open.iter().map(|open| (&open.commit, &open.digest));
    let recent = state.recent.iter().map(|recent| (&recent.commit, &recent.digest));
    let running = state
        .running
        .iter()
        .filter_map(|running| Some((&running.commit, running.digest.as_ref()?)));
    let deployed = draft.deployed()?;
    let earlier = deployed.iter().map(|ended| (&ended.promotion.commit, &ended.promotion.digest));
    let of_commit = |its: &Option<Commit>| its.as_ref().is_some_and(|its| its.agrees_with(commit));
    let known = asked
        .chain(open)
        .chain(recent)
        .chain(running)
        .chain(earlier)
        .filter(|(its, _)| of_commit(its));
    let mut known: BTreeSet<Digest> = known.map(|(_, digest)| digest.clone()).collect();
    if let Some(tag) = draft.as_production_tag(&format!("{}{commit}", draft.app.config.tag_prefix))
    {
        known.extend(draft.holder(&tag)?.cloned());
    }
    // Where not all images were searched, one match may not be the only one.
    let is_only_one = |one: &Digest| matches.digests.iter().all(|found| found == one);
    Ok(known.pop_first().filter(|one| known.is_empty() && is_only_one(one)))
}

/// The only image of a commit; `Err` says what to name instead.
fn only_one(draft: &Draft<'_>, commit: &Commit, matches: &Matches) -> Result<Digest, String> {
    let repository = &draft.app.repository;
    match (matches.digests.as_slice(), matches.unread) {
        ([digest], 0) => Ok(digest.clone()),
        ([], 0) => Err(format!(
            "no image of `{repository}` was built from a commit {commit}{}",
            nearest_commit(draft, commit)
        )),
        (several, 0) => Err(format!(
            "{} images of `{repository}` were built from a commit {commit}: {}. Name the digest",
            several.len(),
            listed(several)
        )),
        (found, unread) => {
            let found = if found.is_empty() {
                String::new()
            } else {
                format!("; found so far: {}", listed(found))
            };
            let prefix = &draft.app.config.tag_prefix;
            Err(format!(
                "`{repository}` has too many images to search all of them for commit {commit} \
                 ({unread} were not read){found}. \
                 Name the image by its digest (`sha256:…`), or by its production tag \
                 (`{prefix}…`) if it has one"
            ))
        }
    }
}

fn listed(digests: &[Digest]) -> String {
    let shown: Vec<&str> = digests.iter().take(MOST_LISTED).map(Digest::as_str).collect();
    let more = digests.len() - shown.len();
    shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// Suggests a commit that the state knows, if one was perhaps meant.
fn nearest_commit(draft: &Draft<'_>, commit: &Commit) -> String {
    let state = &draft.state;
    let asked = state.all_requests().filter_map(|request| request.commit.as_ref());
    let lately = state.recent.iter().rev().filter_map(|recent| recent.commit.as_ref());
    let running = state.running.iter().filter_map(|running| running.commit.as_ref());
    let known: Vec<&str> = asked.chain(running).chain(lately).map(Commit::as_str).collect();
    let as_typed = known.iter().map(|known| &known[..known.len().min(commit.as_str().len())]);
    did_you_mean(commit.as_str(), as_typed).trim_end_matches('.').to_owned()
}
