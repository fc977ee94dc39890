// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asks the node agent.

use std::{os::fd::BorrowedFd, time::Duration, time::Instant};

use interceptor_wire::{Answer, AskError, Connection, Descriptors, Did, Request};

use crate::{
    config::Config,
    error::{CniError, code},
};

/// How long a question may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For an agent that does not listen yet. Zero: one try.
    pub(crate) connect: Duration,
    /// In all.
    pub(crate) answer: Duration,
}

impl Patience {
    pub(crate) fn of(config: &Config<'_>) -> Self {
        Self { connect: config.connect_timeout, answer: config.request_timeout }
    }
}

/// An agent that listens.
pub(crate) struct Agent {
    connection: Connection,
    deadline: Instant,
}

impl Agent {
    pub(crate) fn connect(config: &Config<'_>, patience: Patience) -> Result<Self, AskError> {
        let start = Instant::now();
        let connection = Connection::open(&config.socket(), start + patience.connect)?;
        Ok(Self { connection, deadline: start + patience.answer })
    }

    pub(crate) fn ask(self, request: &Request, descriptors: &Descriptors<BorrowedFd<'_>>) -> Result<Answer, AskError> {
        self.connection.ask(request, descriptors, self.deadline)
    }
}

/// The error of a verb that needs an answer and has none.
pub(crate) fn unanswered(error: &AskError) -> CniError {
    const WHERE: &str = "look at the agent's pod on this node";
    match error {
        AskError::Unreachable { .. } | AskError::NoAnswer | AskError::Lost(_) => CniError::new(
            code::TRY_AGAIN_LATER,
            format!(
                "The node agent of Interceptor did not answer; kubelet tries again ({error}; if it lasts, {WHERE})"
            ),
        ),
        AskError::Foreign { .. } | AskError::Malformed(_) => CniError::new(
            code::AGENT,
            format!("The node agent of Interceptor was not understood: {error}; {WHERE}, which installs this plugin"),
        ),
    }
}

/// The error of a verb that the agent refuses. Its message was written for the pod's event.
pub(crate) fn refused(code: u32, msg: String) -> CniError {
    // 0 would mean success.
    CniError::new(if code == 0 { code::AGENT } else { code }, msg)
}

/// The error of a verb to which the agent's answer is none.
pub(crate) fn unexpected(did: Did) -> CniError {
    CniError::new(
        code::AGENT,
        format!(
            "The node agent of Interceptor answered {did:?} to another question; \
             install plugin and agent of one release"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use interceptor_wire::Malformed;

    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_not() {
        let unreachable = AskError::Unreachable {
            socket: "/run/interceptor/cni.sock".into(),
            cause: io::ErrorKind::NotFound.into(),
        };
        let error = unanswered(&unreachable);
        assert_eq!(error.code, 11);
        assert!(error.msg.contains("/run/interceptor/cni.sock"), "{error:?}");
        assert_eq!(unanswered(&AskError::NoAnswer).code, 11);
        assert_eq!(unanswered(&AskError::Malformed(Malformed::Version { theirs: 2 })).code, 100);
    }

    #[test]
    fn a_refusal_is_an_error_whatever_its_code() {
        assert_eq!(refused(0, "Because".into()).code, 100);
        assert_eq!(refused(7, "Because".into()), CniError::new(7, "Because"));
    }
}
