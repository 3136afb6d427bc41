//! What is measured side by side: the function, and the same work as people write it today.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::aws::{ACCOUNT, REGION};
use crate::endpoint::Endpoint;
use crate::endpoint::tls::Authority;

/// The name of the function among the variants. All ratios are to it.
pub(crate) const OURS: &str = "ecr-promoter";
/// What a file adds to a zip beside its content: two headers.
const ZIP_HEADERS: u64 = 30 + 46 + 22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A function that asks the Runtime API for events.
    Function,
    /// A script that is run for each push, with the app and the digest.
    Script,
}

#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) kind: Kind,
    program: Vec<PathBuf>,
    folder: PathBuf,
    environment: BTreeMap<&'static str, String>,
    uploaded: Vec<PathBuf>,
}

/// What could not be measured here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) what: String,
    pub(crate) why: String,
}

/// Where `scripts/bench` has put the tools, or why they are not there.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) function: PathBuf,
    pub(crate) peers: PathBuf,
    pub(crate) python: Result<PathBuf, String>,
    /// A folder with `node`, the SDK and the bundles.
    pub(crate) node: Result<PathBuf, String>,
}

impl Tools {
    /// All variants that can be run here, and what cannot.
    pub(crate) fn variants(&self) -> (Vec<Variant>, Vec<Absent>) {
        let mut all = vec![self.ours()];
        let mut absent = Vec::new();
        let mut missing = |what: &str, why: &str| {
            absent.push(Absent { what: what.to_owned(), why: why.to_owned() });
        };
        match &self.node {
            Ok(folder) => all.extend(self.node(folder)),
            Err(why) => missing("Node.js", why),
        }
        match &self.python {
            Ok(venv) => {
                all.extend(self.python(venv));
                all.push(self.bash(venv));
            }
            Err(why) => missing("Python and the AWS CLI", why),
        }
        (all, absent)
    }

    fn ours(&self) -> Variant {
        Variant {
            name: OURS,
            words: "this function",
            kind: Kind::Function,
            program: vec![self.function.clone()],
            folder: self.peers.clone(),
            environment: BTreeMap::from([
                ("STATE_TABLE", "state".to_owned()),
                ("NOTIFICATION_TOPIC_ARN", format!("arn:aws:sns:{REGION}:{ACCOUNT}:notifications")),
            ]),
            uploaded: vec![self.function.clone()],
        }
    }

    fn node(&self, folder: &Path) -> Vec<Variant> {
        let variant = |name, words, file: &str, uploaded: &[&str]| Variant {
            name,
            words,
            kind: Kind::Function,
            program: vec![folder.join("bin/node"), PathBuf::from(file)],
            folder: folder.to_owned(),
            environment: BTreeMap::new(),
            uploaded: uploaded.iter().map(|file| folder.join(file)).collect(),
        };
        let own = ["one_by_one.mjs", "promote.mjs"];
        vec![
            variant("node", "Node.js, AWS SDK v3, six calls in turn", "one_by_one.mjs", &own),
            variant(
                "node-bundled",
                "the same in one file, by esbuild",
                "one_by_one.cjs",
                &["one_by_one.cjs"],
            ),
            variant(
                "node-parallel",
                "bundled, calls side by side",
                "side_by_side.cjs",
                &["side_by_side.cjs"],
            ),
        ]
    }

    fn python(&self, venv: &Path) -> Vec<Variant> {
        let folder = self.peers.join("python");
        let variant = |name, words, handler: &str, uploaded: &[&str]| Variant {
            name,
            words,
            kind: Kind::Function,
            program: ["bin/python", "-m", "awslambdaric", handler]
                .iter()
                .enumerate()
                .map(|(at, part)| if at == 0 { venv.join(part) } else { PathBuf::from(part) })
                .collect(),
            folder: folder.clone(),
            environment: BTreeMap::from([
                ("LAMBDA_TASK_ROOT", folder.display().to_string()),
                ("PYTHONPATH", folder.display().to_string()),
                ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ]),
            uploaded: uploaded.iter().map(|file| folder.join(file)).collect(),
        };
        vec![
            variant(
                "python",
                "Python, boto3, six calls in turn",
                "handler.handler",
                &["handler.py"],
            ),
            variant(
                "python-parallel",
                "calls side by side in threads",
                "side_by_side.handler",
                &["handler.py", "side_by_side.py"],
            ),
        ]
    }

    fn bash(&self, venv: &Path) -> Variant {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", venv.join("bin").display());
        Variant {
            name: "bash",
            words: "a CI script with the AWS CLI",
            kind: Kind::Script,
            program: vec![PathBuf::from("bash"), self.peers.join("bash/promote.sh")],
            folder: self.peers.clone(),
            environment: BTreeMap::from([("PATH", path)]),
            uploaded: Vec::new(),
        }
    }
}

impl Variant {
    /// The command, with nothing in its environment but what Lambda would set and what leads it to
    /// the endpoint.
    pub(crate) fn command(&self, endpoint: &Endpoint, authority: &Authority) -> Command {
        let mut command = self.bare_command();
        set_environment(&mut command, endpoint, authority);
        command.envs(&self.environment);
        command
    }

    /// The same under another program, which gets the command as its last arguments.
    pub(crate) fn command_under(
        &self,
        program: &Path,
        arguments: &[String],
        endpoint: &Endpoint,
        authority: &Authority,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).args(&self.program).current_dir(&self.folder);
        set_environment(&mut command, endpoint, authority);
        command.envs(&self.environment);
        command
    }

    fn bare_command(&self) -> Command {
        let mut parts = self.program.iter();
        let mut command = Command::new(parts.next().map_or(Path::new("false"), PathBuf::as_path));
        command.args(parts).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// How many bytes a deploy uploads: the files, each deflated as in a zip. `None` for what is
    /// not deployed.
    pub(crate) fn zipped(&self) -> io::Result<Option<u64>> {
        if self.uploaded.is_empty() {
            return Ok(None);
        }
        self.uploaded.iter().map(|file| deflated(file)).sum::<io::Result<u64>>().map(Some)
    }
}

fn set_environment(command: &mut Command, endpoint: &Endpoint, authority: &Authority) {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("LANG", "C.UTF-8")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_SESSION_TOKEN", "token")
        .env("SSL_CERT_FILE", &authority.roots)
        .env("AWS_CA_BUNDLE", &authority.roots)
        .env("NODE_EXTRA_CA_CERTS", &authority.own)
        .envs(endpoint.variables());
}

fn deflated(file: &Path) -> io::Result<u64> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&std::fs::read(file)?)?;
    Ok(encoder.finish()?.len() as u64 + ZIP_HEADERS)
}
