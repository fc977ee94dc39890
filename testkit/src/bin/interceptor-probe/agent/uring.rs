// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections by `io_uring`: the kernel makes them without a system call for each.

use std::io;

use anyhow::Context as _;
use compio_driver::{DriverType, Proactor, PushEntry, op::Connect};
use nix::errno::Errno;
use socket2::{SockAddr, Socket};

use super::timeout;
use crate::socket::{Step, failure};

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
    pub(super) fn connect(&mut self, socket: &Socket, to: SockAddr) -> Step<()> {
        let Self(ring) = self;
        let fail = |error: io::Error| {
            let error = if error.kind() == io::ErrorKind::TimedOut {
                Errno::ETIMEDOUT.into()
            } else {
                error
            };
            failure("connect", &error)
        };
        let mut entry = ring.push(Connect::new(socket.try_clone().map_err(fail)?, to));
        loop {
            match entry {
                PushEntry::Ready(done) => return done.0.map(drop).map_err(fail),
                PushEntry::Pending(key) => {
                    if let Err(error) = ring.poll(Some(timeout())) {
                        ring.cancel(key);
                        return Err(fail(error));
                    }
                    entry = ring.pop(key);
                }
            }
        }
    }
}
