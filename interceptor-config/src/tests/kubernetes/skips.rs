// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reasons to leave a pod alone: each by itself, and which one is named where there are several.

use rstest::rstest;

use super::*;

/// Makes a pod one that is left alone. No change undoes another one.
type Change = fn(&mut Value);

/// Each reason, in the order in which they are looked for.
const REASONS: [(&str, Change); 8] = [
    ("network of its node", |pod| pod["spec"]["hostNetwork"] = true.into()),
    ("container istio-init", |pod| {
        push(pod, "initContainers", json!({"name": "istio-init"}));
    }),
    ("DISABLE_ENVOY is true", |pod| {
        for container in pod["spec"]["containers"].as_array_mut().unwrap() {
            container["env"] = json!([{"name": "DISABLE_ENVOY", "value": "true"}]);
        }
    }),
    ("no container istio-proxy", |pod| {
        pod["spec"]["containers"][1]["name"] = "envoy".into();
    }),
    ("proxy router", |pod| {
        pod["spec"]["containers"][1]["args"] = json!(["proxy", "router"]);
    }),
    ("sidecar.istio.io/inject is false", |pod| {
        pod["metadata"]["labels"][INJECT] = "false".into();
    }),
    ("sidecar.istio.io/status is missing", |pod| {
        pod["metadata"]["annotations"].as_object_mut().unwrap().remove(STATUS).unwrap();
    }),
    ("mode of interception is NONE", |pod| annotate(pod, MODE, "NONE")),
];

fn push(pod: &mut Value, list: &str, container: Value) {
    pod["spec"][list].as_array_mut().unwrap().push(container);
}

fn changed(changes: &[Change]) -> Value {
    let mut pod = injected();
    for change in changes {
        change(&mut pod);
    }
    pod
}

#[test]
fn each_reason_by_itself_is_named() {
    for (text, change) in REASONS {
        let skip = skipped(&changed(&[change])).to_string();
        assert!(skip.contains(text), "{skip}, not {text}");
    }
}

#[test]
fn of_two_reasons_the_earlier_one_is_named() {
    for (earlier, (text, change)) in REASONS.iter().enumerate() {
        for (_later_text, later) in &REASONS[earlier + 1..] {
            // Without a sidecar nobody knows what it would have said.
            let hides = skipped(&changed(&[*later])) == Skip::NoSidecar && text.contains("DISABLE_ENVOY");
            let expected = if hides { "no container istio-proxy" } else { text };
            let skip = skipped(&changed(&[*change, *later])).to_string();
            assert!(skip.contains(expected), "{skip}, not {expected}");
        }
    }
}

#[test]
fn a_pod_that_is_left_alone_is_not_judged() {
    for (text, change) in REASONS {
        let mut pod = changed(&[change]);
        annotate(&mut pod, "traffic.sidecar.istio.io/includeInboundPorts", "bad");
        sidecar(&mut pod)["securityContext"] = json!({"runAsUser": -1});
        let skip = skipped(&pod).to_string();
        assert!(skip.contains(text), "{skip}, not {text}");
    }
}

#[rstest]
#[case::of_the_application("istio-init", "containers")]
#[case::before_the_application("istio-init", "initContainers")]
fn a_container_that_sets_up_interception_may_be_of_either_kind(#[case] name: &str, #[case] list: &str) {
    let mut pod = injected();
    push(&mut pod, list, json!({"name": name}));
    assert_eq!(skipped(&pod), Skip::OwnInit);
}

#[rstest]
#[case::go_reads_it("t", Some(Skip::NoEnvoy), 0)]
#[case::off("0", None, 0)]
#[case::no_boolean("yes", None, 1)]
#[case::set_to_nothing("", None, 1)]
fn envoy_is_disabled_by_a_boolean(#[case] value: &str, #[case] expected: Option<Skip>, #[case] warned: usize) {
    let pod = with_variables(&json!([{"name": "DISABLE_ENVOY", "value": value}]));
    match decided(&pod).unwrap() {
        Decision::Skip(skip) => assert_eq!(Some(skip), expected),
        Decision::Intercept { warnings, .. } => {
            assert_eq!(expected, None);
            let named = warnings.iter().filter(|warning| warning.contains("DISABLE_ENVOY"));
            assert_eq!(named.count(), warned, "{warnings:?}");
        }
    }
}

#[rstest]
#[case::sidecar(&["proxy", "sidecar"], None)]
#[case::gateway(&["proxy", "router", "--domain"], Some("router"))]
#[case::waypoint(&["proxy", "waypoint"], Some("waypoint"))]
#[case::no_kind(&["proxy"], None)]
#[case::empty_kind(&["proxy", ""], None)]
#[case::nothing(&[], None)]
#[case::another_command(&["wait", "router"], None)]
fn a_proxy_is_a_sidecar_unless_its_arguments_say_otherwise(#[case] args: &[&str], #[case] kind: Option<&str>) {
    let mut pod = injected();
    sidecar(&mut pod)["args"] = json!(args);
    match kind {
        Some(kind) => assert_eq!(skipped(&pod), Skip::OtherProxy { kind: kind.to_owned() }),
        None => assert_eq!(intercepted(&pod), intercepted(&injected())),
    }
}

/// `None` where the pod has no such label or annotation.
#[rstest]
#[case::label_over_annotation(Some("true"), Some("false"), false, 0)]
#[case::label_over_annotation_too(Some("false"), Some("true"), true, 0)]
#[case::annotation_alone(None, Some("false"), true, 0)]
#[case::annotation_as_go_reads_it(None, Some("F"), true, 0)]
#[case::neither(None, None, false, 0)]
#[case::no_boolean(Some("maybe"), Some("false"), false, 1)]
#[case::set_to_nothing(Some(""), Some("false"), false, 0)]
fn injection_is_off_by_label_or_annotation(
    #[case] label: Option<&str>,
    #[case] annotation: Option<&str>,
    #[case] off: bool,
    #[case] warned: usize,
) {
    let mut pod = injected();
    if let Some(value) = label {
        pod["metadata"]["labels"][INJECT] = value.into();
    }
    if let Some(value) = annotation {
        annotate(&mut pod, INJECT, value);
    }
    if off {
        assert_eq!(skipped(&pod), Skip::InjectionOff);
    } else {
        let (_wanted, warnings) = intercepted(&pod);
        let named = warnings
            .iter()
            .filter(|warning| warning.contains("`maybe` is not true or false"));
        assert_eq!((named.count(), warnings.len()), (warned, warned), "{warnings:?}");
    }
}

#[test]
fn the_text_of_the_status_does_not_matter() {
    assert_eq!(intercepted(&annotated(&[(STATUS, "")])), intercepted(&injected()));
}
