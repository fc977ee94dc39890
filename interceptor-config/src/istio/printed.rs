// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A printed configuration read back: whoever keeps what a pod was enrolled with, keeps it as it is printed.

use std::{collections::BTreeMap, io, path::Path};

use super::{config::IstioConfig, resolv_conf::ResolvConf, wanted::Wanted};
use crate::{
    accounts::NoAccounts,
    error::ConfigError,
    settings::{Flags, Setting},
    sources::Sources,
};

/// The DNS servers are no setting: they stand in a file.
const DNS_SERVERS: &str = "DNS_SERVERS";

/// What is printed of a configuration, and by which setting it is given.
#[rustfmt::skip]
const NAMES: &[(&str, Setting)] = &[
    ("PROXY_PORT", Setting::EnvoyPort),
    ("PROXY_INBOUND_CAPTURE_PORT", Setting::InboundCapturePort),
    ("PROXY_TUNNEL_PORT", Setting::InboundTunnelPort),
    ("PROXY_UID", Setting::ProxyUid),
    ("PROXY_GID", Setting::ProxyGid),
    ("INBOUND_INTERCEPTION_MODE", Setting::InterceptionMode),
    ("INBOUND_PORTS_INCLUDE", Setting::InboundPorts),
    ("INBOUND_PORTS_EXCLUDE", Setting::LocalExcludePorts),
    ("DROP_INVALID", Setting::DropInvalid),
    ("OUTBOUND_IP_RANGES_INCLUDE", Setting::ServiceCidr),
    ("OUTBOUND_IP_RANGES_EXCLUDE", Setting::ServiceExcludeCidr),
    ("OUTBOUND_PORTS_INCLUDE", Setting::OutboundPorts),
    ("OUTBOUND_PORTS_EXCLUDE", Setting::LocalOutboundPortsExclude),
    ("HOST_IPV4_LOOPBACK_CIDR", Setting::Ipv4LoopbackCidr),
    ("OUTBOUND_OWNER_GROUPS_INCLUDE", Setting::OwnerGroups),
    ("OUTBOUND_OWNER_GROUPS_EXCLUDE", Setting::OwnerGroupsExclude),
    ("DNS_CAPTURE", Setting::RedirectDns),
    ("CAPTURE_ALL_DNS", Setting::CaptureAllDns),
    ("INBOUND_TPROXY_MARK", Setting::TproxyMark),
    ("INBOUND_TPROXY_ROUTE_TABLE", Setting::TproxyRouteTable),
    ("EXCLUDE_INTERFACES", Setting::ExcludeInterfaces),
    ("KUBE_VIRT_INTERFACES", Setting::KubeVirtInterfaces),
    ("DUAL_STACK", Setting::DualStack),
    ("DATA_PATH", Setting::DataPath),
    ("GUARD", Setting::Guard),
    ("ACCELERATE_BUDGET", Setting::AccelerateBudget),
    ("FORCE_ACCELERATE", Setting::ForceAccelerate),
    ("NETWORK_NAMESPACE", Setting::NetworkNamespace),
    ("CNI_MODE", Setting::CniMode),
    ("RECONCILE", Setting::Reconcile),
    ("CLEANUP_ONLY", Setting::CleanupOnly),
    ("FORCE_APPLY", Setting::ForceApply),
    ("NATIVE_NFTABLES", Setting::NativeNftables),
    ("FORCE_IPTABLES_BINARY", Setting::ForceIptablesBinary),
    ("DRY_RUN", Setting::DryRun),
    ("DRY_RUN_FILE_PATH", Setting::DryRunFilePath),
    ("SKIP_RULE_APPLY", Setting::SkipRuleApply),
    ("RUN_VALIDATION", Setting::RunValidation),
    ("IPTABLES_PROBE_PORT", Setting::ProbePort),
    ("PROBE_TIMEOUT", Setting::ProbeTimeout),
];

impl Wanted {
    /// The configuration that prints these texts under these names.
    pub fn from_printed(printed: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let servers = printed.get(DNS_SERVERS).map(|servers| resolv_conf(servers));
        let resolv_conf = ResolvConf {
            path: Path::new(DNS_SERVERS),
            read: &|_path| servers.clone().ok_or_else(|| io::ErrorKind::NotFound.into()),
        };
        let sources = Sources { flags: &flags(printed)?, environment: &|_name| None, annotations: None };
        let (config, _warned_before) = IstioConfig::resolve(sources, &NoAccounts, resolv_conf)?;
        config.supported()
    }
}

fn flags(printed: &BTreeMap<String, String>) -> Result<Flags, ConfigError> {
    let mut flags = Flags::default();
    for (name, text) in printed.iter().filter(|(name, _)| *name != DNS_SERVERS) {
        let row = NAMES.iter().find(|(known, _)| known == name);
        let (_, setting) = row.ok_or_else(|| ConfigError::NotPrinted { name: name.clone() })?;
        flags = flags.with(*setting, text);
        if *setting == Setting::AccelerateBudget {
            flags = flags.with(Setting::Accelerate, "true"); // it is printed only then
        }
    }
    Ok(flags)
}

/// From `[10.96.0.10],[fd00::a fd00::b]`.
fn resolv_conf(printed: &str) -> Vec<u8> {
    let servers = printed.split(['[', ']', ',', ' ']).filter(|server| !server.is_empty());
    servers
        .flat_map(|server| format!("nameserver {server}\n").into_bytes())
        .collect()
}
