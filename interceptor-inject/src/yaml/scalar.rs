// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a word without quotes means. The rules are those of the library that kubectl reads YAML with, which knows more
//! notations than YAML 1.2: `yes` is true, and `0755` is a number
//! ([`resolve.go`](https://github.com/kubernetes-sigs/yaml/blob/master/goyaml.v2/resolve.go)).

use serde_json::{Number, Value};

const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];
const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];

/// The value of a plain scalar; `None` for infinity and what is no number, which JSON does not have.
pub(super) fn resolve(text: &str) -> Option<Value> {
    if NULL.contains(&text) {
        return Some(Value::Null);
    }
    if TRUE.contains(&text) {
        return Some(Value::Bool(true));
    }
    if FALSE.contains(&text) {
        return Some(Value::Bool(false));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text) {
        return None;
    }
    Some(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

/// Whether a string would be taken for something else if it stood without quotes.
pub(super) fn is_ambiguous(text: &str) -> bool {
    // Versions of YAML differ about numbers, times and dates.
    let may_be_number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    may_be_number || !matches!(resolve(text), Some(Value::String(_)))
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| {
        let float = is_float(&plain).then(|| plain.parse().ok()).flatten()?;
        Number::from_f64(float)
    })
}

fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some(leading) if leading.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if is_negative { -magnitude } else { magnitude };
    i64::try_from(value)
        .map(Number::from)
        .or_else(|_large| u64::try_from(value).map(Number::from))
        .ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let is_exponent = exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_exponent && is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}
