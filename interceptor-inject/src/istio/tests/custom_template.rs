// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The template that `interceptor render istio-values` prints, laid over Istio's own.

use rstest::rstest;

use super::*;
use crate::{istio_values, selection::Labels};

const IMAGE: &str = "registry.example/interceptor:0.1";

/// The pod, injected by both templates in their order.
fn injected_by_both(config: &Config, annotations: &Labels) -> Value {
    let values = yaml::read_one(&istio_values(IMAGE)).unwrap();
    let injector = &values["sidecarInjectorWebhook"];
    assert_eq!(injector["defaultTemplates"], json!(["sidecar", "interceptor"]));
    let mut istio = config.istio(true);
    let template = injector["templates"]["interceptor"].as_str().unwrap();
    istio.templates.insert("interceptor".to_owned(), template.to_owned());
    let mut pod = pod_with(&[("/metadata/annotations/inject.istio.io~1templates", json!("sidecar,interceptor"))]);
    for (name, value) in annotations {
        pod["metadata"]["annotations"][name] = value.as_str().into();
    }
    injected(&istio, &pod)
}

#[test]
fn istio_init_is_interceptors() {
    let pod = injected_by_both(&Config::composed(), &Labels::new());
    let init = &pod["spec"]["initContainers"][0];
    assert_eq!((&init["name"], &init["image"]), (&json!("istio-init"), &json!(IMAGE)));
    assert_eq!(
        init["securityContext"]["capabilities"],
        json!({ "add": ["BPF", "NET_ADMIN", "PERFMON"], "drop": ["ALL"] })
    );
    assert_eq!(init["args"][0], "istio-iptables", "the arguments stay Istio's");
    let mounts: Vec<_> = names(&init["volumeMounts"]);
    assert_eq!(mounts, ["interceptor-bpffs", "interceptor-cgroup"]);
    assert!(mounts.iter().all(|mount| names(&pod["spec"]["volumes"]).contains(mount)));
}

#[rstest]
#[case::none("sidecar.istio.io/interceptionMode", "NONE")]
#[case::tproxy("sidecar.istio.io/interceptionMode", "TPROXY")]
#[case::opted_out("interceptor.dev/rewrite", "false")]
fn a_pod_that_the_rewrite_would_leave_alone_has_nothing_of_interceptor(#[case] name: &str, #[case] value: &str) {
    let annotations = Labels::from([(name.to_owned(), value.to_owned())]);
    let pod = injected_by_both(&Config::composed(), &annotations);
    assert!(names(&pod["spec"]["initContainers"]).contains(&"istio-proxy"));
    assert_eq!(names(&pod["spec"]["initContainers"]).contains(&"istio-init"), value != "NONE");
    let text = pod["spec"].to_string();
    assert!(!text.contains(IMAGE) && !text.contains("interceptor-bpffs"), "{text}");
}

#[test]
fn the_container_of_istios_plugin_stays() {
    let cni = json!({ "enabled": true, "provider": "default" });
    let config = Config::composed().set_value("/pilot/cni", cni);
    let pod = injected_by_both(&config, &Labels::new());
    assert_eq!(names(&pod["spec"]["initContainers"])[0], "istio-validation");
    assert!(!pod["spec"].to_string().contains(IMAGE));
}
