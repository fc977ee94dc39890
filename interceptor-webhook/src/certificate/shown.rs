// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificate that is shown to those who connect. Handshakes take the one of the moment.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::pair::Pair;
use crate::metrics::Metrics;

#[derive(Debug)]
pub(crate) struct Shown {
    pair: RwLock<Option<Pair>>,
    metrics: Metrics,
}

impl Shown {
    /// Nothing yet.
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { pair: RwLock::default(), metrics }
    }

    /// Takes effect with the next handshake. Connections that are open stay.
    pub(super) fn show(&self, pair: Pair) {
        self.metrics.expires(pair.not_after);
        tracing::info!(
            not_after = ?time::OffsetDateTime::from(pair.not_after).date(),
            names = pair.names.join(" ").escape_debug().to_string(),
            "shows a new certificate"
        );
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = Some(pair);
    }

    /// Counts and logs what keeps the certificate from being what it should be. The one that is shown stays.
    pub(super) fn failed(&self, error: &anyhow::Error) {
        self.metrics.certificate_failed();
        tracing::warn!("{error:#}");
    }

    /// Why the API server would not trust what is shown, as far as that can be known here.
    pub(crate) fn obstacle(&self, now: SystemTime) -> Option<String> {
        match &*self.pair.read().unwrap_or_else(PoisonError::into_inner) {
            None => Some("there is no certificate yet".to_owned()),
            Some(pair) if pair.not_after <= now => Some("the certificate has expired".to_owned()),
            Some(_valid) => None,
        }
    }

    /// TLS 1.2 and later, with this certificate.
    pub(crate) fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("Failed to set up TLS")?;
        let resolver = Arc::<Self>::clone(self);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        pair.as_ref().map(|pair| Arc::clone(&pair.key))
    }
}
