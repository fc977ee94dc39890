// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two containers and the volume that a pod gets.

use serde_json::{Value, json};

use super::{
    arguments::{ENVOY_ID, READINESS_PORT},
    options::Plain,
};
use crate::{
    malformed::Object,
    ours,
    rewrite::{CAPABILITIES, DEFAULT_IMAGE},
};

/// The init container that sets up the redirection.
pub(super) const INIT: &str = "interceptor-init";
/// The sidecar.
pub(super) const ENVOY: &str = "interceptor-envoy";
/// The volume with Envoy's configuration, by which a sidecar of ours is known.
pub(super) const CONFIG: &str = "interceptor-envoy-config";
const CONFIG_DIRECTORY: &str = "/etc/interceptor-envoy";
const CONFIG_KEY: &str = "envoy.yaml";
/// As that of Istio's sidecar.
const READINESS_PATH: &str = "/healthz/ready";

pub(super) fn init(plain: &Plain, arguments: &[String]) -> Object {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "add": CAPABILITIES, "drop": ["ALL"] },
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsGroup": 0,
        "runAsNonRoot": false,
        "runAsUser": 0,
    });
    if let Some(kind) = &plain.selinux_type {
        context["seLinuxOptions"] = json!({ "type": kind });
    }
    let image = plain.image.as_deref().unwrap_or(DEFAULT_IMAGE);
    let mut init = object(json!({ "name": INIT, "image": image, "args": arguments, "securityContext": context }));
    for part in ours::of_container() {
        part.add(&mut init);
    }
    init
}

pub(super) fn envoy(plain: &Plain) -> Object {
    let probe = json!({ "path": READINESS_PATH, "port": READINESS_PORT });
    let mut envoy = object(json!({
        "name": ENVOY,
        "image": plain.envoy_image,
        "args": ["--config-path", format!("{CONFIG_DIRECTORY}/{CONFIG_KEY}")],
        "readinessProbe": { "httpGet": probe, "periodSeconds": 15, "timeoutSeconds": 3, "failureThreshold": 4 },
        "startupProbe": { "httpGet": probe, "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 600 },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": ENVOY_ID,
            "runAsNonRoot": true,
            "runAsUser": ENVOY_ID,
        },
        "volumeMounts": [{ "name": CONFIG, "mountPath": CONFIG_DIRECTORY, "readOnly": true }],
    }));
    if plain.native_sidecars {
        envoy.insert("restartPolicy".to_owned(), Value::from("Always"));
    }
    envoy
}

pub(super) fn config_volume(plain: &Plain) -> Value {
    json!({ "name": CONFIG, "configMap": { "name": plain.envoy_config } })
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(fields) => fields,
        _ => Object::new(),
    }
}
