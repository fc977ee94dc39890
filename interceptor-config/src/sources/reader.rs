// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads settings one by one. The flag wins over the environment, the environment over the annotation, and the
//! annotation over the default. A text is judged only as far as Go's flag library judges it.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use super::annotations::{self, Annotations};
use crate::{
    error::ConfigError,
    settings::{Flags, Setting},
    values::go,
};

/// Looks up an environment variable. A variable that is set to nothing is set.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that a setting may be given by, the strongest source first.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub flags: &'a Flags,
    pub environment: Environment<'a>,
    /// `None` if the pod's annotations are not read. If they are read, a pod without annotations has the defaults of
    /// Istio's CNI plugin, which are not those of `istio-iptables`.
    pub annotations: Option<Annotations<'a>>,
}

/// Reads settings one by one, and collects warnings.
pub(crate) struct Reader<'a> {
    flags: &'a Flags,
    environment: Environment<'a>,
    /// As flags would say it.
    annotations: BTreeMap<Setting, String>,
    warnings: Vec<String>,
}

/// A text, and who gave it.
enum Given<'a> {
    Flag(&'a str),
    Variable(String),
    Annotation(&'a str),
    Default(&'static str),
}

impl<'a> Reader<'a> {
    /// Judges all annotations at once, so that one error names every bad annotation.
    pub(crate) fn new(sources: Sources<'a>) -> Result<Self, ConfigError> {
        let Sources { flags, environment, annotations } = sources;
        let annotations = annotations.map_or_else(|| Ok(BTreeMap::new()), annotations::read)?;
        Ok(Self { flags, environment, annotations, warnings: Vec::new() })
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Adds a warning about what a setting refers to.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(crate) fn text(&self, setting: Setting) -> String {
        self.given(setting, self.variable(setting)).into_text()
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

    /// A setting of Interceptor's own, for which a variable that is set to nothing is not set.
    pub(crate) fn own_text(&self, setting: Setting) -> String {
        let variable = self.variable(setting).filter(|text| !text.is_empty());
        self.given(setting, variable).into_text()
    }

    /// A switch of Interceptor's own. A bad value is an error, whichever source gives it.
    pub(crate) fn own_switch(&self, setting: Setting) -> Result<bool, ConfigError> {
        let value = self.own_text(setting);
        go::parse_bool(&value).ok_or(ConfigError::NotAValue { setting, value, wanted: "true or false" })
    }

    /// For a bad value in the environment, Istio
    /// [ignores the error](https://github.com/istio/istio/blob/master/pkg/flag/flag.go). By then Go's flag library has
    /// stored a zero: the `Err` of `parse`. A bad value from any other source is an error.
    fn lenient<T: Debug>(
        &mut self,
        setting: Setting,
        wanted: &'static str,
        parse: impl FnOnce(&str) -> Result<T, T>,
    ) -> Result<T, ConfigError> {
        match self.given(setting, self.variable(setting)) {
            Given::Variable(text) => Ok(parse(&text).unwrap_or_else(|zero| {
                self.warn(format!(
                    "{setting}: `{text}` is not {wanted}; taken for {zero:?}, as Istio does"
                ));
                zero
            })),
            Given::Flag(text) | Given::Annotation(text) | Given::Default(text) => {
                parse(text).map_err(|_zero| ConfigError::NotAValue { setting, value: text.to_owned(), wanted })
            }
        }
    }

    fn given(&self, setting: Setting, variable: Option<String>) -> Given<'_> {
        let annotation = || self.annotations.get(&setting).map(|text| Given::Annotation(text));
        self.flags
            .get(setting)
            .map(Given::Flag)
            .or_else(|| variable.map(Given::Variable))
            .or_else(annotation)
            .unwrap_or_else(|| Given::Default(setting.default()))
    }

    /// The strongest variable that is set.
    fn variable(&self, setting: Setting) -> Option<String> {
        setting.variables().iter().rev().find_map(|name| (self.environment)(name))
    }
}

impl Given<'_> {
    fn into_text(self) -> String {
        match self {
            Self::Flag(text) | Self::Annotation(text) | Self::Default(text) => text.to_owned(),
            Self::Variable(text) => text,
        }
    }
}
