//! Where an image is: the apps that run it, or that it is on its way to. No I/O here.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::command::ImageRef;
use crate::model::config::App;
use crate::model::state::State;
use crate::model::{AppName, Commit, Digest, Repository};

/// One app that has an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whereabouts {
    /// The app.
    pub app: AppName,
    /// Its repository.
    pub repository: Repository,
    /// How it has the image.
    pub stage: Presence,
    /// The image.
    pub digest: Option<Digest>,
    /// Its commit, where known.
    pub commit: Option<Commit>,
    /// Its tag there.
    pub tag: Option<String>,
    /// Since when, where known.
    pub since: Option<Timestamp>,
}

/// How an app has an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It runs it.
    Running,
    /// It is being deployed.
    Deploying,
    /// It waits for its turn.
    Queued,
    /// People are asked about it.
    Asked,
    /// It must run in the app before for longer.
    Soaking,
}

/// How an app has the image of this digest or commit, the furthest first.
pub fn whereabouts(app: &App, state: &State, image: &ImageRef) -> Vec<Whereabouts> {
    let is_it = |digest: Option<&Digest>, commit: Option<&Commit>| match image {
        ImageRef::Digest(wanted) => digest == Some(wanted),
        ImageRef::Commit(wanted) => commit.is_some_and(|commit| commit.agrees_with(wanted)),
        ImageRef::Tag(_) => false,
    };
    let found = |stage, digest: Option<&Digest>, commit: Option<&Commit>, tag, since| {
        is_it(digest, commit).then(|| Whereabouts {
            app: app.name.clone(),
            repository: app.repository.clone(),
            stage,
            digest: digest.cloned(),
            commit: commit.cloned(),
            tag,
            since,
        })
    };
    let verifying = state.verifying.as_ref().map(|verifying| &verifying.promotion);
    let running = state.running.iter().filter_map(|its| {
        let is_verified = verifying.is_none_or(|one| Some(&one.digest) != its.digest.as_ref());
        let stage = if is_verified { Presence::Running } else { Presence::Deploying };
        let tag = Some(its.tag.clone());
        found(stage, its.digest.as_ref(), its.commit.as_ref(), tag, its.since)
    });
    let open = state.open.iter().filter_map(|its| {
        let is_sent = its.accepted_at.is_some();
        let stage = if is_sent { Presence::Deploying } else { Presence::Queued };
        let tag = Some(its.tag.to_string());
        found(stage, Some(&its.digest), its.commit.as_ref(), tag, Some(its.at))
    });
    let asked = state.request.iter().filter(|its| !its.progress.is_final()).filter_map(|its| {
        let tag = its.tag.as_ref().map(ToString::to_string);
        found(Presence::Asked, Some(&its.digest), its.commit.as_ref(), tag, Some(its.at))
    });
    let soaking = state.stage.iter().flat_map(|stage| &stage.soaking).filter_map(|its| {
        found(Presence::Soaking, Some(&its.digest), its.commit.as_ref(), None, None)
    });
    let mut all: Vec<Whereabouts> = Vec::new();
    for one in running.chain(open).chain(asked).chain(soaking) {
        // A promotion under way was asked about before.
        if all.iter().all(|known| known.digest != one.digest) {
            all.push(one);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::Running;
    use crate::samples::{COMMIT, DIGEST, app, promotion};

    #[test]
    fn an_image_is_found_by_its_digest_or_by_the_start_of_its_commit() {
        let web = app(r#"{"stack": "web"}"#);
        let mut state = State::new("web", "ProductionTag");
        let images = [
            ImageRef::Digest(DIGEST.parse().expect("a digest")),
            ImageRef::Commit(COMMIT[..7].parse().expect("a commit")),
        ];
        let stages = |state: &State| {
            let found = images.each_ref().map(|image| whereabouts(&web, state, image));
            assert_eq!(found[0], found[1]);
            found[0].iter().map(|one| one.stage).collect::<Vec<_>>()
        };
        assert_eq!(stages(&state), []);
        state.open.push(promotion());
        assert_eq!(stages(&state), [Presence::Queued]);
        state.open[0].accepted_at = Some(promotion().at);
        assert_eq!(stages(&state), [Presence::Deploying]);
        state.running = Some(Running {
            tag: promotion().tag.to_string(),
            digest: Some(promotion().digest),
            commit: promotion().commit,
            note: None,
            since: None,
            by: String::new(),
        });
        assert_eq!(stages(&state), [Presence::Running]);
        let other = ImageRef::Commit("abc1234".parse().expect("a commit"));
        assert_eq!(whereabouts(&web, &state, &other), []);
    }
}
