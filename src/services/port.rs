//! The implementation of the ports with the services.

pub(super) mod around;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, try_join, try_join_all, try_join4};
use jiff::Timestamp;
use secrecy::SecretString;

use super::cache::locked;
use super::clients::{AllApps, CONFIGURATION_AGE, Clients};
use super::site::Site;
use crate::error::Error;
use crate::link::PublicUrl;
use crate::model::approval::RequestIndex;
use crate::model::audit::PastPage;
use crate::model::checkup::facts::Facts;
use crate::model::config::{App, ConfigError};
use crate::model::identity::SourceIdentity;
use crate::model::known_apps::{KnownApps, Unfinished};
use crate::model::measure::Measure;
use crate::model::session::Session;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{AppName, Digest, Repository, RequestId, SessionId};
use crate::settings::Secret;
use crate::slack::response_url::is_response_url;
use crate::slack::team::Installation;
use crate::world::action::Action;
use crate::world::snapshot::{Question, Snapshot, Subject, TagsWanted, Version};
use crate::world::{Applied, Apps, Listener, Web, World};

/// The longest time to read the names of the apps, for a suggestion.
const SUGGESTION: Duration = Duration::from_millis(800);

impl World for Clients {
    /// In milliseconds, as most of AWS's own times are: each write has dozens of times.
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    async fn observe(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error> {
        let site = self.site(app, &subject.identity).await?;
        if subject.is_routine {
            return self.glance(app, &site).await;
        }
        let at = self.now();
        let state = try_join(
            self.versioned_state(&app.name),
            self.command(&app.name, subject.command.as_deref()),
        );
        let mutability = async { Ok(self.mutability(&app.repository).await) };
        // The state is asked for first: its answer is the largest.
        let (((state, version), command), stack, candidates, mutability) = try_join4(
            state,
            async { site.made_here(site.stack(&app.config.stack).await) },
            self.candidates(app, subject.digest.as_ref()),
            mutability,
        )
        .await?;
        Ok(Snapshot {
            state,
            version,
            command,
            stack,
            tags: candidates.tags,
            mutability: Some(mutability),
            newest: candidates.newest.filter(|_| app.candidate_tag().is_some()),
            images: candidates.found,
            home: self.home(),
            ..Snapshot::at(at, (self.nonce)()?)
        })
    }

    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error> {
        match question {
            Question::Image(digest) => {
                let image = self.image(&app.repository, digest).await?;
                seen.images.insert(digest.clone(), image);
            }
            Question::Availability(digest) => {
                let reason = self.unavailable(&app.repository, digest).await?;
                seen.unavailable.insert(digest.clone(), reason);
            }
            Question::Label(digest) => {
                let labels = self.labels_seen(app, digest, seen).await?;
                seen.labels.insert(digest.clone(), labels);
            }
            Question::Events(_) | Question::ChangeSet(_) | Question::Replica(_) => {
                let site = self.site(app, &seen.identity).await?;
                site.made_here(self.read_there(&site, app, question, seen).await)?;
            }
            Question::Tags(TagsWanted { named, of }) => {
                let tags_of = async |digest: &Digest| {
                    let its = self.tags_of(&app.repository, digest).await?;
                    Ok((digest.clone(), its.unwrap_or_default()))
                };
                let of = try_join_all(of.iter().map(tags_of));
                let (named, of) = try_join(self.tags_named(&app.repository, named), of).await?;
                seen.note_tags(app.candidate_tag(), named, of);
            }
            Question::Mutability => seen.mutability = Some(self.mutability(&app.repository).await),
            // The caller has just read the configuration, and it has not changed.
            Question::Configuration => seen.is_configuration_newer = true,
            Question::Matches(commit) => {
                let matches = self.images_of(app, commit).await?;
                seen.matches.insert(commit.clone(), matches);
            }
            Question::Services(_) | Question::StoppedTasks(_) => {
                self.read_around(app, question, seen).await;
            }
            Question::Notes(..) | Question::Alarms(_) => {
                self.read_around(app, question, seen).await;
            }
            Question::History(before) => {
                seen.history = Some(self.history(&app.name, *before).await?);
            }
            Question::Earlier(after) => {
                seen.note_earlier(after, self.earlier(app, after).await?);
            }
        }
        Ok(())
    }

    async fn app_now(&self, app: &AppName) -> Result<Option<App>, Error> {
        let name = self.source(app);
        let began = Instant::now();
        // A missing configuration is not remembered: somebody may add it before the next push.
        let Some(json) = self.parameter(&name).await? else { return Ok(None) };
        let parsed = App::parse(app, &name, &json)?;
        locked(&self.apps).insert(app.clone(), (began, parsed.clone()));
        Ok(Some(parsed))
    }

    async fn apply(
        &self,
        app: &App,
        action: &Action,
        version: &Version,
        identity: &SourceIdentity,
    ) -> Result<Applied, Error> {
        // On the heap: the futures of a stage are moved, and each would be as large as the largest.
        match action {
            Action::SaveState(records) | Action::MarkTold(records) => {
                Box::pin(self.save(&app.name, records, version)).await
            }
            Action::CheckTags(tags) => Box::pin(self.check_tags(&app.repository, tags)).await,
            Action::PutTag { image, tag } => {
                Box::pin(self.put_tag(&app.repository, image, tag)).await
            }
            Action::CheckReplica { .. }
            | Action::UpdateStack(_)
            | Action::CreateChangeSet { .. }
            | Action::ExecuteChangeSet { .. }
            | Action::DeleteChangeSet(_)
            | Action::CancelUpdate(_) => {
                let site = self.site(app, action.identity().unwrap_or(identity)).await?;
                site.made_here(Box::pin(site.carry_out(app, action)).await)
            }
            // The Slack channel got the notice at the first try. Only the topic is tried again.
            Action::Tell(notice) if notice.tries > 0 => Box::pin(self.tell(app, notice)).await,
            Action::Tell(notice) => {
                Box::pin(join(self.tell(app, notice), self.post(app, notice))).await.0
            }
            Action::Show(request) => Ok(Box::pin(self.show(app, request)).await),
            Action::KeepAnswer(record) => Box::pin(self.keep_answer(&app.name, record)).await,
        }
    }

    async fn reach(&self, app: &App, identity: &SourceIdentity) -> Result<(), Error> {
        self.site(app, identity).await.map(drop)
    }

    fn measure(&self, measure: &Measure) {
        self.write_measure(measure);
    }

    async fn pause(&self, round: u32) {
        let most = 50 * 2_u64.pow(round.min(5));
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..most))).await;
    }
}

impl Apps for Clients {
    fn source(&self, app: &AppName) -> String {
        self.settings.app_parameter(app)
    }

    async fn app(&self, name: &AppName) -> Result<Option<App>, Error> {
        if let Some(app) = self.recent_app(name) {
            return Ok(Some(app));
        }
        self.app_now(name).await
    }

    async fn apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        Ok(owned(&self.read_apps().await?))
    }

    async fn known_apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        match self.recent_apps() {
            Some(apps) => Ok(owned(&apps)),
            None => self.apps().await,
        }
    }

    async fn apps_of(
        &self,
        repository: &Repository,
    ) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        let is_its = |(name, app): &(AppName, Result<App, Error>)| match app {
            Ok(app) => app.repository == *repository,
            Err(_) => name.repository().as_ref() == Some(repository),
        };
        let known = self.recent_apps().map(|apps| owned(&apps)).unwrap_or_default();
        let found: Vec<_> = known.into_iter().filter(is_its).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        Ok(self.apps().await?.into_iter().filter(is_its).collect())
    }

    async fn app_names(&self) -> Vec<(AppName, Option<Repository>)> {
        let apps = tokio::time::timeout(SUGGESTION, self.known_apps()).await;
        let apps = apps.map(Result::unwrap_or_default).unwrap_or_default();
        apps.into_iter().map(|(name, app)| (name, app.ok().map(|app| app.repository))).collect()
    }

    async fn facts(&self, app: &App) -> Facts {
        Box::pin(self.read_facts(app)).await
    }

    async fn past(&self, app: &AppName, after: Option<&str>) -> Result<PastPage, Error> {
        self.read_past(app, after).await
    }

    async fn state(&self, app: &AppName) -> Result<Option<State>, Error> {
        Ok(self.versioned_state(app).await?.0)
    }

    async fn states(
        &self,
        repositories: &[AppName],
    ) -> Result<BTreeMap<AppName, Result<State, Error>>, Error> {
        self.read_states(repositories).await
    }

    async fn remembered_apps(&self) -> Result<(KnownApps, Version), Error> {
        self.read_roster().await
    }

    async fn remember_apps(&self, apps: &KnownApps, version: &Version) -> Result<Applied, Error> {
        self.write_roster(apps, version).await
    }

    async fn unfinished(&self) -> Result<(Unfinished, Version), Error> {
        self.read_unfinished().await
    }

    async fn keep_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error> {
        self.write_unfinished(unfinished, version).await
    }
}

impl Web for Clients {
    fn environment(&self) -> Option<String> {
        self.settings.environment.clone()
    }

    fn secret_source(&self, secret: Secret) -> String {
        self.settings.secret_parameter(secret)
    }

    fn public_url_source(&self) -> String {
        self.settings.public_url_parameter()
    }

    async fn secret(&self, secret: Secret) -> Result<Option<SecretString>, Error> {
        self.secret_named(&self.settings.secret_parameter(secret)).await
    }

    async fn public_url(&self) -> Result<Option<PublicUrl>, Error> {
        self.public_url
            .get(|_, age| age < CONFIGURATION_AGE, async || self.read_public_url().await)
            .await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        self.read_session(id).await
    }

    async fn open_session(&self, session: &Session) -> Result<Applied, Error> {
        self.write_session(session).await
    }

    async fn request(&self, id: &RequestId) -> Result<Option<RequestIndex>, Error> {
        self.asked(id).await
    }

    async fn answer_commander(&self, message: &str, reason: &str) {
        self.answer_once(message, reason).await;
    }

    async fn watch(
        &self,
        app: &App,
        wanted: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error> {
        let site = self.site(app, &SourceIdentity::default()).await?;
        self.watch_at(&site, app, wanted).await
    }

    async fn installation(&self) -> Option<Installation> {
        self.ask_installation().await
    }

    fn is_response_url(&self, url: &str) -> bool {
        is_response_url(url, self.slack.base())
    }

    async fn answer_privately(&self, to: &Listener, text: &str, within: Duration) {
        self.answer_privately_to(to, text, within).await;
    }
}

impl Clients {
    /// Reads all apps. Parameters whose names are not valid names of apps are skipped. Each page
    /// is parsed at once, so that only the parsed apps stay in memory.
    async fn read_apps(&self) -> Result<AllApps, Error> {
        let began = Instant::now();
        let path = self.settings.apps_path();
        let mut apps = BTreeMap::new();
        let take = |name: String, json: String| {
            if let Some(own) = name.strip_prefix(&path).and_then(|app| app.parse::<AppName>().ok())
            {
                let app = App::parse(&own, &name, &json);
                apps.insert(own, app);
            }
        };
        self.parameters(&path, take).await?;
        let apps: AllApps = apps.into_iter().collect();
        *locked(&self.all_apps) = Some((began, Arc::clone(&apps)));
        Ok(apps)
    }

    /// Returns all apps, if they were read less than a minute ago.
    fn recent_apps(&self) -> Option<AllApps> {
        let all = locked(&self.all_apps).clone();
        all.filter(|(began, _)| began.elapsed() < CONFIGURATION_AGE).map(|(_, apps)| apps)
    }

    /// Returns an app, if its configuration was read less than a minute ago and can be used.
    fn recent_app(&self, name: &AppName) -> Option<App> {
        let own = locked(&self.apps).get(name).cloned();
        if let Some((_, app)) = own.filter(|(read_at, _)| read_at.elapsed() < CONFIGURATION_AGE) {
            return Some(app);
        }
        let all = self.recent_apps()?;
        let at = all.binary_search_by(|(its, _)| its.cmp(name)).ok()?;
        all[at].1.clone().ok()
    }
}

impl Clients {
    /// Reads what a routine look needs, in three calls. The stack is read first, so that one call
    /// can ask for the source tag and the running tag.
    async fn glance(&self, app: &App, site: &Site<'_>) -> Result<Snapshot, Error> {
        let at = self.now();
        let ((state, version), stack) = try_join(self.versioned_state(&app.name), async {
            site.made_here(site.stack(&app.config.stack).await)
        })
        .await?;
        let value = stack
            .as_ref()
            .and_then(|stack| stack.value(&app.config.parameter))
            .filter(|value| app.config.is_production_tag(value));
        let running = value.and_then(|value| value.parse().ok());
        let named = [app.config.source_tag.clone()].into_iter().chain(running).collect();
        let holders = self.tags_if_there(&app.repository, &named).await?;
        let home = self.home();
        let mut seen =
            Snapshot { state, version, stack, home, ..Snapshot::at(at, (self.nonce)()?) };
        if let Some(holders) = holders {
            seen.note_tags(app.candidate_tag(), holders, []);
        }
        Ok(seen)
    }
}

/// Copies the list of apps for a caller that keeps it.
fn owned(apps: &[(AppName, Result<App, ConfigError>)]) -> Vec<(AppName, Result<App, Error>)> {
    apps.iter().map(|(name, app)| (name.clone(), app.clone().map_err(Error::from))).collect()
}

#[cfg(test)]
mod tests;
