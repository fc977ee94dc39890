// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mesh configuration, as far as injection needs it, with Istio's defaults
//! ([`mesh.go`](https://github.com/istio/istio/blob/master/pkg/config/mesh/mesh.go)).

use serde_json::{Value, json};

use super::{fault::ConfigError, proxy_config::ProxyConfig};
use crate::malformed::Object;

const PART: &str = "the mesh configuration";

/// A mesh configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mesh {
    /// With the defaults, and without `defaultConfig`.
    pub(super) fields: Object,
    pub(super) proxy: ProxyConfig,
}

impl Mesh {
    pub(super) fn new(mesh: &Value) -> Result<Self, ConfigError> {
        let refused = |reason| ConfigError { part: PART, reason };
        let given = match mesh {
            Value::Null => Object::new(),
            Value::Object(fields) => fields.clone(),
            _ => {
                return Err(refused(
                    "it is no object; give the value of the key `mesh` of the ConfigMap".to_owned(),
                ));
            }
        };
        let mut fields = defaults();
        fields.extend(given.into_iter().filter(|(_name, value)| !value.is_null()));
        let proxy = fields.remove("defaultConfig").unwrap_or_default();
        let proxy = ProxyConfig::default().overlaid(&proxy);
        let proxy = proxy.map_err(|reason| refused(format!("defaultConfig: {reason}")))?;
        for name in ["proxyListenPort", "proxyInboundListenPort"] {
            if fields.get(name).and_then(Value::as_u64).is_none() {
                return Err(refused(format!("{name}: {} is no port", fields[name])));
            }
        }
        if fields.get("enablePrometheusMerge").and_then(Value::as_bool).is_none() {
            return Err(refused("enablePrometheusMerge: expected true or false".to_owned()));
        }
        Ok(Self { fields, proxy })
    }

    pub(super) fn merges_prometheus(&self) -> bool {
        self.fields.get("enablePrometheusMerge") == Some(&Value::Bool(true))
    }

    /// `localhost` or `passthrough`.
    pub(super) fn inbound_traffic_policy(&self) -> &'static str {
        let policy = self.fields.get("inboundTrafficPolicy");
        match policy.and_then(|policy| policy.get("mode")).and_then(Value::as_str) {
            Some("LOCALHOST") => "localhost",
            _ => "passthrough",
        }
    }

    /// Whether Istio adds attributes for OpenTelemetry to the sidecar.
    pub(super) fn enriches_telemetry(&self) -> bool {
        let providers = self.fields.get("extensionProviders").and_then(Value::as_array);
        providers.into_iter().flatten().any(|provider| {
            let enrichment = provider
                .get("opentelemetry")
                .and_then(|otel| otel.get("serviceAttributeEnrichment"));
            enrichment.is_some_and(|enrichment| enrichment == "OTEL_SEMANTIC_CONVENTIONS")
        })
    }
}

fn defaults() -> Object {
    let defaults = json!({
        "proxyListenPort": 15001,
        "proxyInboundListenPort": 15006,
        "trustDomain": "cluster.local",
        "rootNamespace": "istio-system",
        "enablePrometheusMerge": true,
    });
    defaults.as_object().cloned().unwrap_or_default()
}
