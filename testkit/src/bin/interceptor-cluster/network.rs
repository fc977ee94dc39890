// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node's cable: `eth0` at both ends. The machine's own network namespace gets no interface.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use testkit::cluster::{NODE_ADDRESS, OUTSIDE_ADDRESS};

/// Addresses of pods.
pub(crate) const PODS: &str = "10.244.0.0/24";

/// Addresses of services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";

/// From the guard's network namespace to that of the node's first process.
pub(crate) fn connect(node: u32) -> anyhow::Result<()> {
    ip(&format!(
        "link set lo up\n\
         link add eth0 type veth peer name eth0 netns {node}\n\
         addr add {OUTSIDE_ADDRESS}/24 dev eth0\n\
         link set eth0 up\n\
         route add {PODS} via {NODE_ADDRESS}\n\
         route add {SERVICES} via {NODE_ADDRESS}\n"
    ))
}

/// Inside the node.
pub(crate) fn configure() -> anyhow::Result<()> {
    // kubelet looks for the metadata of a cloud before anything else, and waits 6 s for an answer.
    ip(&format!(
        "link set lo up\n\
         addr add {NODE_ADDRESS}/24 dev eth0\n\
         link set eth0 up\n\
         route add default via {OUTSIDE_ADDRESS}\n\
         route add prohibit 169.254.169.254\n"
    ))?;
    for sysctl in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        let path = format!("/proc/sys/net/{sysctl}");
        fs::write(&path, "1").with_context(|| format!("write {path}"))?;
    }
    Ok(())
}

/// Runs `ip` commands, one per line.
fn ip(batch: &str) -> anyhow::Result<()> {
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("start ip")?;
    let mut stdin = ip.stdin.take().context("standard input is a pipe")?;
    stdin.write_all(batch.as_bytes()).context("write to ip")?;
    drop(stdin);
    let status = ip.wait().context("wait for ip")?;
    ensure!(status.success(), "ip failed with {status} on:\n{batch}");
    Ok(())
}
