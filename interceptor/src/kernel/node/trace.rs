// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Prints what the kernel programs of a debug build log: each reason as they count it. It changes nothing.

use std::{convert::Infallible, os::fd::AsFd as _};

use anyhow::{Context as _, Result};
use aya::programs::ProgramInfo;
use aya_log::EbpfLogger;
use interceptor_policy::Reason;
use log::{Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::kernel::{node::bpffs::Bpffs, sys};

/// Calls `each` with the cookie of the pod and the reason whenever a kernel program counts one, for ever.
pub(crate) fn follow(bpffs: &Bpffs, each: impl Fn(u64, Reason) + Send + Sync) -> Result<Infallible> {
    let pin = bpffs.layout().programs().join("on_connect4");
    let program =
        ProgramInfo::from_pin(&pin).with_context(|| format!("Failed to open {}; is a pod enrolled?", pin.display()))?;
    let mut logger = EbpfLogger::init_from_id_with_logger(program.id(), Reader(each))
        .context("Failed to find the programs' log; they were loaded by a build without the feature kernel-log")?;
    loop {
        let mut fds = [PollFd::new(logger.as_fd(), PollFlags::POLLIN)];
        sys::retry(|| Ok(poll(&mut fds, PollTimeout::NONE)?)).context("Failed to wait for the programs' log")?;
        logger.flush();
    }
}

/// Turns the programs' messages, a cookie and the number of a reason, into a call.
struct Reader<F>(F);

impl<F: Fn(u64, Reason) + Send + Sync> Log for Reader<F> {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let message = record.args().to_string();
        let parsed = message.split_once(' ').and_then(|(cookie, reason)| {
            Some((cookie.parse().ok()?, *Reason::ALL.get(reason.parse::<usize>().ok()?)?))
        });
        if let Some((cookie, reason)) = parsed {
            self.0(cookie, reason);
        } else {
            tracing::warn!("A kernel program said something unknown: {message}");
        }
    }

    fn flush(&self) {}
}
