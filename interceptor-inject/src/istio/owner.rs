// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose pods are rendered. For a pod that something else made, Istio guesses what a person wrote
//! ([`util.go`](https://github.com/istio/istio/blob/master/pkg/kube/util.go)).

use serde_json::Value;

use crate::{
    malformed::{At, Malformed, Object},
    walk::Place,
};

/// The object that a template calls the deployment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Object,
}

impl Owner {
    pub(super) fn of(place: &Place<'_>) -> Result<Self, Malformed> {
        let (api_version, kind) = (
            place.owner.required("apiVersion")?.text()?,
            place.owner.required("kind")?.text()?,
        );
        let metadata = place.owner.field("metadata")?;
        let metadata = metadata.as_ref().map_or_else(|| Ok(Object::new()), |at| at.object().cloned())?;
        let own = Self { api_version: api_version.to_owned(), kind: kind.to_owned(), metadata };
        if kind == "Pod" {
            return own.of_pod(&place.template);
        }
        Ok(own)
    }

    /// For a pod that a controller has made.
    fn of_pod(self, pod: &At<'_>) -> Result<Self, Malformed> {
        let label = |name| -> Result<&str, Malformed> {
            let label = pod.descend(&["metadata", "labels", name])?;
            label.map_or(Ok(""), |label| label.text())
        };
        let Some(metadata) = pod.field("metadata")? else { return Ok(self) };
        if metadata.field("generateName")?.is_none() {
            return Ok(self);
        }
        for reference in metadata.list("ownerReferences")? {
            let controls = reference.field("controller")?;
            if !controls.map(|at| at.switch()).transpose()?.unwrap_or(false) {
                continue;
            }
            let name = reference.required("name")?.text()?;
            let api_version = reference.required("apiVersion")?.text()?;
            let kind = reference.required("kind")?.text()?;
            let (api_version, kind, name) = match kind {
                "ReplicaSet" => match (
                    stem(name, label("pod-template-hash")?),
                    stem(name, label("rollouts-pod-template-hash")?),
                ) {
                    (Some(stem), _) => (api_version, "Deployment", stem),
                    (None, Some(stem)) => ("v1alpha1", "Rollout", stem),
                    (None, None) => (api_version, kind, name),
                },
                "ReplicationController" if !label("deploymentconfig")?.is_empty() => {
                    (api_version, "DeploymentConfig", label("deploymentconfig")?)
                }
                "Job" => cron_job(name).map_or((api_version, kind, name), |stem| ("batch/v1", "CronJob", stem)),
                _ => (api_version, kind, name),
            };
            let mut metadata = self.metadata;
            metadata.insert("name".to_owned(), Value::from(name));
            return Ok(Self { api_version: api_version.to_owned(), kind: kind.to_owned(), metadata });
        }
        Ok(self)
    }
}

/// `web` of `web-5d4f8` with the hash `5d4f8`.
fn stem<'a>(name: &'a str, hash: &str) -> Option<&'a str> {
    name.strip_suffix(hash).filter(|_stem| !hash.is_empty())?.strip_suffix('-')
}

/// A cron job names its jobs by the minute, in 8 to 10 digits.
fn cron_job(job: &str) -> Option<&str> {
    let (stem, time) = job.rsplit_once('-')?;
    let is_time = (8..=10).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then_some(stem)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web-5d4f8", "5d4f8", Some("web"))]
    #[case("web-5d4f8", "", None)]
    #[case("web5d4f8", "5d4f8", None)]
    #[case("web", "5d4f8", None)]
    fn a_replica_set_is_called_by_its_hash(#[case] name: &str, #[case] hash: &str, #[case] expected: Option<&str>) {
        assert_eq!(stem(name, hash), expected);
    }

    #[rstest]
    #[case("report-28901234", Some("report"))]
    #[case("a-b-1234567890", Some("a-b"))]
    #[case("report-1234567", None)]
    #[case("report-12345678901", None)]
    #[case("report-2890123x", None)]
    fn a_job_of_a_cron_job_is_called_by_its_time(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(cron_job(name), expected);
    }
}
