// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of a sidecar: that of the mesh, and over it that of a pod's annotation
//! ([`proxy.proto`](https://github.com/istio/api/blob/master/mesh/v1alpha1/proxy.proto)).

use serde_json::{Value, json};

use crate::malformed::Object;

/// In the order in which Istio writes them. Those that are not here come after them.
const ORDER: [&str; 36] = [
    "configPath",
    "binaryPath",
    "serviceCluster",
    "tracingServiceName",
    "drainDuration",
    "discoveryAddress",
    "discoveryRefreshDelay",
    "zipkinAddress",
    "statsdUdpAddress",
    "envoyMetricsServiceAddress",
    "proxyAdminPort",
    "availabilityZone",
    "controlPlaneAuthPolicy",
    "customConfigFile",
    "statNameLength",
    "concurrency",
    "proxyBootstrapTemplatePath",
    "interceptionMode",
    "tracing",
    "envoyAccessLogService",
    "envoyMetricsService",
    "proxyMetadata",
    "runtimeValues",
    "statusPort",
    "extraStatTags",
    "terminationDrainDuration",
    "meshId",
    "readinessProbe",
    "proxyStatsMatcher",
    "holdApplicationUntilProxyStarts",
    "caCertificatesPem",
    "image",
    "privateKeyProvider",
    "proxyHeaders",
    "fileFlushInterval",
    "fileFlushMinSizeKb",
];
/// Fields in which zero or false is another value than none.
const OPTIONAL: [&str; 2] = ["concurrency", "holdApplicationUntilProxyStarts"];
const METADATA: &str = "proxyMetadata";
const MODES: [&str; 3] = ["REDIRECT", "TPROXY", "NONE"];

/// The configuration of a sidecar, with all defaults.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyConfig {
    pub(super) fields: Object,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        let fields = json!({
            "binaryPath": "/usr/local/bin/envoy",
            "configPath": "./etc/istio/proxy",
            "controlPlaneAuthPolicy": "MUTUAL_TLS",
            "discoveryAddress": "istiod.istio-system.svc:15012",
            "drainDuration": "45s",
            "proxyAdminPort": 15000,
            "serviceCluster": "istio-proxy",
            "statNameLength": 189,
            "statusPort": 15020,
            "terminationDrainDuration": "5s",
        });
        Self { fields: fields.as_object().cloned().unwrap_or_default() }
    }
}

impl ProxyConfig {
    /// This configuration with what another one says. Objects in it are merged, and everything else is replaced.
    pub(super) fn overlaid(&self, over: &Value) -> Result<Self, String> {
        let mut fields = Value::Object(self.fields.clone());
        match over {
            Value::Null => {}
            Value::Object(_) => overlay(&mut fields, over),
            _ => return Err("it is no object".to_owned()),
        }
        let new = Self { fields: fields.as_object().cloned().unwrap_or_default() };
        new.check()?;
        Ok(new)
    }

    fn check(&self) -> Result<(), String> {
        let mode = self.fields.get("interceptionMode");
        if let Some(mode) = mode.filter(|mode| !MODES.iter().any(|known| *mode == known)) {
            return Err(format!("interceptionMode: {mode} is not REDIRECT, TPROXY or NONE"));
        }
        if let Some(metadata) = self.fields.get(METADATA) {
            let metadata = metadata.as_object().ok_or_else(|| format!("{METADATA} is no object"))?;
            if let Some((name, value)) = metadata.iter().find(|(_name, value)| !value.is_string()) {
                return Err(format!("{METADATA}: {name}: {value} is no string; put it in quotes"));
            }
        }
        let hold = self.fields.get("holdApplicationUntilProxyStarts");
        if let Some(hold) = hold.filter(|hold| !hold.is_boolean()) {
            return Err(format!("holdApplicationUntilProxyStarts: {hold} is not true or false"));
        }
        let port = self.fields.get("statusPort");
        if port.and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).is_none() {
            return Err(format!("statusPort: {} is no port", port.unwrap_or(&Value::Null)));
        }
        Ok(())
    }

    pub(super) fn interception_mode(&self) -> &str {
        self.fields.get("interceptionMode").and_then(Value::as_str).unwrap_or(MODES[0])
    }

    /// Names and values that the sidecar, and the container that sets up the redirection, get as variables.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (&String, &str)> {
        let metadata = self.fields.get(METADATA).and_then(Value::as_object);
        metadata
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name, value.as_str()?)))
    }

    pub(super) fn holds_application(&self) -> bool {
        self.fields.get("holdApplicationUntilProxyStarts") == Some(&Value::Bool(true))
    }

    pub(super) fn status_port(&self) -> u64 {
        self.fields.get("statusPort").and_then(Value::as_u64).unwrap_or_default()
    }

    pub(super) fn image_type(&self) -> Option<&str> {
        self.fields.get("image")?.get("imageType")?.as_str()
    }

    /// As the sidecar gets it: JSON of the fields that are not the defaults.
    pub(super) fn to_json(&self) -> String {
        let defaults = Self::default().fields;
        let position = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let says_more = |name: &str, value: &Value| {
            let is_zero = match value {
                Value::Null => true,
                Value::Bool(value) => !value,
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::String(text) => text.is_empty() || text == MODES[0] || text == "MUTUAL_TLS",
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty() && name == METADATA,
            };
            defaults.get(name) != Some(value) && (!is_zero || OPTIONAL.contains(&name) && !value.is_null())
        };
        let mut fields: Vec<_> = self.fields.iter().filter(|(name, value)| says_more(name, value)).collect();
        fields.retain(|(name, value)| *name != "controlPlaneAuthPolicy" || *value != "NONE");
        fields.sort_by_key(|(name, _value)| position(name));
        let fields: Vec<String> = fields
            .into_iter()
            .map(|(name, value)| format!("{}:{value}", json!(name)))
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

fn overlay(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over.iter().filter(|(_name, value)| !value.is_null()) {
                overlay(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}
