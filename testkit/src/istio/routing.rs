// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The routes that `istio-iptables` sets up for TPROXY, with the real `ip`.

use crate::{interceptor::Run, namespace::Namespace};

/// What `istio-iptables` sets up for TPROXY beside its rules, whatever there was before.
pub(crate) fn route_marked(namespace: &Namespace, mark: &str, table: &str) -> Result<(), String> {
    for family in ["-4", "-6"] {
        let ip = |line: &str| {
            let mut command = namespace.root().command("ip");
            command.arg(family).args(line.split_whitespace());
            Run::attempt(command, "")
        };
        // Of the same rule there must not be two; that there was none is fine.
        ip(&format!("rule del fwmark {mark} lookup {table}"))?;
        ip(&format!("rule add fwmark {mark} lookup {table}")).and_then(Run::successful)?;
        ip(&format!("route replace local default dev lo table {table}")).and_then(Run::successful)?;
    }
    Ok(())
}
