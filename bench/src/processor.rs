//! The share of a processor that Lambda gives a function of 128 MB: 128/1769 of a core.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::AbortHandle;

/// The time in which the share is given out, in microseconds. Lambda's is 20 ms too.
const PERIOD: u64 = 20_000;
const QUOTA: u64 = PERIOD * 128 / 1769;

/// How the share is enforced.
#[derive(Debug)]
pub(crate) enum Share {
    /// By a control group of this folder, with this file of processes in it.
    Group { folder: PathBuf, version: u8 },
    /// By stopping the process and letting it go on, where no control group can be made. It cannot
    /// tell waiting from working, so it is too strict for a process that waits.
    Signals,
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Share::Group { folder, .. } = self {
            // A group that still has a process stays until the next start of the machine.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Share {
    /// Makes a control group, of the second version or of the first.
    pub(crate) fn new() -> Share {
        let name = format!("ecr-promoter-bench-{}", std::process::id());
        let second = Path::new("/sys/fs/cgroup").join(&name);
        let first = Path::new("/sys/fs/cgroup/cpu").join(&name);
        for (folder, version) in [(second, 2), (first, 1)] {
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            if set_quota(&folder, version).is_ok() {
                return Share::Group { folder, version };
            }
            let _ = fs::remove_dir(&folder);
        }
        Share::Signals
    }

    /// Says how it is enforced.
    pub(crate) fn words(&self) -> String {
        match self {
            Share::Group { version, .. } => format!(
                "control group of version {version}: {QUOTA} of every {PERIOD} microseconds"
            ),
            Share::Signals => "SIGSTOP and SIGCONT, since no control group can be made here: \
                               too strict for a process that waits"
                .to_owned(),
        }
    }

    /// Limits a process with all its threads, until the limit is dropped or the process ends.
    pub(crate) fn limit(&self, pid: u32) -> io::Result<Limit> {
        match self {
            Share::Group { folder, .. } => {
                fs::write(folder.join("cgroup.procs"), pid.to_string())?;
                Ok(Limit(None))
            }
            Share::Signals => {
                let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
                let pid = raw.ok_or_else(|| io::Error::other("no process"))?;
                Ok(Limit(Some(tokio::spawn(stop_and_go(pid)).abort_handle())))
            }
        }
    }

    /// The file that a process writes itself to, to be limited from its start.
    pub(crate) fn door(&self) -> Option<PathBuf> {
        match self {
            Share::Group { folder, .. } => Some(folder.join("cgroup.procs")),
            Share::Signals => None,
        }
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
pub(crate) struct Limit(Option<AbortHandle>);

impl Drop for Limit {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
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
