// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a pod must not start: everything that is wrong with it, each with its place in the pod.

use thiserror::Error;

use crate::error::{AnnotationFault, ConfigError};

/// Everything that is wrong with one pod. There is at least one fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(". "))]
pub struct Faults {
    pub faults: Vec<Fault>,
}

/// One thing that is wrong with a pod.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The value of an annotation is not valid.
    #[error(transparent)]
    Annotation(AnnotationFault),

    /// The value of an annotation is valid, and cannot be carried out.
    #[error("{annotation}: {error}")]
    Refused { annotation: &'static str, error: ConfigError },

    /// No user or group has such a number.
    #[error("securityContext.{field} of {container}: `{id}` is not an ID; write a number from 1 to 4294967294")]
    Id { container: &'static str, field: &'static str, id: i64 },

    /// All else. The error names the setting by its flag.
    #[error(transparent)]
    Setting(ConfigError),
}
