// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One value of the chart, and its effect.

use serde_json::{Value, json};

/// A value, and what has to be where because of it.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) value: Value,
    pub(crate) kind: &'static str,
    pub(crate) pointer: String,
    pub(crate) expected: Value,
    /// What has to be set beside it.
    pub(crate) with: Value,
}

pub(crate) fn row(
    path: &'static str,
    value: Value,
    kind: &'static str,
    pointer: impl Into<String>,
    expected: Value,
) -> Row {
    Row { path, value, kind, pointer: pointer.into(), expected, with: json!({}) }
}

impl Row {
    pub(crate) fn with(self, with: Value) -> Self {
        Self { with, ..self }
    }
}
