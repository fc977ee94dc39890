// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor status`: the enrolled pods, what is attached to them, and what was counted in them. It changes
//! nothing.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use interceptor_policy::{Policy, PolicyFlags, Reason, ReasonKind};
use serde::Serialize;

use super::{
    bpffs::BpffsFlag,
    names::{name_of, path_of},
    output::{self, Format},
    pods::RunDirFlag,
    rules::{self, RulesStatus},
    unprotected::{self, UnprotectedStatus},
};
use crate::{
    EnrollError,
    records::{PodName, Record},
};

/// Show the enrolled pods, what is attached to them, and what was counted in them
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor status
  interceptor status --pod default/web-0
  interceptor status --output json")]
pub(super) struct StatusArgs {
    /// Format of the output
    #[arg(
        short,
        visible_short_alias = 'O',
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    output: Format,

    /// This pod alone, by its name in Kubernetes
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pod: Option<PodName>,

    #[command(flatten)]
    bpffs: BpffsFlag,

    #[command(flatten)]
    run_dir: RunDirFlag,
}

/// A pod, as `--output json` prints it. `data_path` tells which one it is.
#[derive(Debug, Serialize)]
#[serde(tag = "data_path", rename_all = "lowercase")]
enum Intercepted {
    Ebpf(ShownPod),
    Iptables(RulesStatus),
    /// It has a sidecar, and is not intercepted at all.
    None(UnprotectedStatus),
}

/// A pod that is enrolled.
#[derive(Debug, Serialize)]
struct ShownPod {
    /// Its name in Kubernetes, if the node agent enrolled it.
    pod: Option<PodName>,
    uid: Option<String>,
    sandbox: Option<String>,
    /// The path of its network namespace, if it has a name.
    netns: Option<PathBuf>,
    netns_cookie: u64,
    netns_inode: u64,
    cgroup: Option<PathBuf>,
    /// False when the network namespace is gone. The next run of `interceptor enroll` removes such a pod.
    alive: bool,
    outbound_port: u16,
    inbound_port: u16,
    outbound: &'static str,
    inbound: &'static str,
    address_ranges: u32,
    number_ranges: u32,
    /// `--accelerate-budget`, where connections are accelerated.
    accelerate_budget: Option<u32>,
    /// How many interfaces are guarded; nothing with `--guard off`.
    guarded_interfaces: Option<usize>,
    attached: Vec<&'static str>,
    missing: Vec<&'static str>,
    /// The builds of these programs, as `VERSION (FINGERPRINT)`.
    builds: Vec<String>,
    /// Processes of the pod outside of its cgroup, as `PID (NAME)`. Nothing if they could not be looked for.
    outsiders: Option<Vec<String>>,
    counters: BTreeMap<&'static str, u64>,
}

pub(super) fn run(args: &StatusArgs) -> Result<ExitCode> {
    let records = read_records(args)?;
    let rules = rules::read(&args.run_dir, &records)?;
    let enrolled = match args.bpffs.open() {
        // Where no pod can be enrolled, there can be rules.
        Err(EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. }) if !rules.is_empty() => Vec::new(),
        node => node?.status()?,
    };
    let cookies: Vec<u64> = enrolled.iter().map(|pod| pod.netns_cookie).collect();
    let unprotected = unprotected::read(&args.run_dir, &cookies)?;
    let enrolled = enrolled.iter().map(|pod| Intercepted::Ebpf(ShownPod::of(pod, &records)));
    let enrolled = enrolled.chain(rules.into_iter().map(Intercepted::Iptables));
    let mut pods: Vec<Intercepted> = enrolled.chain(unprotected.into_iter().map(Intercepted::None)).collect();
    if let Some(name) = &args.pod {
        pods.retain(|pod| pod.name() == Some(name));
        if pods.is_empty() {
            return Err(EnrollError::NotEnrolled { name: format!("The pod {name}") }.into());
        }
    }
    match args.output {
        Format::Json => output::json(&pods)?,
        Format::Text if pods.is_empty() => output::text("No pod is enrolled")?,
        Format::Text => pods.iter().try_for_each(|pod| output::text(pod.text()))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Intercepted {
    const fn name(&self) -> Option<&PodName> {
        match self {
            Self::Ebpf(pod) => pod.pod.as_ref(),
            Self::Iptables(pod) => pod.pod.as_ref(),
            Self::None(pod) => Some(&pod.pod),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Ebpf(pod) => text(pod),
            Self::Iptables(pod) => pod.text(),
            Self::None(pod) => pod.text(),
        }
    }
}

/// Without names there is a status too, unless a name was asked for.
fn read_records(args: &StatusArgs) -> Result<Vec<Record>> {
    match args.run_dir.read() {
        Err(error) if args.pod.is_none() => {
            output::warning(format_args!("The names of pods are not known: {error:#}"));
            Ok(Vec::new())
        }
        records => records,
    }
}

impl ShownPod {
    fn of(pod: &crate::PodStatus, records: &[Record]) -> Self {
        let crate::PodStatus {
            netns_cookie,
            enrollment,
            cgroup,
            alive,
            attached,
            missing,
            guarded,
            outsiders,
            builds,
            counters,
        } = pod;
        let policy = &enrollment.policy;
        let record = records
            .iter()
            .find(|record| record.is_of(*netns_cookie, enrollment.netns_inode));
        Self {
            pod: record.map(|record| record.pod.clone()),
            uid: record.and_then(|record| record.uid.clone()),
            sandbox: record.map(|record| record.sandbox.clone()),
            netns: alive.then(|| path_of(enrollment.netns_inode)).flatten(),
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
            guarded_interfaces: *guarded,
            attached: attached.clone(),
            missing: missing.clone(),
            builds: builds.iter().map(ToString::to_string).collect(),
            outsiders: outsiders
                .as_ref()
                .map(|outsiders| outsiders.iter().map(ToString::to_string).collect()),
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

/// What `--output text` prints for a pod, without a line break at its end.
fn text(pod: &ShownPod) -> String {
    let ShownPod {
        pod,
        uid: _,
        sandbox: _,
        netns,
        netns_cookie: _,
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
        guarded_interfaces,
        attached,
        missing,
        builds,
        outsiders,
        counters,
    } = pod;
    let name = name_of(pod.as_ref(), netns.as_deref(), *netns_inode);
    let gone = if *alive { "" } else { " (gone; the next run removes the pod)" };
    let cgroup = cgroup.as_ref().map_or_else(
        || "gone, or not visible from here".to_owned(),
        |path| path.display().to_string(),
    );
    let mut lines = vec![
        format!("Pod {name}{gone}"),
        format!("  cgroup       {cgroup}"),
        format!("  outbound     {outbound} to port {outbound_port}"),
        format!("  inbound      {inbound} to port {inbound_port}"),
        format!("  lists        {address_ranges} address ranges, {number_ranges} ranges of ports and ids"),
    ];
    if let Some(budget) = accelerate_budget {
        lines.push(format!(
            "  accelerates  up to {budget} unread bytes per direction of a connection"
        ));
    }
    lines.push(match guarded_interfaces {
        Some(1) => "  guarded      1 interface".to_owned(),
        Some(count) => format!("  guarded      {count} interfaces"),
        None => "  guarded      no".to_owned(),
    });
    lines.push(format!(
        "  attached     {} of {} programs",
        attached.len(),
        attached.len() + missing.len()
    ));
    match builds.as_slice() {
        [] => {}
        [build] => lines.push(format!("  build        {build}")),
        several => lines.push(format!("  BUILDS       {}; run `interceptor upgrade`", several.join(" and "))),
    }
    if !missing.is_empty() {
        lines.push(format!("  MISSING      {}; run `interceptor enroll` again", missing.join(", ")));
    }
    match outsiders.as_deref() {
        Some([]) => {}
        Some(outsiders) => lines.push(format!(
            "  OUTSIDE      {}: not in the cgroup, so what they connect to is not intercepted",
            outsiders.join(", ")
        )),
        None => {
            let why = "the pod's processes are not visible from here, or there are too many cgroups below the pod's";
            lines.push(format!("  OUTSIDE      not known: {why}"));
        }
    }
    lines.extend(counted(counters));
    lines.join("\n")
}

/// What was counted: a heading for each kind of reason, and a row for each reason. Columns are aligned across kinds.
fn counted(counters: &BTreeMap<&'static str, u64>) -> Vec<String> {
    let numbers = counters.values().map(|count| count.to_string().len()).max().unwrap_or_default();
    let labels = counters.keys().map(|label| label.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for kind in ReasonKind::ALL {
        let reasons = Reason::ALL.iter().filter(|reason| reason.kind() == *kind);
        let rows: Vec<[String; 3]> = reasons
            .filter_map(|reason| Some((reason, counters.get(reason.label())?)))
            .map(|(reason, count)| {
                let (label, sentence) = (reason.label(), reason.sentence().to_owned());
                [format!("   {count:>numbers$}"), format!("{label:labels$}"), sentence]
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .add_rows(rows);
        lines.push(format!("  {}", heading(*kind)));
        lines.extend(table.lines().map(|line| line.trim_end().to_owned()));
    }
    lines
}

const fn heading(kind: ReasonKind) -> &'static str {
    match kind {
        ReasonKind::Decision => "decisions",
        ReasonKind::Failure => "failures",
        ReasonKind::Acceleration => "acceleration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_grouped_by_kind() {
        let counted = counted(&BTreeMap::from([
            (Reason::NoListener.label(), 3),
            (Reason::LocalDestination.label(), 12),
            (Reason::ProxyOwner.label(), 1),
        ]));
        let starts: Vec<String> = counted
            .iter()
            .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            starts,
            ["decisions", "12 local_destination", "1 proxy_owner", "failures", "3 no_listener"]
        );
    }

    #[test]
    fn a_pod_without_counters_has_no_headings() {
        assert_eq!(counted(&BTreeMap::new()), Vec::<String>::new());
    }
}
