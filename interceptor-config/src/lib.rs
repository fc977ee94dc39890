// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the command line of `istio-iptables` to the tables that the kernel programs look up.
//!
//! ```text
//! IstioFlags, environment ──IstioConfig::resolve──▶ IstioConfig ──check_supported, compile (with PodFacts)──▶ CompiledPolicy
//!                                                        └───────render::iptables───────▶ what istio-iptables would have written
//! ```
//!
//! Pure steps, and every refusal happens in them, before anything is touched. Nothing here talks to the kernel, prints
//! or exits; the environment and the account database come in as arguments.

mod acceleration;
mod accounts;
mod addresses;
mod cidr;
mod compile;
mod compiled;
mod config;
mod dns;
mod error;
mod facts;
mod go;
mod id_maps;
mod interfaces;
mod list;
mod numbers;
mod prefixes;
mod ranges;
pub mod render;
mod routes;
pub mod settings;
mod sources;
mod unsupported;
mod wanted;

#[cfg(test)]
mod tests;

pub use acceleration::AccelerationConfig;
pub use accounts::Accounts;
pub use cidr::Cidr;
pub use compile::{MAX_PREFIXES_PER_POD, compile};
pub use compiled::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};
pub use config::{InterceptionMode, IptablesBinary, IstioConfig};
pub use dns::{DnsCapture, DnsServers, ResolvConf};
pub use error::ConfigError;
pub use facts::{InterfaceFacts, PodFacts, RouteFacts};
pub use id_maps::{IdMap, IdMaps};
pub use interfaces::unknown_interfaces;
pub use list::Selection;
pub use ranges::NumberRange;
pub use routes::representatives;
pub use settings::{Flags, Setting};
pub use sources::{Environment, Sources};
pub use wanted::Wanted;
