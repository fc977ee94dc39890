// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A strategic merge patch of a pod, as Kubernetes applies it
//! ([`patch.go`](https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch.go)):
//! objects are merged, lists with a key are merged item by item, other lists are replaced, and null removes.

use serde_json::Value;

use crate::malformed::Object;

/// Lists of a pod that are merged by a key. A name means the same wherever it stands in a pod.
const KEYS: [(&str, &str); 13] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("ownerReferences", "uid"),
    ("ports", "containerPort"),
    ("resourceClaims", "name"),
    ("topologySpreadConstraints", "topologyKey"),
    ("volumeDevices", "devicePath"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];
const DIRECTIVE: &str = "$patch";

/// The object with the patch applied. The error says what of the patch has no meaning.
pub(super) fn merged(target: &Object, patch: &Object) -> Result<Object, String> {
    match directive(patch)? {
        Some("replace") => return Ok(without_directive(patch)),
        Some("merge") | None => {}
        Some(other) => return Err(format!("{DIRECTIVE}: {other} has no meaning here")),
    }
    let mut result = target.clone();
    for (name, new) in patch.iter().filter(|(name, _new)| *name != DIRECTIVE) {
        if name.starts_with('$') {
            return Err(format!("{name} is not supported"));
        }
        let value = match (target.get(name), new) {
            (_, Value::Null) => None,
            (Some(Value::Object(old)), Value::Object(new)) => Some(Value::Object(merged(old, new)?)),
            (_, Value::Object(new)) => Some(Value::Object(merged(&Object::new(), new)?)),
            (old, Value::Array(new)) => Some(Value::Array(list(name, old, new)?)),
            (_, scalar) => Some(scalar.clone()),
        };
        match value {
            Some(value) => result.insert(name.clone(), value),
            None => result.remove(name),
        };
    }
    Ok(result)
}

fn list(name: &str, old: Option<&Value>, new: &[Value]) -> Result<Vec<Value>, String> {
    let Some((_name, key)) = KEYS.iter().find(|(known, _key)| *known == name) else {
        return new.iter().map(fresh).collect();
    };
    let old: &[Value] = old.and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let place = |item: &Value| {
        old.iter()
            .position(|known| known.get(key).is_some() && known.get(key) == item.get(key))
    };
    let mut is_done = vec![false; old.len()];
    let mut result = Vec::new();
    for item in new {
        let item = item.as_object().filter(|item| item.contains_key(*key));
        let item = item.ok_or_else(|| format!("an item of {name} has no {key}"))?;
        let old_place = place(&Value::Object(item.clone()));
        let known = old_place.and_then(|index| old.get(index)).and_then(Value::as_object);
        if let Some(index) = old_place {
            // What stands above it in the pod, and is not in the patch, stays above it.
            let is_patched = |other: &Value| new.iter().any(|item| item.get(key) == other.get(key));
            for above in (0..index).filter(|above| !is_patched(&old[*above])) {
                if !std::mem::replace(&mut is_done[above], true) {
                    result.push(old[above].clone());
                }
            }
            is_done[index] = true;
        }
        if directive(item)? != Some("delete") {
            let nothing = Object::new();
            result.push(Value::Object(merged(known.unwrap_or(&nothing), item)?));
        }
    }
    let rest = old.iter().zip(is_done).filter(|(_item, is_done)| !is_done);
    result.extend(rest.map(|(item, _is_done)| item.clone()));
    Ok(result)
}

/// A value that was not there: without what is null.
fn fresh(value: &Value) -> Result<Value, String> {
    match value {
        Value::Object(fields) => merged(&Object::new(), fields).map(Value::Object),
        other => Ok(other.clone()),
    }
}

fn directive(patch: &Object) -> Result<Option<&str>, String> {
    match patch.get(DIRECTIVE) {
        None => Ok(None),
        Some(Value::String(directive)) => Ok(Some(directive)),
        Some(other) => Err(format!("{DIRECTIVE}: {other} has no meaning here")),
    }
}

fn without_directive(patch: &Object) -> Object {
    let fields = patch.iter().filter(|(name, value)| *name != DIRECTIVE && !value.is_null());
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn merge(target: &Value, patch: &Value) -> Result<Value, String> {
        merged(target.as_object().unwrap(), patch.as_object().unwrap()).map(Value::Object)
    }

    #[rstest]
    #[case::objects(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 3}}), json!({"a": {"b": 3, "c": 2}}))]
    #[case::null_removes(json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2}))]
    #[case::null_in_what_is_new(
        json!({}),
        json!({"volumes": [{"name": "v", "emptyDir": null}]}),
        json!({"volumes": [{"name": "v"}]})
    )]
    #[case::lists_without_a_key(json!({"args": ["a", "b"]}), json!({"args": ["c"]}), json!({"args": ["c"]}))]
    #[case::capabilities(json!({"add": ["BPF"]}), json!({"add": ["NET_RAW"]}), json!({"add": ["NET_RAW"]}))]
    #[case::by_name(
        json!({"env": [{"name": "a", "value": "1"}]}),
        json!({"env": [{"name": "b", "value": "2"}, {"name": "a", "value": "3"}]}),
        json!({"env": [{"name": "b", "value": "2"}, {"name": "a", "value": "3"}]})
    )]
    #[case::new_ones_come_first(
        json!({"volumes": [{"name": "own"}]}),
        json!({"volumes": [{"name": "new"}]}),
        json!({"volumes": [{"name": "new"}, {"name": "own"}]})
    )]
    #[case::what_stood_above_stays_above(
        json!({"containers": [{"name": "app"}, {"name": "proxy"}, {"name": "log"}]}),
        json!({"containers": [{"name": "proxy", "image": "x"}]}),
        json!({"containers": [{"name": "app"}, {"name": "proxy", "image": "x"}, {"name": "log"}]})
    )]
    #[case::by_port(
        json!({"ports": [{"containerPort": 80, "name": "http"}]}),
        json!({"ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        json!({"ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}]})
    )]
    #[case::delete(
        json!({"env": [{"name": "a"}, {"name": "b"}]}),
        json!({"env": [{"name": "a", "$patch": "delete"}]}),
        json!({"env": [{"name": "b"}]})
    )]
    #[case::replace(json!({"a": {"b": 1}}), json!({"a": {"c": 2, "$patch": "replace"}}), json!({"a": {"c": 2}}))]
    fn a_patch_is_applied_as_by_kubernetes(#[case] target: Value, #[case] patch: Value, #[case] expected: Value) {
        assert_eq!(merge(&target, &patch), Ok(expected));
    }

    #[rstest]
    #[case(json!({"env": [{"value": "1"}]}), "an item of env has no name")]
    #[case(json!({"a": {"$patch": "nonsense"}}), "nonsense has no meaning")]
    #[case(json!({"$setElementOrder/env": []}), "$setElementOrder/env is not supported")]
    fn a_patch_without_a_meaning_is_refused(#[case] patch: Value, #[case] expected: &str) {
        let error = merge(&json!({}), &patch).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
