// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes values as YAML. Whatever version of YAML reads it finds the same value.

use serde_json::{Map, Value};

use super::scalar;

/// A value in block notation. The first line stands where the caller puts it; the others are indented by `indent`.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let margin = format!("\n{}", " ".repeat(indent));
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().map(|item| format!("- {}", block(item, indent + 2)));
            items.collect::<Vec<_>>().join(&margin)
        }
        Value::Object(fields) if !fields.is_empty() => entries(fields, indent).join(&margin),
        value => inline(value),
    }
}

/// The lines of a mapping's entry, the key of which is indented by `indent`.
pub(super) fn entry(key: &str, value: &Value, indent: usize) -> String {
    format!("{}:{}", string(key), below(value, indent))
}

/// What stands behind the colon of a key that is indented by `indent`.
pub(super) fn below(value: &Value, indent: usize) -> String {
    match value {
        Value::Array(items) if !items.is_empty() => format!("\n{}{}", " ".repeat(indent), block(value, indent)),
        Value::Object(fields) if !fields.is_empty() => {
            format!("\n{}{}", " ".repeat(indent + 2), block(value, indent + 2))
        }
        value => format!(" {}", inline(value)),
    }
}

/// A value on one line, in a notation that is JSON as well.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| flow_entry(key, value));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// An entry of a mapping on one line.
pub(super) fn flow_entry(key: &str, value: &Value) -> String {
    format!("{}: {}", quoted(key), flow(value))
}

fn entries(fields: &Map<String, Value>, indent: usize) -> Vec<String> {
    fields.iter().map(|(key, value)| entry(key, value, indent)).collect()
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        value => flow(value),
    }
}

fn string(text: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:-".contains(&byte);
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_/".contains(first));
    let is_plain = starts_well && text.bytes().all(is_word) && !text.ends_with(':') && !scalar::is_ambiguous(text);
    let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain {
        text.to_owned()
    } else if is_printable && text.contains('"') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        quoted(text)
    }
}

/// A string in double quotes. Some characters are escaped because not every version of YAML takes them for text.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let special = |c: char| ('\u{7f}'..='\u{9f}').contains(&c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        if special(c) {
            quoted.extend(format!("\\u{:04x}", u32::from(c)).chars());
        } else {
            quoted.push(c);
        }
    }
    quoted
}
