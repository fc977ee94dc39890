// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods are broken. The injector gives each pod an init container that ends with an exit code of its own if the
//! pod is not intercepted; kubelet starts it again and again. It touches nothing.

use crate::{
    pods::Current,
    status::{ContainerStatus, State, Terminated},
};

/// Which pods, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) mode: Mode,
    pub(crate) filter: Filter,
}

/// What becomes of broken pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Repair,
    Delete,
    Label(Label),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// By what a broken pod is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Has to be there; nothing for any pod.
    pub(crate) annotation: String,
    /// The init container that finds out; nothing for any.
    pub(crate) init_container: String,
    /// With which it ends; 0 for any.
    pub(crate) exit_code: i64,
    /// With which it ends; nothing for any.
    pub(crate) message: String,
}

impl Rules {
    pub(crate) fn is_broken(&self, current: &Current) -> bool {
        let Current { pod, status, is_going, resource_version: _ } = current;
        let Filter { annotation, init_container, .. } = &self.filter;
        let is_over = *is_going || status.is_over();
        let is_injected = annotation.is_empty() || pod.metadata.annotations.contains_key(annotation);
        if is_over || !is_injected || pod.spec.host_network {
            return false;
        }
        let named = |container: &&ContainerStatus| init_container.is_empty() || container.name == *init_container;
        status
            .init_container_statuses
            .iter()
            .filter(named)
            .any(|container| self.tells(container))
    }

    /// Whether this container says that its pod is not intercepted. One that succeeded never does.
    fn tells(&self, ContainerStatus { state, last_state, name: _ }: &ContainerStatus) -> bool {
        let failed = |state: &State| state.terminated.as_ref().is_some_and(|end| self.filter.matches(end));
        if state.terminated.as_ref().is_some_and(has_succeeded) {
            return false;
        }
        match self.mode {
            Mode::Delete | Mode::Label(_) => failed(last_state),
            // A pod that is intercepted already is none the worse for another look, so its first failure need not be
            // waited for.
            Mode::Repair => {
                let has_never_ended = state.terminated.is_none() && last_state.terminated.is_none();
                has_never_ended || failed(state) || failed(last_state)
            }
        }
    }
}

impl Filter {
    fn matches(&self, Terminated { exit_code, message, reason: _ }: &Terminated) -> bool {
        let has_code = self.exit_code == 0 || self.exit_code == *exit_code;
        has_code && (self.message.is_empty() || self.message == message.trim())
    }
}

fn has_succeeded(Terminated { exit_code, reason, message: _ }: &Terminated) -> bool {
    *exit_code == 0 || reason == "Completed"
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn rules(mode: Mode) -> Rules {
        let filter = Filter {
            annotation: "sidecar.istio.io/status".to_owned(),
            init_container: "istio-validation".to_owned(),
            exit_code: 126,
            message: String::new(),
        };
        Rules { mode, filter }
    }

    fn pod(status: &Value, annotation: &str, host_network: bool) -> Current {
        let pod = json!({"metadata": {"annotations": {annotation: "{}"}}, "spec": {"hostNetwork": host_network}});
        Current {
            pod: serde_json::from_value(pod).unwrap(),
            status: serde_json::from_value(status.clone()).unwrap(),
            resource_version: None,
            is_going: false,
        }
    }

    fn of(name: &str, state: &Value, last: &Value) -> Value {
        json!({"phase": "Pending", "initContainerStatuses": [{"name": name, "state": state, "lastState": last}]})
    }

    fn ended(code: i64, reason: &str) -> Value {
        json!({"terminated": {"exitCode": code, "reason": reason, "message": " no interception\n"}})
    }

    /// For each pod, whether it is deleted or labeled, and whether it is intercepted.
    #[rstest]
    #[case::crashes_again_and_again(of("istio-validation", &json!({"waiting": {}}), &ended(126, "Error")), true, true)]
    #[case::runs_again(of("istio-validation", &json!({"running": {}}), &ended(126, "Error")), true, true)]
    #[case::has_just_failed(of("istio-validation", &ended(126, "Error"), &json!({})), false, true)]
    #[case::runs_for_the_first_time(of("istio-validation", &json!({"running": {}}), &json!({})), false, true)]
    #[case::succeeded_at_last(of("istio-validation", &ended(0, "Completed"), &ended(126, "Error")), false, false)]
    #[case::completed(of("istio-validation", &ended(126, "Completed"), &ended(126, "Error")), false, false)]
    #[case::another_exit_code(of("istio-validation", &json!({"waiting": {}}), &ended(1, "Error")), false, false)]
    #[case::another_container(of("setup", &json!({"waiting": {}}), &ended(126, "Error")), false, false)]
    #[case::no_status(json!({}), false, false)]
    #[case::nothing_in_it(json!({"initContainerStatuses": null, "podIPs": null}), false, false)]
    fn a_broken_pod_is_known_by_its_init_container(
        #[case] status: Value,
        #[case] is_deleted: bool,
        #[case] is_repaired: bool,
    ) {
        let pod = pod(&status, "sidecar.istio.io/status", false);
        let label = Label { key: "key".to_owned(), value: "value".to_owned() };
        assert_eq!(rules(Mode::Delete).is_broken(&pod), is_deleted);
        assert_eq!(rules(Mode::Label(label)).is_broken(&pod), is_deleted);
        assert_eq!(rules(Mode::Repair).is_broken(&pod), is_repaired);
    }

    #[test]
    fn pods_that_nobody_would_intercept_are_not_broken() {
        let mut status = of("istio-validation", &json!({"waiting": {}}), &ended(126, "Error"));
        for mode in [Mode::Repair, Mode::Delete] {
            let rules = rules(mode);
            assert!(!rules.is_broken(&pod(&status, "other", false)));
            assert!(!rules.is_broken(&pod(&status, "sidecar.istio.io/status", true)));
            status["phase"] = "Failed".into();
            assert!(!rules.is_broken(&pod(&status, "sidecar.istio.io/status", false)));
            status["phase"] = "Pending".into();
            let pod = pod(&status, "sidecar.istio.io/status", false);
            assert!(rules.is_broken(&pod));
            assert!(!rules.is_broken(&Current { is_going: true, ..pod }));
        }
    }

    #[test]
    fn the_message_has_to_be_the_one_that_is_asked_for() {
        let pod = pod(
            &of("istio-validation", &json!({"waiting": {}}), &ended(7, "Error")),
            "sidecar.istio.io/status",
            false,
        );
        let mut rules = rules(Mode::Delete);
        rules.filter.exit_code = 0;
        assert!(rules.is_broken(&pod));
        rules.filter.message = "no interception".to_owned();
        assert!(rules.is_broken(&pod));
        rules.filter.message = "something else".to_owned();
        assert!(!rules.is_broken(&pod));
    }
}
