//! GitHub: the commits between two commits. One call, with a token that only needs to read, within
//! two seconds; no redirect is followed, and no error contains the token.
//! <https://docs.github.com/en/rest/commits/commits#compare-two-commits>

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;
use tracing::warn;

use super::clients::Clients;
use crate::address::Address;
use crate::model::Commit;
use crate::model::config::App;
use crate::model::limits::COMMITS;
use crate::model::notes::{ChangeNotes, CommitNote, Direction};
use crate::settings::Secret;

/// The longest time for all of it. The question to people must not wait for a slow host.
const WITHIN: Duration = Duration::from_secs(2);
/// The largest answer, in bytes. GitHub adds the changed files, which nobody reads here.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The most commits of a page.
const PAGE: usize = 100;
/// The version of GitHub's API.
const API_VERSION: &str = "2022-11-28";

impl Clients {
    /// Reads the commits from `base` to `head`. `None` if there is no token, if the app's
    /// repository is not at GitHub, or if GitHub does not answer well in time: then people know
    /// less, but soon.
    pub(super) async fn compare(
        &self,
        app: &App,
        base: &Commit,
        head: &Commit,
    ) -> Option<ChangeNotes> {
        let repository = repository(app, &self.settings.github_api_url)?;
        let read = async {
            let name = self.settings.secret_parameter(Secret::GitToken);
            let token = match self.secret_named(&name).await {
                Ok(token) => token?,
                Err(error) => {
                    warn!(%error, "no change notes of the Git host");
                    return None;
                }
            };
            let base_url = self.settings.github_api_url.trim_end_matches('/');
            let url = format!("{base_url}/repos/{repository}/compare/{base}...{head}");
            match self.comparison(&url, &token, head).await {
                Ok(compared) => Some(notes(compared)),
                Err(problem) => {
                    warn!(app = %app.name, problem, "no change notes of the Git host");
                    None
                }
            }
        };
        match timeout(WITHIN, read).await {
            Ok(notes) => notes,
            Err(_) => {
                warn!(app = %app.name, "the Git host did not answer in time");
                None
            }
        }
    }

    /// Reads the comparison, and its last page where the first answer leaves the newest commits
    /// out.
    async fn comparison(
        &self,
        url: &str,
        token: &SecretString,
        head: &Commit,
    ) -> Result<Comparison, String> {
        let compared = parse(&self.get(url, token).await?)?;
        if compared.has_newest(head) {
            return Ok(compared);
        }
        let last = format!("{url}?per_page={PAGE}&page={}", compared.total_commits.div_ceil(PAGE));
        let Comparison { commits, .. } = parse(&self.get(&last, token).await?)?;
        Ok(Comparison { commits, ..compared })
    }

    /// Gets a JSON document. The error is a few words without an address or a token.
    async fn get(&self, url: &str, token: &SecretString) -> Result<Vec<u8>, String> {
        let request = request(url, token).map_err(str::to_owned)?;
        let response =
            self.http.call(request).await.map_err(|_| "it cannot be reached".to_owned())?;
        body(response).await
    }
}

/// Reads the body of a good answer.
pub(super) async fn body(response: HttpResponse) -> Result<Vec<u8>, String> {
    let status = response.status().as_u16();
    if status != 200 {
        return Err(format!("it answered {status}"));
    }
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    body.map(|body| body.to_bytes().to_vec())
        .map_err(|_| "its answer broke off or is too large".to_owned())
}

pub(super) fn request(url: &str, token: &SecretString) -> Result<HttpRequest, &'static str> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).map_err(|_| "its address is not valid")?;
    let authorization = format!("Bearer {}", token.expose_secret());
    for (name, value) in [
        ("accept", "application/vnd.github+json".to_owned()),
        ("authorization", authorization),
        ("user-agent", "ecr-promoter".to_owned()),
        ("x-github-api-version", API_VERSION.to_owned()),
    ] {
        request.headers_mut().try_insert(name, value).map_err(|_| "the token is not valid")?;
    }
    Ok(request)
}

/// The `owner/name` of an app's repository, if it is at github.com or where the API is.
pub(super) fn repository(app: &App, api: &str) -> Option<String> {
    let address = Address::parse(app.config.repository_url.as_deref()?)?;
    let is_public = address.is_https() && address.host() == "github.com";
    let is_beside_the_api = Address::parse(api).is_some_and(|api| address.is_on_host_of(&api));
    if !is_public && !is_beside_the_api {
        return None;
    }
    let path = address.path().trim_matches('/');
    let (owner, name) = path.split_once('/')?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let is_name = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    (is_name(owner) && is_name(name)).then(|| format!("{owner}/{name}"))
}

/// The fields of the answer that are used.
#[derive(Deserialize)]
struct Comparison {
    status: String,
    #[serde(default)]
    ahead_by: usize,
    #[serde(default)]
    behind_by: usize,
    #[serde(default)]
    total_commits: usize,
    #[serde(default)]
    commits: Vec<ListedCommit>,
}

#[derive(Deserialize)]
struct ListedCommit {
    sha: String,
    commit: Details,
}

#[derive(Deserialize)]
struct Details {
    message: String,
    author: Option<Person>,
}

#[derive(Deserialize)]
struct Person {
    name: Option<String>,
    date: Option<Timestamp>,
}

impl Comparison {
    /// Whether the newest commit is listed. GitHub lists the oldest ones first, and not all.
    fn has_newest(&self, head: &Commit) -> bool {
        let last = self.commits.last().and_then(|last| last.sha.parse::<Commit>().ok());
        self.commits.len() >= self.total_commits || last.is_some_and(|last| last.agrees_with(head))
    }
}

fn parse(body: &[u8]) -> Result<Comparison, String> {
    serde_json::from_slice(body).map_err(|_| "its answer cannot be read".to_owned())
}

/// Makes notes of what GitHub lists: oldest first, and only what the newer side has besides.
fn notes(compared: Comparison) -> ChangeNotes {
    let direction = match compared.status.as_str() {
        "behind" => Direction::Back,
        "diverged" => Direction::Diverged(compared.behind_by),
        _ => Direction::Forward,
    };
    let commits = compared.commits.into_iter().rev().take(COMMITS).map(|one| {
        let author = one.commit.author;
        CommitNote {
            commit: one.sha.parse().ok(),
            subject: one.commit.message.lines().next().map(str::to_owned),
            author: author.as_ref().and_then(|author| author.name.clone()),
            at: author.and_then(|author| author.date),
            url: None,
        }
    });
    let mut notes = ChangeNotes::new(commits, direction);
    let all = match direction {
        Direction::Back => compared.behind_by,
        Direction::Forward | Direction::Diverged(_) => {
            compared.total_commits.max(compared.ahead_by)
        }
    };
    notes.more = all.saturating_sub(notes.commits.len());
    notes
}

#[cfg(test)]
mod tests;
