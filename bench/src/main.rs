//! Measures the release binary beside the same work written in other ways. `scripts/bench` builds
//! and installs what it needs, and runs it.

mod aws;
mod chart;
mod compare;
mod endpoint;
mod instructions;
mod lambda;
mod machine;
mod processor;
mod report;
mod results;
mod scale;
mod second_build;
mod targets;
mod variants;
mod write;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::compare::Contestant;
use crate::endpoint::tls::Authority;
use crate::machine::{Machine, load};
use crate::processor::Share;
use crate::results::{Measured, Results, Samples};
use crate::second_build::SecondBuild;
use crate::variants::{Absent, Tools, Variant};

/// Measures ecr-promoter beside the same work in other languages. Run it by ./scripts/bench
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Make one round instead of seven; with --scale, 500 events for 20 apps
    #[arg(long)]
    quick: bool,
    /// Make this many rounds
    #[arg(long)]
    runs: Option<usize>,
    /// Measure only this variant; can be given several times. The names are in the table
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the figures to bench/results.json, and the tables and the chart into the documents
    #[arg(long)]
    write: bool,
    /// Write the tables and the chart of bench/results.json again, and measure nothing
    #[arg(long)]
    render: bool,
    /// Send 10,000 pushes for 200 apps through 50 processes, with AWS's limits
    #[arg(long)]
    scale: bool,
    /// Count instructions with valgrind. With --write, keep them; else fail 5 % above what is kept
    #[arg(long)]
    instructions: bool,
}

impl Arguments {
    fn is_wanted(&self, variant: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == variant)
    }
}

/// What `scripts/bench` says by the environment.
struct Place {
    root: PathBuf,
    tools: Tools,
    commit: String,
    further: Vec<Absent>,
}

fn place() -> Result<Place, Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let needed = |name: &str| {
        variable(name).ok_or_else(|| format!("{name} is not set: run ./scripts/bench"))
    };
    let tool = |name: &str| match variable(name) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(variable(&format!("{name}_ABSENT")).unwrap_or_else(|| "not asked for".into())),
    };
    let root = PathBuf::from(needed("BENCH_ROOT")?);
    let tools = Tools {
        function: PathBuf::from(needed("BENCH_FUNCTION")?),
        peers: root.join("bench/peers"),
        python: tool("BENCH_PYTHON"),
        node: tool("BENCH_NODE"),
    };
    let further = variable("BENCH_DOCKER_ABSENT")
        .map(|why| Absent { what: "the second `docker build` and push".to_owned(), why });
    let commit = variable("BENCH_COMMIT").unwrap_or_else(|| "unknown".to_owned());
    Ok(Place { root, tools, commit, further: further.into_iter().collect() })
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let place = place()?;
    if arguments.render {
        return write::documents(&place.root);
    }
    let folder = Folder::new()?;
    let authority = Authority::new(&folder.0)?;
    if arguments.instructions {
        return instructions::run(&place, &authority, &folder.0, arguments.write).await;
    }
    if arguments.scale {
        return scale::run(&place, &authority, arguments.quick, arguments.write).await;
    }
    let (variants, mut absent) = place.tools.variants();
    absent.extend(place.further.iter().cloned());
    let variants: Vec<Variant> =
        variants.into_iter().filter(|it| arguments.is_wanted(it.name)).collect();
    if variants.is_empty() {
        return Err(format!("no variant is called {}", arguments.only.join(" or ")).into());
    }
    for Absent { what, why } in &absent {
        eprintln!("NOT MEASURED: {what}: {why}");
    }
    let runs = arguments.runs.unwrap_or(if arguments.quick { 1 } else { 7 });
    let has_engine = place.further.is_empty() && arguments.is_wanted(second_build::NAME);
    let build = if has_engine { Some(SecondBuild::new(&folder.0).await?) } else { None };
    let mut results = compare(&variants, build.as_ref(), &authority, runs).await?;
    (results.commit, results.absent) = (place.commit.clone(), absent);
    report::print(&results);
    let json = serde_json::to_string_pretty(&results)? + "\n";
    if let Some(out) = &arguments.out {
        fs::write(out, &json)?;
    }
    if arguments.write {
        fs::write(place.root.join(write::RESULTS), json)?;
        write::documents(&place.root)?;
    }
    Ok(())
}

async fn compare(
    variants: &[Variant],
    build: Option<&SecondBuild>,
    authority: &Authority,
    runs: usize,
) -> Result<Results, Box<dyn Error>> {
    let mut machine = Machine::here();
    let share = Share::new();
    let mut contestants = Vec::new();
    for variant in variants {
        let mut contestant = Contestant::new(variant, authority).await?;
        contestant.warm_up().await?;
        contestants.push(contestant);
    }
    let samples = rounds(&mut contestants, build, &share, runs).await?;
    machine.load_after = load();
    let measured = |variant: &Variant| -> std::io::Result<Measured> {
        Ok(Measured {
            name: variant.name.to_owned(),
            words: variant.words.to_owned(),
            zipped: variant.zipped()?,
        })
    };
    let mut measured = variants.iter().map(measured).collect::<Result<Vec<_>, _>>()?;
    measured.extend(build.map(|_| SecondBuild::measured()));
    Ok(Results {
        date: now(),
        commit: String::new(),
        machine,
        share: share.words(),
        runs,
        roots: authority.count,
        variants: measured,
        absent: Vec::new(),
        figures: samples.figures(),
    })
}

/// All rounds, in each of which every variant comes once, in another order.
async fn rounds(
    contestants: &mut [Contestant<'_>],
    build: Option<&SecondBuild>,
    share: &Share,
    runs: usize,
) -> Result<Samples, Box<dyn Error>> {
    let mut samples = Samples::default();
    for run in 1..=runs {
        for share in [None, Some(share)] {
            fastrand::shuffle(contestants);
            for contestant in contestants.iter_mut() {
                // With the share of 128 MB a script takes a minute.
                let is_slow = contestant.variant.kind == variants::Kind::Script;
                if is_slow && share.is_some() && run > 1 {
                    continue;
                }
                eprintln!("round {run} of {runs}: {}", contestant.variant.name);
                contestant.measure(share, &mut samples).await?;
            }
        }
        if let Some(build) = build {
            eprintln!("round {run} of {runs}: {}", second_build::NAME);
            build.measure(&mut samples).await?;
        }
    }
    Ok(samples)
}

/// The time, to the minute.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        let path = std::env::temp_dir().join(format!("ecr-promoter-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}
