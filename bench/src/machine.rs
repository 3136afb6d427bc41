//! What the kernel says about this machine and about a process.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The machine that a run was made on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gb: u64,
    pub(crate) system: String,
    /// How many processes wanted to run, in the minute before the run and in its last minute. More
    /// than the cores means that others used the machine too.
    pub(crate) load_before: f64,
    pub(crate) load_after: f64,
}

impl Machine {
    pub(crate) fn here() -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split_once(": ")).map(|(_, name)| name);
        let meminfo = read("/proc/meminfo");
        let memory = number_after(&meminfo, "MemTotal:").unwrap_or_default();
        Machine {
            processor: processor.unwrap_or("unknown").trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gb: (memory + 512 * 1024) / (1024 * 1024),
            system: format!(
                "{} {} on {}",
                std::env::consts::OS,
                read("/proc/sys/kernel/osrelease").trim(),
                std::env::consts::ARCH
            ),
            load_before: load(),
            load_after: load(),
        }
    }
}

/// The load of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The most memory that a process has had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(number_after(&status, "VmHWM:")? * 1024)
}

/// The time that a process and its threads have run on a processor.
pub(crate) fn processor_time(pid: u32) -> Duration {
    // By thread, in nanoseconds. Threads that have ended are only in the process's own figure,
    // which counts in hundredths of a second.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    let by_thread = Duration::from_nanos(threads.filter_map(of_thread).sum());
    by_thread.max(ticks(&format!("/proc/{pid}/stat"), 0).unwrap_or_default())
}

/// The time that all processes that were waited for have run on a processor.
pub(crate) fn time_of_ended_children() -> Duration {
    ticks("/proc/self/stat", 2).unwrap_or_default()
}

/// Two figures of a `stat` file that stand beside each other, added: user and system time, or 2
/// further on those of ended children. Linux counts 100 a second for everybody.
fn ticks(path: &str, from: usize) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<u64> =
        fields.split(' ').skip(11 + from).take(2).filter_map(|it| it.parse().ok()).collect();
    Some(Duration::from_millis(fields.iter().sum::<u64>() * 10))
}

/// The most memory that any process of this group has now, in bytes.
pub(crate) fn memory_of_group(group: u32) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_process = |process: fs::DirEntry| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(process.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let its: u32 = fields.split(' ').nth(2)?.parse().ok()?;
        if its == group { peak_memory(pid) } else { None }
    };
    processes.filter_map(of_process).max().unwrap_or_default()
}
