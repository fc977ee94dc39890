// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the settings of `istio-iptables` to the tables that the kernel programs look up.
//!
//! ```text
//! Sources ──IstioConfig::resolve──▶ IstioConfig ──supported──▶ Wanted ──compile (with PodFacts)──▶ CompiledPolicy
//!                                        └──render::iptables──▶ the rules that istio-iptables would write
//! ```
//!
//! For a pod of Kubernetes, `kubernetes::decide` goes the way to `Wanted`.
//!
//! These are pure steps. Every configuration that cannot be carried out is refused in them, before anything is
//! touched. Nothing here talks to the kernel, prints or exits. The environment, the annotations and the account
//! database come in as arguments.

mod accounts;
mod compile;
mod error;
mod istio;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod parse;
mod pod;
pub mod render;
pub mod settings;
mod sources;
mod values;

#[cfg(test)]
mod tests;

pub use accounts::{Accounts, NoAccounts};
pub use compile::{
    AddressPrefix, CompiledPolicy, MAX_PREFIXES_PER_POD, NumberPrefix, SourcePrefix, compile, representatives,
    unknown_interfaces,
};
pub use error::{AnnotationFault, ConfigError};
pub use istio::{
    AccelerationConfig, DataPath, DnsCapture, DnsConfig, DnsServers, Guard, InboundConfig, InterceptionMode,
    InterfacesConfig, IptablesBinary, IstioConfig, OutboundConfig, OwnerGroupsConfig, ProxyConfig, ResolvConf,
    RunConfig, TproxyConfig, Wanted,
};
pub use pod::{IdMap, IdMaps, InterfaceFacts, NoRoute, PodFacts, RouteFacts, UNNAMED_RANGES, Way};
pub use settings::{Flags, Setting};
pub use sources::{Annotations, Environment, Sources};
pub use values::{Cidr, NumberRange, Selection, go::parse_bool};

/// The variable by which a container is told where the BPF file system is. It is no setting of a pod.
pub const BPFFS_VARIABLE: &str = "INTERCEPTOR_BPFFS";
