// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole way from a pod, as the API or a manifest has it, to a decision.

mod defaults;
mod faults;
mod golden;
mod ports;
mod sidecar;
mod skips;

use serde_json::{Value, json};

use crate::{
    Wanted,
    kubernetes::{Decision, Faults, Pod, Skip, decide},
};

const INJECT: &str = "sidecar.istio.io/inject";
const MODE: &str = "sidecar.istio.io/interceptionMode";
const STATUS: &str = "sidecar.istio.io/status";

/// An injected pod with an application, which nothing keeps from being intercepted.
fn injected() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "shop",
            "name": "cart-0",
            "uid": "0c1f3f4a-6f0c-4b5e-9a53-0d0f8a2b7c11",
            "labels": {"app": "cart"},
            "annotations": {STATUS: "{\"revision\":\"default\"}"},
        },
        "spec": {
            "initContainers": [],
            "containers": [
                {"name": "cart", "image": "cart:1"},
                {"name": "istio-proxy", "args": ["proxy", "sidecar", "--domain", "shop.svc.cluster.local"]},
            ],
        },
    })
}

/// The sidecar of [`injected`].
fn sidecar(pod: &mut Value) -> &mut Value {
    &mut pod["spec"]["containers"][1]
}

fn annotate(pod: &mut Value, annotation: &str, value: &str) {
    pod["metadata"]["annotations"][annotation] = value.into();
}

fn annotated(annotations: &[(&str, &str)]) -> Value {
    let mut pod = injected();
    for (annotation, value) in annotations {
        annotate(&mut pod, annotation, value);
    }
    pod
}

/// An injected pod whose sidecar has these variables.
fn with_variables(variables: &Value) -> Value {
    let mut pod = injected();
    sidecar(&mut pod)["env"] = variables.clone();
    pod
}

fn decided(pod: &Value) -> Result<Decision, Faults> {
    decide(&serde_json::from_value::<Pod>(pod.clone()).unwrap())
}

fn intercepted(pod: &Value) -> (Wanted, Vec<String>) {
    match decided(pod).unwrap() {
        Decision::Intercept { wanted, warnings } => (*wanted, warnings),
        Decision::Skip(skip) => panic!("{skip}"),
    }
}

fn skipped(pod: &Value) -> Skip {
    match decided(pod).unwrap() {
        Decision::Skip(skip) => skip,
        Decision::Intercept { wanted, .. } => panic!("{wanted:?}"),
    }
}

/// What is wrong with the pod, in one message.
fn refused(pod: &Value) -> String {
    decided(pod).unwrap_err().to_string()
}
