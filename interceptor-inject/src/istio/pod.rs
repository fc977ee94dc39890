// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access to the parts of a pod that injection touches. [`check`] comes first: it refuses a pod in which one of these
//! parts is of another type, so that nothing is passed over afterwards.

use serde_json::Value;

use crate::{
    malformed::{At, Malformed, Object},
    record::object_in,
};

pub(super) const SIDECAR: &str = "istio-proxy";
pub(super) const CONTAINERS: &str = "containers";
pub(super) const INIT_CONTAINERS: &str = "initContainers";

/// Refuses a pod whose containers, labels or annotations are not what Kubernetes takes, as far as they are looked at.
pub(super) fn check(template: &At<'_>) -> Result<(), Malformed> {
    for map in ["labels", "annotations"] {
        if let Some(map) = template.descend(&["metadata", map])? {
            for name in map.object()?.keys() {
                map.required(name)?.text()?;
            }
        }
    }
    let spec = template.required("spec")?;
    for list in [INIT_CONTAINERS, CONTAINERS] {
        for container in spec.list(list)? {
            container.required("name")?.text()?;
            container.texts("args")?;
            for variable in container.list("env")? {
                variable.required("name")?.text()?;
            }
            for port in container.list("ports")? {
                port.object()?;
            }
            if let Some(context) = container.field("securityContext")? {
                context.object()?;
            }
        }
    }
    for volume in spec.list("volumes")? {
        volume.required("name")?.text()?;
    }
    Ok(())
}

/// The items of a list of the pod's spec.
pub(super) fn list<'a>(pod: &'a Object, name: &str) -> &'a [Value] {
    let spec = pod.get("spec").and_then(|spec| spec.get(name));
    spec.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A list of the pod's spec; `None` if there is none.
pub(super) fn list_mut<'a>(pod: &'a mut Object, name: &str) -> Option<&'a mut Vec<Value>> {
    pod.get_mut("spec")?.get_mut(name)?.as_array_mut()
}

/// The names of the items of a list of the pod's spec.
pub(super) fn names<'a>(pod: &'a Object, list_name: &str) -> impl Iterator<Item = &'a str> {
    list(pod, list_name).iter().filter_map(|item| item.get("name")?.as_str())
}

/// A container of one of the pod's lists.
pub(super) fn container<'a>(pod: &'a Object, list_name: &str, name: &str) -> Option<&'a Object> {
    let containers = list(pod, list_name).iter().filter_map(Value::as_object);
    containers.into_iter().find(|container| is_named(container, name))
}

/// The sidecar, wherever it is.
pub(super) fn sidecar(pod: &Object) -> Option<&Object> {
    let lists = [CONTAINERS, INIT_CONTAINERS];
    lists.iter().find_map(|list| container(pod, list, SIDECAR))
}

/// The container of this name in the first of the lists that has one.
pub(super) fn container_mut<'a>(pod: &'a mut Object, lists: &[&str], name: &str) -> Option<&'a mut Object> {
    let list_name = lists.iter().find(|list| container(pod, list, name).is_some())?;
    let containers = list_mut(pod, list_name)?.iter_mut().filter_map(Value::as_object_mut);
    containers.into_iter().find(|container| is_named(container, name))
}

pub(super) fn sidecar_mut(pod: &mut Object) -> Option<&mut Object> {
    container_mut(pod, &[CONTAINERS, INIT_CONTAINERS], SIDECAR)
}

/// Takes a container out of a list.
pub(super) fn take(pod: &mut Object, list_name: &str, name: &str) -> Option<Value> {
    let containers = list_mut(pod, list_name)?;
    let index = containers
        .iter()
        .position(|item| item.as_object().is_some_and(|item| is_named(item, name)))?;
    Some(containers.remove(index))
}

/// Adds a container to a list, at the end.
pub(super) fn push(pod: &mut Object, list_name: &str, container: Value) {
    let list = object_in(pod, "spec").map(|spec| spec.entry(list_name).or_insert(Value::Null));
    match list {
        Some(Value::Array(containers)) => containers.push(container),
        Some(list) => *list = Value::Array(vec![container]),
        None => {}
    }
}

fn is_named(container: &Object, name: &str) -> bool {
    container.get("name").is_some_and(|known| known == name)
}

pub(super) fn label<'a>(pod: &'a Object, name: &str) -> Option<&'a str> {
    pod.get("metadata")?.get("labels")?.get(name)?.as_str()
}

pub(super) fn annotation<'a>(pod: &'a Object, name: &str) -> Option<&'a str> {
    pod.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// The names and the values of all annotations.
pub(super) fn annotations(pod: &Object) -> impl Iterator<Item = (&str, &str)> {
    let all = pod
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"))
        .and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// Sets a label (`labels`) or an annotation (`annotations`).
pub(super) fn set(pod: &mut Object, map: &str, name: &str, value: String) {
    if let Some(map) = object_in(pod, "metadata").and_then(|metadata| object_in(metadata, map)) {
        map.insert(name.to_owned(), Value::String(value));
    }
}

/// Removes the annotations that `is_gone` tells.
pub(super) fn remove_annotations(pod: &mut Object, is_gone: impl Fn(&str) -> bool) {
    let annotations = pod.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|name, _value| !is_gone(name));
    }
}

/// Adds a variable to a container, at the end.
pub(super) fn add_variable(container: &mut Object, name: &str, value: &str) {
    let variables = container.entry("env").or_insert(Value::Null);
    if variables.is_null() {
        *variables = Value::Array(Vec::new());
    }
    if let Value::Array(variables) = variables {
        variables.push(serde_json::json!({ "name": name, "value": value }));
    }
}
