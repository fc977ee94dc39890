// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many TCP connections, counted by outcome.

use std::{io, os::fd::AsFd as _, time::Duration};

use clap::Args;
use nix::poll::{PollFd, PollFlags};
use testkit::{
    records::{Failure, Tally},
    retry::poll,
};

#[derive(Args)]
pub(crate) struct Mass {
    /// This many connections, to all destinations in turn
    #[arg(long, value_name = "N", conflicts_with_all = ["hold", "until_eof"])]
    count: Option<usize>,
    /// Hold all of them open together
    #[arg(long, requires = "count")]
    concurrent: bool,
    /// One connection after another until standard input ends
    #[arg(long, conflicts_with = "hold")]
    until_eof: bool,
}

impl Mass {
    pub(crate) fn is_wanted(&self) -> bool {
        self.count.is_some() || self.until_eof
    }

    fn goes_on(&self, done: usize) -> bool {
        self.count.map_or_else(|| !stdin_ended(), |count| done < count)
    }
}

/// Connects as often as asked for: `connect` makes the connection of a number that counts from 0.
pub(crate) fn run<T>(mass: &Mass, mut connect: impl FnMut(usize) -> Result<T, Failure>) -> Tally {
    let mut tally = Tally::default();
    let mut open = Vec::new();
    let mut done = 0;
    while mass.goes_on(done) {
        match connect(done) {
            Ok(stream) => {
                tally.succeeded += 1;
                if mass.concurrent {
                    open.push(stream);
                }
            }
            Err(Failure { step, errno }) => *tally.failed.entry(format!("{step}:{errno}")).or_default() += 1,
        }
        done += 1;
    }
    tally
}

fn stdin_ended() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
}
