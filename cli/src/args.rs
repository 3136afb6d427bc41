//! What can be typed. Each subcommand's help ends with examples; a test parses them.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use jiff::SignedDuration;

use crate::words::{self, Moment, Named};

mod help;

/// What `--version` says beside the name. A test compares it with the version of commands.
const VERSIONS: &str = concat!(env!("CARGO_PKG_VERSION"), " (commands of version 1)");

/// Commands ecr-promoter: what runs, what waits, promote, approve, roll back.
///
/// It invokes the function and nothing else: whoever may invoke it (`lambda:InvokeFunction`) may
/// use this.
#[derive(Debug, Parser)]
#[command(name = "promote", version = VERSIONS, after_help = help::ROOT, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Print the function's answer as JSON, and nothing else, on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the function is.
    #[command(flatten)]
    pub connection: Connection,
    /// The command.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Reads the command line. A stack that was typed goes before a function that the environment names:
/// what is typed now is meant.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(words)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let from = |name: &str| {
        // A global option is known where it was typed: before or after the subcommand.
        let inner = matches.subcommand().and_then(|(_, inner)| inner.value_source(name));
        let outer = matches.value_source(name);
        if outer == Some(ValueSource::CommandLine) { outer } else { inner.or(outer) }
    };
    let is_typed = from("stack") == Some(ValueSource::CommandLine);
    if is_typed && from("function") == Some(ValueSource::EnvVariable) {
        cli.connection.function = None;
    }
    Ok(cli)
}

/// Explains the words of SNS and Slack, where `promote` stands once: `promote web`. `None` for
/// every other mistake.
pub fn hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let is_misspelt = error.get(ContextKind::SuggestedSubcommand).is_some();
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if !is_misspelt && words::app(word).is_ok() => {
            Some(format!("To promote the app `{word}`: promote promote {word}"))
        }
        Some(_) | None => None,
    }
}

/// Where the function is, and as whom to call it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The function")]
pub struct Connection {
    /// The function's name or ARN. Without it, the stack's output is read
    #[arg(long, global = true, value_name = "NAME", env = "ECR_PROMOTER_FUNCTION")]
    #[arg(hide_env_values = true)]
    pub function: Option<String>,
    /// The CloudFormation stack of ecr-promoter, whose output names the function
    #[arg(long, global = true, value_name = "STACK", env = "ECR_PROMOTER_STACK")]
    #[arg(default_value = "ecr-promoter", hide_env_values = true)]
    pub stack: String,
    /// The profile of ~/.aws/config: keys, SSO, a role. Goes before keys in the environment
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// The AWS region of the function
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// It changes nothing.
    #[command(flatten)]
    Report(Report),
    /// It changes something.
    #[command(flatten)]
    Change(Change),
    /// Print the completions of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The commands that change nothing.
#[derive(Debug, Subcommand)]
pub enum Report {
    /// Print a link to the board, a page about all apps
    #[command(after_help = help::BOARD)]
    Board,
    /// Say what runs, what is newest, what is under way and who holds it
    #[command(after_help = help::STATUS)]
    Status {
        /// The app; without it, all apps
        #[arg(value_parser = words::app)]
        app: Option<String>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Say what `promote` or `rollback` would do; changes nothing
    #[command(after_help = help::PLAN)]
    Plan {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        image: Image,
        /// Plan a rollback
        #[arg(long)]
        rollback: bool,
    },
    /// List past promotions, newest first
    #[command(after_help = help::HISTORY)]
    History {
        #[command(flatten)]
        app: App,
        /// All of them, not only the first page
        #[arg(long, conflicts_with = "limit")]
        all: bool,
        /// The newest N
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// List the apps that have an image, the furthest first
    #[command(after_help = help::WHERE)]
    Where {
        /// A commit or a digest
        #[arg(value_parser = words::commit_or_digest)]
        image: Named,
    },
    /// Check whether each app's repository, stack and rights are as they must be
    #[command(after_help = help::CHECK)]
    Check {
        /// The app; without it, all apps
        #[arg(value_parser = words::app)]
        app: Option<String>,
    },
    /// Write who did what, as one line of JSON for each record
    #[command(after_help = help::AUDIT)]
    Audit {
        /// The app; without it, all apps
        #[arg(value_parser = words::app)]
        app: Option<String>,
        /// From when: `30d` (ago), `2026-10-01` or `2026-10-01T08:00:00Z`
        #[arg(long, value_name = "TIME", default_value = "30d")]
        since: Moment,
        /// Until when, like --since; without it, until now
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
    },
}

/// The commands that change something.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Promote the newest image, or the one that is named, whatever the mode: the break-glass
    #[command(after_help = help::PROMOTE)]
    Promote {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        image: Image,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        watch: Watch,
    },
    /// Let the candidate go to production
    #[command(after_help = help::APPROVE)]
    Approve {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        watch: Watch,
    },
    /// Do not let the candidate go to production
    #[command(after_help = help::REJECT)]
    Reject {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        consent: Consent,
    },
    /// Go back to the image before the present one, or to the one that is named. Holds the app
    #[command(after_help = help::ROLLBACK)]
    Rollback {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        image: Image,
        /// Why; everybody can read it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        watch: Watch,
    },
    /// Cancel our own update, or what waits to be sent
    #[command(after_help = help::CANCEL)]
    Cancel {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        watch: Watch,
    },
    /// From now on, let pushes ask for approval instead of deploying
    #[command(after_help = help::HOLD)]
    Hold {
        #[command(flatten)]
        app: App,
        /// Why; everybody can read it
        #[arg(value_name = "REASON", conflicts_with = "reason")]
        words: Vec<String>,
        /// Why, as one text
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// End a hold; in mode `auto` the newest image then goes out within 5 minutes
    #[command(after_help = help::RESUME)]
    Resume {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        watch: Watch,
    },
    /// Ask people about the candidate once more
    #[command(after_help = help::ASK)]
    Ask {
        #[command(flatten)]
        app: App,
        #[command(flatten)]
        consent: Consent,
    },
    /// Look now, instead of within 5 minutes, and do what is due
    #[command(after_help = help::RECONCILE)]
    Reconcile {
        /// The app; without it, all apps
        #[arg(value_parser = words::app)]
        app: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// The app.
#[derive(Debug, Args)]
pub struct App {
    /// The app
    #[arg(value_name = "APP", value_parser = words::app)]
    pub app: String,
}

/// An image, where one may be named.
#[derive(Debug, Args)]
pub struct Image {
    /// A commit, digest or tag
    #[arg(value_parser = words::image)]
    pub image: Option<Named>,
}

/// The image or the request to decide about.
#[derive(Debug, Args)]
pub struct Choice {
    /// A commit, digest or request. Without it, the open request is shown first; needs a terminal
    #[arg(value_name = "IMAGE")]
    pub named: Option<Named>,
}

/// Whether to ask before something changes.
#[derive(Debug, Args)]
pub struct Consent {
    /// Do not ask. Needed where there is no terminal
    #[arg(long, short)]
    pub yes: bool,
}

/// Whether to follow a promotion.
#[derive(Debug, Args)]
pub struct Watch {
    /// Follow the promotion to its end
    #[arg(long, short)]
    pub watch: bool,
    /// With --watch: give up looking after this time. The promotion goes on
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = words::duration)]
    #[arg(requires = "watch")]
    pub timeout: SignedDuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_names_that_of_the_commands() {
        let version = crate::command::VERSION;
        assert!(VERSIONS.ends_with(&format!("(commands of version {version})")), "{VERSIONS}");
    }

    #[test]
    fn words_after_hold_are_its_reason() {
        let cli = Cli::try_parse_from(["promote", "hold", "web", "release", "freeze", "--yes"]);
        let Ok(Cli { verb: Verb::Change(Change::Hold { words, .. }), .. }) = cli else {
            panic!("{cli:?}")
        };
        assert_eq!(words, ["release", "freeze"]);
    }
}
