//! What one sandbox sees of the AWS in memory.

use std::collections::{BTreeMap, BTreeSet};

use ecr_promoter::error::Error;
use ecr_promoter::model::bake::Alarm;
use ecr_promoter::model::config::App;
use ecr_promoter::model::ecs::Service;
use ecr_promoter::model::image::{BuildLabels, Image, Tags};
use ecr_promoter::model::limits::HISTORY;
use ecr_promoter::model::stage::{Earlier, check_chain};
use ecr_promoter::model::unread::Unread;
use ecr_promoter::model::{AppName, Commit, Digest, Tag};
use ecr_promoter::world::Apps;
use ecr_promoter::world::Web;
use ecr_promoter::world::World;
use ecr_promoter::world::snapshot::{Matches, Question, Snapshot, Subject, TagsWanted, Version};

use super::payloads::tag;
use super::sandbox::Sandbox;
use super::world::Inner;

/// Images by digest; `Err` says why one cannot be pulled.
type Images = BTreeMap<Digest, Result<Image, String>>;

impl Sandbox {
    /// A look that most likely finds nothing to do: what runs is known before the tags are asked
    /// for.
    pub(super) async fn glance(&self, app: &App) -> Result<Snapshot, Error> {
        let at = self.world.get().now;
        let state = self.call("GetItem state", |w| w.state.clone());
        let stack = self.call("DescribeStacks", |w| w.stack());
        let (state, stack) = futures_util::try_join!(state, stack)?;
        let value =
            stack.value("ProductionTag").filter(|value| value.starts_with("production_")).map(tag);
        let named: BTreeSet<Tag> = [tag("latest")].into_iter().chain(value).collect();
        let holders = self.call("BatchGetImage", |w| w.holders(&named)).await?;
        let (state, nonce) = state.unzip();
        let nonce_for_names = self.world.get_mut().nonce();
        let mut seen = Snapshot {
            state,
            version: Version(nonce),
            stack: Some(stack),
            ..Snapshot::at(at, nonce_for_names)
        };
        seen.note_tags(app.candidate_tag(), holders, []);
        Ok(seen)
    }

    /// Everything that a command or a push may need.
    pub(super) async fn look(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error> {
        let at = self.now();
        let state = self.call("GetItem state", |w| w.state.clone());
        let command = async {
            match &subject.command {
                Some(id) => self.call("GetItem command", |w| w.commands.get(id).cloned()).await,
                None => Ok(None),
            }
        };
        let images = self.candidates(subject);
        let stack = self.call("DescribeStacks", |w| w.stack());
        let (state, command, (newest, images, tags), stack) =
            futures_util::try_join!(state, command, images, stack)?;
        let (state, nonce) = state.unzip();
        let mutability = self.world.get().mutability();
        let seen = Snapshot::at(at, self.world.get_mut().nonce());
        Ok(Snapshot {
            state,
            version: Version(nonce),
            command,
            stack: Some(stack),
            tags: Some(tags),
            mutability: Some(mutability),
            newest: newest.filter(|_| app.candidate_tag().is_some()),
            images,
            ..seen
        })
    }

    /// The newest image, the images that were read, and the tags that were.
    async fn candidates(&self, subject: &Subject) -> Result<(Option<Digest>, Images, Tags), Error> {
        let latest = tag("latest");
        let mut tags = Tags::default();
        let (newest, images) = match &subject.digest {
            Some(digest) => {
                let image = self.call("BatchGetImage", |w| w.find(digest));
                let its = self.call("DescribeImages", |w| w.tags_of(digest));
                let (image, its) = futures_util::try_join!(image, its)?;
                let newest = if its.contains(&latest) {
                    Some(digest.clone())
                } else {
                    self.call("BatchGetImage", |w| w.tags.get(&latest).cloned()).await?
                };
                tags.insert_all_of(digest, its);
                (newest, [(digest.clone(), image)].into())
            }
            None => {
                let read = |w: &mut Inner| {
                    let newest = w.tags.get(&latest).cloned();
                    let image = newest.iter().map(|digest| (digest.clone(), w.find(digest)));
                    (newest.clone(), image.collect())
                };
                self.call("BatchGetImage", read).await?
            }
        };
        tags.insert(latest, newest.clone());
        Ok((newest, images, tags))
    }

    /// One further question.
    pub(super) async fn answer(
        &self,
        app: &App,
        question: &Question,
        seen: &mut Snapshot,
    ) -> Result<(), Error> {
        match question {
            Question::Image(digest) => {
                let image = self.call("BatchGetImage", |w| w.find(digest)).await?;
                seen.images.insert(digest.clone(), image);
            }
            Question::Availability(digest) => {
                let reason = self
                    .call("DescribeImages", |w| {
                        w.archived.contains(digest).then(|| format!("{digest} is ARCHIVED"))
                    })
                    .await?;
                seen.unavailable.insert(digest.clone(), reason);
            }
            Question::Label(digest) => {
                seen.labels.insert(digest.clone(), BuildLabels::default());
            }
            Question::Tags(TagsWanted { named, of }) => {
                let ask = |w: &mut Inner| (w.holders(named), w.tags_of_each(of));
                let (named, of) = self.call("Tags", ask).await?;
                seen.note_tags(app.candidate_tag(), named, of);
            }
            Question::Mutability => {
                seen.mutability = Some(self.call("DescribeRepositories", |w| w.mutability()).await?)
            }
            Question::Configuration => seen.is_configuration_newer = true,
            Question::Events(wanted) => {
                let (stack, events) = self.watch(app, wanted).await?;
                (seen.stack, seen.events) = (stack, Some(events));
            }
            Question::Matches(commit) => {
                let matches = self.search(app, commit).await?;
                seen.matches.insert(commit.clone(), matches);
            }
            Question::ChangeSet(arn) => {
                let review = self.call("DescribeChangeSet", |w| w.review(arn)).await?;
                seen.change_sets_read.insert(arn.clone(), review);
            }
            Question::Services(_) => seen.services = Some(self.services().await),
            Question::StoppedTasks(_) => {
                seen.stopped = self.call("ListTasks", |w| w.stopped.clone()).await.ok()
            }
            Question::Notes(base, head) => {
                let notes = self.call("Git host", |w| w.git_notes.clone()).await.unwrap_or(None);
                seen.notes.insert((base.clone(), head.clone()), notes);
            }
            Question::Alarms(names) => seen.alarms = Some(self.alarms(names).await),
            Question::History(before) => {
                let page = self.call("Query", |w| {
                    let older = w.history.range(..before.unwrap_or(u64::MAX)).rev();
                    older.take(HISTORY).map(|(_, ended)| ended.clone()).collect()
                });
                seen.history = Some(page.await?);
            }
            Question::Replica(tag) => {
                let found = self.call("BatchGetImage replica", |w| w.replica.get(tag).cloned());
                seen.replicas.insert(tag.clone(), found.await?);
            }
            Question::Earlier(after) => {
                let apps = self.known_apps().await?;
                let find = |name: &AppName| {
                    apps.iter().find(|(its, _)| its == name).map(|(_, app)| app.as_ref().ok())
                };
                let earlier = match check_chain(app, find) {
                    Ok(()) => {
                        let read = |w: &mut Inner| Earlier {
                            state: w.state.as_ref().map(|(state, _)| state.clone()),
                            history: w.history.values().rev().cloned().collect(),
                        };
                        Ok(self.of(&after.app).call("Query stage", read).await?)
                    }
                    Err(problem) => Err(problem),
                };
                seen.note_earlier(after, earlier);
            }
        }
        Ok(())
    }

    /// ECS is asked only where the stack has services: nothing can come in between otherwise.
    async fn services(&self) -> Result<Vec<Service>, Unread> {
        if self.world.get().services.is_empty() {
            return Ok(Vec::new());
        }
        let shown = |w: &mut Inner| match &w.unread_services {
            Some(unread) => Err(unread.clone()),
            None => Ok(w.services.clone()),
        };
        self.call("DescribeServices", shown).await.map_err(unread)?
    }

    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Unread> {
        let named = |w: &mut Inner| {
            let named = w.alarms.iter().filter(|alarm| names.contains(&alarm.name));
            match &w.unread_alarms {
                Some(unread) => Err(unread.clone()),
                None => Ok(named.cloned().collect()),
            }
        };
        self.call("DescribeAlarms", named).await.map_err(unread)?
    }

    /// All images of this commit, as far as they are read.
    async fn search(&self, app: &App, commit: &Commit) -> Result<Matches, Error> {
        let tags: Tags = self.world.get().tags.clone().into_iter().collect();
        let is_of = |image: &Image| {
            tags.commit(&image.digest, &app.config).flatten().or(image.annotation.clone())
        };
        let search = |w: &mut Inner| {
            w.now += w.search.0;
            (w.images.clone(), w.search.1)
        };
        let (all, unread) = self.call("ListImages", search).await?;
        let found =
            all.values().filter(|image| is_of(image).is_some_and(|its| its.agrees_with(commit)));
        Ok(Matches { digests: found.map(|image| image.digest.clone()).collect(), unread })
    }
}

fn unread(error: Error) -> Unread {
    Unread { words: error.to_string(), is_denied: false }
}
