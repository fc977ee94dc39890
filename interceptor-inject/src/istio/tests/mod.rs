// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What comes out of Istio's own template, compared with what Istio makes of it, and what is refused. Inputs,
//! configurations and expected outputs are Istio's: see `testdata/istio/README.md`.

mod custom_template;
mod goldens;
mod pods;
mod refused;
mod remote;
mod same;

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::Istio;
use crate::yaml;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/istio").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn manifest(name: &str) -> Value {
    yaml::read_one(&file(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// The three texts of Istio's configuration.
struct Config {
    inject: String,
    mesh: Value,
    values: Value,
}

impl Config {
    /// As the chart composes it.
    fn composed() -> Self {
        let [mesh, values] = ["config/mesh.yaml", "config/values.json"].map(manifest);
        Self { inject: file("config/inject-config.yaml"), mesh, values }
    }

    /// As Helm renders the chart: in the `ConfigMaps`.
    fn rendered() -> Self {
        let text = file("rendered/istiod-injection.yaml");
        let of = |kind: &str, key: &str| {
            let documents = yaml::split(&text)
                .into_iter()
                .map(|source| yaml::read_one(source.text).unwrap());
            let mut maps =
                documents.filter(|document| document["kind"] == "ConfigMap" && document["metadata"]["name"] == kind);
            maps.next().unwrap()["data"][key].as_str().unwrap().to_owned()
        };
        let read = |text: String| yaml::read_one(&text).unwrap();
        Self {
            inject: of("istio-sidecar-injector", "config"),
            mesh: read(of("istio", "mesh")),
            values: read(of("istio-sidecar-injector", "values")),
        }
    }

    fn set_value(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.values, pointer, value);
        self
    }

    fn set_mesh(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.mesh, pointer, value);
        self
    }

    fn istio(&self, native_sidecars: bool) -> Istio {
        let istio = Istio::new(&self.inject, &self.mesh.to_string(), &self.values.to_string()).unwrap();
        Istio { native_sidecars, ..istio }
    }
}

fn set(value: &mut Value, pointer: &str, new: Value) {
    let mut at = value;
    for name in pointer.split('/').skip(1).map(|name| name.replace("~1", "/")) {
        at = match name.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_no_index) => &mut at[name],
        };
    }
    *at = new;
}

/// A pod with one container.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "namespace": "shop", "labels": { "app": "web" }, "annotations": {} },
        "spec": { "containers": [{ "name": "web", "image": "shop/web" }] },
    })
}

fn pod_with(changes: &[(&str, Value)]) -> Value {
    let mut pod = pod();
    for (pointer, value) in changes {
        set(&mut pod, pointer, value.clone());
    }
    pod
}

fn injected(istio: &Istio, manifest: &Value) -> Value {
    istio.apply(manifest).unwrap_or_else(|error| panic!("{error}")).manifest
}

/// The sidecar of a pod, wherever it is.
fn sidecar(pod: &Value) -> &Value {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    containers
        .into_iter()
        .find(|container| container["name"] == "istio-proxy")
        .unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}
