// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What became of a manifest. Everything that a command or a webhook reports is a value here; nothing is printed.

use std::fmt;

use serde_json::Value;

use crate::selection::{Keys, Rule};

/// A manifest after the rewrite, and what was decided about each of its workloads.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The manifest. It equals the input if no workload was changed.
    pub manifest: Value,
    /// In the order of the manifest. A document of a kind without pods has none.
    pub workloads: Vec<Workload>,
}

/// An object that has a pod, or makes pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub kind: String,
    /// The name or, of a pod that has none yet, the beginning of the name.
    pub name: String,
    /// Empty if the manifest names none.
    pub namespace: String,
    pub verdict: Verdict,
}

/// What was done with the pods of one workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pods are changed. The warnings say what may go wrong with them.
    Changed { warnings: Vec<String> },
    /// The pods are already what they were to become.
    Unchanged,
    /// The pods stay as they are.
    LeftAlone(Reason),
}

/// Why the pods of a workload stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The pod says so. The text is `label` or `annotation`.
    OptedOut {
        by: &'static str,
    },
    /// The injector does not inject the pod. The rule says why, and the keys which label and annotation count.
    NotSelected {
        rule: Rule,
        keys: Keys,
    },
    /// The injector of a cluster, which was asked, lets the pod pass.
    InjectorPassed,
    /// There is no init container `istio-init`: Istio did not inject the pod, or does not intercept its connections.
    NotInjected,
    /// Istio's CNI plugin intercepts the pod's connections.
    Cni,
    /// Interceptor does nothing in this pod, so there is nothing to undo.
    NotOurs,
    /// The container `istio-init` is not the one that Istio injects.
    NotIstios,
    /// The container starts another program than `pilot-agent`.
    Command {
        command: String,
    },
    /// The pod is in the network namespace of its node.
    HostNetwork,
    /// The pod has a user namespace of its own, from which no BPF program can be loaded.
    UserNamespace,
    Windows,
    /// The pod may have a kernel of its own.
    RuntimeClass {
        class: String,
    },
    /// TPROXY needs sysctls that the container cannot set.
    Tproxy,
    /// Interceptor refuses the arguments of `istio-iptables`. The text says which, and what to write instead.
    Arguments {
        message: String,
    },
    /// The CNI plugin would not do what the container does, because a pod cannot tell it. The text says what differs.
    NotByCni {
        what: String,
    },
    /// The pod uses a name or a path of Interceptor's for something else.
    Taken {
        what: String,
    },
}

impl Workload {
    /// Kind, namespace and name, as in `Deployment shop/web`.
    pub fn title(&self) -> String {
        let Self { kind, name, namespace, verdict: _ } = self;
        if namespace.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} {namespace}/{name}")
        }
    }
}

impl Reason {
    /// Whether the pod itself says that it is to be left alone.
    pub const fn is_wanted(&self) -> bool {
        matches!(
            self,
            Self::OptedOut { .. } | Self::NotSelected { rule: Rule::Label | Rule::Annotation, .. }
        )
    }

    /// All that [`Self::label`] can be.
    pub const LABELS: [&'static str; 16] = [
        "opted_out",
        "not_selected",
        "injector_passed",
        "not_injected",
        "cni",
        "not_ours",
        "not_istios",
        "command",
        "host_network",
        "user_namespace",
        "windows",
        "runtime_class",
        "tproxy",
        "arguments",
        "not_by_cni",
        "taken",
    ];

    /// A short name, for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::OptedOut { .. } => "opted_out",
            Self::NotSelected { .. } => "not_selected",
            Self::InjectorPassed => "injector_passed",
            Self::NotInjected => "not_injected",
            Self::Cni => "cni",
            Self::NotOurs => "not_ours",
            Self::NotIstios => "not_istios",
            Self::Command { .. } => "command",
            Self::HostNetwork => "host_network",
            Self::UserNamespace => "user_namespace",
            Self::Windows => "windows",
            Self::RuntimeClass { .. } => "runtime_class",
            Self::Tproxy => "tproxy",
            Self::Arguments { .. } => "arguments",
            Self::NotByCni { .. } => "not_by_cni",
            Self::Taken { .. } => "taken",
        }
    }

    /// Whether somebody may have expected the pod to be rewritten: Istio injected it, and it did not opt out.
    pub const fn is_surprising(&self) -> bool {
        match self {
            Self::OptedOut { .. }
            | Self::NotSelected { .. }
            | Self::InjectorPassed
            | Self::NotInjected
            | Self::Cni
            | Self::NotOurs => false,
            Self::NotIstios
            | Self::Command { .. }
            | Self::HostNetwork
            | Self::UserNamespace
            | Self::Windows
            | Self::RuntimeClass { .. }
            | Self::Tproxy
            | Self::Arguments { .. }
            | Self::NotByCni { .. }
            | Self::Taken { .. } => true,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptedOut { by } => write!(f, "its {by} interceptor.dev/rewrite is \"false\""),
            Self::NotSelected { rule, keys } => match rule {
                Rule::HostNetwork => f.write_str("it has the node's network (hostNetwork)"),
                Rule::IgnoredNamespace => f.write_str("no pod of its namespace is injected"),
                Rule::Label => write!(f, "its label {} is \"false\"", keys.label),
                Rule::Annotation => write!(f, "its annotation {} is \"false\"", keys.annotation),
                Rule::Never => f.write_str("a selector excludes it from injection"),
                Rule::Always | Rule::Default => f.write_str("it does not ask for injection"),
            },
            Self::InjectorPassed => f.write_str(
                "Istio's injector does not inject it; its labels and annotations, its namespace, or its network say so",
            ),
            Self::NotInjected => f.write_str("it has no init container istio-init; let Istio inject it first"),
            Self::Cni => f.write_str("Istio's CNI plugin intercepts its connections (istio-validation)"),
            Self::NotOurs => f.write_str("nothing of Interceptor is in it"),
            Self::NotIstios => f.write_str("its init container istio-init does not run istio-iptables"),
            Self::Command { command } => {
                write!(
                    f,
                    "its init container istio-init has the command {command:?}, which is not pilot-agent"
                )
            }
            Self::HostNetwork => f.write_str("it has the node's network (hostNetwork)"),
            Self::UserNamespace => f.write_str(
                "it has a user namespace of its own (hostUsers: false), from which no BPF program can be loaded",
            ),
            Self::Windows => f.write_str("it is for Windows (os.name)"),
            Self::RuntimeClass { class } => write!(
                f,
                "its runtime class {class:?} may have a kernel of its own; if it has not, use --any-runtime"
            ),
            Self::Tproxy => f.write_str(
                "TPROXY needs sysctls that an init container can set only where /proc/sys is writable; if it is, use \
                 --tproxy",
            ),
            Self::Arguments { message } => write!(f, "the arguments of istio-init are refused: {message}"),
            Self::NotByCni { what } => write!(
                f,
                "the CNI plugin would not do what istio-init does: {what}; use the init container (--data-path init)"
            ),
            Self::Taken { what } => write!(f, "{what} is there already, with other content; rename it"),
        }
    }
}
