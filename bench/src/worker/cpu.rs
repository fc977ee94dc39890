// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which processor each process runs on.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    },
    unistd::Pid,
};

/// Who runs where.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    /// Both ends of what is measured, unless said otherwise.
    pub measured: usize,
    /// Everything else, and the stand-in where two processors are wanted. The same when there is only one.
    pub other: usize,
}

impl Cpus {
    /// The first and the last processor that this process may use: interrupts favor the first.
    pub fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("ask which processors may be used")?;
        let usable: Vec<usize> = (0..CpuSet::count())
            .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
            .collect();
        let [first, last] = [usable.first(), usable.last()].map(Option::<&usize>::copied);
        first
            .zip(last)
            .map(|(other, measured)| Self { measured, other })
            .context("a processor to run on")
    }
}

/// Moves this process, or at least its calling thread, to one processor.
pub fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .with_context(|| format!("move to processor {cpu}"))
}

/// Lets the calling thread, and what it starts from now on, run on all processors that it may use.
pub fn spread_out() -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    (0..CpuSet::count())
        .try_for_each(|cpu| set.set(cpu))
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .context("run on all processors")
}

/// What the processes of a cgroup, and of those below it, have used so far. What the kernel does for a packet counts
/// for the process that sends it.
pub fn time_of_cgroup(cgroup: &Path) -> anyhow::Result<Duration> {
    let file = cgroup.join("cpu.stat");
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let used = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
    let used = used.and_then(|used| used.parse().ok());
    used.map(Duration::from_micros)
        .with_context(|| format!("{} has no usage_usec", file.display()))
}

pub(super) fn time_of_this_process() -> anyhow::Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("ask for the time used")?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(u64::try_from(microseconds).context("the time used")? * 1000)
}
