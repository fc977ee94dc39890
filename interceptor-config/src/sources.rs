// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the text of a setting comes from: flag over environment over default.

use std::time::Duration;

use super::{Setting, go};

/// Looks up an environment variable. One that is set to nothing is set.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the command line leaves open, and the warnings on the way.
pub(super) struct Sources<'a> {
    environment: Environment<'a>,
    warnings: Vec<String>,
}

impl<'a> Sources<'a> {
    pub(super) const fn new(environment: Environment<'a>) -> Self {
        Self { environment, warnings: Vec::new() }
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    pub(super) fn text(&self, flag: Option<&String>, setting: Setting, default: &str) -> String {
        flag.cloned()
            .or_else(|| self.variable(setting).map(|(_name, value)| value))
            .unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn switch(&mut self, flag: Option<bool>, setting: Setting) -> bool {
        self.value(flag, setting, false, |text| go::parse_bool(text).ok_or(false))
    }

    pub(super) fn duration(&mut self, flag: Option<Duration>, setting: Setting, default: Duration) -> Duration {
        self.value(flag, setting, default, |text| go::parse_duration(text).ok_or(Duration::ZERO))
    }

    pub(super) fn number(&mut self, flag: Option<u16>, setting: Setting, default: u16) -> u16 {
        self.value(flag, setting, default, |text| {
            // strconv.ParseUint gives the nearest number along with its error.
            let too_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            go::parse_decimal(text).ok_or(if too_large { u16::MAX } else { 0 })
        })
    }

    /// A bad value on the command line never gets here. For one in the environment Istio
    /// [ignores the error](https://github.com/istio/istio/blob/master/pkg/flag/flag.go), by when Go's flag library has stored a zero:
    /// the `Err` of `parse`.
    fn value<T: Copy + std::fmt::Debug>(
        &mut self,
        flag: Option<T>,
        setting: Setting,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, T>,
    ) -> T {
        if let Some(value) = flag {
            return value;
        }
        let Some((name, text)) = self.variable(setting) else { return default };
        parse(&text).unwrap_or_else(|zero| {
            self.warnings.push(format!(
                "{name}: `{text}` is not a value of {setting}; taken for {zero:?}, as Istio does"
            ));
            zero
        })
    }

    /// The strongest variable that is set.
    fn variable(&self, setting: Setting) -> Option<(&'static str, String)> {
        setting
            .variables
            .iter()
            .rev()
            .find_map(|name| (self.environment)(name).map(|value| (*name, value)))
    }
}
