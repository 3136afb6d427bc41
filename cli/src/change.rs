//! The commands that change something: shows what would happen, asks, sends, follows.

use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Plan, Request, Said, Several, Status};
use crate::args::{self, App, Choice, Image, Watch};
use crate::command::Command;
use crate::exit::failure::Failure;
use crate::exit::{self, Exit};
use crate::follow::target::Target;
use crate::records::{reported, write_raw};
use crate::session::{Phase, Run, plan_of};
use crate::words::Named;
use crate::{confirm, mismatch, out, show};

/// A command that changes something, as it was typed.
pub struct Change {
    command: Command,
    /// The image, for the plan.
    image: Option<Named>,
    /// Whether it decides about a request and does not name it.
    is_unnamed: bool,
    yes: bool,
    watch: Option<Watch>,
}

/// What comes after the question.
enum Consent {
    /// It is sent. The image that was shown, if one was.
    Given(Option<String>),
    /// It would do nothing, so it is not sent.
    Needless(Exit),
}

impl Change {
    fn new(action: &'static str, app: &App, consent: &args::Consent) -> Self {
        let command = Command::new(action).with("app", Some(&app.app));
        Self { command, image: None, is_unnamed: false, yes: consent.yes, watch: None }
    }

    fn watched(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    fn naming(self, image: Image) -> Self {
        let command = self.command.naming(image.image.as_ref());
        Self { command, image: image.image, ..self }
    }

    fn deciding(self, choice: &Choice) -> Self {
        let command = self.command.naming(choice.named.as_ref());
        Self { command, is_unnamed: choice.named.is_none(), ..self }
    }

    fn with(self, key: &str, value: Option<&str>) -> Self {
        Self { command: self.command.with(key, value), ..self }
    }

    /// Whether it goes back to whatever ran before.
    fn is_relative_rollback(&self) -> bool {
        self.command.action == "rollback" && self.image.is_none()
    }

    /// Reads what was typed. Fails where a person would have to be asked, and there is none.
    pub fn new_checked(typed: args::Change) -> Result<Self, Failure> {
        let change = Self::from(typed);
        let is_person = out::is_person();
        let command = &change.command;
        if change.is_unnamed && (change.yes || !is_person) {
            return Err(Failure::misuse(format!(
                "Name the commit, the digest or the request: promote {} 9fceb02. What is asked \
                 may have changed since you looked",
                command.words()
            )));
        }
        if !change.yes && !is_person {
            return Err(confirm::needs_yes(command));
        }
        Ok(change)
    }
}

impl From<args::Change> for Change {
    fn from(typed: args::Change) -> Self {
        match typed {
            args::Change::Promote { app, image, consent, watch } => {
                Self::new("promote", &app, &consent).naming(image).watched(watch)
            }
            args::Change::Rollback { app, image, reason, consent, watch } => {
                let change = Self::new("rollback", &app, &consent).naming(image).watched(watch);
                change.with("reason", reason.as_deref())
            }
            args::Change::Approve { app, choice, consent, watch } => {
                Self::new("approve", &app, &consent).deciding(&choice).watched(watch)
            }
            args::Change::Reject { app, choice, consent } => {
                Self::new("reject", &app, &consent).deciding(&choice)
            }
            args::Change::Cancel { app, consent, watch } => {
                Self::new("cancel", &app, &consent).watched(watch)
            }
            args::Change::Hold { app, words, reason, consent } => {
                let words = Some(words.join(" ")).filter(|words| !words.is_empty());
                let reason = reason.or(words);
                Self::new("hold", &app, &consent).with("reason", reason.as_deref())
            }
            args::Change::Resume { app, consent, watch } => {
                Self::new("resume", &app, &consent).watched(watch)
            }
            args::Change::Ask { app, consent } => Self::new("ask", &app, &consent),
            args::Change::Reconcile { app, consent } => Self {
                command: Command::new("reconcile").with("app", app.as_deref()),
                image: None,
                is_unnamed: false,
                yes: consent.yes,
                watch: None,
            },
        }
    }
}

impl Run<'_> {
    /// Asks where a person types, sends the command, and follows what it starts.
    pub async fn change(&self, mut change: Change) -> Result<Exit, Failure> {
        if change.is_unnamed {
            change.command = self.name_request(change.command).await?;
        }
        match self.consent(&change).await? {
            Consent::Needless(exit) => Ok(exit),
            Consent::Given(shown) => {
                // Somebody else may have rolled back meanwhile: this goes where it was said to go.
                if let Some(digest) = shown.filter(|_| change.is_relative_rollback()) {
                    change.command = change.command.with("digest", Some(&digest));
                }
                self.send(change).await
            }
        }
    }

    /// Names the open request, which the question shows.
    async fn name_request(&self, command: Command) -> Result<Command, Failure> {
        let app = command.app().unwrap_or_default();
        let status = self.status_of(app).await?;
        match status.request.filter(Request::is_open) {
            Some(request) => Ok(command.with("request", Some(&request.id))),
            None => Err(Failure::misuse(format!("Nothing in {app} waits for approval"))),
        }
    }

    async fn status_of(&self, app: &str) -> Result<Status, Failure> {
        let command = Command::new("status").with("app", Some(app));
        let bytes = self.function.invoke(&command).await?;
        reported(command.action, self.read::<Said<Status>>(&command, &bytes)?)
    }

    /// Shows a person what the command would do, and asks; again where it would do something else
    /// by then: the image that a person said yes to is the one that goes out.
    async fn consent(&self, change: &Change) -> Result<Consent, Failure> {
        let mut given = self.consent_once(change).await?;
        if change.yes || change.command.action != "promote" || change.image.is_some() {
            return Ok(given);
        }
        while let Consent::Given(shown) = &given {
            let now = self.planned(change).await?.1.digest;
            if now == *shown {
                break;
            }
            out::say("Meanwhile a newer image was pushed:");
            given = self.consent_once(change).await?;
        }
        Ok(given)
    }

    /// What `promote` or `rollback` would do now: the bytes of the answer, and what they say.
    async fn planned(&self, change: &Change) -> Result<(Vec<u8>, Plan), Failure> {
        let command = &change.command;
        let app = command.app().unwrap_or_default();
        let plan = plan_of(app, change.image.as_ref(), command.action == "rollback");
        let bytes = self.function.invoke(&plan).await?;
        let would = reported(command.action, self.read::<Said<Plan>>(&plan, &bytes)?)?;
        Ok((bytes, would))
    }

    async fn consent_once(&self, change: &Change) -> Result<Consent, Failure> {
        let command = &change.command;
        if change.yes {
            return Ok(Consent::Given(None));
        }
        let Some(app) = command.app() else {
            confirm::ask(command).await?;
            return Ok(Consent::Given(None));
        };
        let mut shown = None;
        if matches!(command.action, "promote" | "rollback") {
            let (bytes, would) = self.planned(change).await?;
            out::say(show::plan(app, command.action, &would).trim_end());
            if is_needless(&would.would) {
                if self.is_json {
                    write_raw(&bytes)?;
                }
                out::say("Nothing was changed.");
                return Ok(Consent::Needless(exit::of_answer(command.action, &would.would)));
            }
            shown = would.digest;
        } else {
            let status = self.status_of(app).await?;
            out::say(show::status::one(&status, Timestamp::now()).trim_end());
        }
        confirm::ask(command).await?;
        Ok(Consent::Given(shown))
    }

    /// Sends the command, and follows what it started.
    async fn send(&self, change: Change) -> Result<Exit, Failure> {
        let Change { command, watch, .. } = change;
        let app = command.app().unwrap_or_default().to_owned();
        let command = if app.is_empty() {
            command
        } else {
            let by = self.caller().await;
            let id = Uuid::new_v4().to_string();
            command.with("by", by.as_deref()).with("id", Some(&id))
        };
        *self.phase.borrow_mut() = Phase::Sent(app.clone());
        let bytes = self.function.invoke(&command).await.map_err(|failure| sent(failure, &app))?;
        if app.is_empty() {
            return self.looks(&command, &bytes);
        }
        let answer: Answer = self.read(&command, &bytes)?;
        let target = Target::of(command.action, &answer);
        let watch = watch.filter(|watch| watch.watch).zip(target);
        if self.is_json && watch.is_none() {
            write_raw(&bytes)?;
        } else if watch.is_some() {
            out::say(show::answer(&answer).lines().next().unwrap_or_default());
        } else {
            self.write(&show::answer(&answer))?;
        }
        if let Some(more) = mismatch::by_answer(&answer) {
            out::fail(&more);
        }
        match watch {
            Some((watch, target)) => self.follow(&app, target, &watch).await,
            None => Ok(exit::of_answer(command.action, &answer.outcome)),
        }
    }

    /// Shows what a look at all apps came to. An app that failed or is blocked is a failure.
    fn looks(&self, command: &Command, bytes: &[u8]) -> Result<Exit, Failure> {
        let looks: Several<Answer> = self.read(command, bytes)?;
        let exits = looks.results.iter().map(|own| exit::of_answer(command.action, &own.outcome));
        let failed = exits.into_iter().any(|exit| exit == Exit::Failed);
        let exit = if failed { Exit::Failed } else { Exit::Done };
        if self.is_json {
            return write_raw(bytes).map(|_| exit);
        }
        let mut text: String = looks.results.iter().map(show::answer).collect();
        if let Some(left) = looks.left {
            text.push_str(&format!("{left} apps are left: the next looks continue\n"));
        }
        if text.is_empty() {
            text.push_str("nothing was to be done\n");
        }
        self.write(&text).map(|_| exit)
    }
}

/// Explains a failed call: whether the function got the command is not known.
fn sent(failure: Failure, app: &str) -> Failure {
    if !failure.may_pass {
        return failure;
    }
    let look = format!("promote status {app}");
    let words = format!("{failure}. The command may have acted. Look: {}", look.trim_end());
    Failure { words, ..failure }
}

/// Whether a command with this outcome would do nothing.
fn is_needless(would: &Outcome) -> bool {
    match would {
        Outcome::Refused | Outcome::Ignored => true,
        // It may end a hold.
        Outcome::Unchanged => false,
        Outcome::Promoted
        | Outcome::Deployed
        | Outcome::Failed
        | Outcome::Queued
        | Outcome::ApprovalRequested
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Superseded
        | Outcome::Held
        | Outcome::Blocked
        | Outcome::Expired
        | Outcome::Resumed
        | Outcome::Cancelled
        | Outcome::Unknown(_) => false,
    }
}
