// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel programs of this version do not do. A setting that would change where a connection goes is refused,
//! never ignored; a setting that has nothing to act on is accepted, with a note that says so.

use super::{ConfigError, InterceptionMode, IptablesBinary, IstioConfig, NumberRange, Selection, Setting};

/// `IFNAMSIZ`, without the zero at its end.
const MAX_INTERFACE_NAME: usize = 15;
/// The other mark in Istio's rules for TPROXY; no flag sets it.
const ISTIO_OUTBOUND_MARK: u32 = 1338;

impl IstioConfig {
    /// Refuses what comes in later versions, and names the settings that have no effect on the kernel programs.
    pub fn check_supported(&self) -> Result<Vec<String>, ConfigError> {
        refuse(self)?;
        Ok(notes(self))
    }
}

fn refuse(config: &IstioConfig) -> Result<(), ConfigError> {
    let refusal = |setting: Setting, value: &str, feature, advice| {
        Err(ConfigError::Unsupported { setting, value: value.to_owned(), feature, advice })
    };
    match config.interception_mode {
        InterceptionMode::Redirect => {}
        InterceptionMode::Tproxy => marked_routing(config.tproxy_mark, config.tproxy_route_table)?,
    }
    let too_long = |name: &&String| name.len() > MAX_INTERFACE_NAME;
    if let Some(name) = config.excluded_interfaces.iter().find(too_long) {
        return Err(ConfigError::InterfaceName { setting: Setting::ExcludeInterfaces, name: name.clone() });
    }
    if !config.virtual_interfaces.is_empty() {
        return refusal(
            Setting::KubeVirtInterfaces,
            &config.virtual_interfaces.join(","),
            "interception of virtual machines",
            "their packets belong to no socket of the pod, so leave it empty, or use istio-iptables for this pod",
        );
    }
    Ok(())
}

/// Refuses marks and tables with which packets that have nothing to do with the sidecar would not leave the pod any
/// more.
fn marked_routing(mark: u32, table: u32) -> Result<(), ConfigError> {
    let unworkable = |setting, value, reason, advice| Err(ConfigError::Unworkable { setting, value, reason, advice });
    match mark {
        0 => {
            return unworkable(
                Setting::TproxyMark,
                mark,
                "every packet without a mark would count as marked",
                "write 1337",
            );
        }
        ISTIO_OUTBOUND_MARK => {
            let reason = "Istio's rules know the sidecar's connections to its own pod by it";
            return unworkable(Setting::TproxyMark, mark, reason, "write another one, such as 1337");
        }
        _ => {}
    }
    match table {
        0 | 253..=255 => {
            let reason = "it is one of the tables that all packets are routed by";
            unworkable(Setting::TproxyRouteTable, table, reason, "write another one, such as 133")
        }
        _ => Ok(()),
    }
}

fn notes(config: &IstioConfig) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note =
        |setting: Setting, value: &str, note: &str| notes.push(format!("{setting}: `{value}` has no effect: {note}"));
    let no_rules = "no rules of iptables or nftables are written";
    if config.native_nftables {
        note(Setting::NativeNftables, "true", no_rules);
    }
    match config.force_iptables_binary {
        None => {}
        Some(IptablesBinary::Legacy) => note(Setting::ForceIptablesBinary, "legacy", no_rules),
        Some(IptablesBinary::Nft) => note(Setting::ForceIptablesBinary, "nft", no_rules),
    }
    if config.capture_all_dns && !config.redirect_dns {
        note(Setting::CaptureAllDns, "true", "DNS is not captured without --redirect-dns");
    }
    if config.drop_invalid {
        note(
            Setting::DropInvalid,
            "true",
            "sockets are redirected, not packets, so no address is translated and no packet is INVALID for want of it",
        );
    }
    if config.cni_mode {
        note(
            Setting::CniMode,
            "true",
            "there is no lock file and no name service of the host to keep away from",
        );
    }
    if !config.network_namespace.is_empty() {
        note(
            Setting::NetworkNamespace,
            &config.network_namespace,
            "as in Istio it does not choose the network namespace; --netns does",
        );
    }
    if !config.inbound_ports_excluded.is_empty() && config.inbound_ports != Selection::All {
        note(
            Setting::LocalExcludePorts,
            &joined(&config.inbound_ports_excluded),
            "inbound ports are excluded only where --istio-inbound-ports is `*`",
        );
    }
    if !config.owner_groups_excluded.is_empty() && config.owner_groups != Selection::All {
        note(
            Setting::OwnerGroupsExclude,
            &joined(&config.owner_groups_excluded),
            "groups are excluded only where ISTIO_OUTBOUND_OWNER_GROUPS is `*`",
        );
    }
    notes
}

fn joined(ranges: &[NumberRange]) -> String {
    ranges.iter().map(NumberRange::to_string).collect::<Vec<_>>().join(",")
}
