// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All combinations of what namespaces and pods can say, against the rules written down another way.

use rstest::rstest;
use serde_json::{Value, json};

use super::{ByDefault, Choice, Keys, Labels, Policy, Rule, Selector, Subject, called};

const INJECTION: &str = "istio-injection";
const REVISION: &str = "istio.io/rev";
const INJECT: &str = "sidecar.istio.io/inject";

fn labels(pairs: &[(&str, Option<&str>)]) -> Labels {
    let present = pairs.iter().filter_map(|(key, value)| Some((*key, (*value)?)));
    present.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Istio's webhooks for a revision, as its chart has them; those of the default revision are five.
fn webhooks(revision: &str, by_default: bool) -> Value {
    let rule = |key: &str, operator: &str, values: &[&str]| {
        let mut rule = json!({ "key": key, "operator": operator });
        if !values.is_empty() {
            rule["values"] = json!(values);
        }
        rule
    };
    let absent = |key| rule(key, "DoesNotExist", &[]);
    let not_refused = || rule(INJECT, "NotIn", &["false"]);
    let webhook = |name: &str, of_namespace: Vec<Value>, of_pod: Vec<Value>| {
        json!({
            "name": format!("{name}.sidecar-injector.istio.io"),
            "namespaceSelector": { "matchExpressions": of_namespace },
            "objectSelector": { "matchExpressions": of_pod },
        })
    };
    let is_revision = || rule(REVISION, "In", &[revision]);
    let mut all = vec![
        webhook("rev.namespace", vec![is_revision(), absent(INJECTION)], vec![not_refused()]),
        webhook(
            "rev.object",
            vec![absent(REVISION), absent(INJECTION)],
            vec![not_refused(), is_revision()],
        ),
    ];
    if revision == "default" {
        all.push(webhook(
            "namespace",
            vec![rule(INJECTION, "In", &["enabled"])],
            vec![not_refused()],
        ));
        let asks = rule(INJECT, "In", &["true"]);
        all.push(webhook(
            "object",
            vec![absent(INJECTION), absent(REVISION)],
            vec![asks, absent(REVISION)],
        ));
        if by_default {
            let others = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
            let others = rule("kubernetes.io/metadata.name", "NotIn", &others);
            let of_namespace = vec![absent(INJECTION), absent(REVISION), others];
            all.push(webhook("auto", of_namespace, vec![absent(INJECT), absent(REVISION)]));
        }
    }
    json!({ "webhooks": all })
}

/// The revision that injects, by the table of the documentation.
#[expect(clippy::match_same_arms, reason = "each arm is a row of the table")]
fn expected<'a>(namespace: [Option<&'a str>; 2], pod: [Option<&'a str>; 2], by_default: bool) -> Option<&'a str> {
    match (namespace, pod) {
        (_, [Some("false"), _]) => None,
        ([Some("enabled"), _], _) => Some("default"),
        ([Some(_), _], _) => None,
        ([None, Some(revision)], _) => Some(revision),
        ([None, None], [_, Some(revision)]) => Some(revision),
        ([None, None], [Some("true"), None]) => Some("default"),
        ([None, None], [Some(_), None]) => None,
        ([None, None], [None, None]) => by_default.then_some("default"),
    }
}

#[test]
fn the_api_server_calls_whom_the_table_says() {
    let injections = [None, Some("enabled"), Some("disabled"), Some(""), Some("x")];
    let revisions = [None, Some("default"), Some("canary")];
    let wishes = [None, Some("true"), Some("false"), Some("yes"), Some("")];
    let of_namespace = injections
        .iter()
        .flat_map(|injection| revisions.map(|revision| [*injection, revision]));
    let of_pod = wishes.iter().flat_map(|wish| revisions.map(|revision| [*wish, revision]));
    for (said, wanted) in of_namespace.flat_map(|said| of_pod.clone().map(move |wanted| (said, wanted))) {
        let name = ("kubernetes.io/metadata.name", Some("shop"));
        let namespace = labels(&[(INJECTION, said[0]), (REVISION, said[1]), name]);
        let pod = labels(&[(INJECT, wanted[0]), (REVISION, wanted[1])]);
        for (by_default, revision) in [(false, "default"), (false, "canary"), (true, "default"), (true, "canary")] {
            let expected = expected(said, wanted, by_default) == Some(revision);
            let called = called(&webhooks(revision, by_default), &namespace, &pod).unwrap();
            assert_eq!(
                called.len(),
                usize::from(expected),
                "{said:?} {wanted:?} {revision} {by_default}: {called:?}"
            );
        }
    }
}

#[test]
fn namespaces_of_the_system_are_not_injected_by_default() {
    let namespace = labels(&[("kubernetes.io/metadata.name", Some("kube-system"))]);
    assert_eq!(called(&webhooks("default", true), &namespace, &Labels::new()), Ok(vec![]));
}

#[cfg(feature = "cli")]
#[rstest]
#[case("mutatingwebhook-default.yaml", "default")]
#[case("mutatingwebhook-revision.yaml", "1-16")]
fn these_webhooks_are_those_of_istios_chart(#[case] file: &str, #[case] revision: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/istio/webhook")
        .join(file);
    let chart = crate::yaml::read_one(&std::fs::read_to_string(path).unwrap()).unwrap();
    let selectors = |configuration: &Value| -> Vec<[Value; 3]> {
        let webhooks = configuration["webhooks"].as_array().unwrap().iter();
        let fields = ["name", "namespaceSelector", "objectSelector"];
        let mut all: Vec<_> = webhooks.map(|webhook| fields.map(|field| webhook[field].clone())).collect();
        all.sort_by_key(|webhook| webhook[0].to_string());
        all
    };
    assert_eq!(selectors(&chart), selectors(&webhooks(revision, false)));
}

/// A pod and a policy, as far as they matter.
#[derive(Clone, Copy, Debug)]
struct Case {
    host_network: bool,
    namespace: &'static str,
    label: Option<&'static str>,
    annotation: Option<&'static str>,
    is_never: bool,
    is_always: bool,
    by_default: ByDefault,
}

impl Case {
    fn all() -> Vec<Self> {
        let wishes = [None, Some(""), Some("true"), Some("false"), Some("True")];
        let defaults = [ByDefault::Enabled, ByDefault::Disabled, ByDefault::Invalid];
        let mut all = Vec::new();
        for (label, annotation) in wishes.iter().flat_map(|label| wishes.map(|annotation| (*label, annotation))) {
            for by_default in defaults {
                all.extend((0..16).map(|bits: u8| Self {
                    host_network: bits & 1 != 0,
                    namespace: if bits & 2 != 0 { "kube-system" } else { "shop" },
                    label,
                    annotation,
                    is_never: bits & 4 != 0,
                    is_always: bits & 8 != 0,
                    by_default,
                }));
            }
        }
        all
    }

    fn choice(&self) -> Choice {
        let by = |matches: bool| {
            // A selector without rules selects none.
            let selector = json!({ "matchLabels": { "app": if matches { "web" } else { "db" } } });
            vec![Selector::default(), Selector::read(&selector).unwrap()]
        };
        let policy = Policy {
            keys: Keys::ISTIO,
            by_default: self.by_default,
            never: by(self.is_never),
            always: by(self.is_always),
        };
        let pod_labels = labels(&[(INJECT, self.label), ("app", Some("web"))]);
        let annotations = labels(&[(INJECT, self.annotation)]);
        let Self { host_network, namespace, .. } = *self;
        policy.decide(&Subject { host_network, namespace, labels: &pod_labels, annotations: &annotations })
    }

    /// From the last rule to the first.
    fn expected(&self) -> (bool, Rule) {
        let enabled = self.by_default != ByDefault::Invalid;
        let mut expected = (self.by_default == ByDefault::Enabled, Rule::Default);
        if self.is_always {
            expected = (enabled, Rule::Always);
        }
        if self.is_never {
            expected = (false, Rule::Never);
        }
        if let Some(wish) = self.wish().filter(|wish| ["true", "false"].contains(wish)) {
            let rule = if self.label.is_some() { Rule::Label } else { Rule::Annotation };
            expected = (wish == "true" && enabled, rule);
        }
        if self.namespace == "kube-system" {
            expected = (false, Rule::IgnoredNamespace);
        }
        if self.host_network {
            expected = (false, Rule::HostNetwork);
        }
        expected
    }

    fn wish(&self) -> Option<&'static str> {
        self.label.or(self.annotation)
    }
}

#[test]
fn the_injector_decides_by_the_first_rule_that_applies() {
    for case in Case::all() {
        let Choice { is_injected, rule, warning } = case.choice();
        assert_eq!((is_injected, rule), case.expected(), "{case:?}");
        let is_nonsense = case.wish() == Some("True") && !case.host_network && case.namespace == "shop";
        assert_eq!(warning.is_some(), is_nonsense, "{case:?}: {warning:?}");
    }
}

/// Both stages: namespace label, the pod's wish as an annotation, as a label, and whether it is injected.
#[rstest]
#[case(Some("enabled"), None, None, true)]
#[case(None, Some("true"), None, false)]
#[case(None, None, Some("true"), true)]
#[case(Some("enabled"), Some("true"), None, true)]
#[case(Some("enabled"), None, Some("true"), true)]
#[case(Some("enabled"), Some("false"), None, false)]
#[case(Some("enabled"), None, Some("false"), false)]
#[case(Some("disabled"), Some("true"), None, false)]
#[case(Some("disabled"), None, Some("true"), false)]
#[case(Some("disabled"), Some("false"), None, false)]
#[case(Some("disabled"), None, Some("false"), false)]
#[case(None, None, None, false)]
#[case(Some("enabled"), Some("false"), Some("true"), true)]
#[case(Some("enabled"), Some("true"), Some("false"), false)]
fn a_pod_is_injected_as_the_table_of_the_documentation_says(
    #[case] namespace: Option<&str>,
    #[case] annotation: Option<&str>,
    #[case] label: Option<&str>,
    #[case] expected: bool,
) {
    let pod = labels(&[(INJECT, label)]);
    let annotations = labels(&[(INJECT, annotation)]);
    let called = called(&webhooks("default", false), &labels(&[(INJECTION, namespace)]), &pod).unwrap();
    let subject = Subject { host_network: false, namespace: "shop", labels: &pod, annotations: &annotations };
    let choice = Policy::of_command(Keys::ISTIO).decide(&subject);
    assert_eq!(!called.is_empty() && choice.is_injected, expected, "{called:?}, {choice:?}");
}

#[rstest]
#[case(json!({ "key": "a", "operator": "in", "values": ["b"] }), "In, NotIn, Exists or DoesNotExist")]
#[case(json!({ "key": "a", "operator": "In" }), "an expression with values")]
#[case(json!({ "key": "a", "operator": "Exists", "values": ["b"] }), "an expression without values")]
#[case(json!({ "operator": "Exists" }), "matchExpressions[0].key")]
#[case(json!([]), "matchExpressions[0]: expected an object")]
fn a_selector_that_kubernetes_would_refuse_is_refused(#[case] expression: Value, #[case] expected: &str) {
    let selector = json!({ "matchExpressions": [expression] });
    let error = Selector::read(&selector).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}
