// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be done with a connection. This file does not say when.

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes where the application sent it.
    Pass,
    /// It goes to the sidecar's outbound port (15001).
    RedirectOutbound,
    /// It goes to the sidecar's inbound port (15006).
    RedirectInbound,
    /// It goes to the sidecar's DNS port (15053).
    RedirectDns,
    /// It fails with `ECONNREFUSED`, or with `EPERM` where a program cannot set another error.
    Refuse,
}
