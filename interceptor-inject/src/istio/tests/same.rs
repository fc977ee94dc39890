// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Equality of manifests, but for what gets lost or added when they pass through the types of Go: empty objects and
//! lists, null, a delay of zero, and other notations of the same quantity.

use serde_json::Value;

/// Fails with the places that differ.
pub(super) fn assert_same(found: &Value, expected: &Value) {
    let (found, expected) = (plain(found), plain(expected));
    let mut places = Vec::new();
    differences("", &found, &expected, &mut places);
    assert!(places.is_empty(), "found / expected\n{}", places.join("\n"));
}

fn differences(path: &str, found: &Value, expected: &Value, places: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                let path = format!("{path}/{name}");
                differences(&path, &found[name.as_str()], &expected[name.as_str()], places);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{path}/{index}"), one, other, places);
            }
        }
        (one, other) if one == other => {}
        (one, other) => places.push(format!("{path}: {one} / {other}")),
    }
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), field(name, value)));
            Value::Object(fields.filter(|(_name, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn field(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("initialDelaySeconds", value) if *value == 0 => Value::Null,
        ("cpu" | "memory", Value::String(quantity)) => Value::String(canonical(quantity)),
        // The order of fields in it is that of Go's types.
        ("proxy.istio.io/overrides", Value::String(json)) => plain(&serde_json::from_str(json).unwrap()),
        (_, value) => plain(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn canonical(quantity: &str) -> String {
    let larger = |unit: &str, factor: u64, next: &str| {
        let number: u64 = quantity.strip_suffix(unit)?.parse().ok()?;
        number.is_multiple_of(factor).then(|| format!("{}{next}", number / factor))
    };
    larger("m", 1000, "")
        .or_else(|| larger("Mi", 1024, "Gi"))
        .unwrap_or_else(|| quantity.to_owned())
}
