// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stage B: whether the injector changes a pod that it was given, by Istio's rules in Istio's order
//! ([`injectRequired`](https://github.com/istio/istio/blob/master/pkg/kube/inject/inject.go)).

use super::selector::{Labels, Selector};

/// The namespaces in which no pod is injected. `istio-system` is none of them.
pub const IGNORED_NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// The key by which a pod asks for injection, or refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The label. It wins over the annotation where it is present, even if it is empty.
    pub label: &'static str,
    /// The annotation.
    pub annotation: &'static str,
}

impl Keys {
    /// Those of Istio.
    pub const ISTIO: Self = Self { label: "sidecar.istio.io/inject", annotation: "sidecar.istio.io/inject" };
    /// Those of pods without Istio.
    pub const PLAIN: Self = Self { label: "interceptor.dev/inject", annotation: "interceptor.dev/inject" };
}

/// What becomes of a pod that says nothing, and that no selector selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByDefault {
    /// It is injected.
    Enabled,
    /// It is not.
    Disabled,
    /// The configuration has another word, so no pod is injected, not even one that asks for it.
    Invalid,
}

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub keys: Keys,
    pub by_default: ByDefault,
    /// A pod that says nothing is not injected if one of these selects it. A selector without rules selects none.
    pub never: Vec<Selector>,
    /// A pod that says nothing is injected if one of these selects it, and none of `never` does.
    pub always: Vec<Selector>,
}

/// What of a pod the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub host_network: bool,
    /// Empty if it is not known.
    pub namespace: &'a str,
    pub labels: &'a Labels,
    pub annotations: &'a Labels,
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    HostNetwork,
    IgnoredNamespace,
    /// The pod's label says so.
    Label,
    /// The pod's annotation says so.
    Annotation,
    Never,
    Always,
    Default,
}

/// Whether a pod is injected, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub is_injected: bool,
    pub rule: Rule,
    /// A value of the pod that means nothing and was passed over.
    pub warning: Option<String>,
}

impl Policy {
    /// The rules of a command: a pod is injected unless it refuses.
    pub const fn of_command(keys: Keys) -> Self {
        Self { keys, by_default: ByDefault::Enabled, never: Vec::new(), always: Vec::new() }
    }

    /// Decides about a pod.
    pub fn decide(&self, pod: &Subject<'_>) -> Choice {
        let choice = |is_injected, rule| Choice { is_injected, rule, warning: None };
        if pod.host_network {
            return choice(false, Rule::HostNetwork);
        }
        if IGNORED_NAMESPACES.contains(&pod.namespace) {
            return choice(false, Rule::IgnoredNamespace);
        }
        let by_label = pod.labels.get(self.keys.label).map(|value| (Rule::Label, value));
        let by_annotation = || pod.annotations.get(self.keys.annotation).map(|value| (Rule::Annotation, value));
        let mut warning = None;
        match by_label.or_else(by_annotation) {
            Some((rule, value)) if value == "true" => return choice(self.by_default != ByDefault::Invalid, rule),
            Some((rule, value)) if value == "false" => return choice(false, rule),
            Some((rule, value)) if !value.is_empty() => warning = Some(self.nonsense(&rule, value)),
            _ => {}
        }
        let (is_injected, rule) = self.without_wish(pod);
        Choice { is_injected, rule, warning }
    }

    fn without_wish(&self, pod: &Subject<'_>) -> (bool, Rule) {
        let selects = |selector: &Selector| !selector.is_empty() && selector.matches(pod.labels);
        if self.never.iter().any(selects) {
            (false, Rule::Never)
        } else if self.always.iter().any(selects) {
            (self.by_default != ByDefault::Invalid, Rule::Always)
        } else {
            (self.by_default == ByDefault::Enabled, Rule::Default)
        }
    }

    fn nonsense(&self, rule: &Rule, value: &str) -> String {
        let (by, key) = match rule {
            Rule::Label => ("label", self.keys.label),
            _ => ("annotation", self.keys.annotation),
        };
        format!("its {by} {key} is {value:?}, which means nothing; write \"true\" or \"false\"")
    }
}
