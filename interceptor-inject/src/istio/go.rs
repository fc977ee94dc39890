// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values of Go as a template sees them, made of JSON. A map answers for a key that it does not have; a struct refuses
//! a field that it does not have, which becomes an error of the template.

use std::collections::HashMap;

use gtmpl_ng::{Number, NumberKind, Value as Go};
use serde_json::Value as Json;

/// The field of a struct that keeps its JSON, in the order in which Go writes it. No template can name it.
const AS_JSON: &str = "$json";

/// A value without types: objects are maps, as in Helm's values.
pub(super) fn untyped(json: &Json) -> Go {
    match json {
        Json::Null => Go::Nil,
        Json::Bool(value) => Go::Bool(*value),
        Json::Number(number) => Go::Number(self::number(number)),
        Json::String(text) => Go::String(text.clone()),
        Json::Array(items) => Go::Array(items.iter().map(untyped).collect()),
        Json::Object(fields) => Go::Map(fields.iter().map(|(key, value)| (key.clone(), untyped(value))).collect()),
    }
}

/// Go knows whole numbers of JSON as floating point numbers. They are printed alike up to a million; beyond, Go prints
/// an exponent, which is no port and no count in YAML.
fn number(number: &serde_json::Number) -> Number {
    match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => Number::from(number),
        (None, Some(number)) => Number::from(number),
        (None, None) => Number::float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// A struct with these fields.
pub(super) fn structure(fields: impl IntoIterator<Item = (String, Go)>) -> Go {
    Go::Object(fields.into_iter().collect())
}

/// A struct of an API, by its JSON: `serviceAccountName` becomes `ServiceAccountName`. Of the fields that are absent,
/// those of `zeros` have a value nevertheless.
pub(super) fn message(json: &Json, zeros: &[(&str, Go)]) -> Go {
    let mut fields: HashMap<String, Go> = zeros.iter().map(|(name, zero)| ((*name).to_owned(), zero.clone())).collect();
    if let Json::Object(object) = json {
        fields.extend(object.iter().map(|(key, value)| (field_name(key), typed(value))));
    }
    Go::Object(fields)
}

fn typed(json: &Json) -> Go {
    match json {
        Json::Array(items) => Go::Array(items.iter().map(typed).collect()),
        Json::Object(_) => message(json, &[]),
        scalar => untyped(scalar),
    }
}

/// The name that Go has for a field of JSON.
fn field_name(key: &str) -> String {
    let mut letters = key.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The same struct, which prints itself as this JSON.
pub(super) fn with_json(go: Go, json: String) -> Go {
    match go {
        Go::Object(mut fields) => {
            fields.insert(AS_JSON.to_owned(), Go::String(json));
            Go::Object(fields)
        }
        other => other,
    }
}

/// The JSON of a struct.
pub(super) fn json_of(go: &Go) -> Option<&str> {
    match go {
        Go::Object(fields) => match fields.get(AS_JSON) {
            Some(Go::String(json)) => Some(json),
            _ => None,
        },
        _ => None,
    }
}

/// The field of a struct or the value of a map.
pub(super) fn get<'a>(go: &'a Go, name: &str) -> Option<&'a Go> {
    match go {
        Go::Object(fields) | Go::Map(fields) => fields.get(name),
        _ => None,
    }
}

/// A value without types as JSON. `None` if it has none, as a struct or a function.
pub(super) fn to_json(go: &Go) -> Option<Json> {
    Some(match go {
        Go::NoValue | Go::Nil => Json::Null,
        Go::Bool(value) => Json::Bool(*value),
        Go::String(text) => Json::String(text.clone()),
        Go::Number(number) => match number.kind() {
            NumberKind::Unsigned(number) => number.into(),
            NumberKind::Signed(number) => number.into(),
            NumberKind::Float(number) => number.into(),
        },
        Go::Array(items) => Json::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        Go::Map(fields) => {
            let fields = fields.iter().map(|(key, value)| Some((key.clone(), to_json(value)?)));
            Json::Object(fields.collect::<Option<_>>()?)
        }
        Go::Object(_) | Go::Function(_) => return None,
    })
}

/// A value as Go's `fmt.Sprint` prints it.
pub(super) fn sprint(go: &Go) -> String {
    match go {
        Go::NoValue => Go::Nil.to_string(),
        other => other.to_string(),
    }
}
