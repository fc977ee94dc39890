// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Secret in which replicas keep the certificate that they share.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;

use super::kept::{Kept, Signed};

const AUTHORITY: [&str; 2] = ["ca.crt", "ca.key"];
const NEXT: [&str; 2] = ["next-ca.crt", "next-ca.key"];
const PREVIOUS: &str = "previous-ca.crt";
const LEAF: [&str; 2] = ["tls.crt", "tls.key"];

/// A new Secret; or, with the metadata of one that is there, what it is to become.
pub(super) fn write(kept: &Kept, metadata: ObjectMeta) -> Secret {
    let Kept { authority, next, previous, leaf } = kept;
    let mut data = BTreeMap::new();
    let mut put = |name: &str, text: &str| drop(data.insert(name.to_owned(), ByteString(text.into())));
    for (names, signed) in [(AUTHORITY, Some(authority)), (NEXT, next.as_ref()), (LEAF, Some(leaf))] {
        if let Some(Signed { certificate, key }) = signed {
            put(names[0], certificate);
            put(names[1], key);
        }
    }
    if let Some(previous) = previous {
        put(PREVIOUS, previous);
    }
    Secret {
        metadata,
        data: Some(data),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// `None` for a Secret without any data, as the Helm chart makes it: so it goes with the release.
pub(super) fn read(secret: &Secret) -> Result<Option<Kept>> {
    if secret.data.as_ref().is_none_or(BTreeMap::is_empty) {
        return Ok(None);
    }
    let context = || {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        format!("Failed to use the Secret {name} (--tls-secret); delete it, and another one is made")
    };
    try_read(secret).map(Some).with_context(context)
}

fn try_read(secret: &Secret) -> Result<Kept> {
    let (Some(authority), Some(leaf)) = (signed(secret, AUTHORITY)?, signed(secret, LEAF)?) else {
        bail!("it lacks {}", [AUTHORITY, LEAF].concat().join(" or "));
    };
    let kept = Kept { authority, next: signed(secret, NEXT)?, previous: text(secret, PREVIOUS)?, leaf };
    kept.pair()?;
    Ok(kept)
}

fn signed(secret: &Secret, names: [&str; 2]) -> Result<Option<Signed>> {
    match (text(secret, names[0])?, text(secret, names[1])?) {
        (Some(certificate), Some(key)) => Ok(Some(Signed { certificate, key })),
        (None, None) => Ok(None),
        _ => bail!("of {} and {}, it has only one", names[0], names[1]),
    }
}

fn text(secret: &Secret, name: &str) -> Result<Option<String>> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(name));
    let text = bytes.map(|ByteString(bytes)| String::from_utf8(bytes.clone()));
    text.transpose().with_context(|| format!("its {name} is no text"))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn kept() -> Kept {
        Kept::new("a.b.svc", SystemTime::now()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut kept = kept();
        let read_back = |kept: &Kept| read(&write(kept, ObjectMeta::default())).unwrap();
        assert_eq!(read_back(&kept).as_ref(), Some(&kept));
        kept.next = Some(self::kept().authority);
        kept.previous = Some(self::kept().authority.certificate);
        assert_eq!(read_back(&kept).as_ref(), Some(&kept));
    }

    #[test]
    fn a_secret_without_data_is_to_be_filled() {
        assert_eq!(read(&Secret::default()).unwrap(), None);
        let emptied = Secret { data: Some(BTreeMap::new()), ..Secret::default() };
        assert_eq!(read(&emptied).unwrap(), None);
    }

    #[test]
    fn a_secret_with_something_else_is_named_with_the_way_out() {
        let mut secret = write(&kept(), ObjectMeta { name: Some("keys".to_owned()), ..ObjectMeta::default() });
        secret.data.as_mut().unwrap().remove("ca.key");
        let error = format!("{:#}", read(&secret).unwrap_err());
        assert!(
            error.contains("the Secret keys") && error.contains("delete it") && error.contains("ca.key"),
            "{error}"
        );
    }
}
