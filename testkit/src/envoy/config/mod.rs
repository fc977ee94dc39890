// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Envoy's configuration in the shape that Istio gives it
//! ([`listener_builder.go`](https://github.com/istio/istio/blob/master/pilot/pkg/networking/core/listener_builder.go)):
//! one listening socket for everything that leaves the pod and one for everything that enters it, further listeners
//! without a socket that are chosen by the original destination, and clusters that connect to the original
//! destination.

mod access_log;
mod clusters;
mod filters;
mod inbound;
mod model;
mod outbound;

use serde_json::{Value, json};

pub use model::{Config, Port, Protocol, Service};

impl Config {
    /// Envoy's bootstrap configuration: JSON, as `envoy --config-path` reads it from a file whose name ends in
    /// `.json`.
    pub fn bootstrap(&self) -> Value {
        let listeners: Vec<Value> = outbound::listeners(self).into_iter().chain([inbound::listener(self)]).collect();
        json!({
            "node": { "id": "sidecar", "cluster": "interceptor-tests" },
            "admin": { "address": { "pipe": { "path": self.admin } } },
            "static_resources": { "listeners": listeners, "clusters": clusters::clusters(self) },
        })
    }
}
