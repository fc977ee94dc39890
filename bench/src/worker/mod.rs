// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two ends of every measured connection: the application and the stand-in for its sidecar. Each is a process that
//! waits for a [`Task`] on standard input, carries out its part, and writes a [`Sample`] to standard output. So no
//! other process runs while something is measured.

mod client;
mod cpu;
mod http;
mod server;
mod stream;
mod task;

pub use client::client;
pub use cpu::{Cpus, pin, spread_out, time_of_cgroup};
pub use server::server;
pub use task::{Destinations, Peer, Sample, Task, Work};

use std::{
    io::{self, BufRead as _, Write as _},
    net::TcpStream,
};

use anyhow::Context as _;
use serde::Serialize;

/// Carries out one task after another until standard input ends.
fn serve_tasks(
    mut carry_out: impl FnMut(&Work) -> anyhow::Result<Sample>,
    side: fn(&Task) -> usize,
) -> anyhow::Result<()> {
    for line in io::stdin().lock().lines() {
        let task: Task = serde_json::from_str(&line.context("read a task")?).context("make sense of a task")?;
        pin(side(&task))?;
        let before = cpu::time_of_this_process()?;
        let mut took = carry_out(&task.work).with_context(|| format!("{:?}", task.work))?;
        took.cpu_ns = cpu::time_of_this_process()?.saturating_sub(before);
        say(&took)?;
    }
    Ok(())
}

/// One line of JSON.
fn say<T: Serialize>(value: &T) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, value).context("write to standard output")?;
    writeln!(stdout)
        .and_then(|()| stdout.flush())
        .context("write to standard output")
}

/// Small messages are not held back, on either side.
fn at_once(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}
