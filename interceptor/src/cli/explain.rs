// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use interceptor_policy::{
    Action, Address, Flow, Inbound, LOOPBACK_INTERFACE, Outbound, Owner, Policy, Protocol, Verdict, decide,
};
use serde::Serialize;

use super::output::{self, Format};
use crate::{Netns, Node, SystemAccounts};
use interceptor_config::{
    CompiledPolicy, IdMap, IdMaps, InterfaceFacts, IstioConfig, NumberRange, PodFacts, ResolvConf, Sources, compile,
    settings::arguments::{FlagArgs, VerdictFlags},
};

/// Tell what happens to a connection, and which rule says so
///
/// With --netns, by the policy that is in force there; without, by the flags of istio-iptables given here, for which no
/// privilege is needed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor explain --netns /run/netns/web --uid 1000 10.1.2.3:443
  interceptor explain --netns /run/netns/web --inbound --source 10.1.2.3 10.1.0.5:8080
  interceptor explain -i '*' -x 10.96.0.0/12 --pod-ip 10.1.0.5 10.96.0.1:443")]
pub(super) struct ExplainArgs {
    /// Destination address and port
    #[arg(value_name = "IP:PORT")]
    destination: SocketAddr,

    /// Network namespace of an enrolled pod
    #[arg(long, value_name = "PATH")]
    netns: Option<PathBuf>,

    /// User that makes the socket, as a number in the pod
    #[arg(long, default_value_t = 1000)]
    uid: u32,

    /// Its group [default: the same number as the user]
    #[arg(long)]
    gid: Option<u32>,

    /// Source address: what the socket is bound to, or where an inbound connection comes from
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,

    /// Mark of the socket (`SO_MARK`), which matters under TPROXY
    #[arg(long, value_name = "N", default_value_t = 0)]
    mark: u32,

    /// Interface that the socket is bound to (`SO_BINDTODEVICE`), or that an inbound connection arrives at; without
    /// --netns, `lo` or `eth0`
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// The connection arrives at the pod, instead of being made by it
    #[arg(long, requires = "source")]
    inbound: bool,

    /// UDP instead of TCP
    #[arg(long)]
    udp: bool,

    /// An address of the pod, when there is no --netns to read them from; may be repeated
    #[arg(long, value_name = "IP", conflicts_with = "netns", action = clap::ArgAction::Append)]
    pod_ip: Vec<IpAddr>,

    /// Where the DNS servers are listed, when there is no --netns
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    resolv_conf: PathBuf,

    /// How to print
    #[arg(short = 'O', long, value_enum, default_value_t)]
    output: Format,

    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,

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

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    let (policy, ids, interfaces) = if let Some(path) = &args.netns {
        if !args.settings.flags.is_empty() {
            bail!(
                "The policy is read from the pod (--netns), so flags of istio-iptables have no place here; leave one or the other out"
            );
        }
        let netns = Netns::open(path)?;
        let policy = Node::open(&args.bpffs)?.policy(&netns)?;
        (policy, netns.id_maps()?, netns.facts()?.interfaces)
    } else {
        let interfaces = assumed_interfaces(args);
        (policy_from_flags(args, &interfaces)?, IdMaps::default(), interfaces)
    };
    let interface = args.interface.as_deref().map_or(Ok(0), |name| index_of(name, &interfaces))?;
    let (flow, connection) = flow(args, &policy, &ids, interface)?;
    let Verdict { action, reason, .. } = decide(&flow, &policy.policy, &policy);
    let explanation = Explanation {
        connection,
        verdict: verdict(action, &policy.policy),
        reason: reason.label(),
        sentence: reason.sentence(),
    };
    match args.output {
        Format::Json => output::json(&explanation)?,
        Format::Text => {
            let Explanation { connection, verdict, reason, sentence } = explanation;
            output::text(format_args!("{connection}\n  {verdict}\n  because {sentence} [{reason}]"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn policy_from_flags(args: &ExplainArgs, interfaces: &[InterfaceFacts]) -> Result<CompiledPolicy> {
    let resolv_conf = ResolvConf { path: &args.resolv_conf, read: &|path| std::fs::read(path) };
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

/// Without addresses of its own, the pod gets one that nobody dials, so that only loopback is local.
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

fn verdict(action: Action, policy: &Policy) -> String {
    match action {
        Action::Pass => "passes: it goes where it is sent".to_owned(),
        Action::RedirectOutbound => format!("is redirected to the sidecar's outbound port {}", policy.outbound_port),
        Action::RedirectInbound => format!("is redirected to the sidecar's inbound port {}", policy.inbound_port),
        Action::RedirectDns => format!("is redirected to the sidecar's DNS port {}", policy.dns_port),
        Action::Refuse => "is refused".to_owned(),
    }
}
