// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The injector of a cluster, which answers with what Istio's tests expect.

use std::cell::RefCell;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rstest::rstest;

use super::{same::assert_same, *};
use crate::{
    Reason, Remote, Rewrite, Verdict, Workload,
    selection::{Keys, Rule},
};

/// An injector that makes of each pod what this says, with the reviews that it has seen.
struct Istiod<'a> {
    pods: &'a dyn Fn(&Value) -> Value,
    seen: RefCell<Vec<Value>>,
}

impl<'a> Istiod<'a> {
    fn new(pods: &'a dyn Fn(&Value) -> Value) -> Self {
        Self { pods, seen: RefCell::default() }
    }

    fn answer(&self, review: &Value) -> Value {
        self.seen.borrow_mut().push(review.clone());
        let pod = &review["request"]["object"];
        let patch = json_patch::diff(pod, &(self.pods)(pod));
        let patch = STANDARD.encode(serde_json::to_vec(&patch).unwrap());
        json!({ "response": { "uid": review["request"]["uid"], "allowed": true, "patch": patch } })
    }

    fn apply(&self, rewrite: Option<Rewrite>, manifest: &Value) -> crate::Outcome {
        let ask = |review: &Value| Ok(self.answer(review));
        let remote = Remote { ask: &ask, rewrite, kinds: Vec::new() };
        remote.apply(manifest).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What comes of one answer for a pod.
fn answered(response: &Value) -> Result<Verdict, String> {
    let ask = |review: &Value| {
        let mut response = response.clone();
        if response.get("uid").is_none() {
            response["uid"] = review["request"]["uid"].clone();
        }
        Ok(json!({ "response": response }))
    };
    let remote = Remote { ask: &ask, rewrite: None, kinds: Vec::new() };
    let outcome = remote.apply(&pod()).map_err(|error| error.to_string())?;
    let Workload { verdict, .. } = outcome.workloads.into_iter().next().unwrap();
    Ok(verdict)
}

#[rstest]
#[case("hello.yaml", "hello.yaml.injected")]
#[case("multi-init.yaml", "multi-init.yaml.injected")]
fn what_comes_out_is_what_the_injector_makes(#[case] input: &str, #[case] expected: &str) {
    let [input, expected] = [input, expected].map(|name| manifest(&format!("inject/{name}")));
    let made = |pod: &Value| {
        let mut made = expected["spec"]["template"].clone();
        // Those that only Go's types have.
        made["metadata"]["creationTimestamp"] = Value::Null;
        made["status"] = json!({});
        made["apiVersion"] = pod["apiVersion"].clone();
        made["kind"] = pod["kind"].clone();
        made
    };
    let istiod = Istiod::new(&made);
    let outcome = istiod.apply(None, &input);
    assert_same(&outcome.manifest, &expected);
    let template = outcome.manifest["spec"]["template"].as_object().unwrap();
    assert_eq!(template.keys().collect::<Vec<_>>(), ["metadata", "spec"]);

    let rewrite = Rewrite::default();
    let outcome = istiod.apply(Some(rewrite.clone()), &input);
    assert_same(&outcome.manifest, &rewrite.apply(&expected).unwrap().manifest);
    assert!(outcome.manifest.to_string().contains("interceptor-bpffs"));
}

#[test]
fn the_injector_is_asked_as_the_api_server_asks_it() {
    let istiod = Istiod::new(&Value::clone);
    let mut deployment = manifest("inject/hello.yaml");
    drop(istiod.apply(None, &deployment));
    deployment["metadata"]["namespace"] = "shop".into();
    drop(istiod.apply(None, &deployment));
    deployment["spec"]["template"]["metadata"]["namespace"] = "other".into();
    drop(istiod.apply(None, &deployment));
    let seen = istiod.seen.into_inner();
    let namespaces: Vec<_> = seen.iter().map(|review| review["request"].get("namespace")).collect();
    assert_eq!(namespaces, [None, Some(&json!("shop")), Some(&json!("other"))]);
    let review = &seen[1];
    assert_eq!(
        (&review["kind"], &review["request"]["operation"]),
        (&json!("AdmissionReview"), &json!("CREATE"))
    );
    let pod = &review["request"]["object"];
    assert_eq!((&pod["apiVersion"], &pod["kind"]), (&json!("v1"), &json!("Pod")));
    assert_eq!(pod["spec"], deployment["spec"]["template"]["spec"]);
}

#[test]
fn a_pod_that_the_injector_passes_is_left_alone_and_says_why_if_it_can() {
    let passed = |pod: &Value| {
        let istiod = Istiod::new(&Value::clone);
        istiod.apply(None, pod).workloads.remove(0).verdict
    };
    assert_eq!(passed(&pod()), Verdict::LeftAlone(Reason::InjectorPassed));
    let refuses = pod_with(&[("/metadata/labels/sidecar.istio.io~1inject", json!("false"))]);
    let reason = Reason::NotSelected { rule: Rule::Label, keys: Keys::ISTIO };
    assert_eq!(passed(&refuses), Verdict::LeftAlone(reason));
}

#[rstest]
#[case::refusal(
    json!({ "allowed": false, "status": { "message": "invalid value 'bad'" } }),
    "Pod shop/web: Istio's injector: it refuses the pod: invalid value 'bad'"
)]
#[case::refusal_without_a_word(json!({ "allowed": false }), "it does not say why")]
#[case::nothing(json!({}), "it refuses the pod")]
#[case::another_answer(json!({ "uid": "another", "allowed": true }), "answers another question")]
#[case::no_base64(json!({ "allowed": true, "patch": "…" }), "its patch is none")]
#[case::no_patch(json!({ "allowed": true, "patch": STANDARD.encode("{}") }), "its patch is none")]
#[case::for_another_pod(
    json!({ "allowed": true, "patch": STANDARD.encode(r#"[{"op":"remove","path":"/spec/nothing"}]"#) }),
    "its patch does not apply"
)]
#[case::no_pod_left(
    json!({ "allowed": true, "patch": STANDARD.encode(r#"[{"op":"replace","path":"","value":1}]"#) }),
    "leaves no pod"
)]
fn an_answer_that_injects_nothing_fails_the_command(#[case] response: Value, #[case] expected: &str) {
    let error = answered(&response).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

/// A list, a cron job and objects of other kinds.
#[test]
fn each_pod_of_a_manifest_is_asked_about() {
    let injected = |pod: &Value| {
        let mut pod = pod.clone();
        pod["spec"]["initContainers"] = json!([{ "name": "istio-init" }]);
        pod
    };
    let istiod = Istiod::new(&injected);
    let mut list = manifest("inject/list.yaml");
    let items = list["items"].as_array_mut().unwrap();
    items.push(manifest("inject/cronjob.yaml"));
    items.push(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" } }));
    let outcome = istiod.apply(None, &list);
    assert_eq!(istiod.seen.borrow().len(), 3);
    let pods = outcome.manifest.to_string().matches("istio-init").count();
    assert_eq!((pods, outcome.workloads.len()), (3, 3));
    let of_cron_job = outcome
        .manifest
        .pointer("/items/2/spec/jobTemplate/spec/template/spec/initContainers");
    assert_eq!(of_cron_job, Some(&json!([{ "name": "istio-init" }])));
    assert_eq!(outcome.manifest["items"][3], list["items"][3]);
}
