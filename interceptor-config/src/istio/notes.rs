// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Settings that are accepted although they have nothing to act on. Each gets a note that says so.

use super::{config::IstioConfig, guard::Guard, run::IptablesBinary};
use crate::{
    settings::Setting,
    values::{DataPath, Selection, joined},
};

const NO_RULES: &str = "no rules of iptables or nftables are written";

pub(super) fn notes(config: &IstioConfig) -> Vec<String> {
    let IstioConfig { inbound, owner_groups, dns, run, data_path, .. } = config;
    let mut notes = match data_path {
        DataPath::Ebpf => without_rules(config),
        DataPath::Iptables => without_programs(config),
        DataPath::Auto => Vec::new(),
    };
    let mut note = |setting: Setting, value: &str, note: &str| notes.push(no_effect(setting, value, note));
    if run.native_nftables {
        let reason = match data_path {
            DataPath::Ebpf => NO_RULES,
            DataPath::Iptables | DataPath::Auto => "rules are written by iptables, which can be iptables-nft",
        };
        note(Setting::NativeNftables, "true", reason);
    }
    if dns.capture_all && !dns.redirect {
        note(Setting::CaptureAllDns, "true", "DNS is not captured without --redirect-dns");
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

/// What only rules could act on.
fn without_rules(IstioConfig { inbound, run, .. }: &IstioConfig) -> Vec<String> {
    let binary = run.force_iptables_binary.map(|binary| {
        let value = match binary {
            IptablesBinary::Legacy => "legacy",
            IptablesBinary::Nft => "nft",
        };
        no_effect(Setting::ForceIptablesBinary, value, NO_RULES)
    });
    let drop_invalid = inbound.drop_invalid.then(|| {
        let reason = "sockets are redirected, not packets, so conntrack finds no packet invalid because of a \
                      translation";
        no_effect(Setting::DropInvalid, "true", reason)
    });
    binary.into_iter().chain(drop_invalid).collect()
}

/// What only kernel programs could act on.
fn without_programs(IstioConfig { acceleration, guard, .. }: &IstioConfig) -> Vec<String> {
    let accelerate = acceleration
        .is_some()
        .then(|| no_effect(Setting::Accelerate, "true", "rules of iptables accelerate no connection"));
    let guard = (*guard == Guard::On)
        .then(|| no_effect(Setting::Guard, "on", "rules of iptables see every packet that leaves the pod"));
    accelerate.into_iter().chain(guard).collect()
}

fn no_effect(setting: Setting, value: &str, reason: &str) -> String {
    format!("{setting}: `{value}` has no effect: {reason}")
}
