// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What comes from the sidecar: whom it runs as, and its variables.

use rstest::rstest;

use super::*;
use crate::{DnsCapture, IstioConfig};

/// The value under Istio's name for it.
fn printed(config: &IstioConfig, name: &str) -> String {
    serde_json::to_value(config).unwrap()[name].as_str().unwrap().to_owned()
}

#[test]
fn a_sidecar_that_starts_before_the_application_is_found() {
    let mut pod = injected();
    let mut native = pod["spec"]["containers"].as_array_mut().unwrap().pop().unwrap();
    native["restartPolicy"] = "Always".into();
    native["securityContext"] = json!({"runAsUser": 2000});
    pod["spec"]["initContainers"] = json!([{"name": "istio-validation"}, native]);
    let (wanted, _warnings) = intercepted(&pod);
    assert_eq!(printed(wanted.config(), "PROXY_UID"), "2000");
}

#[rstest]
#[case::absent(json!({}), "1337", "1337")]
#[case::root(json!({"runAsUser": 0, "runAsGroup": 0}), "1337", "1337")]
#[case::of_openshift(json!({"runAsUser": 1_000_670_000, "runAsGroup": 1_000_670_000}), "1000670000", "1000670000")]
#[case::user_only(json!({"runAsUser": 5}), "5", "1337")]
#[case::group_only(json!({"runAsGroup": 6}), "1337", "6")]
fn the_sidecar_runs_as_its_own_security_context_says(#[case] context: Value, #[case] user: &str, #[case] group: &str) {
    let mut pod = injected();
    pod["spec"]["securityContext"] = json!({"runAsUser": 7, "runAsGroup": 8});
    sidecar(&mut pod)["securityContext"] = context;
    let (wanted, _warnings) = intercepted(&pod);
    assert_eq!(
        (printed(wanted.config(), "PROXY_UID"), printed(wanted.config(), "PROXY_GID")),
        (user.to_owned(), group.to_owned())
    );
}

#[rstest]
#[case::on(json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}]), DnsCapture::All, None)]
#[case::in_capitals(json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": "TRUE"}]), DnsCapture::All, None)]
#[case::off(json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": "false"}]), DnsCapture::Off, None)]
#[case::absent(json!([]), DnsCapture::Off, None)]
#[case::no_boolean(
    json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": "yes"}]),
    DnsCapture::Off,
    Some("`yes` is not true or false")
)]
#[case::elsewhere(
    json!([{"name": "ISTIO_META_DNS_CAPTURE", "valueFrom": {"configMapKeyRef": {"name": "mesh", "key": "dns"}}}]),
    DnsCapture::Off,
    Some("`valueFrom` is not read")
)]
#[case::the_last_counts(
    json!([
        {"name": "ISTIO_META_DNS_CAPTURE", "value": "false"},
        {"name": "ISTIO_META_DNS_CAPTURE", "value": "true"},
    ]),
    DnsCapture::All,
    None
)]
fn dns_is_captured_from_all_servers_or_not_at_all(
    #[case] variables: Value,
    #[case] expected: DnsCapture<'_>,
    #[case] warning: Option<&str>,
) {
    let (wanted, warnings) = intercepted(&with_variables(&variables));
    assert_eq!(wanted.config().dns.capture(), expected);
    assert_eq!(warnings.len(), usize::from(warning.is_some()), "{warnings:?}");
    for (found, text) in warnings.iter().zip(warning) {
        assert!(found.contains("ISTIO_META_DNS_CAPTURE") && found.contains(text), "{found}");
    }
}

#[rstest]
#[case::dual_stack("ISTIO_DUAL_STACK", |config: &IstioConfig| config.interfaces.dual_stack)]
#[case::drop_invalid("INVALID_DROP", |config: &IstioConfig| config.inbound.drop_invalid)]
fn a_variable_of_the_sidecar_sets_its_field(#[case] variable: &str, #[case] field: fn(&IstioConfig) -> bool) {
    for (value, expected, warned) in [("true", true, 0), ("1", true, 0), ("false", false, 0), ("on", false, 1)] {
        let pod = with_variables(&json!([{"name": variable, "value": value}]));
        let (wanted, warnings) = intercepted(&pod);
        assert_eq!(field(wanted.config()), expected, "{value}");
        assert_eq!(warnings.len(), warned, "{warnings:?}");
    }
}

#[rstest]
#[case::of_istio_iptables("ISTIO_SERVICE_CIDR", "10.0.0.0/8")]
#[case::name_of_the_flag("REDIRECT_DNS", "true")]
#[case::of_interceptor("INTERCEPTOR_ACCELERATE", "true")]
#[case::of_the_proxy("PROXY_CONFIG", "interceptionMode: TPROXY")]
fn no_other_variable_of_the_sidecar_is_read(#[case] name: &str, #[case] value: &str) {
    let pod = with_variables(&json!([{"name": name, "value": value}]));
    assert_eq!(intercepted(&pod), intercepted(&injected()));
}

#[test]
fn variables_of_the_application_are_not_read() {
    let mut pod = injected();
    pod["spec"]["containers"][0]["env"] = json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}]);
    assert_eq!(intercepted(&pod), intercepted(&injected()));
}
