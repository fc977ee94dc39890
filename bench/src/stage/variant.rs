// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to bring connections to a sidecar that are compared. Nothing here measures.

use std::fmt;

use serde::{Serialize, Serializer};
use testkit::{Pod, istio_rules::DEFAULT_FLAGS, scene::Stack};

use super::{
    rules::{Family, restore, rules},
    unavailable::Unavailable,
};

/// A way to bring a pod's connections to its sidecar, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// No interception: the application dials the sidecar's port.
    Direct,
    /// Istio's rules, in the tables of `iptables-legacy`.
    IptablesLegacy,
    /// The same rules in `nf_tables`, as `iptables-nft` writes them.
    IptablesNft,
    /// This project.
    Ebpf,
    /// This project with `--accelerate`.
    EbpfAccelerated,
    /// Another build of this project, which `--against` names.
    OtherBuild,
}

impl Variant {
    /// Those that take part in every run.
    pub const ALL: [Self; 5] =
        [Self::Direct, Self::IptablesLegacy, Self::IptablesNft, Self::Ebpf, Self::EbpfAccelerated];

    /// Those whose costs may depend on the configuration.
    pub const INTERCEPTING: [Self; 3] = [Self::IptablesLegacy, Self::IptablesNft, Self::Ebpf];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::IptablesLegacy => "iptables-legacy",
            Self::IptablesNft => "iptables-nft",
            Self::Ebpf => "ebpf",
            Self::EbpfAccelerated => "ebpf+accelerate",
            Self::OtherBuild => "other build",
        }
    }

    /// The programs that write the rules, for both families; none for what has no rules.
    pub const fn restore_programs(self) -> Option<[(Family, &'static str); 2]> {
        match self {
            Self::IptablesLegacy => {
                Some([(Family::V4, "iptables-legacy-restore"), (Family::V6, "ip6tables-legacy-restore")])
            }
            Self::IptablesNft => Some([(Family::V4, "iptables-nft-restore"), (Family::V6, "ip6tables-nft-restore")]),
            Self::Direct | Self::Ebpf | Self::EbpfAccelerated | Self::OtherBuild => None,
        }
    }

    /// Puts interception in force in a pod, with Istio's default flags and `more`; a flag given again counts.
    pub fn install(self, pod: &Pod<'_>, stack: Stack, more: &[&str]) -> Result<(), Unavailable> {
        let flags = [DEFAULT_FLAGS, stack.enroll_flags(), more].concat();
        if let Some(programs) = self.restore_programs() {
            return programs
                .iter()
                .filter(|(family, _)| family.is_in(stack))
                .try_for_each(|(family, program)| {
                    let rules = rules(pod, stack, *family, &flags).map_err(|failed| Unavailable::because(&failed))?;
                    Unavailable::unless(&restore(pod, program, &rules))
                });
        }
        match self {
            Self::Direct => Ok(()),
            Self::EbpfAccelerated => {
                Unavailable::unless(&pod.try_enroll(&[&flags, ["--accelerate"].as_slice()].concat()))
            }
            // The program is that of the node on which the pod is.
            _ => Unavailable::unless(&pod.try_enroll(&flags)),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
