// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key `<<`: a mapping has the entries of other mappings too, unless it has entries of these names itself.

use serde_json::{Map, Value};

use super::fault::Fault;

/// An entry of a mapping.
pub(super) struct Pair<'a> {
    pub(super) name: &'a str,
    /// Whether the key is `<<`.
    pub(super) is_merge: bool,
    pub(super) line: usize,
    pub(super) value: Value,
}

pub(super) fn merged(pairs: Vec<Pair<'_>>) -> Result<Map<String, Value>, Fault> {
    let (merges, own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|pair| pair.is_merge);
    let mut object: Map<String, Value> = own.into_iter().map(|pair| (pair.name.to_owned(), pair.value)).collect();
    for Pair { line, value, .. } in merges {
        let sources = match value {
            Value::Array(sources) => sources,
            source => vec![source],
        };
        // Of several mappings, the first that has an entry wins.
        for source in sources {
            let Value::Object(source) = source else {
                return Err(Fault::new(line, "`<<` takes a mapping, or a list of mappings".to_owned()));
            };
            for (name, value) in source {
                object.entry(name).or_insert(value);
            }
        }
    }
    Ok(object)
}
