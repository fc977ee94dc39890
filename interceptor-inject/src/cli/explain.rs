// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules of the rewrite, in the order in which they are asked, and which of them decided about a workload.

use crate::{Reason, Verdict};

/// What each rule says of a pod that it lets be rewritten.
const RULES: [&str; 10] = [
    "it has not opted out (label, then annotation interceptor.dev/rewrite)",
    "it has an init container istio-init",
    "it has a network of its own (hostNetwork)",
    "it is in the node's user namespace (hostUsers)",
    "it is not for Windows (os.name)",
    "it has no runtime class, or --any-runtime is given",
    "istio-init runs istio-iptables, by pilot-agent or by itself",
    "the arguments of istio-init are accepted",
    "it does not intercept by TPROXY, or --tproxy or --data-path cni is given",
    "nothing else uses Interceptor's names and paths; with --data-path cni, the plugin will do what istio-init does",
];

/// One line for each rule that was asked.
pub(super) fn lines(verdict: &Verdict) -> Vec<String> {
    let passed = |count: usize| RULES[..count].iter().map(|rule| (*rule).to_owned());
    let lines: Vec<_> = match verdict {
        Verdict::Changed { .. } => passed(RULES.len()).chain(["so it is rewritten".to_owned()]).collect(),
        Verdict::Unchanged => passed(RULES.len()).chain(["so it stays rewritten".to_owned()]).collect(),
        Verdict::LeftAlone(reason) => {
            let decided = format!("{reason}: this decided");
            passed(rule(reason)).chain([decided]).collect()
        }
    };
    lines
        .into_iter()
        .zip(1..)
        .map(|(line, number)| format!("{number}. {line}"))
        .collect()
}

/// Which rule has this reason, as a place in [`RULES`].
const fn rule(reason: &Reason) -> usize {
    match reason {
        // It is none of the rewrite's.
        Reason::OptedOut { .. } | Reason::NotSelected { .. } | Reason::InjectorPassed => 0,
        Reason::NotInjected | Reason::Cni | Reason::NotOurs => 1,
        Reason::HostNetwork => 2,
        Reason::UserNamespace => 3,
        Reason::Windows => 4,
        Reason::RuntimeClass { .. } => 5,
        Reason::Command { .. } | Reason::NotIstios => 6,
        Reason::Arguments { .. } => 7,
        Reason::Tproxy => 8,
        Reason::Taken { .. } | Reason::NotByCni { .. } => 9,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Rewrite;

    /// A pod about which every rule has something to say, and what takes away the reason of each.
    #[test]
    fn the_rules_are_listed_in_the_order_in_which_they_are_asked() {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "labels": { "interceptor.dev/rewrite": "false" } },
            "spec": {
                "hostNetwork": true,
                "hostUsers": false,
                "os": { "name": "windows" },
                "runtimeClassName": "gvisor",
                "initContainers": [{ "name": "other", "args": ["sleep"] }],
                "volumes": [{ "name": "interceptor-bpffs", "emptyDir": {} }],
            },
        });
        let tproxy = json!(["istio-iptables", "-m", "TPROXY"]);
        let solutions = [
            ("/metadata/labels", json!({})),
            ("/spec/initContainers/0/name", json!("istio-init")),
            ("/spec/hostNetwork", json!(false)),
            ("/spec/hostUsers", json!(true)),
            ("/spec/os", json!({ "name": "linux" })),
            ("/spec/runtimeClassName", Value::Null),
            (
                "/spec/initContainers/0/args",
                json!(["istio-iptables", "-m", "TPROXY", "--nonsense"]),
            ),
            ("/spec/initContainers/0/args", tproxy),
            ("/spec/initContainers/0/args", json!(["istio-iptables"])),
            ("/spec/volumes", json!([])),
        ];
        let verdict = |pod: &Value| Rewrite::default().apply(pod).unwrap().workloads.remove(0).verdict;
        for (index, (pointer, value)) in solutions.into_iter().enumerate() {
            match verdict(&pod) {
                Verdict::LeftAlone(reason) => assert_eq!(rule(&reason), index, "{reason}"),
                other => panic!("{index}: {other:?}"),
            }
            let lines = lines(&verdict(&pod));
            assert_eq!(lines.len(), index + 1);
            assert!(lines[index].ends_with("this decided"), "{lines:?}");
            *pod.pointer_mut(pointer).unwrap() = value;
        }
        assert_eq!(lines(&verdict(&pod)).last().unwrap(), "11. so it is rewritten");
    }
}
