//! Makes a link to the board for whoever asks: somebody whom IAM lets invoke the function, or a
//! person in Slack.

use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::error::Error;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::SlackOrigin;
use crate::model::config::ConfigError;
use crate::model::report::{BoardLink, Reply, Report};
use crate::model::session::Session;
use crate::model::{Proof, SessionId};
use crate::settings::Secret;
use crate::world::{Applied, Web};

/// How long a board can be used.
const AGE: SignedDuration = SignedDuration::from_mins(15);

/// Who asks for a board.
pub enum Asker {
    /// Somebody whom IAM lets invoke the function, under a name that is only claimed.
    Invoker(Option<String>),
    /// A person in Slack, proven by Slack's signature and team. Slack may deliver the command
    /// twice.
    Person {
        /// Who and where.
        origin: SlackOrigin,
        /// Their name in Slack.
        name: String,
        /// Slack's id of the command, so that it acts once.
        trigger_id: String,
    },
}

/// Makes a link to the board. It writes the session of whoever asks first, and the link names the
/// session.
pub async fn link<W: Web>(world: &W, asker: Asker) -> Result<Reply, Error> {
    let Some(signer) = world.signer().await? else { return Err(missing(world).await?.into()) };
    let (by, slack, command) = match asker {
        Asker::Invoker(by) => {
            (by.unwrap_or_default(), None, format!("invocation#{}", Proof::of(random()?)))
        }
        Asker::Person { origin, name, trigger_id } => {
            (name, Some(origin), format!("slack#{trigger_id}"))
        }
    };
    let since = world.now();
    // A link carries its time in whole seconds.
    let until = Timestamp::from_second((since + AGE).as_second()).unwrap_or(Timestamp::MAX);
    let session = Session {
        id: SessionId::of(&command),
        proof: Proof::of(random()?),
        by,
        slack,
        since,
        until,
    };
    if world.open_session(&session).await? == Applied::Conflict {
        let reason = "this command has already given its link, and it gives only one: ask again \
                      for a new one";
        let answer = Answer { outcome: Outcome::Refused, ..Answer::ignored(reason) };
        return Ok(answer.into());
    }
    let Some(url) = signer.address(&session.link(), session.until) else {
        return Err(missing(world).await?.into());
    };
    info!(
        is_of_slack = session.slack.is_some(), until = %session.until, "gave a link to the board",
    );
    Ok(Reply::Report(Report::Board(BoardLink { url, expires_at: session.until })))
}

/// Says which of the two parameters that links need is missing, and how to create it. Without an
/// address the secret is not looked for.
async fn missing<W: Web>(world: &W) -> Result<ConfigError, Error> {
    let has_address = world.public_url().await?.is_some();
    let (name, problem) = if has_address {
        let name = world.secret_source(Secret::Links);
        let make = format!(
            "aws ssm put-parameter --type SecureString --name {name} --value \"$(openssl rand \
             -hex 32)\""
        );
        let problem = format!(
            "there is no such parameter, but links are signed with it. Create it with: {make}"
        );
        (name, problem)
    } else {
        let name = world.public_url_source();
        let problem = "there is no such parameter, so the function has no public address, and the \
                       board needs one. Deploy ecr-promoter's template with PublicUrl=on, which \
                       makes the address and this parameter"
            .to_owned();
        (name, problem)
    };
    Ok(ConfigError { place: format!("Parameter Store {name}"), key: None, problem })
}

/// Random bytes from the operating system. Even somebody who has the link secret cannot guess them.
fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unexpected {
        resource: "the operating system's random numbers".to_owned(),
        problem: error.to_string(),
    })?;
    Ok(bytes)
}
