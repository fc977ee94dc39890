// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a `DaemonSet` puts a pod on a node, by the node's name and labels: what the scheduler requires
//! ([`nodeaffinity.go`](https://github.com/kubernetes/component-helpers/blob/v0.34.0/scheduling/corev1/nodeaffinity/nodeaffinity.go)).
//! Taints do not count: the agent tolerates them. It asks nobody.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec};

/// What the name and the labels of a node are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a BTreeMap<String, String>,
}

/// Whether a pod of this specification may be on the node. What is not understood does not forbid it.
pub(crate) fn fits(pod: &PodSpec, place: Place<'_>) -> bool {
    let selected = pod
        .node_selector
        .iter()
        .flatten()
        .all(|(key, value)| place.labels.get(key) == Some(value));
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|required| meets(required, place))
}

/// One of the terms suffices. One that requires nothing is met by no node.
fn meets(NodeSelector { node_selector_terms }: &NodeSelector, place: Place<'_>) -> bool {
    node_selector_terms
        .iter()
        .any(|NodeSelectorTerm { match_expressions, match_fields }| {
            let expressions = match_expressions.iter().flatten();
            let fields = match_fields.iter().flatten();
            let is_empty = match_expressions
                .iter()
                .flatten()
                .chain(match_fields.iter().flatten())
                .next()
                .is_none();
            let name = |field: &NodeSelectorRequirement| (field.key == "metadata.name").then_some(place.name);
            !is_empty
                && expressions
                    .into_iter()
                    .all(|label| holds(label, place.labels.get(&label.key).map(String::as_str)))
                && fields.into_iter().all(|field| holds(field, name(field)))
        })
}

/// Whether a value, if there is one, is what is required.
fn holds(NodeSelectorRequirement { key: _, operator, values }: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = values.as_deref().unwrap_or_default();
    let is_listed = || value.is_some_and(|value| values.iter().any(|listed| listed == value));
    let numbers = || -> Option<(i64, i64)> { Some((value?.parse().ok()?, values.first()?.parse().ok()?)) };
    match operator.as_str() {
        "In" => is_listed(),
        "NotIn" => !is_listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(value, bound)| value > bound),
        "Lt" => numbers().is_some_and(|(value, bound)| value < bound),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn required(terms: &Value) -> Value {
        json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
        }}})
    }

    fn label(operator: &str, key: &str, values: &[&str]) -> Value {
        required(&json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]))
    }

    /// The node is `node-a`, with the labels `pool=web` and `cores=8`.
    #[rstest]
    #[case::nothing_is_required(json!({}), true)]
    #[case::only_preferred(json!({"affinity": {"nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {
            "matchExpressions": [{"key": "pool", "operator": "In", "values": ["db"]}],
        }}],
    }}}), true)]
    #[case::selected(json!({"nodeSelector": {"pool": "web"}}), true)]
    #[case::not_selected(json!({"nodeSelector": {"pool": "web", "disk": "fast"}}), false)]
    #[case::in_the_list(label("In", "pool", &["db", "web"]), true)]
    #[case::not_in_the_list(label("In", "pool", &["db"]), false)]
    #[case::without_the_label(label("In", "disk", &["fast"]), false)]
    #[case::excluded(label("NotIn", "pool", &["web"]), false)]
    #[case::without_what_is_excluded(label("NotIn", "disk", &["slow"]), true)]
    #[case::has_the_label(label("Exists", "pool", &[]), true)]
    #[case::must_not_have_the_label(label("DoesNotExist", "pool", &[]), false)]
    #[case::more(label("Gt", "cores", &["4"]), true)]
    #[case::not_more(label("Gt", "cores", &["8"]), false)]
    #[case::less(label("Lt", "cores", &["9"]), true)]
    #[case::no_number(label("Lt", "pool", &["9"]), false)]
    #[case::not_understood(label("Like", "pool", &["w*"]), true)]
    #[case::one_term_suffices(required(&json!([
        {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["db"]}]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-a"]}]},
    ])), true)]
    #[case::all_of_a_term_are_required(required(&json!([{
        "matchExpressions": [{"key": "pool", "operator": "Exists"}],
        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-a"]}],
    }])), false)]
    #[case::an_empty_term_is_met_by_no_node(required(&json!([{}])), false)]
    fn a_pod_may_be_where_name_and_labels_are_as_required(#[case] pod: Value, #[case] expected: bool) {
        let mut pod: Value = pod;
        pod["containers"] = json!([]);
        let pod: PodSpec = serde_json::from_value(pod).unwrap();
        let labels = [("pool", "web"), ("cores", "8")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(fits(&pod, Place { name: "node-a", labels: &labels.into() }), expected);
    }
}
