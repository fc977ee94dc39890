// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What to do in the machine, as `interceptor-init` reads it.

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// A program with its arguments.
    command: Vec<String>,
    otherwise: Option<Otherwise>,
}

/// For kernels that lack something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Otherwise {
    /// What `interceptor check` says of it.
    unless: &'static str,
    instead: Option<Vec<String>>,
}

impl Step {
    pub(super) fn new(command: Vec<String>) -> Self {
        Self { command, otherwise: None }
    }

    pub(super) fn program(&self) -> Option<&str> {
        self.command.first().map(String::as_str)
    }

    /// The words of `line`.
    pub(super) fn of_line(line: &str) -> Self {
        Self::new(words(line))
    }

    /// To do `instead`, or nothing, where `interceptor check` says `unless` of something that is not there.
    pub(super) fn unless(self, unless: &'static str, instead: Option<&str>) -> Self {
        Self { otherwise: Some(Otherwise { unless, instead: instead.map(words) }), ..self }
    }

    pub(super) fn order(&self) -> Value {
        let Self { command, otherwise } = self;
        match otherwise {
            None => json!({ "command": command }),
            Some(Otherwise { unless, instead }) => json!({ "command": command, "unless": unless, "instead": instead }),
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
