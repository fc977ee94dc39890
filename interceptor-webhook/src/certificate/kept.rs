// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificate that the replicas make for themselves, with its authority. What to do and when is a function of
//! what is kept and of the time; nothing is read or written here.
//!
//! A new authority is trusted before it signs, and the old one is trusted until it expires. So whoever has an old
//! `caBundle`, or is shown an old certificate, still verifies it.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::pair::{Facts, Pair};

const DAY: Duration = Duration::from_hours(24);
/// Of an authority. It signs for two thirds of that.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24 * 366);
/// Of a certificate: shorter than what an authority still has when it signs for the last time.
const LEAF_LIFE: Duration = Duration::from_hours(24 * 90);
/// Clocks of nodes differ.
const SKEW: Duration = Duration::from_hours(1);
/// How long a new authority is trusted at least before it signs.
const SETTLE: Duration = Duration::from_hours(1);

/// What the replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Signs.
    pub(super) authority: Signed,
    /// Will sign, and is trusted already.
    pub(super) next: Option<Signed>,
    /// The certificate of the authority that signed before.
    pub(super) previous: Option<String>,
    /// What is shown.
    pub(super) leaf: Signed,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Kept {
    /// The first certificate, with a new authority.
    pub(super) fn new(host: &str, now: SystemTime) -> Result<Self> {
        let authority = authority(now)?;
        let leaf = leaf(&authority, host, now)?;
        Ok(Self { authority, next: None, previous: None, leaf })
    }

    /// What is to be kept instead, if anything. `next_is_trusted` says whether the API server knows the next authority.
    pub(super) fn renewed(&self, host: &str, now: SystemTime, next_is_trusted: bool) -> Result<Option<Self>> {
        let of_authority = Facts::read(self.authority.certificate.as_bytes())?;
        if of_authority.not_after <= now {
            return Self::new(host, now).map(Some);
        }
        let mut new = self.clone();
        match &self.next {
            None if is_old(&of_authority, now) => new.next = Some(authority(now)?),
            Some(next) if next_is_trusted && Facts::read(next.certificate.as_bytes())?.is_settled(now) => {
                new.previous = Some(self.authority.certificate.clone());
                new.authority = next.clone();
                new.next = None;
            }
            None | Some(_) => {}
        }
        if let Some(previous) = &self.previous
            && Facts::read(previous.as_bytes())?.not_after <= now
        {
            new.previous = None;
        }
        let of_leaf = Facts::read(self.leaf.certificate.as_bytes())?;
        if new.authority != self.authority || is_old(&of_leaf, now) || of_leaf.names != [host] {
            new.leaf = leaf(&new.authority, host, now)?;
        }
        Ok((new != *self).then_some(new))
    }

    /// What the API server is to trust.
    pub(super) fn bundle(&self) -> String {
        let next = self.next.iter().map(|next| &next.certificate);
        let all = [&self.authority.certificate].into_iter().chain(&self.previous).chain(next);
        all.flat_map(|certificate| [certificate.trim_end(), "\n"]).collect()
    }

    pub(super) fn pair(&self) -> Result<Pair> {
        Pair::read(self.leaf.certificate.as_bytes(), self.leaf.key.as_bytes())
    }
}

impl Facts {
    fn is_settled(&self, now: SystemTime) -> bool {
        self.not_before + SKEW + SETTLE <= now
    }
}

/// Whether two thirds of the life are over.
fn is_old(facts: &Facts, now: SystemTime) -> bool {
    let life = facts.not_after.duration_since(facts.not_before).unwrap_or_default();
    facts.not_before + life / 3 * 2 <= now
}

fn authority(now: SystemTime) -> Result<Signed> {
    let mut parameters = parameters(now, AUTHORITY_LIFE);
    // Authorities of one name would be hard to tell apart.
    let day = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / DAY.as_secs();
    let name = format!("interceptor-webhook authority of day {day}");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().context("Failed to make a key")?;
    let certificate = parameters.self_signed(&key).context("Failed to make an authority")?;
    Ok(Signed { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn leaf(authority: &Signed, host: &str, now: SystemTime) -> Result<Signed> {
    let key = KeyPair::from_pem(&authority.key).context("Failed to read the key of the authority")?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, key).context("Failed to read the authority")?;
    let mut parameters = parameters(now, LEAF_LIFE);
    let name = host
        .try_into()
        .with_context(|| format!("Failed to certify the name {host:?}"))?;
    parameters.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
    parameters.distinguished_name.push(DnType::CommonName, "interceptor-webhook");
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("Failed to make a key")?;
    let certificate = parameters.signed_by(&key, &issuer).context("Failed to make a certificate")?;
    Ok(Signed { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn parameters(now: SystemTime, life: Duration) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.not_before = (now - SKEW).into();
    parameters.not_after = (now - SKEW + life).into();
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "interceptor-webhook.istio-system.svc";

    fn days(count: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * (20_000 + count)
    }

    /// The authorities that a bundle lists.
    fn certificates(bundle: &str) -> usize {
        bundle.matches("BEGIN CERTIFICATE").count()
    }

    #[test]
    fn the_first_certificate_is_for_the_services_name_and_stays() {
        let kept = Kept::new(HOST, days(0)).unwrap();
        let facts = Facts::read(kept.leaf.certificate.as_bytes()).unwrap();
        assert_eq!(facts.names, [HOST]);
        assert_eq!(kept.renewed(HOST, days(30), true).unwrap(), None);
        assert_eq!(certificates(&kept.bundle()), 1);
        kept.pair().expect("it can be shown");
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life_by_the_same_authority() {
        let kept = Kept::new(HOST, days(0)).unwrap();
        let new = kept.renewed(HOST, days(61), true).unwrap().expect("it is renewed");
        assert_ne!(new.leaf, kept.leaf);
        assert_eq!(Kept { leaf: kept.leaf.clone(), ..new }, kept);
    }

    #[test]
    fn another_name_of_the_service_makes_another_certificate() {
        let kept = Kept::new(HOST, days(0)).unwrap();
        let new = kept.renewed("other.ns.svc", days(1), true).unwrap().expect("it is made anew");
        assert_eq!(Facts::read(new.leaf.certificate.as_bytes()).unwrap().names, ["other.ns.svc"]);
        assert_eq!(new.authority, kept.authority);
    }

    #[test]
    fn a_new_authority_signs_when_it_is_trusted_and_the_old_one_stays_trusted_until_it_expires() {
        let first = Kept::new(HOST, days(0)).unwrap();
        let second = first
            .renewed(HOST, days(245), false)
            .unwrap()
            .expect("another authority is made");
        assert_eq!((&second.authority, certificates(&second.bundle())), (&first.authority, 2));

        let untrusted = second.renewed(HOST, days(260), false).unwrap();
        assert_eq!(untrusted, None, "nobody knows it yet");
        let unsettled = second.renewed(HOST, days(245) + SETTLE / 2, true).unwrap();
        assert_eq!(unsettled, None, "not everybody may know it yet");
        let third = second.renewed(HOST, days(246), true).unwrap().expect("it signs");
        assert_eq!(Some(&third.authority), second.next.as_ref());
        assert_eq!(third.previous.as_ref(), Some(&first.authority.certificate));
        assert_eq!(certificates(&third.bundle()), 2);
        assert_ne!(third.leaf, second.leaf);

        let last = third.renewed(HOST, days(366), true).unwrap().expect("the old one is forgotten");
        assert_eq!(certificates(&last.bundle()), 1);
    }

    #[test]
    fn an_authority_that_has_expired_is_replaced_at_once() {
        let kept = Kept::new(HOST, days(0)).unwrap();
        let new = kept.renewed(HOST, days(400), false).unwrap().expect("it is replaced");
        assert_eq!(certificates(&new.bundle()), 1);
        assert_ne!(new.authority, kept.authority);
    }
}
