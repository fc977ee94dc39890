// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Istio's injector makes of its own test inputs, this one makes too.

use rstest::rstest;
use serde_json::{Value, json};

use super::{Config, file, injected, manifest, same::assert_same};
use crate::{
    Istio, Reason, Rewrite, Verdict,
    selection::{Keys, Rule},
};

const IMAGE: &str = "registry.example/interceptor:0.1";

/// Of one of Istio's tests: the input, the expected output, and the configuration.
struct Golden {
    input: Value,
    expected: Value,
    istio: Istio,
}

fn golden(name: &str, config: Config) -> Golden {
    let (input, expected, config, is_native) = match name {
        "hello-old-version" => ("hello.yaml", "hello-old-version.yaml.injected", config, false),
        "hello.cni" => {
            let config = config
                .set_value("/pilot/cni", json!({ "enabled": true, "provider": "default" }))
                .set_value("/global/network", json!("network1"));
            ("hello.yaml", "hello.yaml.cni.injected", config, true)
        }
        "hello-tproxy" => {
            let config = config.set_mesh("/defaultConfig/interceptionMode", json!("TPROXY"));
            ("hello.yaml", "hello-tproxy.yaml.injected", config, true)
        }
        "traffic-annotations" => {
            let key = "/etc/identity/client/keys/client-key.pem";
            let config = config.set_mesh("/defaultConfig/proxyMetadata", json!({ "ISTIO_META_TLS_CLIENT_KEY": key }));
            ("traffic-annotations.yaml", "traffic-annotations.yaml.injected", config, true)
        }
        "hello" => ("hello.yaml", "hello.yaml.injected", config, true),
        "list" => ("list.yaml", "list.yaml.injected", config, true),
        "multi-init" => ("multi-init.yaml", "multi-init.yaml.injected", config, true),
        "proxy-override-runas" => ("proxy-override-runas.yaml", "proxy-override-runas.yaml.injected", config, true),
        other => panic!("{other}"),
    };
    let [input, expected] = [input, expected].map(|name| manifest(&format!("inject/{name}")));
    Golden { input, expected, istio: config.istio(is_native) }
}

#[rstest]
fn what_comes_out_is_what_istio_makes(
    #[values(
        "hello",
        "hello-old-version",
        "hello.cni",
        "hello-tproxy",
        "list",
        "multi-init",
        "proxy-override-runas",
        "traffic-annotations"
    )]
    name: &str,
    #[values(Config::composed(), Config::rendered())] config: Config,
) {
    let Golden { input, expected, istio } = golden(name, config);
    assert_same(&injected(&istio, &input), &expected);
}

#[rstest]
fn injecting_twice_is_injecting_once(
    #[values(
        "hello",
        "hello-old-version",
        "hello.cni",
        "list",
        "multi-init",
        "traffic-annotations"
    )]
    name: &str,
) {
    let Golden { expected, istio, .. } = golden(name, Config::composed());
    assert_same(&injected(&istio, &expected), &expected);
}

#[rstest]
fn istio_init_becomes_what_a_rewrite_of_istios_output_makes(
    #[values(
        "hello",
        "hello-old-version",
        "list",
        "multi-init",
        "proxy-override-runas",
        "traffic-annotations"
    )]
    name: &str,
) {
    let Golden { input, expected, istio } = golden(name, Config::composed());
    let rewrite = Rewrite { image: Some(IMAGE.to_owned()), ..Rewrite::default() };
    let istio = Istio { rewrite: Some(rewrite.clone()), ..istio };
    let once = injected(&istio, &input);
    assert_same(&once, &rewrite.apply(&expected).unwrap().manifest);
    assert!(once.to_string().contains("interceptor-bpffs"), "it is rewritten");
    assert_same(&injected(&istio, &once), &once);
}

/// Istio takes the metadata of the job for that of the pod.
#[rstest]
fn a_cron_job_is_injected_into_its_pods(#[values(Config::composed(), Config::rendered())] config: Config) {
    let mut expected = manifest("inject/cronjob.yaml.injected");
    let job = &mut expected["spec"]["jobTemplate"];
    let metadata = job["metadata"].take();
    job["spec"]["template"]["metadata"] = metadata;
    assert_same(&injected(&config.istio(true), &manifest("inject/cronjob.yaml")), &expected);
}

#[test]
fn a_pod_in_the_network_of_its_node_is_left_alone() {
    let input = manifest("inject/hello-host-network.yaml");
    let outcome = Config::composed().istio(true).apply(&input).unwrap();
    let reason = Reason::NotSelected { rule: Rule::HostNetwork, keys: Keys::ISTIO };
    assert_eq!(outcome.workloads[0].verdict, Verdict::LeftAlone(reason));
    assert_eq!(outcome.manifest, input);
}

#[rstest]
#[case::with_templates("inject-config.yaml")]
#[case::one_template("inject-config-inline.yaml")]
fn the_files_of_kube_inject_are_read_in_both_forms(#[case] config: &str) {
    let [inject, mesh, values] = [config, "mesh-config.yaml", "inject-values.yaml"];
    let [inject, mesh, values] = [inject, mesh, values].map(|name| file(&format!("kube-inject/{name}")));
    let istio = Istio::new(&inject, &mesh, &values).unwrap();
    let [input, expected] = ["hello.yaml", "hello.yaml.injected"].map(|name| manifest(&format!("kube-inject/{name}")));
    assert_same(&injected(&istio, &input), &expected);
}

#[test]
fn the_manifests_of_the_config_maps_are_read_too() {
    let text = file("rendered/istiod-injection.yaml");
    let mut maps = text.split("\n---\n").filter(|document| document.contains("kind: ConfigMap"));
    let (istio, injector) = (maps.next().unwrap(), maps.next().unwrap());
    let mut from_maps = Istio::new(injector, istio, injector).unwrap();
    from_maps.native_sidecars = true;
    assert_same(
        &injected(&from_maps, &manifest("inject/hello.yaml")),
        &manifest("inject/hello.yaml.injected"),
    );
}
