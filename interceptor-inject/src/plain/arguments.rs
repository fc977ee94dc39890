// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The arguments of the init container. What a pod wants otherwise, it says by Istio's annotations about traffic.

use super::fault::PlainFault;
use crate::{
    malformed::{At, Malformed},
    rewrite,
};

/// Where Envoy listens: for connections of the application, for those to it, and for the kubelet. Istio's ports.
pub(super) const OUTBOUND_PORT: u16 = 15001;
pub(super) const INBOUND_PORT: u16 = 15006;
pub(super) const READINESS_PORT: u16 = 15021;
/// Whom Envoy runs as. Its connections are not redirected.
pub(super) const ENVOY_ID: u32 = 1337;

const TRAFFIC: &str = "traffic.sidecar.istio.io/";
/// Annotation, flag, and the value without the annotation. Without either, there is no flag.
const FLAGS: [(&str, &str, Option<&str>); 7] = [
    ("includeOutboundIPRanges", "-i", Some("*")),
    ("excludeOutboundIPRanges", "-x", None),
    ("includeInboundPorts", "-b", Some("*")),
    ("excludeInboundPorts", "-d", Some("")),
    ("includeOutboundPorts", "-q", None),
    ("excludeOutboundPorts", "-o", None),
    ("excludeInterfaces", "-c", None),
];
const MODE: &str = "sidecar.istio.io/interceptionMode";

/// The arguments from `istio-iptables` on, and what is to be said about them.
pub(super) fn of(template: &At<'_>) -> Result<(Vec<String>, Vec<String>), PlainFault> {
    let annotation = |name: &str| -> Result<Option<String>, Malformed> {
        let found = template.descend(&["metadata", "annotations", name])?;
        found.map(|at| at.text().map(str::to_owned)).transpose()
    };
    let refused = |message| PlainFault::Traffic { message };
    if let Some(mode) = annotation(MODE)?.filter(|mode| mode != "REDIRECT") {
        let message = format!("{MODE} is {mode:?}, and a plain Envoy is redirected to (REDIRECT); remove it");
        return Err(refused(message));
    }
    let ids = ENVOY_ID.to_string();
    let ports = [OUTBOUND_PORT, INBOUND_PORT].map(|port| port.to_string());
    let fixed = ["istio-iptables", "-p", &ports[0], "-z", &ports[1], "-u", &ids, "-m", "REDIRECT"];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).into();
    let mut wanted = Vec::new();
    for (name, flag, default) in FLAGS {
        let name = format!("{TRAFFIC}{name}");
        let given = annotation(&name)?;
        wanted.extend(given.clone().map(|value| (name, flag, value)));
        let Some(mut value) = given.or_else(|| default.map(str::to_owned)) else {
            continue;
        };
        if flag == "-d" {
            let others = value.split(',').map(str::trim).filter(|port| !port.is_empty());
            let ready = READINESS_PORT.to_string();
            value = std::iter::once(ready.as_str()).chain(others).collect::<Vec<_>>().join(",");
        }
        arguments.extend([flag.to_owned(), value]);
    }
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let notes = rewrite::checked(&words).map_err(|message| refused(by_annotation(&wanted).unwrap_or(message)))?;
    Ok((arguments, notes))
}

/// The first annotation that would be refused if it were alone: its name, its value, and why.
fn by_annotation(wanted: &[(String, &str, String)]) -> Option<String> {
    wanted.iter().find_map(|(name, flag, value)| {
        let message = rewrite::checked(&[flag, value]).err()?;
        Some(format!("{name} is {value:?}, which the init container refuses: {message}"))
    })
}
