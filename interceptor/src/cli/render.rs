// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor render`: a configuration in the words of another tool. It reads flags, and changes nothing.

use std::{net::IpAddr, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};

use super::{output, sibling};
use crate::{SystemAccounts, named_file};
use interceptor_config::{
    InterfaceFacts, IstioConfig, PodFacts, ResolvConf, Sources,
    render::{self, Rendered},
    settings::arguments::{FlagArgs, RuleFlags},
};

/// Print a configuration in the words of another tool
#[derive(Args, Debug)]
pub(super) struct RenderArgs {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    #[command(args_override_self = true)]
    Iptables(Box<IptablesArgs>),
    /// Print the configuration by which the API server calls `interceptor webhook`
    #[command(disable_help_flag = true)]
    Webhook(sibling::SiblingArgs),
    /// Print values with which Istio itself puts Interceptor into the pods that it injects
    #[command(disable_help_flag = true)]
    IstioValues(sibling::SiblingArgs),
}

/// Print the rules that istio-iptables would write
///
/// The rules are text for iptables-restore --noflush and ip6tables-restore --noflush. Nothing is changed, and no
/// privilege is needed. Names of users, groups and ports are replaced by the numbers that they have on this machine.
/// The routes that istio-iptables adds for TPROXY, and the address that it adds to lo, are not shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor render iptables -p 15001 -z 15006 -u 1337 -i '*' -b '*' -d 15090,15021,15020
  interceptor render iptables -m TPROXY -b '*' --redirect-dns --dual-stack --pod-ip 10.1.0.5 --pod-ip fd00::5
  interceptor render iptables -i 10.96.0.0/12 --family 4 | sudo ip netns exec web iptables-restore --noflush")]
struct IptablesArgs {
    /// An address of the pod; may be repeated. There are rules for IPv6 only if an address here asks for them
    #[arg(long, value_name = "IP", action = clap::ArgAction::Append)]
    pod_ip: Vec<IpAddr>,

    /// Print only the rules of one address family, without comments
    #[arg(long, value_enum)]
    family: Option<Family>,

    /// File that lists the pod's DNS servers
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    resolv_conf: PathBuf,

    #[command(flatten)]
    settings: FlagArgs<RuleFlags>,
}

/// Printed in place of rules for IPv6.
const NO_V6: &str = "no rules for IPv6: Istio writes none for these addresses (--pod-ip, --dual-stack)";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Family {
    #[value(name = "4", help = "IPv4")]
    V4,
    #[value(name = "6", help = "IPv6")]
    V6,
}

pub(super) fn run(args: &RenderArgs) -> Result<ExitCode> {
    match &args.tool {
        Tool::Iptables(args) => iptables(args),
        Tool::Webhook(args) => sibling::run("webhook", &["render", "webhook"], args),
        Tool::IstioValues(args) => sibling::run("webhook", &["render", "istio-values"], args),
    }
}

fn iptables(args: &IptablesArgs) -> Result<ExitCode> {
    let IptablesArgs { pod_ip, family, resolv_conf, settings } = args;
    let resolv_conf = ResolvConf { path: resolv_conf, read: &named_file::read };
    let sources = Sources {
        flags: &settings.flags,
        environment: &|name| std::env::var(name).ok(),
        annotations: None,
    };
    let (config, warnings) = IstioConfig::resolve(sources, &SystemAccounts, resolv_conf)?;
    for warning in warnings {
        output::warning(warning);
    }
    let Rendered { v4, v6 } = render::iptables(&config, ipv6_enabled(pod_ip, config.interfaces.dual_stack)?);

    match (family, v6) {
        (None, v6) => {
            output::text(format_args!("# IPv4, for iptables-restore --noflush\n{}", v4.trim_end()))?;
            match v6 {
                Some(v6) => output::text(format_args!("# IPv6, for ip6tables-restore --noflush\n{}", v6.trim_end()))?,
                None => output::text(format_args!("# {NO_V6}"))?,
            }
        }
        (Some(Family::V4), _) => output::text(v4.trim_end())?,
        (Some(Family::V6), Some(v6)) => output::text(v6.trim_end())?,
        (Some(Family::V6), None) => output::warning(NO_V6),
    }
    Ok(ExitCode::SUCCESS)
}

fn ipv6_enabled(pod_ips: &[IpAddr], dual_stack: bool) -> Result<bool> {
    if pod_ips.is_empty() {
        return Ok(false);
    }
    let interfaces = vec![InterfaceFacts { name: "eth0".to_owned(), index: 2, addresses: pod_ips.to_vec() }];
    Ok(PodFacts { interfaces, ..PodFacts::default() }.ipv6_enabled(dual_stack)?)
}
