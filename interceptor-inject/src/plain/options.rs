// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a caller can choose about a plain Envoy.

use crate::kinds::Kind;

/// How to inject a plain Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The image of Envoy. Its entrypoint takes Envoy's arguments.
    pub envoy_image: String,
    /// The `ConfigMap` with Envoy's configuration, at the key `envoy.yaml`, in the namespace of the pod.
    pub envoy_config: String,
    /// The image of Interceptor; without it, this version's.
    pub image: Option<String>,
    /// Whether Envoy becomes a native sidecar (Kubernetes 1.29 and later), which init containers of the application go
    /// through.
    pub native_sidecars: bool,
    /// Injects pods with a runtime class.
    pub any_runtime: bool,
    /// The SELinux type of the init container, such as `spc_t`.
    pub selinux_type: Option<String>,
    /// Kinds that make pods, besides those of Kubernetes.
    pub kinds: Vec<Kind>,
}
