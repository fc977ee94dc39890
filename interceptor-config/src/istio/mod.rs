// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of `istio-iptables`, with every value read and judged, in groups. It never asks the kernel
//! anything: what depends on the pod is in [`PodFacts`](crate::PodFacts).

mod acceleration;
mod config;
mod data_path;
mod dns;
mod guard;
mod inbound;
mod interfaces;
mod notes;
mod outbound;
mod owner_groups;
mod printed;
mod proxy;
mod resolv_conf;
mod run;
mod tproxy;
mod wanted;

pub use crate::values::DataPath;
pub use acceleration::AccelerationConfig;
pub use config::IstioConfig;
pub(crate) use dns::DNS_PORT;
pub use dns::{DnsCapture, DnsConfig};
pub use guard::Guard;
pub use inbound::{InboundConfig, InterceptionMode};
pub use interfaces::InterfacesConfig;
pub use outbound::OutboundConfig;
pub use owner_groups::OwnerGroupsConfig;
#[cfg(feature = "kubernetes")]
pub(crate) use proxy::DEFAULT_UID;
pub use proxy::ProxyConfig;
pub use resolv_conf::{DnsServers, ResolvConf};
pub use run::{IptablesBinary, RunConfig};
pub(crate) use tproxy::OUTBOUND_MARK;
pub use tproxy::TproxyConfig;
pub use wanted::Wanted;
