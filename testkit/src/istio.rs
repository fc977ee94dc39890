// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's rules in a namespace of a test.

use std::path::Path;

pub use interceptor_verify::istio::{Config, Family, Iptables, rules};

use crate::{namespace::Namespace, wait::timeout};

/// Puts the rules for `config` in force in `namespace`, in place of those of another.
pub fn load(iptables: Iptables, namespace: &Namespace, config: &Config) {
    let command = |program: &Path| namespace.root().command(&program.display().to_string());
    iptables
        .find()
        .and_then(|tools| tools.load(&command, config, timeout()))
        .expect("load the rules");
}

/// What `istio-iptables` sets up for TPROXY beside its rules.
pub(crate) fn route_marked(namespace: &Namespace, mark: &str, table: &str) {
    let command = |program: &Path| namespace.root().command(&program.display().to_string());
    interceptor_verify::istio::route_marked(&command, mark, table, timeout()).expect("route marked packets to lo");
}
