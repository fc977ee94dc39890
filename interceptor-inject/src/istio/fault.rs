// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why Istio's template is not rendered for a pod. Istio itself refuses such pods too, or this program cannot render
//! what Istio would.

use std::{error::Error, fmt};

use crate::malformed::Malformed;

/// What to do where this program cannot render a template.
pub(super) const WAY_OUT: &str =
    "let Istio render it, and pipe the result here: istioctl kube-inject -f FILE | interceptor inject -f -";

/// A file with a part of Istio's configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The part, such as `the mesh configuration`.
    pub(super) part: &'static str,
    pub(super) reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, reason } = self;
        write!(f, "{part}: {reason}")
    }
}

impl Error for ConfigError {}

/// A manifest that is not injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectError {
    /// Kind, namespace and name, as in `Deployment shop/web`; empty if it is not known.
    pub workload: String,
    pub fault: InjectFault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectFault {
    /// Kubernetes would not take the manifest.
    Malformed(Malformed),
    /// Annotations with values that Istio refuses: all of them, each with its reason.
    Annotations(Vec<String>),
    /// The pod asks for a template that the configuration does not have.
    UnknownTemplate { name: String, known: Vec<String> },
    /// The template cannot be rendered. The text says where.
    Template { name: String, reason: String },
    /// What the template rendered is no patch of a pod.
    Rendered { name: String, reason: String },
    /// The injector of a cluster does not inject the pod.
    Injector { reason: String },
}

impl From<Malformed> for InjectFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Malformed> for InjectError {
    fn from(malformed: Malformed) -> Self {
        Self { workload: String::new(), fault: malformed.into() }
    }
}

impl fmt::Display for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, fault } = self;
        if !workload.is_empty() {
            write!(f, "{workload}: ")?;
        }
        fault.fmt(f)
    }
}

impl Error for InjectError {}

impl fmt::Display for InjectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Annotations(faults) => f.write_str(&faults.join("; ")),
            Self::UnknownTemplate { name, known } => write!(
                f,
                "its annotation inject.istio.io/templates names the template {name:?}, which the configuration does \
                 not have; it has {}",
                known.join(", ")
            ),
            Self::Injector { reason } => write!(f, "Istio's injector: {reason}"),
            Self::Template { name, reason } => write!(f, "Istio's template {name:?}: {reason}"),
            Self::Rendered { name, reason } => {
                write!(
                    f,
                    "what Istio's template {name:?} renders is no patch of a pod: {reason}; {WAY_OUT}"
                )
            }
        }
    }
}
