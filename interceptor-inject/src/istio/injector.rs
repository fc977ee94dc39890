// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's injector with its configuration, and what a caller can choose.

use std::collections::BTreeMap;

use super::{config, fault::ConfigError, mesh::Mesh, values::Values};
use crate::{kinds::Kind, rewrite::Rewrite};

/// Istio's injector, and what becomes of the pods afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Istio {
    pub(super) templates: BTreeMap<String, String>,
    pub(super) mesh: Mesh,
    pub(super) values: Values,
    /// The revision of Istio; empty for that without a name.
    pub revision: String,
    /// Whether the nodes have native sidecars (Kubernetes 1.29 and later). The annotation
    /// `sidecar.istio.io/nativeSidecar` wins.
    pub native_sidecars: bool,
    /// How `istio-init` is rewritten. Without it, Istio's container stays.
    pub rewrite: Option<Rewrite>,
    /// Kinds that make pods, besides those of Kubernetes.
    pub kinds: Vec<Kind>,
}

impl Istio {
    /// The injector with the texts of Istio's configuration: the injection template or the configuration with
    /// templates, the mesh configuration, and the Helm values. Each may be a manifest of the `ConfigMap` instead.
    ///
    /// # Errors
    /// If one of them is not what it is to be.
    pub fn new(inject: &str, mesh: &str, values: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            templates: config::templates(inject)?,
            mesh: Mesh::new(&config::mesh(mesh)?)?,
            values: Values::new(config::values(values)?)?,
            revision: String::new(),
            native_sidecars: false,
            rewrite: None,
            kinds: Vec::new(),
        })
    }
}
