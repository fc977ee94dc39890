// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How to reach the API server: by a kubeconfig, or as the pod that this process runs in.

use std::path::Path;

use anyhow::{Context as _, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// A client. Nothing is sent yet, so an API server that is away is no error.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let context = || format!("Failed to read the kubeconfig {} (--kubeconfig)", path.display());
            let kubeconfig = Kubeconfig::read_from(path).with_context(context)?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .with_context(context)?
        }
        None => Config::incluster().context(
            "Failed to find the API server, where the certificate is to be kept; outside of a pod, name a kubeconfig \
             with --kubeconfig, or a certificate with --tls-cert and --tls-key",
        )?,
    };
    Client::try_from(config).context("Failed to make a client of the API server")
}
