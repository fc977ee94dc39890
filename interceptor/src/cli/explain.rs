// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor explain`: the verdict on one connection, and the rule that decides. It asks the function that the
//! kernel programs ask, and changes nothing.
#![expect(clippy::doc_markdown, reason = "clap prints these comments as they stand")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use interceptor_policy::{
    Action, Address, ConnectError, Flow, Inbound, LOOPBACK_INTERFACE, Outbound, Owner, Policy, PolicyFlags, Protocol,
    Reason, Verdict, decide,
};
use serde::Serialize;

use super::{
    bpffs::BpffsFlag,
    output::{self, Format},
    pods::RunDirFlag,
};
use crate::{Netns, SystemAccounts, named_file, records::PodName};
use interceptor_config::{
    CompiledPolicy, IdMap, IdMaps, InterfaceFacts, IstioConfig, NumberRange, PodFacts, ResolvConf, Setting, Sources,
    compile,
    settings::arguments::{FlagArgs, VerdictFlags},
};

/// Show what happens to a connection, and which rule decides
///
/// With --netns or --pod, the policy that is in force in the pod decides. Without, the flags of istio-iptables that
/// are given here decide, and no privilege is needed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor explain --netns /run/netns/web --uid 1000 10.1.2.3:443
  interceptor explain --pod default/web-0 --uid 1000 10.1.2.3:443
  interceptor explain --netns /run/netns/web --inbound --source 10.1.2.3 10.1.0.5:8080
  interceptor explain -i '*' -x 10.96.0.0/12 --pod-ip 10.1.0.5 10.96.0.1:443")]
pub(super) struct ExplainArgs {
    /// Destination of the connection
    #[arg(value_name = "ADDRESS:PORT", value_parser = destination)]
    destination: SocketAddr,

    /// Network namespace of an enrolled pod
    #[arg(long, value_name = "PATH")]
    netns: Option<PathBuf>,

    /// Pod that the node agent enrolled, by its name in Kubernetes
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with_all = ["netns", "pod_ip"])]
    pod: Option<PodName>,

    /// User ID that makes the socket, as seen in the pod
    #[arg(long, default_value_t = 1000)]
    uid: u32,

    /// Group ID that makes the socket, as seen in the pod [default: the number of the user]
    #[arg(long)]
    gid: Option<u32>,

    /// Source address: the address that the socket is bound to, or the client of an inbound connection
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,

    /// Mark of the socket (SO_MARK); only TPROXY depends on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    mark: u32,

    /// Interface that the socket is bound to (SO_BINDTODEVICE), or that an inbound connection arrives at; without
    /// --netns, the pod has `lo` and `eth0`
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// The socket's process is outside of the pod's cgroup, and the connection leaves by another interface than `lo`
    #[arg(long, conflicts_with = "inbound")]
    outside_cgroup: bool,

    /// The connection arrives at the pod, instead of leaving the pod
    #[arg(long, requires = "source")]
    inbound: bool,

    /// The protocol is UDP instead of TCP
    #[arg(long)]
    udp: bool,

    /// An address of the pod, without --netns; may be repeated
    #[arg(long, value_name = "IP", conflicts_with = "netns", action = clap::ArgAction::Append)]
    pod_ip: Vec<IpAddr>,

    /// File that lists the pod's DNS servers, without --netns
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    resolv_conf: PathBuf,

    /// Format of the output
    #[arg(short = 'O', long, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,

    #[command(flatten)]
    bpffs: BpffsFlag,

    #[command(flatten)]
    run_dir: RunDirFlag,

    #[command(flatten)]
    settings: FlagArgs<VerdictFlags>,
}

/// As `--output json` prints it.
#[derive(Debug, Serialize)]
struct Explanation {
    connection: String,
    verdict: String,
    reason: &'static str,
    sentence: &'static str,
}

fn destination(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_malformed| "write ADDRESS:PORT, such as 10.1.2.3:443 or [2001:db8::1]:443")
}

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    explain(args).map_err(|error| match args.settings.flags.get(Setting::LocalOutboundPortsExclude) {
        // Other commands have `-o json`.
        Some(format @ ("json" | "text")) => error.context(format!(
            "-o is a list of ports here, as in istio-iptables; for output use -O {format}"
        )),
        _ => error,
    })
}

fn explain(args: &ExplainArgs) -> Result<ExitCode> {
    let (policy, ids, interfaces) = if let Some(netns) = netns(args)? {
        if !args.settings.flags.is_empty() {
            bail!(
                "--netns and --pod read the policy from the pod; they cannot be combined with flags of istio-iptables"
            );
        }
        let policy = args.bpffs.open()?.policy(&netns)?;
        (policy, netns.id_maps()?, netns.facts()?.interfaces)
    } else {
        let interfaces = assumed_interfaces(args);
        (policy_from_flags(args, &interfaces)?, IdMaps::default(), interfaces)
    };
    let interface = args.interface.as_deref().map_or(Ok(0), |name| index_of(name, &interfaces))?;
    let (flow, connection) = flow(args, &policy, &ids, interface)?;
    let Verdict { action, reason, .. } = decide(&flow, &policy.policy, &policy);
    let (verdict, reason, sentence) = if args.outside_cgroup && action != Action::Pass {
        outside_cgroup(&policy.policy)
    } else {
        (verdict(action, &policy.policy), reason.label(), reason.sentence())
    };
    let explanation = Explanation { connection, verdict, reason, sentence };
    match args.output {
        Format::Json => output::json(&explanation)?,
        Format::Text => {
            let Explanation { connection, verdict, reason, sentence } = explanation;
            output::text(format_args!("{connection}\n  {verdict}\n  because {sentence} [{reason}]"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The network namespace of the pod that is named, if one is.
fn netns(args: &ExplainArgs) -> Result<Option<Netns>> {
    Ok(match (&args.netns, &args.pod) {
        (Some(path), _) => Some(Netns::open(path)?),
        (None, Some(pod)) => Some(args.run_dir.netns(&args.bpffs.open()?, pod)?),
        (None, None) => None,
    })
}

fn policy_from_flags(args: &ExplainArgs, interfaces: &[InterfaceFacts]) -> Result<CompiledPolicy> {
    let resolv_conf = ResolvConf { path: &args.resolv_conf, read: &named_file::read };
    let sources = Sources {
        flags: &args.settings.flags,
        environment: &|name| std::env::var(name).ok(),
        annotations: None,
    };
    let (config, _warnings) = IstioConfig::resolve(sources, &SystemAccounts, resolv_conf)?;
    Ok(compile(
        &config.supported()?,
        &PodFacts { interfaces: interfaces.to_vec(), ..PodFacts::default() },
    )?)
}

/// The interfaces of a pod that is described by --pod-ip. Without --pod-ip, the pod gets an address that nobody
/// dials, so that only loopback addresses are local.
fn assumed_interfaces(args: &ExplainArgs) -> Vec<InterfaceFacts> {
    let addresses = if args.pod_ip.is_empty() {
        vec![Ipv4Addr::new(192, 0, 2, 254).into()]
    } else {
        args.pod_ip.clone()
    };
    vec![
        InterfaceFacts { name: "lo".to_owned(), index: LOOPBACK_INTERFACE, addresses: Vec::new() },
        InterfaceFacts { name: "eth0".to_owned(), index: LOOPBACK_INTERFACE + 1, addresses },
    ]
}

fn index_of(name: &str, interfaces: &[InterfaceFacts]) -> Result<u32> {
    let found = interfaces
        .iter()
        .find(|interface| interface.name == name)
        .map(|interface| interface.index);
    found.with_context(|| {
        let known: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
        format!("The pod has no interface `{name}` (--interface); it has {}", known.join(", "))
    })
}

fn flow(args: &ExplainArgs, policy: &CompiledPolicy, ids: &IdMaps, interface: u32) -> Result<(Flow, String)> {
    let (protocol, name) = if args.udp { (Protocol::Udp, "UDP") } else { (Protocol::Tcp, "TCP") };
    let (dialed, port) = (Address::from(args.destination.ip()), args.destination.port());
    let destination = args.destination;
    if let (true, Some(source)) = (args.inbound, args.source) {
        let flow = Inbound { protocol, source: source.into(), destination: dialed, port, interface };
        let place = args.interface.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
        return Ok((
            Flow::Inbound(flow),
            format!("{name} from {source} to {destination}, arriving at the pod{place}"),
        ));
    }
    let gid = args.gid.unwrap_or(args.uid);
    let source = args.source.map_or(Address::UNSPECIFIED_V4, Address::from);
    let as_the_kernel_sees = |map: &IdMap, id| {
        map.outside(NumberRange::one(id))
            .and_then(|ids| ids.first().map(|ids| ids.first))
    };
    let uid = as_the_kernel_sees(&ids.users, args.uid)
        .with_context(|| format!("The pod has no user {} (--uid)", args.uid))?;
    let group = as_the_kernel_sees(&ids.groups, gid).with_context(|| format!("The pod has no group {gid} (--gid)"))?;
    let owner = Owner::classify(uid, group, &policy.policy, policy);
    let flow = Outbound {
        protocol,
        source,
        destination: dialed.as_reached_from(source),
        port,
        owner,
        mark: args.mark,
        interface,
    };
    let bound_to = [args.source.map(|source| source.to_string()), args.interface.clone()];
    let bound_to: Vec<String> = bound_to.into_iter().flatten().collect();
    let bound = if bound_to.is_empty() {
        String::new()
    } else {
        format!(" bound to {}", bound_to.join(" and "))
    };
    let marked = if args.mark == 0 { String::new() } else { format!(" with mark {}", args.mark) };
    Ok((
        Flow::Outbound(flow),
        format!(
            "{name} to {destination}, from a socket{bound}{marked} made by uid {} gid {gid}",
            args.uid
        ),
    ))
}

/// What becomes of a connection that was to be redirected, and that no program for system calls sees.
fn outside_cgroup(policy: &Policy) -> (String, &'static str, &'static str) {
    if policy.has(PolicyFlags::GUARD) {
        let reason = Reason::GuardOutsider;
        ("is dropped".to_owned(), reason.label(), reason.sentence())
    } else {
        let sentence = "its process is outside of the pod's cgroup, and nothing guards the interfaces (--guard)";
        ("leaves the pod unredirected".to_owned(), "outside_cgroup", sentence)
    }
}

fn verdict(action: Action, policy: &Policy) -> String {
    match action {
        Action::Pass => "is not redirected".to_owned(),
        Action::RedirectOutbound => format!("is redirected to the sidecar's outbound port {}", policy.outbound_port),
        Action::RedirectInbound => format!("is redirected to the sidecar's inbound port {}", policy.inbound_port),
        Action::RedirectDns => format!("is redirected to the sidecar's DNS port {}", policy.dns_port),
        Action::Fail(error @ ConnectError::Refused) => format!("is refused ({})", error.name()),
        Action::Fail(error) => format!("fails at once with {}, as without a mesh", error.name()),
    }
}
