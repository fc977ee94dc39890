// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key `<<`: a mapping has the entries of other mappings too, unless it has entries of these names itself.

use serde_json::{Map, Value};

use super::{fault::Fault, tree::Entry};

pub(super) fn merged(entries: Vec<(&Entry, Value)>) -> Result<Map<String, Value>, Fault> {
    let (merges, own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(entry, _value)| entry.is_merge);
    let mut object: Map<String, Value> = own.into_iter().map(|(entry, value)| (entry.key.clone(), value)).collect();
    for (entry, value) in merges {
        let sources = match value {
            Value::Array(sources) => sources,
            source => vec![source],
        };
        // Of several mappings, the first that has an entry wins.
        for source in sources {
            let Value::Object(source) = source else {
                return Err(Fault::new(
                    entry.value.line,
                    "`<<` takes a mapping, or a list of mappings".to_owned(),
                ));
            };
            for (name, value) in source {
                object.entry(name).or_insert(value);
            }
        }
    }
    Ok(object)
}
