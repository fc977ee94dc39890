// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's iptables rules for a configuration, written down a second time and put in force with the real iptables.
//! It never shares code with `interceptor render iptables`: a mistake there would then be in both.

pub mod config;
mod iptables;
mod printed;
mod routing;
mod rules;

pub use config::Config;
pub use iptables::{Iptables, Tools};
pub use routing::route_marked;
pub use rules::{Family, rules};
