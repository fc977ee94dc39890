// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the pods of a manifest are, by its kind: the kinds that `istioctl kube-inject` walks through
//! ([`inject.go`](https://github.com/istio/istio/blob/master/pkg/kube/inject/inject.go)), and others on demand.
//!
//! In a `CronJob`, Istio takes the metadata of the job for that of the pod. Here it is the pod's.

use std::{error::Error, fmt, str::FromStr};

/// A kind of object that makes pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Empty for the core group.
    group: String,
    name: String,
    /// The fields on the way to the pod template.
    path: Vec<String>,
}

/// A text that names no kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

const TEMPLATE: &[&str] = &["spec", "template"];
const CRON_JOB: &[&str] = &["spec", "jobTemplate", "spec", "template"];

/// API version, kind, and the way to the pod template.
const KNOWN: &[(&str, &str, &[&str])] = &[
    ("v1", "Pod", &[]),
    ("v1", "ReplicationController", TEMPLATE),
    ("apps/v1", "Deployment", TEMPLATE),
    ("apps/v1", "ReplicaSet", TEMPLATE),
    ("apps/v1", "DaemonSet", TEMPLATE),
    ("apps/v1", "StatefulSet", TEMPLATE),
    ("apps.openshift.io/v1", "DeploymentConfig", TEMPLATE),
    ("batch/v1", "Job", TEMPLATE),
    ("batch/v1", "CronJob", CRON_JOB),
];

/// The fields on the way from an object to its pod template; `None` if this kind has no pods.
pub(crate) fn template<'a>(api_version: &str, kind: &str, more: &'a [Kind]) -> Option<Vec<&'a str>> {
    let known = KNOWN.iter().find(|known| (known.0, known.1) == (api_version, kind));
    if let Some((_, _, path)) = known {
        return Some(path.to_vec());
    }
    let group = api_version.split_once('/').map_or("", |(group, _version)| group);
    let asked = more.iter().find(|asked| asked.group == group && asked.name == kind)?;
    Some(asked.path.iter().map(String::as_str).collect())
}

impl FromStr for Kind {
    type Err = KindError;

    /// `GROUP/Kind=PATH`, such as `argoproj.io/Rollout=spec.template`.
    fn from_str(text: &str) -> Result<Self, KindError> {
        let parts = text
            .split_once('=')
            .and_then(|(name, path)| Some((name.split_once('/')?, path)));
        let Some(((group, kind), path)) = parts else {
            return Err(KindError(text.to_owned()));
        };
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if kind.is_empty() || kind.contains('/') || path.iter().any(String::is_empty) {
            return Err(KindError(text.to_owned()));
        }
        Ok(Self { group: group.to_owned(), name: kind.to_owned(), path })
    }
}

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is not GROUP/Kind=PATH; write for example argoproj.io/Rollout=spec.template"
        )
    }
}

impl Error for KindError {}
