//! The share of a processor that Lambda gives a function of 128 MB: 128/1769 of a core.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::AbortHandle;

/// The time in which the share is given out, in microseconds. Lambda's is 20 ms too.
const PERIOD: u64 = 20_000;
const QUOTA: u64 = PERIOD * 128 / 1769;

/// How the share is enforced.
#[derive(Debug)]
pub(crate) enum Share {
    /// By control groups whose folders begin with this path.
    Groups { path: PathBuf, version: u8, made: AtomicU32 },
    /// By stopping the process and letting it go on, where no control group can be made. It cannot
    /// tell waiting from working, so it is too strict for a process that waits.
    Signals,
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Share::Groups { path, made, .. } = self {
            // A group whose process was still ending when the group was dropped.
            for number in 0..*made.get_mut() {
                let _ = fs::remove_dir(folder(path, number));
            }
        }
    }
}

impl Share {
    /// Looks whether control groups can be made, of the second version or of the first.
    pub(crate) fn new() -> Share {
        let name = format!("ecr-promoter-bench-{}", std::process::id());
        for (root, version) in [("/sys/fs/cgroup", 2), ("/sys/fs/cgroup/cpu", 1)] {
            let path = Path::new(root).join(&name);
            if Group::new(folder(&path, 0), version).is_ok() {
                return Share::Groups { path, version, made: AtomicU32::new(1) };
            }
        }
        Share::Signals
    }

    /// Says how it is enforced.
    pub(crate) fn words(&self) -> String {
        match self {
            Share::Groups { version, .. } => format!(
                "a control group of version {version} for each process: {QUOTA} of every {PERIOD} \
                 microseconds"
            ),
            Share::Signals => "SIGSTOP and SIGCONT, since no control group can be made here: \
                               too strict for a process that waits"
                .to_owned(),
        }
    }

    /// Makes a control group for a process that enters it by itself; `None` where none can be made.
    /// Each process needs its own: what one used beyond the share, the next of the same group would
    /// have to wait for.
    pub(crate) fn group(&self) -> io::Result<Option<Group>> {
        let Share::Groups { path, version, made } = self else { return Ok(None) };
        let number = made.fetch_add(1, Ordering::Relaxed);
        Group::new(folder(path, number), *version).map(Some)
    }

    /// Limits a process with all its threads, until the limit is dropped or the process ends.
    pub(crate) fn limit(&self, pid: u32) -> io::Result<Limit> {
        if let Some(group) = self.group()? {
            fs::write(group.door(), pid.to_string())?;
            return Ok(Limit::Group { _group: group });
        }
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = raw.ok_or_else(|| io::Error::other("no process"))?;
        Ok(Limit::Signals(tokio::spawn(stop_and_go(pid)).abort_handle()))
    }
}

fn folder(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}-{number}", path.display()))
}

/// A control group with the share.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

impl Group {
    fn new(folder: PathBuf, version: u8) -> io::Result<Group> {
        fs::create_dir(&folder)?;
        let group = Group(folder);
        set_quota(&group.0, version)?;
        Ok(group)
    }

    /// The file that a process writes itself to, to be limited from then on.
    pub(crate) fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn set_quota(folder: &Path, version: u8) -> io::Result<()> {
    // A folder that is no control group has no such file.
    fs::metadata(folder.join("cgroup.procs"))?;
    if version == 2 {
        return fs::write(folder.join("cpu.max"), format!("{QUOTA} {PERIOD}"));
    }
    fs::write(folder.join("cpu.cfs_period_us"), PERIOD.to_string())?;
    fs::write(folder.join("cpu.cfs_quota_us"), QUOTA.to_string())
}

/// The limit of one process.
pub(crate) enum Limit {
    Group { _group: Group },
    Signals(AbortHandle),
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Limit::Signals(task) = self {
            task.abort();
        }
    }
}

async fn stop_and_go(pid: Pid) {
    while kill_process(pid, Signal::CONT).is_ok() {
        tokio::time::sleep(Duration::from_micros(QUOTA)).await;
        if kill_process(pid, Signal::STOP).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_micros(PERIOD - QUOTA)).await;
    }
}
