// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a pod is not injected although it is to be.

use std::{error::Error, fmt};

use crate::{malformed::Malformed, outcome::Reason};

/// A manifest that is not injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainError {
    /// Kind, namespace and name, as in `Deployment shop/web`; empty if it is not known.
    pub workload: String,
    pub fault: PlainFault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlainFault {
    /// Kubernetes would not take the manifest.
    Malformed(Malformed),
    /// Istio injects the pod.
    Istios { sign: &'static str },
    /// Interceptor would not work in the pod.
    Unfit(Reason),
    /// Annotations about the pod's traffic cannot be carried out.
    Traffic { message: String },
}

impl From<Malformed> for PlainFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Malformed> for PlainError {
    fn from(malformed: Malformed) -> Self {
        Self { workload: String::new(), fault: malformed.into() }
    }
}

impl fmt::Display for PlainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, fault } = self;
        if !workload.is_empty() {
            write!(f, "{workload}: ")?;
        }
        match fault {
            PlainFault::Malformed(malformed) => malformed.fmt(f),
            PlainFault::Istios { sign } => write!(
                f,
                "it has Istio's {sign}, and would get a second sidecar; rewrite it (--mode rewrite), or label it \
                 interceptor.dev/inject: \"false\""
            ),
            PlainFault::Unfit(reason) => write!(
                f,
                "it cannot be injected, because {reason}; to leave it out of the mesh, label it \
                 interceptor.dev/inject: \"false\""
            ),
            PlainFault::Traffic { message } => write!(f, "its annotations about traffic are refused: {message}"),
        }
    }
}

impl Error for PlainError {}
