// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One turn: new pods, all of them added at once and timed, then deleted.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use testkit::Node;

use super::{
    agent::Agent,
    chain::{Interception, Network, Sandbox},
};

/// What a turn took, in nanoseconds.
pub(super) struct Turn {
    /// From the start of a pod's chain to its end.
    pub(super) each: Vec<f64>,
    /// From the first start to the last end.
    pub(super) whole: f64,
    /// Of the plugins, what they start, and the agent, for each pod.
    pub(super) processor: f64,
}

pub(super) fn take(
    network: &Network,
    interception: &Interception,
    agent: &Agent<'_>,
    pods: usize,
) -> anyhow::Result<Turn> {
    // What makes and removes them is no part of a turn.
    let node = Node::new();
    let sandboxes: Vec<Sandbox> = (0..pods).map(|number| Sandbox::of(&node.pod(&number.to_string()))).collect();
    for pod in &sandboxes {
        agent.told_of(pod);
    }
    let others = agent.enrolled();
    let before = processor_time(agent)?;
    let start = Instant::now();
    let each = at_once(&sandboxes, |pod| network.add(pod, interception))?;
    let whole = nanoseconds(start.elapsed());
    let used = processor_time(agent)?.saturating_sub(before);
    let expected = if matches!(interception, Interception::Plugin { .. }) { pods } else { 0 };
    let enrolled = agent.enrolled() - others;
    ensure!(enrolled == expected, "{enrolled} pods are enrolled instead of {expected}");
    at_once(&sandboxes, |pod| network.del(pod, interception))?;
    for pod in &sandboxes {
        agent.told_that_gone(pod);
    }
    Ok(Turn {
        each: each.into_iter().map(nanoseconds).collect(),
        whole,
        processor: nanoseconds(used) / f64::from(u32::try_from(pods)?),
    })
}

/// Does it for all pods at once, in a thread for each; how long each took.
fn at_once(pods: &[Sandbox], what: impl Fn(&Sandbox) -> anyhow::Result<()> + Sync) -> anyhow::Result<Vec<Duration>> {
    let (what, ready) = (&what, &Barrier::new(pods.len()));
    thread::scope(|scope| {
        let threads: Vec<_> = pods
            .iter()
            .map(|pod| {
                scope.spawn(move || {
                    ready.wait();
                    let start = Instant::now();
                    what(pod).map(|()| start.elapsed()).with_context(|| pod.name.clone())
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that says what failed"));
        joined.collect()
    })
}

/// Of the processes that have ended, and of the agent.
fn processor_time(agent: &Agent<'_>) -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("ask for the time used")?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(microseconds).context("the time used")?) + agent.processor_time()?)
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
