// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods pass without the agent being asked. The order is that of Istio's plugin
//! ([`plugin.go`](https://github.com/istio/istio/blob/86c9f01fd735/cni/pkg/plugin/plugin.go)), as far as a plugin
//! knows the pod; the agent goes on where this ends.

use std::fmt;

use interceptor_wire::Pod;

use crate::config::Config;

/// How the names of the agent's pods begin: those of Istio's agent, and of ours.
const AGENTS: [&str; 2] = ["istio-cni-node-", "interceptor-agent-"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    Passes(Reason),
    /// The agent decides.
    Asks {
        pod: &'a Pod,
        /// The pod has the injector's mark. Otherwise that is not known.
        injected: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    NotKubernetes,
    OwnAgent,
    ExcludedNamespace,
    NotInjected,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotKubernetes => "CNI_ARGS names no pod of Kubernetes",
            Self::OwnAgent => "it is the node agent's own pod",
            Self::ExcludedNamespace => "its namespace is in exclude_namespaces",
            Self::NotInjected => "it lacks the annotation sidecar.istio.io/status",
        })
    }
}

pub(crate) fn standing<'a>(config: &Config<'_>, pod: Option<&'a Pod>) -> Standing<'a> {
    let Some(pod) = pod else {
        return Standing::Passes(Reason::NotKubernetes);
    };
    // Where annotations are known, they tell: nobody injects the agent, and a pod that only has its name is asked for.
    if config.annotations.is_none() && is_agent(config, pod) {
        return Standing::Passes(Reason::OwnAgent);
    }
    if config
        .exclude_namespaces
        .iter()
        .any(|excluded| excluded == pod.namespace.as_str())
    {
        return Standing::Passes(Reason::ExcludedNamespace);
    }
    match &config.annotations {
        Some(annotations) if annotations.status.is_none() => Standing::Passes(Reason::NotInjected),
        annotations => Standing::Asks { pod, injected: annotations.is_some() },
    }
}

/// Without this the agent could not start where the runtime hands no annotations over: its pod would wait for itself.
fn is_agent(config: &Config<'_>, pod: &Pod) -> bool {
    config.pod_namespace.as_deref() == Some(pod.namespace.as_str())
        && AGENTS.iter().any(|agent| pod.name.as_str().starts_with(agent))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::call;

    const WEB: &str = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web";
    const AGENT: &str = "K8S_POD_NAMESPACE=istio-system;K8S_POD_NAME=istio-cni-node-x7z";
    const OWN_AGENT: &str = "K8S_POD_NAMESPACE=istio-system;K8S_POD_NAME=interceptor-agent-x7z";
    const PLAIN: &str = r#"{"a":"b"}"#;
    const INJECTED: &str = r#"{"sidecar.istio.io/status":"{}"}"#;

    #[rstest]
    #[case::not_kubernetes("", None, "", Some(Reason::NotKubernetes))]
    #[case::not_kubernetes_though_injected("", Some(INJECTED), "", Some(Reason::NotKubernetes))]
    #[case::nothing_known(WEB, None, "other", None)]
    #[case::injected(WEB, Some(INJECTED), "other", None)]
    #[case::not_injected(WEB, Some(PLAIN), "other", Some(Reason::NotInjected))]
    #[case::excluded(WEB, None, "default", Some(Reason::ExcludedNamespace))]
    #[case::excluded_though_injected(WEB, Some(INJECTED), "default", Some(Reason::ExcludedNamespace))]
    #[case::excluded_and_not_injected(WEB, Some(PLAIN), "default", Some(Reason::ExcludedNamespace))]
    #[case::agent(AGENT, None, "other", Some(Reason::OwnAgent))]
    #[case::own_agent(OWN_AGENT, None, "other", Some(Reason::OwnAgent))]
    #[case::excluded_agent(AGENT, None, "istio-system", Some(Reason::OwnAgent))]
    #[case::agent_with_annotations(AGENT, Some(PLAIN), "other", Some(Reason::NotInjected))]
    #[case::injected_under_the_agents_name(AGENT, Some(INJECTED), "other", None)]
    #[case::agents_name_elsewhere("K8S_POD_NAMESPACE=default;K8S_POD_NAME=istio-cni-node-x", None, "other", None)]
    fn the_earlier_reason_wins(
        #[case] args: &str,
        #[case] annotations: Option<&str>,
        #[case] excluded: &str,
        #[case] reason: Option<Reason>,
    ) {
        let runtime = annotations.map_or(String::new(), |annotations| {
            format!(r#","runtimeConfig":{{"io.kubernetes.cri.pod-annotations":{annotations}}}"#)
        });
        let stdin = format!(r#"{{"pod_namespace":"istio-system","exclude_namespaces":["{excluded}"]{runtime}}}"#);
        let (config, pod) = (Config::read(stdin.as_bytes()).unwrap(), call::pod(args).unwrap());
        let standing = standing(&config, pod.as_ref());
        match reason {
            Some(reason) => assert_eq!(standing, Standing::Passes(reason)),
            None => assert!(
                matches!(standing, Standing::Asks { injected, .. } if injected == annotations.is_some()),
                "{standing:?}"
            ),
        }
    }
}
