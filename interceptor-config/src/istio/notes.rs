// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Settings that are accepted although they have nothing to act on. Each gets a note that says so.

use super::{config::IstioConfig, run::IptablesBinary};
use crate::{
    settings::Setting,
    values::{Selection, joined},
};

const NO_RULES: &str = "no rules of iptables or nftables are written";

pub(super) fn notes(config: &IstioConfig) -> Vec<String> {
    let IstioConfig { inbound, owner_groups, dns, run, .. } = config;
    let mut notes = Vec::new();
    let mut note =
        |setting: Setting, value: &str, note: &str| notes.push(format!("{setting}: `{value}` has no effect: {note}"));
    if run.native_nftables {
        note(Setting::NativeNftables, "true", NO_RULES);
    }
    match run.force_iptables_binary {
        None => {}
        Some(IptablesBinary::Legacy) => note(Setting::ForceIptablesBinary, "legacy", NO_RULES),
        Some(IptablesBinary::Nft) => note(Setting::ForceIptablesBinary, "nft", NO_RULES),
    }
    if dns.capture_all && !dns.redirect {
        note(Setting::CaptureAllDns, "true", "DNS is not captured without --redirect-dns");
    }
    if inbound.drop_invalid {
        let reason = "sockets are redirected, not packets, so conntrack finds no packet invalid because of a \
                      translation";
        note(Setting::DropInvalid, "true", reason);
    }
    if run.cni_mode {
        let reason = "neither a lock file nor a name service of the host is used";
        note(Setting::CniMode, "true", reason);
    }
    if !run.network_namespace.is_empty() {
        let reason = "as in Istio it does not choose the network namespace; --netns does";
        note(Setting::NetworkNamespace, &run.network_namespace, reason);
    }
    if !inbound.ports_excluded.is_empty() && inbound.ports != Selection::All {
        let reason = "inbound ports are excluded only where --istio-inbound-ports is `*`";
        note(Setting::LocalExcludePorts, &joined(&inbound.ports_excluded), reason);
    }
    if !owner_groups.excluded.is_empty() && owner_groups.included != Selection::All {
        let reason = "groups are excluded only where ISTIO_OUTBOUND_OWNER_GROUPS is `*`";
        note(Setting::OwnerGroupsExclude, &joined(&owner_groups.excluded), reason);
    }
    notes
}
