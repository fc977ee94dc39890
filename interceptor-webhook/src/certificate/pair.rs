// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A certificate and its key, as PEM has them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use rustls::{
    InconsistentKeys,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _, time::ASN1Time};

/// A certificate that can be shown.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_after: SystemTime,
    /// The names of hosts that it is for.
    pub(super) names: Vec<String>,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    pub(super) names: Vec<String>,
}

impl Pair {
    /// Reads a certificate, with those between it and its authority, and its key.
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let chain = chain(certificate)?;
        let Facts { not_before: _, not_after, names } = Facts::of(&chain[0])?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("there is no key in PEM")?;
        let signer = ring::sign::any_supported_type(&key).context("the key is of no kind that TLS uses")?;
        let key = CertifiedKey::new(chain, signer);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_other) => bail!("the key is not that of the certificate"),
        }
        if names.is_empty() {
            bail!(
                "the certificate names no host as its subject's alternative name (SAN); the API server wants \
                 SERVICE.NAMESPACE.svc there"
            );
        }
        Ok(Self { key: Arc::new(key), not_after, names })
    }
}

impl Facts {
    /// Of the first certificate in a text.
    pub(super) fn read(certificate: &[u8]) -> Result<Self> {
        Self::of(&chain(certificate)?[0])
    }

    fn of(certificate: &CertificateDer<'_>) -> Result<Self> {
        let (_rest, parsed) = X509Certificate::from_der(certificate).context("the certificate is not X.509")?;
        let validity = parsed.validity();
        let alternatives = parsed.subject_alternative_name().context("the certificate is not X.509")?;
        let names = alternatives.map(|names| names.value.general_names.iter()).into_iter().flatten();
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Ok(Self {
            not_before: moment(validity.not_before),
            not_after: moment(validity.not_after),
            names: names.collect(),
        })
    }
}

/// The certificates of a text, one at least.
fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("the certificate is not PEM")?;
    if chain.is_empty() {
        bail!("there is no certificate in PEM");
    }
    Ok(chain)
}

/// What is before 1970 counts as 1970.
fn moment(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
