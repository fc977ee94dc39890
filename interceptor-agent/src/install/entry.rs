// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin's entry in the list of plugins. Its keys are those of Istio's CNI plugin, so that what is written for one
//! is understood by the other. What they mean is decided by the plugin.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::error::InstallError;

/// The type of the plugin, which is the name of its program too.
pub const PLUGIN: &str = "interceptor-cni";

/// What the plugin is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `plugin_log_level`: `none`, `error`, `warn`, `info` or `debug`.
    pub log_level: String,
    /// `cni_agent_run_dir`: where the agent listens, as a path on the host.
    pub run_dir: String,
    /// `exclude_namespaces`: where no pod is intercepted.
    pub exclude_namespaces: Vec<String>,
    /// `pod_namespace`: where the agent's own pods are.
    pub pod_namespace: String,
}

#[derive(Serialize)]
struct Keys<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "cniVersion")]
    cni_version: Option<&'a str>,
    name: &'a str,
    r#type: &'a str,
    plugin_log_level: &'a str,
    cni_agent_run_dir: &'a str,
    exclude_namespaces: &'a [String],
    pod_namespace: &'a str,
    capabilities: Capabilities,
}

/// What the runtime hands over with each request.
#[derive(Serialize)]
struct Capabilities {
    /// Without the annotations, the plugin has to ask the agent about every pod.
    #[serde(rename = "io.kubernetes.cri.pod-annotations")]
    annotations: bool,
    /// Without the path, the plugin has to look for the pod's cgroup.
    #[serde(rename = "cgroupPath")]
    cgroup_path: bool,
}

impl Entry {
    /// As an item of a list, which has a version itself.
    pub(super) fn in_a_list(&self) -> Result<Box<RawValue>, InstallError> {
        self.with_version(None)
    }

    /// As a configuration of its own.
    pub(super) fn alone(&self, cni_version: &str) -> Result<Box<RawValue>, InstallError> {
        self.with_version(Some(cni_version))
    }

    fn with_version(&self, cni_version: Option<&str>) -> Result<Box<RawValue>, InstallError> {
        let Self { log_level, run_dir, exclude_namespaces, pod_namespace } = self;
        let keys = Keys {
            cni_version,
            name: PLUGIN,
            r#type: PLUGIN,
            plugin_log_level: log_level,
            cni_agent_run_dir: run_dir,
            exclude_namespaces,
            pod_namespace,
            capabilities: Capabilities { annotations: true, cgroup_path: true },
        };
        to_raw_value(&keys).map_err(|cause| InstallError::Json { cause })
    }
}
