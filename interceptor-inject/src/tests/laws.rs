// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What holds for every pod: rewriting twice is rewriting once, and going back restores.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{IMAGE, pod_with};
use crate::{DataPath, Rewrite, Undo, Verdict};

/// A change to the pod. Some lead to pods that are left alone, and some to no manifest at all.
fn change() -> impl Strategy<Value = (&'static str, Value)> {
    let places = [
        "/metadata",
        "/metadata/labels",
        "/metadata/annotations",
        "/metadata/annotations/interceptor.dev~1istio-init",
        "/metadata/annotations/interceptor.dev~1rewrite",
        "/spec/volumes",
        "/spec/hostNetwork",
        "/spec/initContainers/0/args",
        "/spec/initContainers/0/command",
        "/spec/initContainers/0/env",
        "/spec/initContainers/0/image",
        "/spec/initContainers/0/securityContext",
        "/spec/initContainers/0/securityContext/capabilities",
        "/spec/initContainers/0/securityContext/capabilities/add",
        "/spec/initContainers/0/securityContext/privileged",
        "/spec/initContainers/0/volumeMounts",
        "/spec/initContainers/1",
    ];
    let values = [
        Value::Null,
        json!({}),
        json!([]),
        json!(true),
        json!("false"),
        json!("x/interceptor:0.0.1"),
        json!(IMAGE),
        json!(["pilot-agent"]),
        json!(["pilot-agent", "istio-iptables", "-u", "7"]),
        json!(["istio-iptables"]),
        json!(["SYS_ADMIN", "CAP_SYS_ADMIN", "ALL", "NET_RAW"]),
        json!([{ "name": "INTERCEPTOR_BPFFS", "value": "/host/bpf" }]),
        json!([{ "name": "interceptor-bpffs", "mountPath": "/host/bpf/", "readOnly": false }]),
        json!([{ "name": "interceptor-cgroup", "mountPath": "/host/cgroup" }]),
        json!([{ "name": "interceptor-bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } }]),
        json!(r#"{"image":"x/interceptor:0.0.1","original":{"image":"istio"}}"#),
        json!({ "a": "b" }),
    ];
    (select(places.to_vec()), select(values.to_vec()))
}

fn options() -> impl Strategy<Value = Rewrite> {
    let image = proptest::option::of(select(vec![IMAGE.to_owned(), "elsewhere/x:1".to_owned()]));
    let selinux_type = proptest::option::of(Just("spc_t".to_owned()));
    let data_path = select(vec![DataPath::Init, DataPath::Cni]);
    (image, data_path, selinux_type).prop_map(|(image, data_path, selinux_type)| Rewrite {
        image,
        data_path,
        selinux_type,
        ..Rewrite::default()
    })
}

proptest! {
    #[test]
    fn rewriting_twice_is_rewriting_once(changes in vec(change(), 0..4), options in options()) {
        if let Ok(once) = options.apply(&pod_with_valid(&changes)) {
            let twice = options.apply(&once.manifest).unwrap();
            prop_assert_eq!(&twice.manifest, &once.manifest);
            let is_changed = |verdict: &Verdict| matches!(verdict, Verdict::Changed { .. });
            prop_assert!(!twice.workloads.iter().any(|workload| is_changed(&workload.verdict)));
        }
    }

    #[test]
    fn what_is_left_alone_stays_equal(changes in vec(change(), 0..4), options in options()) {
        let pod = pod_with_valid(&changes);
        if let Ok(outcome) = options.apply(&pod) {
            let is_changed = matches!(outcome.workloads[0].verdict, Verdict::Changed { .. });
            prop_assert_eq!(outcome.manifest != pod, is_changed);
        }
    }

    #[test]
    fn going_back_twice_is_going_back_once(changes in vec(change(), 0..4), options in options()) {
        let undo = Undo { init_image: Some("istio/proxyv2".into()), ..Undo::default() };
        if let Ok(once) = options.apply(&pod_with_valid(&changes)).and_then(|done| undo.apply(&done.manifest)) {
            prop_assert_eq!(&undo.apply(&once.manifest).unwrap().manifest, &once.manifest);
        }
    }
}

/// The changes in an order in which no change replaces what an earlier one needs to be an object.
fn pod_with_valid(changes: &[(&'static str, Value)]) -> Value {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|(place, _value)| std::cmp::Reverse(place.len()));
    pod_with(&changes)
}
