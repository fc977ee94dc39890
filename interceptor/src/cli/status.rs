// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use interceptor_policy::{Policy, PolicyFlags, Reason};
use serde::Serialize;

use super::output::{self, Format};
use crate::Node;

/// Show the pods that are enrolled, what is attached, and what was counted
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor status
  interceptor status -o json")]
pub(super) struct StatusArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,

    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

/// A pod, as `-o json` prints it.
#[derive(Debug, Serialize)]
struct PodStatus {
    netns_cookie: u64,
    netns_inode: u64,
    cgroup: Option<PathBuf>,
    /// False when the network namespace is gone; the next run removes the pod.
    alive: bool,
    outbound_port: u16,
    inbound_port: u16,
    outbound: &'static str,
    inbound: &'static str,
    address_ranges: u32,
    number_ranges: u32,
    /// `--accelerate-budget`, where connections are accelerated.
    accelerate_budget: Option<u32>,
    attached: Vec<&'static str>,
    missing: Vec<&'static str>,
    counters: BTreeMap<&'static str, u64>,
}

pub(super) fn run(args: &StatusArgs) -> Result<ExitCode> {
    let pods: Vec<PodStatus> = Node::open(&args.bpffs)?.status()?.iter().map(PodStatus::of).collect();
    match args.output {
        Format::Json => output::json(&pods)?,
        Format::Text if pods.is_empty() => output::text("No pod is enrolled"),
        Format::Text => pods.iter().for_each(print),
    }
    Ok(ExitCode::SUCCESS)
}

impl PodStatus {
    fn of(pod: &crate::PodStatus) -> Self {
        let crate::PodStatus { netns_cookie, enrollment, cgroup, alive, attached, missing, counters } = pod;
        let policy = &enrollment.policy;
        Self {
            netns_cookie: *netns_cookie,
            netns_inode: enrollment.netns_inode,
            cgroup: cgroup.clone(),
            alive: *alive,
            outbound_port: policy.outbound_port,
            inbound_port: policy.inbound_port,
            outbound: outbound(policy),
            inbound: inbound(policy),
            address_ranges: enrollment.addresses,
            number_ranges: enrollment.numbers,
            accelerate_budget: policy.has(PolicyFlags::ACCELERATE).then_some(policy.accelerate_budget),
            attached: attached.clone(),
            missing: missing.clone(),
            counters: counters.iter().map(|(reason, count)| (reason.label(), *count)).collect(),
        }
    }
}

fn outbound(policy: &Policy) -> &'static str {
    if policy.has(PolicyFlags::OUTBOUND_ALL) { "all" } else { "listed" }
}

fn inbound(policy: &Policy) -> &'static str {
    match (policy.has(PolicyFlags::INBOUND), policy.has(PolicyFlags::INBOUND_ALL)) {
        (false, _) => "none",
        (true, true) => "all",
        (true, false) => "listed",
    }
}

fn print(pod: &PodStatus) {
    let PodStatus {
        netns_cookie,
        netns_inode,
        cgroup,
        alive,
        outbound_port,
        inbound_port,
        outbound,
        inbound,
        address_ranges,
        number_ranges,
        accelerate_budget,
        attached,
        missing,
        counters,
    } = pod;
    let gone = if *alive { "" } else { " (gone; the next run removes the pod)" };
    output::text(format_args!("Pod net:[{netns_inode}], cookie {netns_cookie}{gone}"));
    let cgroup = cgroup.as_ref().map_or_else(
        || "gone, or not visible from here".to_owned(),
        |path| path.display().to_string(),
    );
    output::text(format_args!("  cgroup    {cgroup}"));
    output::text(format_args!("  outbound  {outbound} to port {outbound_port}"));
    output::text(format_args!("  inbound   {inbound} to port {inbound_port}"));
    output::text(format_args!(
        "  lists     {address_ranges} address ranges, {number_ranges} ranges of ports and ids"
    ));
    if let Some(budget) = accelerate_budget {
        output::text(format_args!(
            "  accelerates, up to {budget} unread bytes in each direction of a connection"
        ));
    }
    output::text(format_args!(
        "  attached  {} of {} programs",
        attached.len(),
        attached.len() + missing.len()
    ));
    if !missing.is_empty() {
        output::text(format_args!("  MISSING   {}; run `interceptor pod` again", missing.join(", ")));
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    for reason in Reason::ALL {
        if let Some(count) = counters.get(reason.label()) {
            table.add_row([format!("  {count}"), reason.label().to_owned(), reason.sentence().to_owned()]);
        }
    }
    if table.row_iter().next().is_some() {
        output::text(table);
    }
}
