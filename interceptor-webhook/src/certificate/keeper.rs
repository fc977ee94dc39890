// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the certificate of all replicas: makes and renews it in the Secret, shows it, and has the API server trust it.
//! Each replica does all of this. Of two that write at a time, the API server refuses one, which then reads what the
//! other has written.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api, Client, Error,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{sync::Notify, time::timeout};

use super::{bundle, kept::Kept, secret, shown::Shown};
use crate::metrics::Metrics;

/// Without a change, everything is looked at again after this time.
const PAUSE: Duration = Duration::from_mins(1);
/// After the first failure. It doubles with each one after that.
const RETRY: Duration = Duration::from_secs(1);
/// How long the API server may take for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    /// The name of the Service by which the API server reaches the webhook.
    pub(crate) service: String,
    pub(crate) secret: String,
    /// The name of the `MutatingWebhookConfiguration`.
    pub(crate) configuration: String,
}

pub(crate) struct Keeper {
    place: Place,
    secrets: Api<Secret>,
    configurations: Api<MutatingWebhookConfiguration>,
    shown: Arc<Shown>,
    metrics: Metrics,
    last: Option<Kept>,
    is_missing: bool,
}

/// Whether somebody else was faster.
enum Round {
    Done,
    Again,
}

impl Keeper {
    pub(crate) fn new(place: Place, client: Client, shown: Arc<Shown>, metrics: Metrics) -> Self {
        let secrets = Api::namespaced(client.clone(), &place.namespace);
        let configurations = Api::all(client);
        Self { place, secrets, configurations, shown, metrics, last: None, is_missing: false }
    }

    /// Runs forever.
    pub(crate) async fn run(mut self) {
        let changed = Arc::new(Notify::new());
        tokio::spawn(watch(self.secrets.clone(), self.place.secret.clone(), Arc::clone(&changed)));
        tokio::spawn(watch(
            self.configurations.clone(),
            self.place.configuration.clone(),
            Arc::clone(&changed),
        ));
        let mut retry = RETRY;
        loop {
            let round = timeout(PATIENCE * 4, self.round()).await;
            let pause = match round.unwrap_or_else(|_late| Err(anyhow::anyhow!("The API server does not answer"))) {
                Ok(Round::Done) => {
                    retry = RETRY;
                    PAUSE
                }
                Ok(Round::Again) => Duration::ZERO,
                Err(error) => {
                    self.shown.failed(&error);
                    let pause = retry;
                    retry = (retry * 2).min(PAUSE);
                    pause
                }
            };
            // The time limit is the other reason to go on.
            let _changed = timeout(pause, changed.notified()).await;
        }
    }

    async fn round(&mut self) -> Result<Round> {
        let Place { secret: name, configuration: configuration_name, .. } = &self.place;
        let (host, now) = (self.place.host(), SystemTime::now());
        let found = self
            .secrets
            .get_opt(name)
            .await
            .with_context(|| format!("Failed to read the Secret {name}"))?;
        let configuration = self.configurations.get_opt(configuration_name).await;
        let configuration = configuration
            .with_context(|| format!("Failed to read the MutatingWebhookConfiguration {configuration_name}"))?;

        let kept = match &found {
            None => None,
            Some(found) => secret::read(found)?,
        };
        let renewed = match &kept {
            None => Some(Kept::new(&host, now)?),
            Some(kept) => {
                let next = kept.next.as_ref().zip(configuration.as_ref());
                let is_trusted = next.is_some_and(|(next, known)| bundle::trusts(known, &next.certificate));
                kept.renewed(&host, now, is_trusted)?
            }
        };
        if let Some(new) = renewed {
            let written = self.write(&new, found.map(|found| found.metadata)).await;
            match written {
                Err(Error::Api(status)) if status.code == 409 => return Ok(Round::Again),
                written => written.with_context(|| format!("Failed to write the Secret {name}"))?,
            }
            tracing::info!(secret = name, host, "made a certificate");
            // What is written is read before it is shown.
            return Ok(Round::Again);
        }
        if let Some(kept) = kept {
            // First trusted, then shown.
            self.publish(configuration.as_ref(), &kept).await?;
            if self.last.as_ref() != Some(&kept) {
                self.shown.show(kept.pair()?);
                self.last = Some(kept);
            }
        }
        Ok(Round::Done)
    }

    async fn write(&self, kept: &Kept, found: Option<ObjectMeta>) -> Result<(), Error> {
        let (name, parameters) = (&self.place.secret, PostParams::default());
        if let Some(metadata) = found {
            // The version that was read makes the API server refuse what would undo another replica's work.
            let metadata = ObjectMeta { managed_fields: None, ..metadata };
            return self
                .secrets
                .replace(name, &parameters, &secret::write(kept, metadata))
                .await
                .map(drop);
        }
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        self.secrets.create(&parameters, &secret::write(kept, metadata)).await.map(drop)
    }

    /// Writes what is to be trusted into the configuration. Applying its manifest again removes it.
    async fn publish(&mut self, configuration: Option<&MutatingWebhookConfiguration>, kept: &Kept) -> Result<()> {
        let name = &self.place.configuration;
        let Some(configuration) = configuration else {
            if !self.is_missing {
                tracing::warn!(
                    "there is no MutatingWebhookConfiguration {name} (--webhook-config), so no pod is sent here; \
                     `interceptor render webhook` prints it"
                );
            }
            self.is_missing = true;
            return Ok(());
        };
        self.is_missing = false;
        let Some(patch) = bundle::patch(configuration, &kept.bundle()) else {
            return Ok(());
        };
        let patch: Patch<()> = Patch::Json(patch);
        let patched = self.configurations.patch(name, &PatchParams::default(), &patch).await;
        patched.with_context(|| format!("Failed to write caBundle of the MutatingWebhookConfiguration {name}"))?;
        tracing::info!(configuration = name, "wrote caBundle");
        self.metrics.bundle_patched();
        Ok(())
    }
}

impl Place {
    /// The name by which the API server calls the Service.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }
}

/// Tells of each change of an object, forever.
async fn watch<K>(api: Api<K>, name: String, changed: Arc<Notify>)
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let configuration = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher(api, configuration).default_backoff();
    events
        .for_each(|event| {
            match event {
                Ok(_change) => changed.notify_one(),
                Err(error) => tracing::debug!("Failed to watch {name}: {error}"),
            }
            std::future::ready(())
        })
        .await;
}
