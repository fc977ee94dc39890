// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The comparison itself: each configuration with each iptables, the written connections and then the random ones.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::utsname::uname;
use time::OffsetDateTime;

use super::{
    args::VerifyArgs,
    backends::Backends,
    programs,
    progress::Progress,
    report::{Comparison, Differing, Origin, Report},
    subject::{Subject, Subjects},
};
use crate::{
    Interrupt, Scratch,
    flow::Flow,
    istio::Tools,
    lab::{Lab, Listed, Outcome, Own, random_flows},
    messages::How,
    probe::has_io_uring,
};

/// How long a program may take that answers at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is tried with one configuration.
struct Flows {
    written: Vec<Flow>,
    random: Vec<Flow>,
}

pub(super) fn compare(args: &VerifyArgs, interrupt: &Interrupt) -> Result<Report> {
    let Subjects { subjects, unknown } = Subjects::find(args)?;
    let seed = match args.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH).context("the time")?.as_secs(),
    };
    let scratch = Scratch::new(programs::find(args)?, PATIENCE)?;
    let Backends { usable, refused: mut left_out } = Backends::find(&scratch, args.backend)?;
    let flows = subjects.iter().map(|subject| Flows::of(subject, (args.cases, seed), interrupt));
    let mut flows = flows.collect::<Result<Vec<_>>>()?;
    if !has_io_uring() {
        for flows in &mut flows {
            flows.without(How::Uring);
        }
        left_out.push("connections by io_uring, which this machine forbids (kernel.io_uring_disabled)".to_owned());
    }
    let total: usize = flows.iter().map(|flows| flows.written.len() + flows.random.len()).sum();
    let progress = Progress::new(total * usable.len());

    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        kernel: uname().context("the kernel's name")?.release().display().to_string(),
        time: now(),
        seed,
        comparisons: Vec::new(),
        left_out,
        unknown,
    };
    for tools in usable {
        for (subject, flows) in subjects.iter().zip(&flows) {
            // What one configuration needs may be in the way of another.
            let mut lab = Lab::with(&scratch, tools.clone());
            progress.at(&format!("iptables-{}", tools.variant()));
            report
                .comparisons
                .push(flows.compare(&mut lab, subject, &tools, &progress, interrupt)?);
        }
    }
    Ok(report)
}

impl Flows {
    fn of(Subject { config, .. }: &Subject, cases: (u32, u64), interrupt: &Interrupt) -> Result<Self> {
        let own = Own::of(config);
        Ok(Self {
            written: own.written(config)?,
            random: random_flows(config, &own, cases, || interrupt.check())?,
        })
    }

    fn without(&mut self, how: How) {
        for flows in [&mut self.written, &mut self.random] {
            flows.retain(|flow| flow.how != how);
        }
    }

    fn compare(
        &self,
        lab: &mut Lab<'_>,
        Subject { pods, config }: &Subject,
        tools: &Tools,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Comparison> {
        interrupt.check()?;
        let all = [(Origin::Written, &self.written), (Origin::Random, &self.random)];
        let needed: Vec<Flow> = all.iter().flat_map(|(_, flows)| flows.iter().cloned()).collect();
        let mut in_force = lab.configure(config, &needed)?;
        let mut comparison = Comparison {
            pods: pods.clone(),
            configuration: config.to_string(),
            iptables: tools.variant(),
            iptables_version: tools.version.clone(),
            written: self.written.len(),
            random: self.random.len(),
            listed: BTreeMap::<Listed, usize>::new(),
            differences: Vec::new(),
        };
        for (origin, flows) in all {
            for flow in flows {
                interrupt.check()?;
                match in_force.compare(flow).with_context(|| format!("{config}\n    {flow}"))? {
                    Outcome::Same => {}
                    Outcome::Listed(listed) => *comparison.listed.entry(listed).or_default() += 1,
                    Outcome::Differs(difference) => comparison.differences.push(Differing::new(origin, &difference)),
                }
                progress.step();
            }
        }
        ensure!(!needed.is_empty(), "there was nothing to compare");
        Ok(comparison)
    }
}

/// In UTC.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
