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
    /// It fails at once, or with `EPERM` where a program cannot set another error.
    Fail(ConnectError),
}

/// The error with which `connect()` or `sendto()` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ConnectError {
    /// `EACCES`.
    NotAllowed = 13,
    /// `EINVAL`.
    Invalid = 22,
    /// `ENETUNREACH`.
    NetworkUnreachable = 101,
    /// `ECONNREFUSED`.
    Refused = 111,
    /// `EHOSTUNREACH`.
    HostUnreachable = 113,
}

impl ConnectError {
    /// Its number, the same on all architectures that the programs run on.
    #[inline(always)]
    pub const fn errno(self) -> i32 {
        self as i32
    }

    /// Its name in `errno.h`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "EACCES",
            Self::Invalid => "EINVAL",
            Self::NetworkUnreachable => "ENETUNREACH",
            Self::Refused => "ECONNREFUSED",
            Self::HostUnreachable => "EHOSTUNREACH",
        }
    }
}
