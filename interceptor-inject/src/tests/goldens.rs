// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rewrite of what Istio's injector makes of its own test inputs: see `testdata/istio/README.md`.

use std::{fs, path::Path};

use rstest::rstest;
use serde_json::{Value, json};

use super::IMAGE;
use crate::{DataPath, Reason, Rewrite, Undo, Verdict, yaml};

const TEMPLATE: &str = "/spec/template";

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/istio/inject").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    yaml::read_one(&text).unwrap()
}

fn options() -> Rewrite {
    Rewrite { image: Some(IMAGE.to_owned()), tproxy: true, ..Rewrite::default() }
}

/// The workloads of a document: it, or the items of a list.
fn workloads(document: &mut Value) -> Vec<&mut Value> {
    match document["kind"].as_str() {
        Some("List") => document["items"].as_array_mut().unwrap().iter_mut().collect(),
        _ => vec![document],
    }
}

/// Everything that the rewrite changes, and nothing else.
fn change(pod: &mut Value, record: Value) {
    let inits = pod["spec"]["initContainers"].as_array_mut().unwrap();
    let init = inits.iter_mut().find(|init| init["name"] == "istio-init").unwrap();
    init["image"] = json!(IMAGE);
    init["env"] = match init["env"].take() {
        Value::Array(old) => old
            .into_iter()
            .chain([json!({ "name": "INTERCEPTOR_BPFFS", "value": "/host/bpf" })])
            .collect(),
        _ => json!([{ "name": "INTERCEPTOR_BPFFS", "value": "/host/bpf" }]),
    };
    init["securityContext"]["capabilities"]["add"] = json!(["BPF", "NET_ADMIN", "PERFMON"]);
    init["securityContext"]["readOnlyRootFilesystem"] = json!(true);
    init["volumeMounts"] = json!([
        { "name": "interceptor-bpffs", "mountPath": "/host/bpf" },
        { "name": "interceptor-cgroup", "mountPath": "/host/cgroup", "readOnly": true },
    ]);
    let volume = |name, path| json!({ "name": name, "hostPath": { "path": path, "type": "Directory" } });
    let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
    volumes.push(volume("interceptor-bpffs", "/sys/fs/bpf"));
    volumes.push(volume("interceptor-cgroup", "/sys/fs/cgroup"));
    pod["metadata"]["annotations"]["interceptor.dev/istio-init"] = record;
}

#[rstest]
#[case("hello.yaml.injected", TEMPLATE)]
#[case("hello-old-version.yaml.injected", TEMPLATE)]
#[case("hello-tproxy.yaml.injected", TEMPLATE)]
#[case("list.yaml.injected", TEMPLATE)]
#[case("multi-init.yaml.injected", TEMPLATE)]
#[case("proxy-override-runas.yaml.injected", TEMPLATE)]
#[case("traffic-annotations.yaml.injected", TEMPLATE)]
#[case("cronjob.yaml.injected", "/spec/jobTemplate/spec/template")]
fn istio_init_becomes_interceptors_and_nothing_else_changes(#[case] name: &str, #[case] template: &str) {
    let golden = golden(name);
    let mut once = options().apply(&golden).unwrap().manifest;
    let mut expected = golden.clone();
    for (expected, found) in workloads(&mut expected).into_iter().zip(workloads(&mut once)) {
        let record = &found.pointer(template).unwrap()["metadata"]["annotations"]["interceptor.dev/istio-init"];
        assert!(record.is_string(), "{found}");
        change(expected.pointer_mut(template).unwrap(), record.clone());
    }
    assert_eq!(once, expected);
    assert_eq!(options().apply(&once).unwrap().manifest, once);

    let mut undone = Undo::default().apply(&once).unwrap().manifest;
    // A CronJob's template has metadata now, which is empty.
    let mut restored = golden;
    for document in [&mut undone, &mut restored] {
        for workload in workloads(document) {
            let pod = workload.pointer_mut(template).unwrap();
            if pod["metadata"].as_object().is_some_and(serde_json::Map::is_empty) {
                pod["metadata"] = Value::Null;
            }
        }
    }
    assert_eq!(undone, restored);
}

#[rstest]
#[case("hello.yaml.injected", true)]
#[case("hello-old-version.yaml.injected", true)]
#[case("list.yaml.injected", true)]
#[case("multi-init.yaml.injected", true)]
#[case("traffic-annotations.yaml.injected", true)]
// The sidecar has another group than the arguments say.
#[case("proxy-override-runas.yaml.injected", false)]
// What tells the plugin that the pod is injected stands at the job.
#[case("cronjob.yaml.injected", false)]
fn with_the_plugin_the_container_comes_first_and_has_no_rights(#[case] name: &str, #[case] is_changed: bool) {
    let options = Rewrite { data_path: DataPath::Cni, ..options() };
    let mut outcome = options.apply(&golden(name)).unwrap();
    let changed = outcome
        .workloads
        .iter()
        .all(|workload| matches!(workload.verdict, Verdict::Changed { .. }));
    assert_eq!(changed, is_changed, "{:?}", outcome.workloads);
    for workload in workloads(&mut outcome.manifest).into_iter().filter(|_| is_changed) {
        let spec = &workload["spec"]["template"]["spec"];
        let first = &spec["initContainers"][0];
        assert_eq!(first["name"], "istio-validation");
        assert_eq!(first["securityContext"]["capabilities"], json!({ "drop": ["ALL"] }));
        assert_eq!(first["securityContext"]["runAsNonRoot"], true);
        assert!(!spec["volumes"].to_string().contains("hostPath"), "{spec}");
    }
}

#[rstest]
#[case("hello.yaml", &Reason::NotInjected)]
#[case("hello.yaml.cni.injected", &Reason::Cni)]
#[case("hello-host-network.yaml.injected", &Reason::NotInjected)]
#[case("hello-tproxy.yaml.injected", &Reason::Tproxy)]
fn what_is_not_to_be_rewritten_stays(#[case] name: &str, #[case] reason: &Reason) {
    let golden = golden(name);
    let outcome = Rewrite::default().apply(&golden).unwrap();
    assert_eq!(outcome.manifest, golden);
    assert_eq!(outcome.workloads[0].verdict, Verdict::LeftAlone(reason.clone()));
}
