// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values as Go's flag library reads them, because manifests were written for it. What is not such a value is `None`,
//! and never an error.

use std::{str::FromStr, time::Duration};

/// [`strconv.ParseBool`](https://pkg.go.dev/strconv#ParseBool).
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// [`time.ParseDuration`](https://pkg.go.dev/time#ParseDuration). A negative duration becomes zero.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanos = 0_i64;
    let mut rest = unsigned;
    loop {
        let (component, after) = split_component(rest)?;
        nanos = nanos.checked_add(component)?;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Some(if negative {
        Duration::ZERO
    } else {
        Duration::from_nanos(nanos.unsigned_abs())
    })
}

/// Takes `1.5s` off the front of `1.5s20ms`: its nanoseconds, and what follows.
fn split_component(text: &str) -> Option<(i64, &str)> {
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    let (number, after) = text.split_at(text.find(|c| !numeric(c))?);
    let (unit, after) = after.split_at(after.find(numeric).unwrap_or(after.len()));
    let nanos_per_unit: i64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole_nanos = if whole.is_empty() {
        0
    } else {
        whole.parse::<i64>().ok()?.checked_mul(nanos_per_unit)?
    };
    // Further digits are worth less than a nanosecond, even for hours.
    let digits = fraction.get(..15).unwrap_or(fraction);
    let part = if digits.is_empty() { 0 } else { digits.parse::<i128>().ok()? };
    let fraction_nanos = part * i128::from(nanos_per_unit) / digits.bytes().fold(1, |scale, _digit| scale * 10);
    Some((whole_nanos.checked_add(i64::try_from(fraction_nanos).ok()?)?, after))
}

/// A decimal number without a sign and without leading zeros. C and Go take a number with a leading zero for octal.
pub(crate) fn parse_decimal<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (text.len() == 1 || !text.starts_with('0')) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::words(&["1", "t", "T", "TRUE", "true", "True"], Some(true))]
    #[case::negations(&["0", "f", "F", "FALSE", "false", "False"], Some(false))]
    #[case::anything_else(&["", "yes", "no", "on", "tRUE", " true", "2"], None)]
    fn bools(#[case] texts: &[&str], #[case] value: Option<bool>) {
        for text in texts {
            assert_eq!(parse_bool(text), value, "{text:?}");
        }
    }

    #[rstest]
    #[case::seconds("5s", Some(Duration::from_secs(5)))]
    #[case::compound("1m30s", Some(Duration::from_secs(90)))]
    #[case::millis("500ms", Some(Duration::from_millis(500)))]
    #[case::fraction("1.5h", Some(Duration::from_mins(90)))]
    #[case::leading_dot(".5s", Some(Duration::from_millis(500)))]
    #[case::trailing_dot("2.s", Some(Duration::from_secs(2)))]
    #[case::micro("3µs", Some(Duration::from_micros(3)))]
    #[case::below_a_nanosecond("1.9ns", Some(Duration::from_nanos(1)))]
    #[case::zero("0", Some(Duration::ZERO))]
    #[case::negative("-3s", Some(Duration::ZERO))]
    #[case::plus("+3s", Some(Duration::from_secs(3)))]
    #[case::no_unit("5", None)]
    #[case::unknown_unit("5d", None)]
    #[case::empty("", None)]
    #[case::only_a_sign("-", None)]
    #[case::only_a_dot(".s", None)]
    #[case::two_dots("1.2.3s", None)]
    #[case::too_long("9999999h", None)]
    #[case::many_digits("1.00000000000000000000000001s", Some(Duration::from_secs(1)))]
    fn durations(#[case] text: &str, #[case] value: Option<Duration>) {
        assert_eq!(parse_duration(text), value);
    }

    #[rstest]
    #[case::zero("0", Some(0))]
    #[case::largest("65535", Some(65_535))]
    #[case::too_large("65536", None)]
    #[case::octal("010", None)]
    #[case::hexadecimal("0x10", None)]
    #[case::sign("+1", None)]
    #[case::blank(" 1", None)]
    #[case::empty("", None)]
    fn decimals(#[case] text: &str, #[case] value: Option<u16>) {
        assert_eq!(parse_decimal(text), value);
    }
}
