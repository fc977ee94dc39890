// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The routes that `istio-iptables` sets up for TPROXY, with the real `ip`.

use std::{path::Path, process::Command, time::Duration};

use anyhow::Context as _;

use crate::scratch::run;

/// What `istio-iptables` sets up for TPROXY beside its rules, whatever there was before. `command` makes the command
/// lines of programs that run in the pod.
pub fn route_marked(
    command: &dyn Fn(&Path) -> Command,
    mark: &str,
    table: &str,
    patience: Duration,
) -> anyhow::Result<()> {
    for family in ["-4", "-6"] {
        let ip = |line: &str| {
            let mut ip = command(Path::new("ip"));
            ip.arg(family).args(line.split_whitespace());
            run(ip, "", patience).map(drop)
        };
        // Of the same rule there must not be two; that there was none is fine.
        ip(&format!("rule del fwmark {mark} lookup {table}")).unwrap_or_default();
        ip(&format!("rule add fwmark {mark} lookup {table}")).context("route marked packets")?;
        ip(&format!("route replace local default dev lo table {table}")).context("route marked packets")?;
    }
    Ok(())
}
