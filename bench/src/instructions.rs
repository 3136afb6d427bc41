//! How many instructions the function runs, under valgrind: a figure that another process on the
//! machine hardly changes. Computed from the totals of runs with none, one and several promotions.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::Place;
use crate::aws::Aws;
use crate::compare::{APP, pushed};
use crate::endpoint::Endpoint;
use crate::endpoint::tls::Authority;
use crate::lambda::Sandbox;
use crate::report::line;
use crate::variants::{OURS, Variant};

/// Where the counts are kept.
pub(crate) const KEPT: &str = "bench/instructions.json";
/// Promotions before those that are counted: the state is as large then as it gets.
const BEFORE: u64 = 8;
/// Warm promotions that are counted together.
const WARM: u64 = 4;
/// How much more than what is kept is a failure.
const TOLERANCE: f64 = 1.05;
/// How much more than another one a run may count: the keys of its certificates are others, and the
/// C library copies memory as the processor can.
const NOISE: f64 = 1.01;
/// The targets, in millions: until ready, the first promotion, a warm one.
const TARGETS: [f64; 3] = [20.0, 25.0, 8.0];

/// Millions of instructions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) until_ready: f64,
    pub(crate) first_promotion: f64,
    pub(crate) warm_promotion: f64,
    date: String,
    commit: String,
    compiler: String,
    valgrind: String,
}

impl Counts {
    /// A table for the documents.
    pub(crate) fn words(&self) -> String {
        let mut text = String::new();
        line!(text, "| millions of instructions | counted | target |\n|---|--:|--:|");
        for ((name, count), target) in self.all().into_iter().zip(TARGETS) {
            line!(text, "| {name} | {count} | under {target} |");
        }
        let Counts { date, commit, compiler, valgrind, .. } = self;
        line!(text, "\nCounted at {date} by commit {commit}; {compiler}; {valgrind}.");
        text
    }

    fn all(&self) -> [(&'static str, f64); 3] {
        [
            ("until ready", self.until_ready),
            ("first promotion", self.first_promotion),
            ("warm promotion", self.warm_promotion),
        ]
    }
}

/// Counts, and keeps the counts or compares them with what is kept.
pub(crate) async fn run(
    place: &Place,
    authority: &Authority,
    folder: &Path,
    is_written: bool,
) -> Result<(), Box<dyn Error>> {
    let Some(valgrind) = version("valgrind") else {
        return Err("valgrind is not installed (Debian, Ubuntu: sudo apt install valgrind)".into());
    };
    let (variants, _) = place.tools.variants();
    let ours = variants.iter().find(|it| it.name == OURS).ok_or("no function")?;
    // The app is known from an earlier process, as it is in all but the first promotion ever.
    let (aws, _) = Aws::new();
    aws.add_app(APP);
    let endpoint = Endpoint::start(aws, &authority.acceptor, false).await?;
    let counted = Counted { ours, endpoint: &endpoint, authority, folder };
    let mut pushes = 0;
    counted.total(BEFORE, &mut pushes).await?;
    let none = counted.total(0, &mut pushes).await?;
    let one = counted.total(1, &mut pushes).await?;
    let several = counted.total(1 + WARM, &mut pushes).await?;
    let millions = |count: u64| (count as f64 / 1e4).round() / 100.0;
    let counts = Counts {
        until_ready: millions(none),
        first_promotion: millions(one.saturating_sub(none)),
        warm_promotion: millions(several.saturating_sub(one) / WARM),
        date: crate::now(),
        commit: place.commit.clone(),
        compiler: version("rustc").unwrap_or_default(),
        valgrind,
    };
    for ((name, count), target) in counts.all().into_iter().zip(TARGETS) {
        eprintln!("{name}: {count} million instructions (target: under {target})");
    }
    let path = place.root.join(KEPT);
    if is_written {
        fs::write(path, serde_json::to_string_pretty(&counts)? + "\n")?;
        return crate::write::documents(&place.root);
    }
    let kept: Counts = serde_json::from_str(&fs::read_to_string(path)?)?;
    let problems = problems(&counts, &kept);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// What is more than it was, or than it may be.
fn problems(counts: &Counts, kept: &Counts) -> Vec<String> {
    let mut problems = Vec::new();
    for (((name, count), (_, before)), target) in
        counts.all().into_iter().zip(kept.all()).zip(TARGETS)
    {
        if count > before * TOLERANCE {
            problems.push(format!(
                "{name}: {count} million instructions, and {before} at commit {}. Find what grew, \
                 or keep the new count: ./scripts/bench --instructions --write",
                kept.commit
            ));
        }
        if count > target * NOISE && before <= target {
            problems.push(format!("{name}: {count} million instructions, at most {target}"));
        }
    }
    problems
}

/// The first line of what a program says about its version; `None` where it is not installed.
fn version(program: &str) -> Option<String> {
    let output = std::process::Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

struct Counted<'a> {
    ours: &'a Variant,
    endpoint: &'a Endpoint,
    authority: &'a Authority,
    folder: &'a Path,
}

impl Counted<'_> {
    /// The instructions of a process with so many promotions, from its start to its end.
    async fn total(&self, promotions: u64, pushes: &mut u64) -> Result<u64, Box<dyn Error>> {
        let out = self.folder.join(format!("callgrind.{promotions}.{pushes}"));
        let valgrind = PathBuf::from("valgrind");
        let arguments = [
            "--tool=callgrind".to_owned(),
            "--quiet".to_owned(),
            format!("--callgrind-out-file={}", out.display()),
        ];
        let mut command =
            self.ours.command_under(&valgrind, &arguments, self.endpoint, self.authority);
        let mut sandbox = Sandbox::start(&mut command, None).await?;
        for _ in 0..promotions {
            *pushes += 1;
            self.endpoint.aws.finish_update(APP);
            let digest =
                self.endpoint.aws.push(APP, &format!("{:040x}", 0xfeed_0000_u64 + *pushes));
            let id = format!("8f507cfc-0000-4000-8000-{pushes:012}");
            let outcome = sandbox.invoke(&pushed(APP, &digest, &id)?, &id).await?;
            let look = self.endpoint.aws.look(APP);
            if look.runs.as_deref() != Some(digest.as_str()) {
                return Err(format!("not promoted: {:?}", outcome.answer).into());
            }
        }
        let pid = i32::try_from(sandbox.pid).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(pid, Signal::TERM)?;
        sandbox.child.wait().await?;
        total_of(&fs::read_to_string(&out)?).ok_or_else(|| "valgrind wrote no total".into())
    }
}

/// The total that a file of callgrind's ends with.
fn total_of(file: &str) -> Option<u64> {
    let line = file
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Counts, problems, total_of};

    fn counts(warm_promotion: f64) -> Counts {
        Counts {
            until_ready: 12.0,
            first_promotion: 17.0,
            warm_promotion,
            date: String::new(),
            commit: "9fceb02".to_owned(),
            compiler: String::new(),
            valgrind: String::new(),
        }
    }

    #[test]
    fn what_grew_or_no_longer_meets_its_target_is_a_problem() {
        assert_eq!(problems(&counts(7.3), &counts(7.0)), [""; 0]);
        assert_eq!(problems(&counts(7.4), &counts(7.0)).len(), 1);
        assert_eq!(problems(&counts(8.05), &counts(7.9)), [""; 0]);
        assert_eq!(problems(&counts(8.1), &counts(7.9)).len(), 1);
        assert_eq!(problems(&counts(9.0), &counts(9.0)), [""; 0]);
    }

    #[test]
    fn the_total_is_read() {
        assert_eq!(total_of("events: Ir\nfn=a\n1 2\ntotals: 12345\n"), Some(12_345));
    }
}
