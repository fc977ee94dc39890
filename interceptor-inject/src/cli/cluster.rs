// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asks a cluster. This program has no client of Kubernetes, so that it stays small: `interceptor-webhook`, which
//! stands beside it, has one, and answers one question for each start.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::kube_inject::ClusterFlags;

const PROGRAM: &str = "interceptor-webhook";
/// Seconds that an answer may take.
const PATIENCE: u64 = 15;
const NAMESPACE: &str = "istio-system";
const INJECT: &str = "istio-sidecar-injector";
const MESH: &str = "istio";

/// A cluster, and which revision of Istio in it is meant; `None` is that without a name.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// How the other program reaches the cluster.
    arguments: Vec<String>,
    namespace: String,
    revision: Option<String>,
    inject: String,
    mesh: String,
    host: Option<String>,
}

impl Cluster {
    pub(super) fn new(flags: &ClusterFlags, revision: Option<&str>) -> Self {
        let ClusterFlags {
            inject_map,
            mesh_map,
            istio_namespace,
            kubeconfig,
            context,
            user,
            groups,
            uid,
            patience,
            xds_address,
        } = flags;
        let revision = revision
            .filter(|revision| !["", "default"].contains(revision))
            .map(str::to_owned);
        let mut arguments = vec!["ask".to_owned(), format!("--for-version={}", env!("CARGO_PKG_VERSION"))];
        arguments.push(format!("--patience={}", patience.unwrap_or(PATIENCE)));
        arguments.extend(kubeconfig.iter().map(|path| format!("--kubeconfig={}", path.display())));
        arguments.extend(context.iter().map(|context| format!("--context={context}")));
        arguments.extend(user.iter().map(|user| format!("--as={user}")));
        arguments.extend(groups.iter().map(|group| format!("--as-group={group}")));
        arguments.extend(uid.iter().map(|uid| format!("--as-uid={uid}")));
        let named = |given: &Option<String>, default: &str| match (given, &revision) {
            (Some(given), Some(revision)) if given == default => format!("{default}-{revision}"),
            (Some(given), _) => given.clone(),
            (None, Some(revision)) => format!("{default}-{revision}"),
            (None, None) => default.to_owned(),
        };
        Self {
            arguments,
            namespace: istio_namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned()),
            inject: named(inject_map, INJECT),
            mesh: named(mesh_map, MESH),
            // The port of it is that of another service of istiod.
            host: xds_address.as_deref().map(|address| host(address).to_owned()),
            revision,
        }
    }

    /// The `ConfigMap` with templates and values, as a manifest.
    pub(super) fn injection(&self) -> Result<String> {
        self.config_map(&self.inject)
    }

    /// The `ConfigMap` with the mesh configuration, as a manifest.
    pub(super) fn mesh(&self) -> Result<String> {
        self.config_map(&self.mesh)
    }

    fn config_map(&self, name: &str) -> Result<String> {
        let question = json!({ "configMap": { "namespace": self.namespace, "name": name } });
        self.ask(&question).map(|map| map.to_string())
    }

    /// How the API server calls Istio's injector, if it does.
    pub(super) fn injector(&self) -> Result<Option<Value>> {
        let revision = self.revision.as_deref().unwrap_or("default");
        let mut found = self.ask(&json!({ "injector": { "revision": revision } }))?;
        Ok(found.get_mut("clientConfig").map(Value::take))
    }

    /// What the injector answers to a review.
    pub(super) fn review(&self, injector: &Value, review: &Value) -> Result<Value> {
        self.ask(&json!({ "review": { "injector": injector, "host": self.host, "review": review } }))
    }

    fn ask(&self, question: &Value) -> Result<Value> {
        let own = std::env::current_exe().context("Failed to find this program")?;
        let path = own.with_file_name(PROGRAM);
        let mut command = Command::new(&path);
        command.args(&self.arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| {
            format!(
                "Failed to start {}, which asks clusters; put it beside this program, or give Istio's configuration \
                 as files",
                path.display()
            )
        })?;
        // It is read before anything is written, so this does not wait for it. A fault of it is in its output.
        let stdin = child.stdin.take();
        let text = question.to_string();
        let writer = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
        let output = child
            .wait_with_output()
            .with_context(|| format!("Failed to wait for {PROGRAM}"))?;
        // It may have ended early; then its output says why.
        drop(writer.join());
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().trim_start_matches("interceptor: error: ");
            bail!("{said}");
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{PROGRAM} answers with no JSON"))
    }
}

/// Without the port.
fn host(address: &str) -> &str {
    match address.rsplit_once(':') {
        // An address of IPv6 without a port has more colons, and a port has no bracket.
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::host;

    #[rstest]
    #[case("istiod.example:15012", "istiod.example")]
    #[case("istiod.example", "istiod.example")]
    #[case("[2001:db8::1]:15012", "[2001:db8::1]")]
    #[case("[2001:db8::1]", "[2001:db8::1]")]
    fn the_port_of_another_service_is_left_out(#[case] address: &str, #[case] expected: &str) {
        assert_eq!(host(address), expected);
    }
}
