// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the text of a setting comes from: the flag wins over the environment, and the environment over the default.

use std::{fmt::Debug, time::Duration};

use crate::{
    error::ConfigError,
    settings::{Flags, Setting},
    values::go,
};

/// Looks up an environment variable. A variable that is set to nothing is set.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that a setting may be given by.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub flags: &'a Flags,
    pub environment: Environment<'a>,
}

/// Reads settings one by one, and collects warnings.
pub(crate) struct Reader<'a> {
    sources: Sources<'a>,
    warnings: Vec<String>,
}

/// A text, and who gave it.
enum Given {
    Flag(String),
    Variable(String),
    Default(&'static str),
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(sources: Sources<'a>) -> Self {
        Self { sources, warnings: Vec::new() }
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Adds a warning about what a setting refers to.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(crate) fn text(&self, setting: Setting) -> String {
        match self.given(setting) {
            Given::Flag(text) | Given::Variable(text) => text,
            Given::Default(text) => text.to_owned(),
        }
    }

    pub(crate) fn switch(&mut self, setting: Setting) -> Result<bool, ConfigError> {
        self.lenient(setting, "true or false", |text| go::parse_bool(text).ok_or(false))
    }

    pub(crate) fn duration(&mut self, setting: Setting) -> Result<Duration, ConfigError> {
        self.lenient(setting, "a duration, such as 5s", |text| {
            go::parse_duration(text).ok_or(Duration::ZERO)
        })
    }

    pub(crate) fn number(&mut self, setting: Setting) -> Result<u16, ConfigError> {
        self.lenient(setting, "a number from 0 to 65535", |text| {
            // strconv.ParseUint gives the nearest number along with its error.
            let too_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            go::parse_decimal(text).ok_or(if too_large { u16::MAX } else { 0 })
        })
    }

    /// A setting of ours, for which a variable that is set to nothing is not set.
    pub(crate) fn own_text(&self, setting: Setting) -> String {
        match self.given(setting) {
            Given::Flag(text) => text,
            Given::Variable(text) if !text.is_empty() => text,
            Given::Variable(_) | Given::Default(_) => setting.row().default.to_owned(),
        }
    }

    /// A setting of ours, of which a bad value is refused wherever it stands.
    pub(crate) fn own_switch(&self, setting: Setting) -> Result<bool, ConfigError> {
        let value = self.own_text(setting);
        go::parse_bool(&value).ok_or(ConfigError::NotAValue { setting, value, wanted: "true or false" })
    }

    /// For a bad value in the environment, Istio
    /// [ignores the error](https://github.com/istio/istio/blob/master/pkg/flag/flag.go). By then Go's flag library has
    /// stored a zero: the `Err` of `parse`. A bad value on the command line is an error.
    fn lenient<T: Debug>(
        &mut self,
        setting: Setting,
        wanted: &'static str,
        parse: impl FnOnce(&str) -> Result<T, T>,
    ) -> Result<T, ConfigError> {
        let refused = |value: String| ConfigError::NotAValue { setting, value, wanted };
        match self.given(setting) {
            Given::Variable(text) => Ok(parse(&text).unwrap_or_else(|zero| {
                self.warnings.push(format!(
                    "{setting}: `{text}` is not {wanted}; taken for {zero:?}, as Istio does"
                ));
                zero
            })),
            Given::Flag(text) => parse(&text).map_err(|_zero| refused(text)),
            Given::Default(text) => parse(text).map_err(|_zero| refused(text.to_owned())),
        }
    }

    fn given(&self, setting: Setting) -> Given {
        let Sources { flags, environment } = self.sources;
        // The strongest variable that is set.
        let variable = || setting.variables().iter().rev().find_map(|name| environment(name));
        flags
            .get(setting)
            .map(|text| Given::Flag(text.to_owned()))
            .or_else(|| variable().map(Given::Variable))
            .unwrap_or_else(|| Given::Default(setting.row().default))
    }
}
