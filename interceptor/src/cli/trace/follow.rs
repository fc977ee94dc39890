// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps a trace up, and prints its events as they come, until it is interrupted, its time is over, or nobody reads
//! what it prints.

use std::{
    fmt::Write as _,
    future,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tokio::{
    io::unix::AsyncFd,
    signal::unix::{SignalKind, signal},
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    super::output::{self, Format},
    args::TraceArgs,
    filter::Filter,
    names::Names,
    shown::Shown,
    tally::Tally,
};
use crate::{EnrollError, Netns, Node, Renewal, Trace, TraceLimits, wall_clock};

/// How many events are printed at once.
const BATCH: usize = 4096;

/// Follows what the command line asks for.
pub(super) async fn follow(args: &TraceArgs) -> Result<()> {
    let node = args.node.open()?;
    let pod = followed(args, &node)?;
    let filter = Filter::of(args, pod);
    let limits = TraceLimits {
        buffer: args.buffer,
        lifetime: Duration::from_secs(args.lifetime.into()),
        wait: args.node.wait(),
    };
    // Who interrupts it from here on ends it properly.
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let trace = node.trace(filter.kernel(), limits)?;
    let ring = trace.as_fd().try_clone_to_owned().context("Failed to duplicate a descriptor")?;
    let ring = watched(ring).context("Failed to wait for verdicts")?;
    let mut session = Session {
        args,
        node: &node,
        names: Names::new(&node, &args.run_dir),
        filter,
        trace,
        tally: args.count.then(Tally::default),
        lost: 0,
        renewed: Instant::now(),
        lifetime: limits.lifetime,
    };
    output::note("following verdicts; interrupt it to end");

    let [interrupt, terminate] = &mut ends;
    let interrupt = interrupt
        .as_mut()
        .map_err(|error| anyhow::anyhow!("Failed to wait for signals: {error}"))?;
    let terminate = terminate
        .as_mut()
        .map_err(|error| anyhow::anyhow!("Failed to wait for signals: {error}"))?;
    let over = async {
        match args.length {
            Some(length) => sleep(length).await,
            None => future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut ticks = interval((limits.lifetime / 4).min(Duration::from_secs(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut more = false;
    let has_reader = loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break true,
            _ = terminate.recv() => break true,
            () = &mut over => break true,
            _ = ticks.tick() => match session.keep_up()? {
                Goes::On => continue,
                Goes::Out(why) => {
                    output::note(why);
                    break true;
                }
            },
            () = yield_now(), if more => {}
            ready = ring.readable(), if !more => ready.context("Failed to wait for verdicts")?.clear_ready(),
        }
        match session.print_batch()? {
            Printed::Everything => more = false,
            Printed::Some => more = true,
            Printed::NobodyReads => break false,
        }
    };
    session.end(has_reader)
}

#[expect(
    deprecated,
    reason = "an `OwnedFd` is the descriptor that it names, and its other constructor is unsafe"
)]
fn watched(ring: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(ring)
}

/// The cookie of the pod that the command line names, if it names one. An error if that is not enrolled.
fn followed(args: &TraceArgs, node: &Node) -> Result<Option<u64>> {
    if let Some(pod) = &args.pod {
        let records = args.run_dir.of_enrolled(node, pod)?;
        return Ok(records.last().map(|record| record.netns_cookie));
    }
    let Some(path) = &args.netns else { return Ok(None) };
    let netns = Netns::open(path)?;
    if node.enrollment(netns.cookie())?.is_none() {
        return Err(EnrollError::NotEnrolled { name: netns.name().to_owned() }.into());
    }
    Ok(Some(netns.cookie()))
}

struct Session<'a> {
    args: &'a TraceArgs,
    node: &'a Node,
    names: Names<'a>,
    filter: Filter<'a>,
    trace: Trace,
    tally: Option<Tally>,
    /// How many lost events were reported.
    lost: u64,
    renewed: Instant,
    lifetime: Duration,
}

/// Whether the trace goes on.
enum Goes {
    On,
    Out(&'static str),
}

enum Printed {
    Everything,
    /// There may be more.
    Some,
    NobodyReads,
}

/// What `--output json` prints when events were lost.
#[derive(Serialize)]
struct LostShown {
    lost: u64,
}

impl Session<'_> {
    /// Renews the trace if it is time, and tells what was lost.
    fn keep_up(&mut self) -> Result<Goes> {
        self.report_lost()?;
        if self.renewed.elapsed() < self.lifetime / 3 {
            return Ok(Goes::On);
        }
        let pod = match followed(self.args, self.node) {
            Ok(pod) => pod,
            Err(error) if is_not_enrolled(&error) => return Ok(Goes::Out("the pod is not enrolled any more")),
            Err(error) => return Err(error),
        };
        match self.trace.renew(pod) {
            // Another run is at work. There is time to try again.
            Err(EnrollError::Busy { .. }) => {}
            Ok(Renewal::Renewed) => {
                self.filter.follow(pod);
                self.renewed = Instant::now();
            }
            Ok(Renewal::NoPods) => return Ok(Goes::Out("no pod of this node is enrolled any more")),
            Ok(Renewal::Ended) => bail!(
                "The kernel ended the trace, because nobody renewed it for {:?}: this process was stopped, or another \
                 run held the lock; set --lifetime",
                self.lifetime
            ),
            Err(error) => return Err(error.into()),
        }
        Ok(Goes::On)
    }

    /// Prints the events that wait, in one piece.
    fn print_batch(&mut self) -> Result<Printed> {
        let mut text = String::new();
        let mut printed = Printed::Some;
        for _ in 0..BATCH {
            let Some(event) = self.trace.next_event()? else {
                printed = Printed::Everything;
                break;
            };
            if !self.filter.accepts(&event) {
                continue;
            }
            let pod = self.names.of(event.netns_cookie)?;
            let shown = Shown::of(&event, pod, wall_clock(&event)?)?;
            if let Some(tally) = &mut self.tally {
                tally.add(pod, &shown);
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            match self.args.output {
                Format::Text => write!(text, "{shown}")?,
                Format::Json => text.push_str(&serde_json::to_string(&shown).context("Failed to write JSON")?),
            }
        }
        if !text.is_empty() && !output::stream(text)? {
            return Ok(Printed::NobodyReads);
        }
        Ok(printed)
    }

    fn report_lost(&mut self) -> Result<()> {
        let lost = self.trace.lost()?;
        let more = lost.saturating_sub(self.lost);
        self.lost = lost;
        if more == 0 {
            return Ok(());
        }
        output::warning(format_args!(
            "{more} verdicts are missing here: they came faster than they were read; follow less of them, or set \
             --buffer"
        ));
        if self.args.output == Format::Json && self.tally.is_none() {
            let line = serde_json::to_string(&LostShown { lost: more }).context("Failed to write JSON")?;
            output::stream(line)?;
        }
        Ok(())
    }

    /// Takes back the trace, and prints what is left.
    fn end(mut self, has_reader: bool) -> Result<()> {
        self.trace.end()?;
        if !has_reader {
            return Ok(());
        }
        while matches!(self.print_batch()?, Printed::Some) {}
        self.report_lost()?;
        self.tally.as_ref().map_or(Ok(()), |tally| tally.print(self.args.output))
    }
}

fn is_not_enrolled(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(EnrollError::NotEnrolled { .. } | EnrollError::Gone { .. })
    )
}
