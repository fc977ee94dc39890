// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Probes of the application. The kubelet cannot reach an application that wants mutual TLS, so it asks the sidecar,
//! which asks the application
//! ([`app_probe.go`](https://github.com/istio/istio/blob/master/pkg/kube/inject/app_probe.go)).
//!
//! Other than Istio, a probe whose port is not known stays as it is. Istio redirects it to a sidecar that knows nothing
//! of it.

use interceptor_config::parse_bool;
use serde_json::{Value, json};

use crate::{
    istio::{
        pod::{self, CONTAINERS, INIT_CONTAINERS, SIDECAR},
        status::STATUS,
    },
    malformed::Object,
};

const WANTED: &str = "sidecar.istio.io/rewriteAppHTTPProbers";
const STATUS_PORT: &str = "status.sidecar.istio.io/port";
const VARIABLE: &str = "ISTIO_KUBE_APP_PROBERS";
/// Where a handler is in a container, and where the sidecar answers for it.
const HANDLERS: [(&[&str], &str, &str); 5] = [
    (&["readinessProbe"], "app-health", "readyz"),
    (&["livenessProbe"], "app-health", "livez"),
    (&["startupProbe"], "app-health", "startupz"),
    (&["lifecycle", "preStop"], "app-lifecycle", "prestopz"),
    (&["lifecycle", "postStart"], "app-lifecycle", "poststartz"),
];

pub(super) fn rewrite(pod: &mut Object, original: &Object, default_port: u64, by_default: bool) -> Result<(), String> {
    let is_wanted = pod::annotation(pod, WANTED).and_then(parse_bool).unwrap_or(by_default);
    let port = pod::annotation(pod, STATUS_PORT)
        .and_then(|port| port.trim().parse().ok())
        .unwrap_or(default_port);
    if !is_wanted || port == 0 || pod::sidecar(pod).is_none() {
        return Ok(());
    }
    let intercepted = Intercepted::of(pod);
    let mut probers = Object::new();
    for list in [INIT_CONTAINERS, CONTAINERS] {
        let containers = pod::list_mut(pod, list).map(|list| list.iter_mut()).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if name == SIDECAR {
                continue;
            }
            let ports = container.get("ports").cloned().unwrap_or_default();
            for (way, area, what) in HANDLERS {
                let handler = way
                    .iter()
                    .try_fold(&mut *container, |at, name| at.get_mut(*name)?.as_object_mut());
                let Some(handler) = handler else { continue };
                let path = format!("/{area}/{name}/{what}");
                if let Some(prober) = prober(handler, &ports, &intercepted, port, way.len() == 1) {
                    redirect(handler, &path, port);
                    probers.insert(path, Value::Object(prober));
                }
            }
        }
    }
    let is_again = pod::annotation(original, STATUS).is_some();
    match pod::sidecar_mut(pod) {
        Some(sidecar) if !probers.is_empty() => keep(sidecar, probers, is_again),
        _ => Ok(()),
    }
}

/// What the sidecar is to ask. `None` if it is nothing for the sidecar.
fn prober(
    handler: &Object,
    ports: &Value,
    intercepted: &Intercepted,
    status_port: u64,
    is_probe: bool,
) -> Option<Object> {
    let kinds: &[&str] = if is_probe {
        &["httpGet", "tcpSocket", "grpc"]
    } else {
        &["httpGet", "tcpSocket"]
    };
    let kind = kinds.iter().find(|kind| handler.get(**kind).is_some_and(Value::is_object))?;
    let mut action = handler.get(*kind)?.as_object()?.clone();
    let port = number(action.get("port")?, ports)?;
    if port == status_port || !intercepted.contains(port) {
        return None;
    }
    action.insert("port".to_owned(), Value::from(port));
    let mut prober = Object::from_iter([((*kind).to_owned(), Value::Object(action))]);
    if let Some(timeout) = handler.get("timeoutSeconds").filter(|timeout| is_probe && **timeout != 0) {
        prober.insert("timeoutSeconds".to_owned(), timeout.clone());
    }
    Some(prober)
}

/// The number of a port that may be named.
fn number(port: &Value, ports: &Value) -> Option<u64> {
    let Some(name) = port.as_str() else { return port.as_u64() };
    let named = ports
        .as_array()
        .into_iter()
        .flatten()
        .find(|known| known.get("name").is_some_and(|known| known == name));
    match named {
        Some(named) => named.get("containerPort")?.as_u64(),
        None => name.parse().ok(),
    }
}

fn redirect(handler: &mut Object, path: &str, port: u64) {
    let old = handler.get("httpGet").and_then(Value::as_object);
    let mut action = old.cloned().unwrap_or_default();
    action.insert("path".to_owned(), Value::from(path));
    action.insert("port".to_owned(), Value::from(port));
    // The sidecar speaks TLS with the application, and the kubelet does not with the sidecar.
    if action.get("scheme").is_some_and(|scheme| scheme == "HTTPS") {
        action.insert("scheme".to_owned(), Value::from("HTTP"));
    }
    for other in ["tcpSocket", "grpc"] {
        handler.remove(other);
    }
    handler.insert("httpGet".to_owned(), Value::Object(action));
}

/// Tells the sidecar. Of an earlier injection, what it was told stays.
fn keep(sidecar: &mut Object, mut probers: Object, is_again: bool) -> Result<(), String> {
    let variables = sidecar.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten();
    let known = variables.into_iter().find(|variable| is_again && variable["name"] == VARIABLE);
    let Some(known) = known else {
        pod::add_variable(sidecar, VARIABLE, &Value::Object(probers).to_string());
        return Ok(());
    };
    let text = known["value"].as_str().unwrap_or_default();
    let old: Object =
        serde_json::from_str(text).map_err(|error| format!("variable {VARIABLE} of {SIDECAR}: {error}"))?;
    probers.extend(old);
    *known = json!({ "name": VARIABLE, "value": Value::Object(probers).to_string() });
    Ok(())
}

/// The inbound ports that go through the sidecar, as far as annotations say.
struct Intercepted {
    only: Option<Vec<u64>>,
    without: Vec<u64>,
}

impl Intercepted {
    fn of(pod: &Object) -> Self {
        let ports = |name: &str| -> Vec<u64> {
            let list = pod::annotation(pod, &format!("traffic.sidecar.istio.io/{name}")).unwrap_or_default();
            list.split(',').filter_map(|port| port.trim().parse().ok()).collect()
        };
        let only = ports("includeInboundPorts");
        Self { only: (!only.is_empty()).then_some(only), without: ports("excludeInboundPorts") }
    }

    fn contains(&self, port: u64) -> bool {
        match &self.only {
            Some(only) => only.contains(&port),
            None => !self.without.contains(&port),
        }
    }
}
