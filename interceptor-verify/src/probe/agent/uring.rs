// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections by `io_uring`: the kernel makes them without a system call for each.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use compio_driver::{DriverType, Proactor, PushEntry, op::Connect};
use nix::errno::Errno;
use socket2::{SockAddr, Socket};

use crate::{
    probe::{Step, failure},
    retry::{SystemError as _, wait_connected},
};

pub(super) struct Ring(Proactor);

impl Ring {
    pub(super) fn new() -> anyhow::Result<Self> {
        // Nothing is finished but where it is waited for; else the kernel would interrupt other system calls for it
        // (Linux 6.1).
        let ring = Proactor::builder()
            .driver_type(DriverType::IoUring)
            .single_issuer(true)
            .defer_taskrun(true)
            .build();
        ring.map(Self)
            .context("make an io_uring; the sysctl kernel.io_uring_disabled may forbid it")
    }

    /// `IORING_OP_CONNECT`
    pub(super) fn connect(&mut self, socket: &Socket, to: SockAddr, limit: Duration) -> Step<()> {
        let Self(ring) = self;
        let fail = |error: io::Error| {
            let error = if error.kind() == io::ErrorKind::TimedOut {
                Errno::ETIMEDOUT.into()
            } else {
                error
            };
            failure("connect", &error)
        };
        let deadline = Instant::now() + limit;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut entry = ring.push(Connect::new(socket.try_clone().map_err(fail)?, to));
        loop {
            match entry {
                PushEntry::Ready(done) => {
                    return match done.0 {
                        Err(error) if error.is_interruption() => wait_connected(socket, Some(left())),
                        connected => connected.map(drop),
                    }
                    .map_err(fail);
                }
                PushEntry::Pending(key) => match ring.poll(Some(left())) {
                    Err(error) if !(error.is_interruption() || is_early(&error, left())) => {
                        ring.cancel(key);
                        return Err(fail(error));
                    }
                    _ => entry = ring.pop(key),
                },
            }
        }
    }
}

/// Whether an interruption was taken for the end of the time: the call that submits a request and is then interrupted
/// says that it has submitted one.
fn is_early(error: &io::Error, left: Duration) -> bool {
    error.kind() == io::ErrorKind::TimedOut && !left.is_zero()
}
