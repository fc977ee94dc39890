// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether an agent that is asked to end is being uninstalled, and how the plugin is taken off the node. An agent that
//! is replaced or restarted leaves the plugin: pods that start meanwhile wait for the next agent.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Node};
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    install::Installation,
    placement::{self, Place},
};

/// How long the API server may take to say that the `DaemonSet` is gone.
const ANSWER: Duration = Duration::from_millis(1500);
const TRIES: usize = 2;
/// How long plugins that run may take. One of them waits for the agent, which no longer answers, so it ends soon.
const LAST_PLUGINS: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What becomes of the plugin when the agent ends. Says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays(String),
    Goes(&'static str),
}

/// Asks the API server for the `DaemonSet` that runs this agent, and whether it is still for this node.
pub(crate) async fn fate(client: &Client, [namespace, name]: [&str; 2], node: &str) -> Fate {
    let daemon_sets: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
    let mut why = String::new();
    for _try in 0..TRIES {
        let due = Instant::now() + ANSWER;
        match timeout(ANSWER, daemon_sets.get_opt(name)).await {
            Ok(Ok(None)) => return Fate::Goes("the DaemonSet is deleted"),
            Ok(Ok(Some(daemon_set))) => {
                return if daemon_set.metadata.deletion_timestamp.is_some() {
                    Fate::Goes("the DaemonSet is being deleted")
                } else {
                    by_node(client, &daemon_set, node).await
                };
            }
            // The account and its rights are deleted with the DaemonSet, and perhaps before it.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => {
                return Fate::Goes("the account of the agent is deleted");
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_elapsed) => why = format!("no answer within {} ms", ANSWER.as_millis()),
        }
        sleep_until(due).await;
    }
    Fate::Stays(format!("the API server does not say whether the DaemonSet is deleted: {why}"))
}

/// A node whose labels were changed, or a `DaemonSet` that was given other nodes, leaves no agent here.
async fn by_node(client: &Client, daemon_set: &DaemonSet, name: &str) -> Fate {
    let template = daemon_set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let Some(template) = template else {
        return Fate::Stays("the DaemonSet is there".to_owned());
    };
    let nodes: Api<Node> = Api::all(client.clone());
    match timeout(ANSWER, nodes.get_opt(name)).await {
        Ok(Ok(None)) => Fate::Goes("the node is deleted"),
        Ok(Ok(Some(node))) => {
            let labels = node.metadata.labels.unwrap_or_default();
            if placement::fits(template, Place { name, labels: &labels }) {
                Fate::Stays("the DaemonSet is there, and is for this node".to_owned())
            } else {
                Fate::Goes("the DaemonSet is not for this node any more")
            }
        }
        Ok(Err(error)) => Fate::Stays(format!("the DaemonSet is there, and the node is not known: {error}")),
        Err(_elapsed) => Fate::Stays("the DaemonSet is there, and the node is not known: no answer".to_owned()),
    }
}

/// Takes the entry out of the lists, waits for plugins that run, and takes the program away.
pub(crate) async fn take_off(installation: &Installation) -> Result<()> {
    installation
        .remove_entry()
        .context("Failed to take the CNI plugin out of the configuration of the runtime")?;
    let deadline = Instant::now() + LAST_PLUGINS;
    while installation.is_running(Path::new("/proc")) && Instant::now() < deadline {
        sleep(PAUSE).await;
    }
    installation
        .remove_program()
        .context("Failed to remove the program of the CNI plugin")?;
    tracing::info!("took the CNI plugin off the node");
    Ok(())
}
