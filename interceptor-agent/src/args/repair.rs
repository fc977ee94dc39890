// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods are broken, and what becomes of them: Istio's flags
//! ([`config.go`](https://github.com/istio/istio/blob/1.27.0/cni/pkg/config/config.go)).

use anyhow::{Result, bail};
use clap::Args;

use super::switch::SWITCH;
use crate::repair::{Filter, Label, Mode, Rules};

/// What becomes of pods that started without interception.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own in Istio's manifest"
)]
pub(crate) struct RepairArgs {
    /// Whether anything becomes of them
    #[arg(long = "repair-enabled", value_name = SWITCH, env = "REPAIR_ENABLED", default_value = "true")]
    enabled: bool,

    /// Intercept them although they have started
    #[arg(long = "repair-repair-pods", value_name = SWITCH, env = "REPAIR_REPAIR_PODS", default_value = "false")]
    repair_pods: bool,

    /// Delete them, unless --repair-repair-pods
    #[arg(long = "repair-delete-pods", value_name = SWITCH, env = "REPAIR_DELETE_PODS", default_value = "false")]
    delete_pods: bool,

    /// Label them, unless --repair-repair-pods or --repair-delete-pods
    #[arg(long = "repair-label-pods", value_name = SWITCH, env = "REPAIR_LABEL_PODS", default_value = "false")]
    label_pods: bool,

    /// Intercept pods that run without interception too, although no container of theirs waits for it: connections that
    /// they have already stay outside
    #[arg(long = "repair-adopt-running", value_name = SWITCH, env = "REPAIR_ADOPT_RUNNING", default_value = "false")]
    adopt_running: bool,

    /// Key of the label
    #[arg(
        long = "repair-broken-pod-label-key",
        value_name = "KEY",
        env = "REPAIR_BROKEN_POD_LABEL_KEY",
        default_value = "cni.istio.io/uninitialized"
    )]
    broken_pod_label_key: String,

    /// Value of the label
    #[arg(
        long = "repair-broken-pod-label-value",
        value_name = "VALUE",
        env = "REPAIR_BROKEN_POD_LABEL_VALUE",
        default_value = "true"
    )]
    broken_pod_label_value: String,

    /// Annotation that a pod has to have; nothing for any pod
    #[arg(
        long = "repair-sidecar-annotation",
        value_name = "NAME",
        env = "REPAIR_SIDECAR_ANNOTATION",
        default_value = "sidecar.istio.io/status"
    )]
    sidecar_annotation: String,

    /// Init container that finds out that the pod is not intercepted; nothing for any
    #[arg(
        long = "repair-init-container-name",
        value_name = "NAME",
        env = "REPAIR_INIT_CONTAINER_NAME",
        default_value = "istio-validation"
    )]
    init_container_name: String,

    /// Exit code with which it says so; 0 for any
    #[arg(
        long = "repair-init-container-exit-code",
        value_name = "CODE",
        env = "REPAIR_INIT_CONTAINER_EXIT_CODE",
        default_value_t = 126
    )]
    init_container_exit_code: i64,

    /// Message with which it ends; nothing for any
    #[arg(
        long = "repair-init-container-termination-message",
        value_name = "TEXT",
        env = "REPAIR_INIT_CONTAINER_TERMINATION_MESSAGE",
        default_value = ""
    )]
    init_container_termination_message: String,

    /// Is the node of the agent, or nothing
    #[arg(
        long = "repair-node-name",
        value_name = "NAME",
        env = "REPAIR_NODE_NAME",
        default_value = "",
        hide = true
    )]
    of_node: String,

    #[arg(
        long = "repair-label-selectors",
        value_name = "SELECTORS",
        env = "REPAIR_LABEL_SELECTORS",
        default_value = "",
        hide = true
    )]
    label_selectors: String,

    #[arg(
        long = "repair-field-selectors",
        value_name = "SELECTORS",
        env = "REPAIR_FIELD_SELECTORS",
        default_value = "",
        hide = true
    )]
    field_selectors: String,
}

impl RepairArgs {
    /// Whether pods are intercepted that run without.
    pub(crate) const fn adopts_running(&self) -> bool {
        self.enabled && self.adopt_running
    }

    /// What is done, if anything is.
    pub(crate) fn rules(&self, node_name: &str) -> Result<Option<Rules>> {
        let label = || Label {
            key: self.broken_pod_label_key.clone(),
            value: self.broken_pod_label_value.clone(),
        };
        let mode = match (self.repair_pods, self.delete_pods, self.label_pods) {
            _ if !self.enabled => return Ok(None),
            (true, _, _) => Mode::Repair,
            (false, true, _) => Mode::Delete,
            (false, false, true) => Mode::Label(label()),
            (false, false, false) => return Ok(None),
        };
        if !["", node_name].contains(&self.of_node.as_str()) {
            bail!(
                "REPAIR_NODE_NAME is {}, and the agent repairs pods of its own node {node_name} only",
                self.of_node
            );
        }
        for (variable, value) in
            [("REPAIR_LABEL_SELECTORS", &self.label_selectors), ("REPAIR_FIELD_SELECTORS", &self.field_selectors)]
        {
            if !value.is_empty() {
                bail!(
                    "{variable} is {value}, and selectors are not supported; take it away, or set REPAIR_ENABLED=false"
                );
            }
        }
        let filter = Filter {
            annotation: self.sidecar_annotation.clone(),
            init_container: self.init_container_name.clone(),
            exit_code: self.init_container_exit_code,
            message: self.init_container_termination_message.trim().to_owned(),
        };
        Ok(Some(Rules { mode, filter }))
    }
}
