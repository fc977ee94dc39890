// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Containers that both the pod and the template define, as when a user sets something of `istio-proxy`: what the user
//! wrote wins, and an annotation keeps it for the next injection
//! ([`reapplyOverwrittenContainers`](https://github.com/istio/istio/blob/master/pkg/kube/inject/webhook.go)).
//!
//! Other than Istio, a second injection lays what the annotation keeps over the pod again. Istio forgets it then.

use serde_json::{Map, Value, json};

use super::{
    merge::merged,
    pod::{self, CONTAINERS, INIT_CONTAINERS},
    status::STATUS,
};
use crate::{
    containers::{INIT, VALIDATION},
    malformed::Object,
    record::object_in,
};

pub(super) const OVERRIDES: &str = "proxy.istio.io/overrides";
/// An image that stands for the template's.
const AUTO: &str = "auto";

/// The containers that an earlier injection kept.
pub(super) fn kept(template: &Object) -> Result<Object, String> {
    let Some(kept) = pod::annotation(template, OVERRIDES) else {
        return Ok(Object::new());
    };
    serde_json::from_str(kept).map_err(|error| format!("annotation {OVERRIDES}: {error}"))
}

/// Puts what an earlier injection kept back into a pod from which the injected containers were taken.
pub(super) fn reinsert(template: &mut Object) -> Result<(), String> {
    let kept = kept(template)?;
    for list_name in [CONTAINERS, INIT_CONTAINERS] {
        for container in kept.get(list_name).and_then(Value::as_array).into_iter().flatten() {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            if pod::container(template, list_name, name).is_none()
                && let Some(containers) = pod::list_mut(template, list_name)
            {
                containers.push(container.clone());
            }
        }
    }
    Ok(())
}

/// Lays what the user wrote over the pod into which the template was merged.
pub(super) fn reapply(result: Object, original: &Object, template_pod: &Object) -> Result<Object, String> {
    let kept = kept(original)?;
    let injected = super::status::injected(original);
    let mut result = result;
    let mut overrides = Map::new();
    for list_name in [CONTAINERS, INIT_CONTAINERS] {
        for name in pod::names(template_pod, list_name) {
            let is_injected = injected.iter().any(|(list, known)| *list == list_name && known == name);
            let pod = (!is_injected).then_some(original);
            let Some(mut own) = user_container(pod, &kept, list_name, name) else {
                continue;
            };
            if own.get("image").is_some_and(|image| image == AUTO) {
                own.remove("image");
            }
            if let Value::Object(patch) = json!({ "spec": { list_name: [own.clone()] } }) {
                result = merged(&result, &patch)?;
            }
            if let Value::Array(all) = overrides.entry(list_name).or_insert_with(|| json!([])) {
                all.push(Value::Object(own));
            }
        }
    }
    if pod::annotation(original, STATUS).is_none() && !overrides.is_empty() {
        pod::set(&mut result, "annotations", OVERRIDES, Value::Object(overrides).to_string());
    }
    Ok(result)
}

/// What the user wrote of a container, in an earlier injection or in the pod.
fn user_container(pod: Option<&Object>, kept: &Object, list_name: &str, name: &str) -> Option<Object> {
    let is_it = |container: &&Object| container.get("name").is_some_and(|known| known == name);
    let kept = kept.get(list_name).and_then(Value::as_array).into_iter().flatten();
    let kept = kept.filter_map(Value::as_object).find(is_it);
    let own = || pod::container(pod?, list_name, name);
    // The user's istio-proxy is among the containers, also where the template has it among the init containers.
    let elsewhere = || pod::container(pod?, CONTAINERS, name).filter(|_| list_name == INIT_CONTAINERS);
    kept.or_else(elsewhere).or_else(own).cloned()
}

/// Lets the container that sets up the redirection, or checks it, know whom the user lets the sidecar run as.
pub(super) fn adjust_user(result: &mut Object, original: &Object, is_tproxy: bool) {
    let context = pod::sidecar(original).and_then(|sidecar| sidecar.get("securityContext"));
    let id = |name: &str| {
        context
            .and_then(|context| context.get(name))
            .filter(|id| !id.is_null())
            .cloned()
    };
    let (user, group) = (id("runAsUser"), id("runAsGroup"));
    if is_tproxy
        && user.is_some()
        && let Some(Value::Object(context)) = pod::sidecar_mut(result).and_then(|it| it.get_mut("securityContext"))
    {
        // Under TPROXY, the sidecar has to be root.
        context.insert("runAsUser".to_owned(), Value::from(0));
    }
    if !is_tproxy
        && let Some(validation) = pod::container_mut(result, &[INIT_CONTAINERS], VALIDATION)
        && let Some(context) = object_in(validation, "securityContext")
    {
        context.extend(user.clone().map(|user| ("runAsUser".to_owned(), user)));
        context.extend(group.map(|group| ("runAsGroup".to_owned(), group)));
    }
    let Some(user) = user.filter(|user| *user != 0) else { return };
    let name = [INIT, VALIDATION]
        .into_iter()
        .find(|name| pod::container(result, INIT_CONTAINERS, name).is_some());
    let container = name.and_then(|name| pod::container_mut(result, &[INIT_CONTAINERS], name));
    let args = container
        .and_then(|container| container.get_mut("args"))
        .and_then(Value::as_array_mut);
    if let Some(args) = args
        && let Some(flag) = args.iter().position(|word| word == "-u")
        && let Some(value) = args.get_mut(flag + 1)
    {
        *value = Value::String(user.to_string());
    }
}
