// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A manifest that is not what Kubernetes takes, and typed access to one. Nothing here changes a manifest.

use std::{error::Error, fmt};

use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// A value of a manifest that Kubernetes would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where the value is, such as `spec.template.spec.initContainers[0].args`.
    pub path: String,
    /// What is there.
    pub found: String,
    /// What belongs there.
    pub wanted: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, found, wanted } = self;
        let path = if path.is_empty() { "the document" } else { path };
        write!(f, "{path}: expected {wanted}; found {found}")
    }
}

impl Error for Malformed {}

/// A value and where it is. What is `null` counts as absent, as in Kubernetes.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) path: String,
    value: &'a Value,
}

impl<'a> At<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self::new(String::new(), value)
    }

    pub(crate) fn new(path: String, value: &'a Value) -> Self {
        Self { path, value }
    }

    pub(crate) fn object(&self) -> Result<&'a Object, Malformed> {
        self.value.as_object().ok_or_else(|| self.malformed("an object"))
    }

    pub(crate) fn text(&self) -> Result<&'a str, Malformed> {
        self.value
            .as_str()
            .ok_or_else(|| self.malformed("a string (put the value in quotes)"))
    }

    pub(crate) fn switch(&self) -> Result<bool, Malformed> {
        self.value.as_bool().ok_or_else(|| self.malformed("true or false"))
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Result<Vec<Self>, Malformed> {
        let items = self.value.as_array().ok_or_else(|| self.malformed("a list"))?;
        let items = items.iter().enumerate();
        Ok(items
            .map(|(index, value)| Self::new(format!("{}[{index}]", self.path), value))
            .collect())
    }

    /// A field of an object.
    pub(crate) fn field(&self, name: &str) -> Result<Option<Self>, Malformed> {
        let value = self.object()?.get(name).filter(|value| !value.is_null());
        Ok(value.map(|value| Self::new(self.path_to(name), value)))
    }

    /// A field of an object, which has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<Self, Malformed> {
        const NULL: &Value = &Value::Null;
        match self.field(name)? {
            Some(field) => Ok(field),
            None => Err(Self::new(self.path_to(name), NULL).malformed("a value")),
        }
    }

    /// The field at the end of a way through objects, any of which may be absent.
    pub(crate) fn descend(&self, names: &[&str]) -> Result<Option<Self>, Malformed> {
        let start = Some(self.clone());
        names.iter().try_fold(start, |at, name| match at {
            Some(at) => at.field(name),
            None => Ok(None),
        })
    }

    /// The strings of a list that may be absent.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Malformed> {
        let items = self.list(name)?;
        items.iter().map(Self::text).collect()
    }

    /// The items of a list that may be absent.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Self>, Malformed> {
        self.field(name)?.map_or_else(|| Ok(Vec::new()), |list| list.items())
    }

    fn path_to(&self, name: &str) -> String {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match (self.path.as_str(), plain) {
            ("", _) => name.to_owned(),
            (path, true) => format!("{path}.{name}"),
            (path, false) => format!("{path}[{name:?}]"),
        }
    }

    pub(crate) fn malformed(&self, wanted: &'static str) -> Malformed {
        let found = match self.value {
            Value::Null => "none".to_owned(),
            Value::Bool(_) | Value::Number(_) => format!("`{}`", self.value),
            Value::String(_) => "a string".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        Malformed { path: self.path.clone(), found, wanted }
    }
}
