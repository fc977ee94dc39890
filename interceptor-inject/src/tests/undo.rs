// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way back.

use serde_json::{Value, json};

use super::{changed, options, pod, pod_with, set};
use crate::{Reason, Rewrite, Undo, Verdict};

fn undone(manifest: &Value) -> Value {
    Undo::default().apply(manifest).unwrap().manifest
}

#[test]
fn the_original_comes_back() {
    for original in [
        pod(),
        pod_with(&[("/spec/initContainers/0/command", json!(["pilot-agent"]))]),
        pod_with(&[("/metadata/annotations/a", json!("b"))]),
        pod_with(&[("/spec/initContainers/0/env", json!([{ "name": "A", "value": "b" }]))]),
    ] {
        assert_eq!(undone(&changed(&original)), original);
    }
}

#[test]
fn the_image_can_be_chosen() {
    let undo = Undo { init_image: Some("istio/proxyv2:2".into()), ..Undo::default() };
    let expected = pod_with(&[("/spec/initContainers/0/image", json!("istio/proxyv2:2"))]);
    assert_eq!(undo.apply(&changed(&pod())).unwrap().manifest, expected);
}

#[test]
fn without_the_annotation_the_image_has_to_be_named() {
    let mut bare = changed(&pod());
    bare["metadata"].as_object_mut().unwrap().remove("annotations");
    let error = Undo::default().apply(&bare).unwrap_err().to_string();
    assert!(error.contains("--init-image"), "{error}");
    let undo = Undo { init_image: Some("docker.io/istio/proxyv2:1.29.0".into()), ..Undo::default() };
    assert_eq!(undo.apply(&bare).unwrap().manifest, pod());
}

#[test]
fn a_container_that_istio_put_back_keeps_istios_image() {
    let mut half = changed(&pod());
    set(&mut half, "/spec/initContainers/0/image", json!("istio/proxyv2:2"));
    assert_eq!(undone(&half)["spec"]["initContainers"][0]["image"], "istio/proxyv2:2");
}

#[test]
fn a_pod_without_interceptor_is_left_alone() {
    let outcome = Undo::default().apply(&pod()).unwrap();
    assert_eq!(outcome.manifest, pod());
    assert_eq!(outcome.workloads[0].verdict, Verdict::LeftAlone(Reason::NotOurs));
}

#[test]
fn going_back_and_rewriting_again_is_the_same_as_rewriting() {
    let done = changed(&pod());
    assert_eq!(changed(&undone(&done)), done);
    let other = Rewrite { image: Some("elsewhere/x:1".into()), ..options() };
    assert_eq!(undone(&other.apply(&done).unwrap().manifest), pod());
}
