// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the API server is asked.

use anyhow::{Context as _, Result};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::ConfigMap};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::args::AskArgs;

/// The end of the names of the webhooks of Istio's injector.
const INJECTOR: &str = "sidecar-injector.istio.io";

/// A cluster that is asked by somebody's rights.
pub(super) struct Cluster {
    client: Client,
    namespace: String,
}

impl Cluster {
    /// By a kubeconfig: that of the arguments, of `KUBECONFIG`, or of the home directory; else as the pod that this
    /// runs in. Nothing is sent yet.
    pub(super) async fn new(args: &AskArgs) -> Result<Self> {
        let AskArgs { for_version: _, kubeconfig, context, user, groups, uid, patience: _ } = args;
        let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
        let mut config = match kubeconfig {
            Some(path) => {
                let failed = || format!("Failed to read the kubeconfig {} (--kubeconfig)", path.display());
                let kubeconfig = Kubeconfig::read_from(path).with_context(failed)?;
                Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .with_context(failed)?
            }
            None => match Config::from_kubeconfig(&options).await {
                Ok(config) => config,
                Err(error) if context.is_some() => return Err(error).context("Failed to read the kubeconfig"),
                Err(error) => Config::incluster().map_err(|_no_pod| error).context(
                    "Failed to find a cluster; name a kubeconfig with --kubeconfig, or give Istio's configuration as \
                     files",
                )?,
            },
        };
        // Whoever waits is told at once what is wrong.
        config.default_retry = false;
        if let Some(user) = user {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !groups.is_empty() {
            config.auth_info.impersonate_groups = Some(groups.clone());
        }
        if let Some(uid) = uid {
            config.auth_info.impersonate_uid = Some(uid.clone());
        }
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).context("Failed to make a client of the API server")?;
        Ok(Self { client, namespace })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Where objects are that name no namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) async fn config_map(&self, namespace: &str, name: &str) -> Result<Value> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let map = maps.get(name).await;
        let map = map.with_context(|| format!("Failed to read the ConfigMap {namespace}/{name}"))?;
        Ok(json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": map.data }))
    }

    /// Name and client configuration of the first webhook of a revision, as istioctl chooses it
    /// ([`kubeinject.go`](https://github.com/istio/istio/blob/1.27.0/istioctl/pkg/kubeinject/kubeinject.go)).
    pub(super) async fn injector(&self, revision: &str) -> Result<Value> {
        let all: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let of_revision = ListParams::default().labels(&format!("istio.io/rev={revision}"));
        let found = all.list(&of_revision).await;
        let found = found.context("Failed to list the MutatingWebhookConfigurations")?;
        let first = found.items.into_iter().next().and_then(|configuration| {
            let webhooks = configuration.webhooks.into_iter().flatten();
            webhooks.into_iter().find(|webhook| webhook.name.ends_with(INJECTOR))
        });
        Ok(first.map_or(
            Value::Null,
            |webhook| json!({ "name": webhook.name, "clientConfig": webhook.client_config }),
        ))
    }
}
