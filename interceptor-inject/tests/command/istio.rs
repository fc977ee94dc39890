// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mode `istio`: Istio's template from files.

use std::path::Path;

use super::{IMAGE, fail, succeed};

const DEPLOYMENT: &str = "\
# The shop's front end.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # of the shop
  namespace: shop
spec:
  template:
    spec:
      containers:
      - name: web
        image: shop/web   # ours
";

/// Flags with Istio's configuration.
fn flags() -> [String; 3] {
    let files = [
        ("injectConfigFile", "config/inject-config.yaml"),
        ("meshConfigFile", "config/mesh.yaml"),
        ("valuesFile", "config/values.json"),
    ];
    files.map(|(flag, file)| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/istio").join(file);
        format!("--{flag}={}", path.display())
    })
}

fn with(more: &[&'static str]) -> Vec<String> {
    let more = more.iter().map(|flag| (*flag).to_owned());
    ["-f".to_owned(), "-".to_owned()]
        .into_iter()
        .chain(flags())
        .chain(more)
        .collect()
}

fn as_words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_manifest_is_injected_and_rewritten_and_keeps_its_comments() {
    let (stdout, stderr) = succeed(&as_words(&with(&["--image", IMAGE, "--native-sidecars"])), DEPLOYMENT);
    assert_eq!(stderr, "interceptor: Deployment shop/web: injected\n");
    for kept in ["# The shop's front end.\n", "  name: web   # of the shop\n", "        image: shop/web   # ours\n"] {
        assert!(stdout.contains(kept), "{stdout}");
    }
    for new in [IMAGE, "interceptor-bpffs", "restartPolicy: Always", "registry.istio.io/testing/proxyv2:latest"] {
        assert!(stdout.contains(new), "{new}: {stdout}");
    }
}

#[test]
fn a_second_injection_changes_nothing() {
    let arguments = with(&["--image", IMAGE]);
    let (once, _) = succeed(&as_words(&arguments), DEPLOYMENT);
    let (twice, stderr) = succeed(&as_words(&arguments), &once);
    assert_eq!(
        stderr,
        "interceptor: Deployment shop/web: unchanged, because it is injected already\n"
    );
    assert_eq!(twice, once);
}

#[test]
fn the_container_is_for_the_cni_plugin_on_demand() {
    let (stdout, _) = succeed(&as_words(&with(&["--image", IMAGE, "--data-path", "cni"])), DEPLOYMENT);
    assert!(
        stdout.contains("istio-validation") && stdout.contains("--run-validation"),
        "{stdout}"
    );
    assert!(!stdout.contains("hostPath"), "{stdout}");
}

#[test]
fn istios_container_stays_on_demand() {
    let (stdout, _) = succeed(&as_words(&with(&["--keep-istio-init"])), DEPLOYMENT);
    assert!(stdout.contains("NET_RAW") && !stdout.contains("INTERCEPTOR_BPFFS"), "{stdout}");
}

#[test]
fn flags_about_a_cluster_have_no_effect_where_the_files_are_given() {
    let cluster = ["--context", "x", "-c", "kubeconfig", "-i", "istio-system", "-n", "shop", "--insecure"];
    let (with_cluster, _) = succeed(&as_words(&with(&cluster)), DEPLOYMENT);
    let (without, _) = succeed(&as_words(&with(&[])), DEPLOYMENT);
    assert_eq!(with_cluster, without);
}

#[test]
fn the_revision_is_named() {
    let (stdout, _) = succeed(&as_words(&with(&["-r", "canary"])), DEPLOYMENT);
    assert!(stdout.contains("istio.io/rev: canary"), "{stdout}");
    let (stdout, _) = succeed(&as_words(&with(&["-r", "default"])), DEPLOYMENT);
    assert!(stdout.contains("istio.io/rev: default"), "{stdout}");
}

#[test]
fn a_pod_that_istio_refuses_fails_the_command() {
    let bad = DEPLOYMENT.replace(
        "    spec:\n",
        "    metadata: {annotations: {traffic.sidecar.istio.io/includeOutboundIPRanges: bad}}\n    spec:\n",
    );
    let stderr = fail(1, &as_words(&with(&[])), &format!("{DEPLOYMENT}---\n{bad}"));
    assert!(
        stderr.contains(
            "standard input, document 2, which begins at line 13: Deployment shop/web: invalid value 'bad' for \
             annotation 'traffic.sidecar.istio.io/includeOutboundIPRanges'"
        ),
        "{stderr}"
    );
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    let [inject, mesh, _] = flags();
    let stderr = fail(1, &["-f", "-", &inject, &mesh, "--valuesFile=/nonexistent/values"], DEPLOYMENT);
    assert!(stderr.contains("Failed to open /nonexistent/values"), "{stderr}");
    let values = inject
        .replace("--injectConfigFile", "--valuesFile")
        .replace("inject-config.yaml", "mesh.yaml");
    let stderr = fail(
        1,
        &["-f", "-", &inject, &mesh.replace("mesh.yaml", "inject-config.yaml"), &values],
        DEPLOYMENT,
    );
    assert!(
        stderr.contains("lacks a value; add it to Istio's values or to the mesh configuration"),
        "{stderr}"
    );
}

#[test]
fn a_workload_that_refuses_injection_is_no_error_with_strict() {
    let refuses = DEPLOYMENT.replace(
        "    spec:\n",
        "    metadata: {labels: {sidecar.istio.io/inject: 'false'}}\n    spec:\n",
    );
    let (stdout, stderr) = succeed(&as_words(&with(&["--strict"])), &refuses);
    assert_eq!(stdout, refuses);
    assert_eq!(
        stderr,
        "interceptor: Deployment shop/web: left alone, because its label sidecar.istio.io/inject is \"false\"\n"
    );
}
