// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `mangle`: TPROXY's inbound connections, and packets that conntrack finds invalid. It redirects nothing.

use super::{
    plan::Plan,
    rules::{ISTIO_DIVERT, ISTIO_DROP, ISTIO_INBOUND, ISTIO_TPROXY, OUTPUT, PREROUTING, Table},
};
use crate::{istio::OUTBOUND_MARK, values::Selection};

pub(super) fn table(plan: &Plan<'_>) -> Table {
    let mut mangle = Table::new("mangle");
    if plan.tproxy_mark.is_some() {
        for interface in &plan.interfaces.excluded {
            mangle.append(PREROUTING, format_args!("-i {interface} -j RETURN"));
            mangle.append(OUTPUT, format_args!("-o {interface} -j RETURN"));
        }
    }
    if plan.inbound.drop_invalid {
        mangle.append(PREROUTING, "-m conntrack --ctstate INVALID -j ISTIO_DROP");
        mangle.append(ISTIO_DROP, "-j DROP");
    }
    if let Some(mark) = plan.tproxy_mark {
        inbound(&mut mangle, plan, mark);
        marks(&mut mangle, plan, mark);
    }
    mangle
}

fn inbound(mangle: &mut Table, plan: &Plan<'_>, mark: u32) {
    let intercepted = match &plan.inbound.ports {
        Selection::All => vec![String::new()],
        Selection::Listed(ports) if ports.is_empty() => return,
        Selection::Listed(ports) => ports.iter().map(|ports| format!("--dport {ports} ")).collect(),
    };
    mangle.append(ISTIO_DIVERT, format_args!("-j MARK --set-mark {mark}"));
    mangle.append(ISTIO_DIVERT, "-j ACCEPT");
    let (loopback, inbound_capture_port) = (&plan.loopback, plan.proxy.inbound_capture_port);
    mangle.append(
        ISTIO_TPROXY,
        format_args!(
            "! -d {loopback} -p tcp -j TPROXY --tproxy-mark {mark}/0xffffffff --on-port {inbound_capture_port}"
        ),
    );
    mangle.append(PREROUTING, "-p tcp -j ISTIO_INBOUND");
    if plan.inbound.ports == Selection::All {
        for ports in &plan.inbound.ports_excluded {
            mangle.append(ISTIO_INBOUND, format_args!("-p tcp --dport {ports} -j RETURN"));
        }
    }
    for ports in intercepted {
        mangle.append(
            ISTIO_INBOUND,
            format_args!("-p tcp {ports}-m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT"),
        );
        mangle.append(ISTIO_INBOUND, format_args!("-p tcp {ports}-j ISTIO_TPROXY"));
    }
}

/// Keeps the sidecar's connections to its application apart from its connections to its own inbound side.
fn marks(mangle: &mut Table, plan: &Plan<'_>, mark: u32) {
    let Plan { loopback, passthrough, .. } = plan;
    mangle.append(PREROUTING, format_args!("-p tcp -m mark --mark {mark} -j CONNMARK --save-mark"));
    mangle.append(OUTPUT, format_args!("-p tcp -o lo -m mark --mark {mark} -j RETURN"));
    for owner in &plan.owners {
        mangle.append(
            OUTPUT,
            format_args!("! -d {loopback} -p tcp -o lo -m owner {owner} -j MARK --set-mark {OUTBOUND_MARK}"),
        );
    }
    mangle.append(
        OUTPUT,
        format_args!("-p tcp -m connmark --mark {mark} -j CONNMARK --restore-mark"),
    );
    mangle.insert(ISTIO_INBOUND, 1, format_args!("-p tcp -m mark --mark {mark} -j RETURN"));
    mangle.insert(ISTIO_INBOUND, 2, format_args!("-p tcp -s {passthrough} -i lo -j RETURN"));
    mangle.insert(
        ISTIO_INBOUND,
        3,
        format_args!("-p tcp -i lo -m mark ! --mark {OUTBOUND_MARK} -j RETURN"),
    );
}
