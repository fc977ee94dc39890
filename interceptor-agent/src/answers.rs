// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Refusals: which code an error gets, and what the pod's event says. The errors themselves name no next step.

use interceptor::EnrollError;
use interceptor_config::kubernetes::Faults;
use interceptor_wire::Answer;

use crate::{codes, pods::LookupError, turns::TurnError};

pub(crate) fn refused(code: u32, msg: impl Into<String>) -> Answer {
    Answer::Refused { code, msg: msg.into(), retry: code == codes::TRY_AGAIN }
}

/// To a request that came while too many waited.
pub(crate) fn overloaded(waiting: usize) -> Answer {
    refused(
        codes::TRY_AGAIN,
        format!("{waiting} requests wait for the node agent of Interceptor already; kubelet tries again"),
    )
}

/// The pod was not found.
pub(crate) fn not_found(error: &LookupError) -> Answer {
    match error {
        LookupError::NotFound { .. } | LookupError::OtherUid { .. } => refused(codes::UNKNOWN_POD, error.to_string()),
        LookupError::Unreachable { .. } => refused(codes::TRY_AGAIN, format!("{error}; kubelet tries again")),
    }
}

/// The pod asks for what is not valid.
pub(crate) fn bad_pod(faults: &Faults) -> Answer {
    refused(
        codes::BAD_POD,
        format!("The pod cannot be intercepted as it asks for: {faults}"),
    )
}

/// The work did not begin in time, or did not end well.
pub(crate) fn no_turn(error: &TurnError) -> Answer {
    match error {
        TurnError::Late | TurnError::Gone => refused(codes::TRY_AGAIN, format!("{error}; kubelet tries again")),
        TurnError::Panicked => refused(codes::INTERNAL, error.to_string()),
    }
}

/// The library refused, or failed.
pub(crate) fn failed(error: &EnrollError) -> Answer {
    let code = match error {
        EnrollError::HostNamespace { .. }
        | EnrollError::NotANamespace { .. }
        | EnrollError::Gone { what: "network namespace", .. } => codes::NETWORK_NAMESPACE,
        EnrollError::Busy { .. } => codes::TRY_AGAIN,
        EnrollError::Config(_) => codes::BAD_POD,
        _ => codes::FAILED,
    };
    let next = match error {
        EnrollError::KernelLacks { .. } => "; `interceptor check` on the node tries everything that is needed",
        EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. } => {
            "; mount a BPF file system there, or name another with --bpffs of the node agent"
        }
        EnrollError::OtherRules { .. } => {
            "; both CNI plugins are installed: take istio-cni out of the list of plugins of the node"
        }
        EnrollError::NodeFull { .. } => "; `interceptor status` on the node shows them",
        EnrollError::NotPermitted(_) => "; the node agent needs CAP_NET_ADMIN and CAP_SYS_ADMIN",
        EnrollError::Busy { .. } => "; kubelet tries again",
        _ => "",
    };
    refused(code, format!("{}{next}", chain(error)))
}

/// An error with its causes, in one line.
fn chain(error: &EnrollError) -> String {
    match error {
        EnrollError::Failed(error) => format!("{error:#}"),
        error => error.to_string(),
    }
}
