//! How people hear of promotions and decide: the topic, Slack, links and change notes.

use super::facts::{Bot, Channel, Facts, GitFacts, LinkFacts, Read, SlackFacts, Writes};
use super::finding::{Finding, Level};
use crate::model::config::App;
use crate::model::config::policy::Mode;

/// The shortest signing secret. Slack's have 32 hexadecimal digits.
const SIGNING_SECRET: usize = 32;
/// What the bot must be allowed to do.
const SCOPES: [&str; 2] = ["chat:write", "commands"];

pub(super) fn judge(app: &App, facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![of_listeners(app, facts)];
    if let Some(slack) = &facts.slack {
        findings.extend(slack.signing_secret.as_ref().map(of_signing_secret));
        findings.extend(of_bot(app, slack));
    }
    findings.extend(of_links(facts));
    findings.extend(facts.git.as_ref().map(of_git));
    findings
}

fn of_listeners(app: &App, facts: &Facts) -> Finding {
    const ABOUT: &str = "notifications";
    let mend = "subscribe somebody to the function's NotificationTopic, and let its environment \
                name the topic (template.yaml does)";
    match (facts.has_topic, &app.config.approval.slack_channel) {
        (true, _) => Finding::ok(ABOUT, "notices go to the notification topic"),
        (false, Some(_)) => {
            let says = "notices go to Slack only, which loses some while it is down";
            Finding::warning(ABOUT, says, mend)
        }
        (false, None) if app.config.mode == Mode::Approval => {
            let says = "nobody hears that an approval is asked for: there is no notification topic \
                        and no Slack channel";
            Finding::problem(ABOUT, says, mend)
        }
        (false, None) => Finding::warning(ABOUT, "nobody hears of promotions or failures", mend),
    }
}

fn of_signing_secret(secret: &Read<Option<usize>>) -> Finding {
    const ABOUT: &str = "slack-signing-secret";
    const MEND: &str = "store the Signing Secret of the Slack app's page Basic Information as a \
                        SecureString in slack/signing-secret";
    match secret {
        Ok(Some(length)) if *length >= SIGNING_SECRET => Finding::ok(ABOUT, "it is there"),
        Ok(Some(length)) => {
            let says = format!("it has {length} characters, and Slack's have {SIGNING_SECRET}");
            Finding::problem(ABOUT, says, MEND)
        }
        Ok(None) => {
            Finding::problem(ABOUT, "it is missing: Slack's buttons and commands are refused", MEND)
        }
        Err(error) => Finding::problem(ABOUT, error.words.clone(), MEND),
    }
}

fn of_bot(app: &App, slack: &SlackFacts) -> Vec<Finding> {
    const ABOUT: &str = "slack-token";
    const MEND: &str = "store the Bot User OAuth Token (xoxb-…) of the Slack app as a SecureString \
                        in slack/bot-token";
    let bot = match &slack.bot {
        Ok(Some(bot)) => bot,
        Ok(None) => {
            let says = "it is missing: no question reaches Slack, and nobody's click counts";
            return vec![Finding::problem(ABOUT, says, MEND)];
        }
        Err(error) => return vec![Finding::problem(ABOUT, error.words.clone(), MEND)],
    };
    let scopes = match bot {
        Bot::Known(scopes) => scopes,
        Bot::Refused(code) => {
            let says = format!("Slack refuses the token: {code}");
            return vec![Finding::problem(ABOUT, says, MEND)];
        }
        Bot::Unknown(problem) => {
            let says = format!("the token cannot be checked: {problem}");
            return vec![Finding::warning(ABOUT, says, "check again")];
        }
    };
    let mut findings = vec![of_scopes(scopes.as_deref())];
    findings.extend(slack.channel.as_ref().map(|channel| of_channel(app, channel)));
    findings
}

fn of_scopes(scopes: Option<&[String]>) -> Finding {
    let Some(scopes) = scopes else {
        return Finding::ok("slack-token", "Slack accepts it, and does not list its scopes");
    };
    let is_missing = |scope: &&&str| !scopes.iter().any(|own| own == *scope);
    let missing: Vec<&str> = SCOPES.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        return Finding::ok("slack-token", "Slack accepts it, with the scopes that are needed");
    }
    Finding::problem(
        "slack-scopes",
        format!("the bot's token lacks {}", missing.join(" and ")),
        "add them on the page OAuth & Permissions of the Slack app (as in examples/slack-app.yaml), \
         and install the app again",
    )
}

fn of_channel(app: &App, channel: &Channel) -> Finding {
    const ABOUT: &str = "slack-channel";
    let name = app.config.approval.slack_channel.as_deref().unwrap_or_default();
    let invite = "type `/invite` with the Slack app's name in that channel";
    match channel {
        Channel::Seen { is_archived: true, .. } => Finding::problem(
            ABOUT,
            format!("the channel {name} is archived"),
            "name another channel's id in `approval.slack_channel`",
        ),
        Channel::Seen { is_member: true, .. } => {
            Finding::ok(ABOUT, format!("the bot is a member of {name}"))
        }
        Channel::Seen { is_member: false, .. } => {
            Finding::problem(ABOUT, format!("the bot is no member of {name}"), invite)
        }
        Channel::Refused(code) if code == "missing_scope" => Finding::warning(
            ABOUT,
            format!("Slack does not say whether the bot is in {name}: its token may not ask"),
            "add the scopes channels:read and groups:read for this check, or see for yourself that \
             the bot was invited",
        ),
        Channel::Refused(code) if code == "channel_not_found" => Finding::problem(
            ABOUT,
            format!("Slack knows no channel {name} that the bot may see"),
            format!("correct `approval.slack_channel`; if it is right, {invite}"),
        ),
        Channel::Refused(problem) | Channel::Unknown(problem) => {
            let says = format!("the channel {name} cannot be checked: {problem}");
            Finding::warning(ABOUT, says, "check again")
        }
    }
}

fn of_links(facts: &Facts) -> Vec<Finding> {
    const ABOUT: &str = "public-url";
    let mend = "deploy the function with PublicUrl=on";
    let address = match &facts.links.address {
        Ok(true) => Finding::ok(ABOUT, "it is there"),
        Ok(false) if facts.slack.is_some() => Finding::problem(
            ABOUT,
            "the function has no address: Slack's buttons and commands do not work",
            mend,
        ),
        Ok(false) => Finding::ok(
            ABOUT,
            "there is none: mails have no links, and there is no board (PublicUrl=on brings both)",
        ),
        Err(error) => Finding::problem(ABOUT, error.words.clone(), mend),
    };
    let links = &facts.links;
    links.key.iter().map(|key| of_key(links, key)).chain([address]).collect()
}

fn of_key(links: &LinkFacts, key: &Read<bool>) -> Finding {
    const ABOUT: &str = "link-secret";
    let new = format!(
        "make one: aws ssm put-parameter --overwrite --type SecureString --name {} --value \
         \"$(openssl rand -hex 32)\"",
        links.key_name
    );
    match key {
        Ok(true) => Finding::ok(ABOUT, "it is there: mails have links, and there is a board"),
        Ok(false) => {
            let says = "there is none: no links in mails, and no board";
            Finding { level: Level::Ok, ..Finding::warning(ABOUT, says, new) }
        }
        Err(error) => Finding::problem(ABOUT, error.words.clone(), new),
    }
}

fn of_git(git: &GitFacts) -> Finding {
    const ABOUT: &str = "git-token";
    let mend = "make a fine-grained token for that repository alone, with the permission Contents: \
                read-only, and store it as a SecureString in git-token";
    match git {
        GitFacts::NoToken => {
            Finding::ok(ABOUT, "there is none: change notes come from the images that were pushed")
        }
        GitFacts::Unread(error) => Finding::problem(ABOUT, error.words.clone(), mend),
        GitFacts::Refused(problem) => {
            let says = format!("GitHub does not show the repository with it: {problem}");
            Finding::problem(ABOUT, says, mend)
        }
        GitFacts::Unknown(problem) => {
            let says = format!("GitHub cannot be asked: {problem}");
            Finding::warning(ABOUT, says, "check again")
        }
        GitFacts::Reads(Writes::Yes) => {
            let says = "it can write to the repository, and reading is enough";
            Finding::warning(ABOUT, says, mend)
        }
        GitFacts::Reads(Writes::Perhaps) => {
            let says = "its owner can write to the repository, and GitHub does not say whether the \
                        token can";
            let look = "see for yourself that it is a fine-grained token with the permission \
                        Contents: read-only";
            Finding::warning(ABOUT, says, look)
        }
        GitFacts::Reads(Writes::No) => Finding::ok(ABOUT, "it reads the repository"),
    }
}
