// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The differences that are known, and why they are there. What is not among them is a difference.

use serde::Serialize;

/// The differences that `docs/differences.md` lists and that are met here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    BoundToInterface,
    LoopbackByInterface,
    QuestionByInterface,
    MptcpOfSidecar,
}

impl Listed {
    /// Why it differs.
    pub const fn why(self) -> &'static str {
        match self {
            Self::BoundToInterface => {
                "a socket that is bound to an interface and is to be redirected is refused here at once; under \
                 iptables it finds out by waiting that it never connects, unless it is bound to lo and its source is \
                 an address of lo"
            }
            Self::LoopbackByInterface => {
                "a socket that is bound to an interface reaches loopback addresses here, where DNS was captured; \
                 under iptables its packets leave by that interface"
            }
            Self::QuestionByInterface => {
                "a connected UDP socket that is bound to an interface is answered by the DNS agent here; under \
                 iptables it is never answered"
            }
            Self::MptcpOfSidecar => "the sidecar's user gets no MPTCP socket here, as where MPTCP is switched off",
        }
    }
}
