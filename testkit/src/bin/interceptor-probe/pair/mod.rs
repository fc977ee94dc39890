// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Both ends of connections in one process: what is done at one end can be compared with what is seen at the other.

mod behavior;
mod churn;
mod maker;
mod stall;
mod step;
mod stream;
mod transfer;

use clap::{Args, Subcommand};
use interceptor_verify::probe::Launch;
use testkit::write_line;

use self::maker::Ends;

/// The clients are in the place that the flags before the command name; the process stays root.
#[derive(Args)]
pub(crate) struct Pair {
    #[command(flatten)]
    ends: Ends,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Does what applications do with sockets, and says what each of them sees
    Behavior,
    /// Sends as much as it is told to, both ways, in pieces of random size, and compares
    Transfer(transfer::Transfer),
    /// Sends until standard input is closed, both ways, and compares
    Stream(transfer::Stream),
    /// Writes to a reader that does not read, then reads and compares
    Stall,
    /// One short connection after another
    Churn(churn::Churn),
}

impl Pair {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        let maker = self.ends.maker(launch)?;
        match &self.what {
            What::Behavior => write_line(&behavior::all(&maker)?),
            What::Transfer(transfer) => write_line(&transfer.run(&maker)?),
            What::Stream(stream) => stream.run(&maker),
            What::Stall => write_line(&stall::run(&maker)?),
            What::Churn(churn) => write_line(&churn.run(&maker)?),
        }
    }
}
