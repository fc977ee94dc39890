// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How numbers are written.

use crate::{experiment::Unit, stats::Interval};

pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value >= 1e6 => format!("{} ms", three_digits(value / 1e6)),
        Unit::Nanoseconds => format!("{} µs", three_digits(value / 1e3)),
        Unit::GigabitsPerSecond => format!("{} Gbit/s", three_digits(value)),
        Unit::PerSecond => format!("{value:.0} /s"),
        Unit::Bytes if value >= 1024.0 => format!("{} KiB", three_digits(value / 1024.0)),
        Unit::Bytes => format!("{value:.0} B"),
    }
}

/// A number without a unit, with its confidence interval.
pub(super) fn interval(Interval { value, low, high }: Interval) -> String {
    format!("{value:.3} [{low:.3}, {high:.3}]")
}

pub(super) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.1} %", share * 100.0)
    } else {
        "unknown".to_owned()
    }
}

/// As many digits as mean something.
fn three_digits(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits_and_a_unit() {
        let shown = |number: f64, unit| value(number, unit);
        assert_eq!(shown(18_234.0, Unit::Nanoseconds), "18.2 µs");
        assert_eq!(shown(1_234_567.0, Unit::Nanoseconds), "1.23 ms");
        assert_eq!(shown(123.4, Unit::GigabitsPerSecond), "123 Gbit/s");
        assert_eq!(shown(4_321.4, Unit::PerSecond), "4321 /s");
        assert_eq!(shown(64.0, Unit::Bytes), "64 B");
        assert_eq!(shown(32_768.0, Unit::Bytes), "32.0 KiB");
    }
}
