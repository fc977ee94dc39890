// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mode `plain`: an Envoy without Istio.

use super::{IMAGE, INJECTED, PLAIN, fail, succeed};

const FLAGS: [&str; 10] = [
    "-f",
    "-",
    "--mode",
    "plain",
    "--image",
    IMAGE,
    "--envoy-image",
    "example.org/envoy:1",
    "--envoy-config",
    "envoy",
];

#[test]
fn a_manifest_gets_an_envoy_once() {
    let (once, stderr) = succeed(&FLAGS, PLAIN);
    assert_eq!(stderr, "interceptor: Deployment plain: injected\n");
    for new in [IMAGE, "example.org/envoy:1", "interceptor-init", "interceptor-envoy-config"] {
        assert!(once.contains(new), "{new}: {once}");
    }
    let (twice, stderr) = succeed(&FLAGS, &once);
    assert_eq!(
        stderr,
        "interceptor: Deployment plain: unchanged, because it is injected already\n"
    );
    assert_eq!(twice, once);
}

#[test]
fn what_istio_injected_is_refused() {
    let stderr = fail(1, &FLAGS, &format!("{PLAIN}---\n{INJECTED}"));
    assert!(
        stderr.contains("Deployment shop/web: it has Istio's annotation sidecar.istio.io/status"),
        "{stderr}"
    );
}

#[test]
fn a_pod_may_refuse() {
    let refuses = PLAIN.replace(
        "    spec:\n",
        "    metadata: {labels: {interceptor.dev/inject: 'false'}}\n    spec:\n",
    );
    let (stdout, stderr) = succeed(&FLAGS, &refuses);
    assert_eq!(stdout, refuses);
    assert!(
        stderr.contains("left alone, because its label interceptor.dev/inject is \"false\""),
        "{stderr}"
    );
}
