// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is asked of the API server for a broken pod. Errors are texts for the log and for the pod's event.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;
use tokio::time::timeout;

use super::filter::Label;
use crate::pods::Current;

/// How long the API server may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Who tells, in events.
const COMPONENT: &str = "interceptor-agent";

/// Deletes the pod, unless it has changed since it was looked at.
pub(super) async fn delete(client: &Client, current: &Current) -> Result<(), String> {
    let preconditions = Preconditions {
        uid: Some(current.pod.metadata.uid.clone()),
        resource_version: current.resource_version.clone(),
    };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    answered(pods(client, current).delete(&current.pod.metadata.name, &params)).await
}

/// Labels the pod by its status, which takes the lesser right.
pub(super) async fn label(client: &Client, current: &Current, Label { key, value }: &Label) -> Result<(), String> {
    let patch = Patch::Merge(json!({"metadata": {"labels": {key: value}}}));
    let pods = pods(client, current);
    answered(pods.patch_status(&current.pod.metadata.name, &PatchParams::default(), &patch)).await
}

/// Writes an event about the pod. It is a help for people only, so a failure is logged.
pub(crate) async fn tell(client: &Client, current: &Current, reason: &str, message: &str) {
    let metadata = &current.pod.metadata;
    let now = Time(Timestamp::now());
    let event = Event {
        metadata: ObjectMeta {
            namespace: Some(metadata.namespace.clone()),
            generate_name: Some(format!("{}.", metadata.name)),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(metadata.namespace.clone()),
            name: Some(metadata.name.clone()),
            uid: Some(metadata.uid.clone()),
            resource_version: current.resource_version.clone(),
            field_path: None,
        },
        type_: Some("Warning".to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
        count: Some(1),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        ..Event::default()
    };
    let events: Api<Event> = Api::namespaced(client.clone(), &metadata.namespace);
    if let Err(error) = answered(events.create(&PostParams::default(), &event)).await {
        tracing::warn!(pod = current.name(), "Failed to write an event: {error}");
    }
}

fn pods(client: &Client, current: &Current) -> Api<Pod> {
    Api::namespaced(client.clone(), &current.pod.metadata.namespace)
}

async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<(), String> {
    match timeout(ANSWER, request).await {
        Ok(Ok(_answer)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no answer within {} s", ANSWER.as_secs())),
    }
}
