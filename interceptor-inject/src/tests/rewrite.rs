// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What changes in a pod, and that nothing else does.

use rstest::rstest;
use serde_json::{Value, json};

use super::{IMAGE, changed, interceptor_init, istio_init, options, pod, pod_with, rewritten, set};
use crate::{DEFAULT_IMAGE, Rewrite, Verdict};

const INIT: &str = "/spec/initContainers/0";
const RECORD: &str = "/metadata/annotations/interceptor.dev~1istio-init";

/// A pod without the annotation, which is not compared.
fn without_record(mut pod: Value) -> Value {
    let metadata = pod["metadata"].as_object_mut().unwrap();
    let annotations = metadata.get_mut("annotations").unwrap().as_object_mut().unwrap();
    annotations.remove("interceptor.dev/istio-init").unwrap();
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    pod
}

#[test]
fn the_container_the_two_volumes_and_an_annotation_change_and_nothing_else() {
    let mut expected = pod();
    expected["spec"]["initContainers"][0] = interceptor_init();
    let volumes = expected["spec"]["volumes"].as_array_mut().unwrap();
    volumes.push(json!({ "name": "interceptor-bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } }));
    volumes
        .push(json!({ "name": "interceptor-cgroup", "hostPath": { "path": "/sys/fs/cgroup", "type": "Directory" } }));
    assert_eq!(without_record(changed(&pod())), expected);
}

#[test]
fn the_container_keeps_its_place_among_the_init_containers() {
    let last = json!([{ "name": "first", "image": "a" }, { "name": "second", "image": "b" }, istio_init()]);
    let new = changed(&pod_with(&[("/spec/initContainers", last)]));
    let names: Vec<_> = new["spec"]["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["first", "second", "istio-init"]);
    assert_eq!(new["spec"]["initContainers"][2], interceptor_init());
}

#[test]
fn lists_and_metadata_that_are_missing_are_made() {
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": {
            "initContainers": [{ "name": "istio-init", "image": "istio/proxyv2", "args": ["istio-iptables"] }],
            "containers": null, "volumes": null,
        },
    });
    let new = changed(&bare);
    assert_eq!(new["spec"]["volumes"].as_array().unwrap().len(), 2);
    assert_eq!(new["spec"]["initContainers"][0]["env"].as_array().unwrap().len(), 1);
    assert_eq!(new["spec"]["initContainers"][0]["volumeMounts"].as_array().unwrap().len(), 2);
    assert_eq!(new["spec"]["initContainers"][0]["securityContext"]["runAsUser"], 0);
    assert!(new.pointer(RECORD).is_some());
}

#[rstest]
#[case::openshift(json!(["istio-iptables", "-u", "1000629999"]))]
#[case::another_user(json!(["istio-iptables", "-u", "1234", "-g", "1235"]))]
#[case::dns(json!(["istio-iptables", "--redirect-dns", "--capture-all-dns"]))]
#[case::validation(json!(["istio-iptables", "-p", "15001", "--run-validation", "--skip-rule-apply"]))]
fn arguments_stay(#[case] args: Value) {
    let new = changed(&pod_with(&[(&format!("{INIT}/args"), args.clone())]));
    assert_eq!(new["spec"]["initContainers"][0]["args"], args);
}

#[test]
fn variables_of_the_container_stay() {
    let env = json!([
        { "name": "ISTIO_META_DNS_CAPTURE", "value": "true" },
        { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
    ]);
    let new = changed(&pod_with(&[(&format!("{INIT}/env"), env.clone())]));
    let env_now = new["spec"]["initContainers"][0]["env"].as_array().unwrap();
    assert_eq!(env_now[..2], env.as_array().unwrap()[..]);
    assert_eq!(env_now.len(), 3);
}

#[rstest]
#[case::in_command(json!(["pilot-agent"]), json!(["istio-iptables", "-u", "1"]))]
#[case::by_path(json!(["/usr/local/bin/pilot-agent"]), json!(["istio-iptables", "-u", "1"]))]
#[case::all_in_command(json!(["pilot-agent", "istio-iptables", "-u", "1"]), Value::Null)]
#[case::divided(json!(["pilot-agent", "istio-iptables"]), json!(["-u", "1"]))]
#[case::in_arguments(Value::Null, json!(["pilot-agent", "istio-iptables", "-u", "1"]))]
fn pilot_agent_goes_because_the_image_has_none(#[case] command: Value, #[case] args: Value) {
    let new = changed(&pod_with(&[
        (&format!("{INIT}/command"), command),
        (&format!("{INIT}/args"), args),
    ]));
    let init = new["spec"]["initContainers"][0].as_object().unwrap();
    assert!(!init.contains_key("command"));
    assert_eq!(init["args"], json!(["istio-iptables", "-u", "1"]));
}

#[test]
fn capabilities_that_somebody_added_stay_and_those_for_iptables_go() {
    let added = json!(["SYS_PTRACE", "NET_RAW", "NET_ADMIN", "CAP_NET_RAW"]);
    let new = changed(&pod_with(&[(&format!("{INIT}/securityContext/capabilities/add"), added)]));
    let capabilities = &new["spec"]["initContainers"][0]["securityContext"]["capabilities"];
    assert_eq!(
        capabilities,
        &json!({ "add": ["BPF", "NET_ADMIN", "PERFMON", "SYS_PTRACE"], "drop": ["ALL"] })
    );
}

#[test]
fn a_privileged_container_stays_privileged_and_valid() {
    let context = json!({ "privileged": true, "allowPrivilegeEscalation": true });
    let new = changed(&pod_with(&[(&format!("{INIT}/securityContext"), context)]));
    let context = &new["spec"]["initContainers"][0]["securityContext"];
    assert_eq!(context["privileged"], true);
    // Kubernetes refuses `false` beside `privileged`.
    assert_eq!(context["allowPrivilegeEscalation"], true);
    assert_eq!(context["capabilities"]["add"], json!(["BPF", "NET_ADMIN", "PERFMON"]));
}

#[rstest]
#[case::of_the_container("/spec/initContainers/0/securityContext/seccompProfile")]
#[case::of_the_pod("/spec/securityContext/seccompProfile")]
fn the_default_seccomp_profile_stays_and_gets_a_warning(#[case] place: &str) {
    let pod = pod_with(&[(place, json!({ "type": "RuntimeDefault" }))]);
    let outcome = rewritten(&pod);
    assert_eq!(outcome.manifest.pointer(place), pod.pointer(place));
    let Verdict::Changed { warnings } = &outcome.workloads[0].verdict else {
        panic!("{:?}", outcome.workloads)
    };
    assert!(warnings[0].contains("RuntimeDefault"), "{warnings:?}");
}

#[test]
fn the_selinux_type_is_set_on_demand() {
    let options = Rewrite { selinux_type: Some("spc_t".into()), ..options() };
    let new = options.apply(&pod()).unwrap().manifest;
    assert_eq!(
        new["spec"]["initContainers"][0]["securityContext"]["seLinuxOptions"],
        json!({ "type": "spc_t" })
    );
}

#[rstest]
#[case::istios("docker.io/istio/proxyv2:1.29.0", DEFAULT_IMAGE)]
#[case::older_version("mirror.example/interceptor:0.0.9", DEFAULT_IMAGE)]
#[case::mirror(
    "mirror.example:5000/a/b/interceptor:0.1.0",
    "mirror.example:5000/a/b/interceptor:0.1.0"
)]
#[case::digest(
    "mirror.example/interceptor:0.1.0@sha256:12",
    "mirror.example/interceptor:0.1.0@sha256:12"
)]
#[case::other_name("mirror.example/not-interceptor:0.1.0", DEFAULT_IMAGE)]
fn without_an_image_this_versions_is_taken_or_kept(#[case] present: &str, #[case] expected: &str) {
    let pod = pod_with(&[(&format!("{INIT}/image"), json!(present))]);
    let new = Rewrite::default().apply(&pod).unwrap().manifest;
    assert_eq!(new["spec"]["initContainers"][0]["image"], expected);
}

#[test]
fn a_pod_in_which_istio_put_its_container_back_is_rewritten_again() {
    let done = changed(&pod());
    let mut half = done.clone();
    set(
        &mut half,
        "/spec/initContainers/0/image",
        json!("docker.io/istio/proxyv2:1.30.0"),
    );
    set(
        &mut half,
        "/spec/initContainers/0/securityContext",
        istio_init()["securityContext"].clone(),
    );
    let again = changed(&half);
    assert_eq!(without_record(again.clone()), without_record(done));
    // What the way back leads to is the image that Istio put there last.
    assert!(again.pointer(RECORD).unwrap().as_str().unwrap().contains("proxyv2:1.30.0"));
}

#[test]
fn a_pod_of_an_older_version_becomes_one_of_this_version() {
    let of_old = Rewrite { image: Some("mirror.example/interceptor:0.0.9".into()), ..options() };
    let old = of_old.apply(&pod()).unwrap().manifest;
    assert_eq!(changed(&old), changed(&pod()));
}

#[test]
fn the_annotation_keeps_what_was_replaced() {
    let record: Value = serde_json::from_str(changed(&pod()).pointer(RECORD).unwrap().as_str().unwrap()).unwrap();
    let init = istio_init();
    assert_eq!(record["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(record["image"], IMAGE);
    assert_eq!(record["original"]["image"], init["image"]);
    assert_eq!(record["original"]["securityContext"], init["securityContext"]);
}
