//! The reads and writes of an app's stack, and of what stands around it.

use futures_util::future::join;

use crate::error::Error;
use crate::model::config::App;
use crate::model::config::stage::After;
use crate::model::image::BuildLabels;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::stage::{Earlier, check_chain};
use crate::model::unread::Unread;
use crate::model::{AppName, Digest};
use crate::services::clients::Clients;
use crate::services::site::Site;
use crate::world::action::Action;
use crate::world::snapshot::{Question, Snapshot};
use crate::world::{Applied, Apps};

impl Site<'_> {
    /// Carries out what concerns the stack.
    pub(super) async fn carry_out(&self, app: &App, action: &Action) -> Result<Applied, Error> {
        // On the heap but for the most frequent: every future is as large as the largest in it.
        match action {
            Action::CheckReplica { tag, digest } => {
                Box::pin(self.check_replica(app, tag, digest)).await
            }
            Action::UpdateStack(update) => self.update_stack(app, update).await,
            Action::CreateChangeSet { update, name } => {
                Box::pin(self.create_change_set(app, update, name)).await
            }
            Action::ExecuteChangeSet { token, arn, .. } => {
                Box::pin(self.execute_change_set(app, token, arn)).await
            }
            Action::DeleteChangeSet(id) => Box::pin(self.delete_change_set(app, id)).await,
            Action::CancelUpdate(token) => Box::pin(self.cancel_update(app, token)).await,
            Action::SaveState(_)
            | Action::MarkTold(_)
            | Action::CheckTags(_)
            | Action::PutTag { .. }
            | Action::Tell(_)
            | Action::Show(_)
            | Action::KeepAnswer(_) => Ok(Applied::Done),
        }
    }
}

impl Clients {
    /// Reads an app's stack, and its events as far back as they are wanted.
    pub(super) async fn watch_at(
        &self,
        site: &Site<'_>,
        app: &App,
        wanted: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error> {
        let events = self.patiently("cloudformation:DescribeStackEvents", || {
            site.stack_events(&app.config.stack, wanted)
        });
        let (stack, events) = join(site.stack(&app.config.stack), events).await;
        Ok((site.made_here(stack)?, site.made_here(events)?))
    }

    /// Reads the app before this one. The inner `Err` says why there can be no such app.
    pub(in crate::services) async fn earlier(
        &self,
        app: &App,
        after: &After,
    ) -> Result<Result<Earlier, String>, Error> {
        let (app, all) = (app.clone(), self.known_apps().await?);
        let find = |name: &AppName| {
            let it = all.iter().find(|(its, _)| its == name);
            it.map(|(_, app)| app.as_ref().ok())
        };
        match check_chain(&app, find) {
            Ok(()) => Ok(Ok(self.state_and_history(&after.app).await?)),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// Reads what a look cannot do without from the app's stack and registry.
    pub(super) async fn read_there(
        &self,
        site: &Site<'_>,
        app: &App,
        question: &Question,
        seen: &mut Snapshot,
    ) -> Result<(), Error> {
        if let Question::Events(wanted) = question {
            let (stack, events) = self.watch_at(site, app, wanted).await?;
            (seen.stack, seen.events) = (stack, Some(events));
        }
        if let Question::ChangeSet(arn) = question {
            let review = site.change_set(app, arn).await?;
            seen.change_sets_read.insert(arn.clone(), review);
        }
        if let Question::Replica(tag) = question {
            let found = site.replica(app, tag).await?;
            seen.replicas.insert(tag.clone(), found);
        }
        Ok(())
    }

    /// Reads the labels of an image whose manifest was read.
    pub(super) async fn labels_seen(
        &self,
        app: &App,
        digest: &Digest,
        seen: &Snapshot,
    ) -> Result<BuildLabels, Error> {
        match seen.images.get(digest) {
            Some(Ok(image)) => self.labels(&app.repository, image).await,
            Some(Err(_)) | None => Ok(BuildLabels::default()),
        }
    }

    /// Reads what stands around a promotion: what ECS runs, alarms, commits. None of it fails the
    /// look.
    pub(super) async fn read_around(&self, app: &App, question: &Question, seen: &mut Snapshot) {
        match question {
            Question::Services(wanted) => {
                let services = match &seen.stack {
                    Some(stack) => {
                        let read = async {
                            let site = self.site(app, &seen.identity).await?;
                            site.made_here(site.services(app, stack, wanted).await)
                        };
                        read.await.map_err(unread)
                    }
                    None => Ok(Vec::new()),
                };
                seen.services = Some(services);
            }
            Question::StoppedTasks(services) => {
                let site = self.site(app, &seen.identity).await;
                seen.stopped = match (&seen.stack, site) {
                    (Some(stack), Ok(site)) => Some(site.stopped_tasks(app, stack, services).await),
                    (_, Err(_)) | (None, _) => Some(Vec::new()),
                };
            }
            Question::Notes(base, head) => {
                let notes = self.compare(app, base, head).await;
                seen.notes.insert((base.clone(), head.clone()), notes);
            }
            Question::Alarms(names) => {
                let read = async {
                    let site = self.site(app, &seen.identity).await?;
                    site.made_here(site.alarms(names).await)
                };
                seen.alarms = Some(read.await.map_err(unread));
            }
            Question::Image(_)
            | Question::Availability(_)
            | Question::Label(_)
            | Question::Events(_)
            | Question::Tags(_)
            | Question::Mutability
            | Question::Configuration
            | Question::Matches(_)
            | Question::ChangeSet(_)
            | Question::History(_)
            | Question::Replica(_)
            | Question::Earlier(_) => {}
        }
    }
}

/// A read that failed and does not end the look.
pub(in crate::services) fn unread(error: Error) -> Unread {
    Unread { is_denied: matches!(error, Error::Denied { .. }), words: error.to_string() }
}
