// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions of [Sprig](https://masterminds.github.io/sprig/) that Istio's templates call.

use gtmpl_ng::{FuncError, Value as Go};
use serde_json::Value as Json;

use super::arguments::{Answer, bounded, count, exactly, fault, text};
use crate::istio::go;

/// `append LIST VALUE`.
pub(super) fn append(arguments: &[Go]) -> Answer {
    let [list, value] = exactly("append", arguments)?;
    let mut items = items("append", list)?.to_vec();
    items.push(value.clone());
    Ok(Go::Array(items))
}

/// `default DEFAULT VALUE`: the default for a value that is empty, which zero and false are too.
pub(super) fn default(arguments: &[Go]) -> Answer {
    match arguments {
        [default] => Ok(default.clone()),
        [default, value] => Ok(if is_empty(value) { default.clone() } else { value.clone() }),
        _ => Err(FuncError::ExactlyXArgs("default".to_owned(), 2)),
    }
}

fn is_empty(value: &Go) -> bool {
    match value {
        Go::Nil | Go::NoValue => true,
        Go::Bool(value) => !value,
        Go::String(text) => text.is_empty(),
        Go::Array(items) => items.is_empty(),
        Go::Map(fields) => fields.is_empty(),
        Go::Number(number) => number.as_i64() == Some(0) || number.as_f64() == Some(0.0),
        Go::Object(_) | Go::Function(_) => false,
    }
}

/// `dict KEY VALUE KEY VALUE …`.
#[expect(clippy::unnecessary_wraps, reason = "the engine wants functions of this type")]
pub(super) fn dict(arguments: &[Go]) -> Answer {
    let entry = |pair: &[Go]| {
        let value = pair.get(1).cloned().unwrap_or_else(|| Go::String(String::new()));
        (go::sprint(&pair[0]), value)
    };
    Ok(Go::Map(arguments.chunks(2).map(entry).collect()))
}

/// `join SEPARATOR LIST`.
pub(super) fn join(arguments: &[Go]) -> Answer {
    let [separator, list] = exactly("join", arguments)?;
    let separator = text("join", separator)?;
    let items: Vec<String> = items("join", list)?.iter().map(go::sprint).collect();
    let of_items: usize = items.iter().map(String::len).sum();
    bounded("join", separator.len().saturating_mul(items.len()).saturating_add(of_items))?;
    Ok(Go::String(items.join(separator)))
}

/// `list VALUE …`.
#[expect(clippy::unnecessary_wraps, reason = "the engine wants functions of this type")]
pub(super) fn list(arguments: &[Go]) -> Answer {
    Ok(Go::Array(arguments.to_vec()))
}

/// `nindent SPACES TEXT`: on a new line, and all lines indented.
pub(super) fn nindent(arguments: &[Go]) -> Answer {
    let [spaces, source] = exactly("nindent", arguments)?;
    let (spaces, source) = (count("nindent", spaces)?, text("nindent", source)?);
    let lines = source.matches('\n').count() + 1;
    bounded("nindent", lines.saturating_mul(spaces).saturating_add(source.len()))?;
    let margin = format!("\n{}", " ".repeat(spaces));
    Ok(Go::String(format!("{margin}{}", source.replace('\n', &margin))))
}

/// `quote VALUE …`: in double quotes, without what is nothing.
#[expect(clippy::unnecessary_wraps, reason = "the engine wants functions of this type")]
pub(super) fn quote(arguments: &[Go]) -> Answer {
    let given = arguments.iter().filter(|value| !matches!(value, Go::Nil | Go::NoValue));
    let quoted: Vec<String> = given.map(|value| Json::from(go::sprint(value)).to_string()).collect();
    Ok(Go::String(quoted.join(" ")))
}

/// `trimAll CHARACTERS TEXT`.
pub(super) fn trim_all(arguments: &[Go]) -> Answer {
    let [characters, source] = exactly("trimAll", arguments)?;
    let characters = text("trimAll", characters)?;
    Ok(Go::String(
        text("trimAll", source)?.trim_matches(|c| characters.contains(c)).to_owned(),
    ))
}

/// `trunc LENGTH TEXT`: the first characters; with a negative length the last. Go counts bytes, which are the same in a
/// label.
pub(super) fn trunc(arguments: &[Go]) -> Answer {
    let [length, source] = exactly("trunc", arguments)?;
    let source = text("trunc", source)?;
    let Go::Number(number) = length else {
        return Err(fault(format!("trunc: {} is no length", go::sprint(length))));
    };
    let size = number.as_i64().and_then(|length| usize::try_from(length.unsigned_abs()).ok());
    let size = size.ok_or_else(|| fault(format!("trunc: {number} is no length")))?;
    let skipped = if number.as_i64() < Some(0) {
        source.chars().count().saturating_sub(size)
    } else {
        0
    };
    Ok(Go::String(source.chars().skip(skipped).take(size).collect()))
}

fn items<'a>(name: &str, list: &'a Go) -> Result<&'a [Go], FuncError> {
    match list {
        Go::Array(items) => Ok(items),
        other => Err(fault(format!("{name}: {} is not a list", go::sprint(other)))),
    }
}
