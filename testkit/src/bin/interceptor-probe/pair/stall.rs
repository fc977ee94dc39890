// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A writer whose reader sleeps. It shows where the writer is stopped, and that nothing is lost.

use std::{sync::atomic::AtomicU64, thread};

use anyhow::ensure;
use testkit::records::Stalled;

use super::{maker::Maker, stream::Stream};

/// Far more than any queue takes.
const AT_MOST: u64 = 64 << 20;

/// Both directions in turn: a writer whose reader sleeps, until it is stopped; then everything is read.
pub(super) fn run(maker: &Maker<'_>) -> anyhow::Result<Stalled> {
    let mut queued = [0; 2];
    for (direction, queued) in [false, true].into_iter().zip(&mut queued) {
        let (client, server) = maker.make()?;
        let (writer, reader) = if direction { (server, client) } else { (client, server) };
        let stream = Stream::new(7);
        writer.set_nonblocking(true)?;
        *queued = stream.write_what_is_taken(&writer, AT_MOST)?;
        let reading = thread::spawn(move || stream.read(&reader, &AtomicU64::new(0)));
        drop(writer);
        let read = reading.join().expect("a thread that does not panic")?;
        ensure!(read == *queued, "{queued} bytes were taken, {read} arrived");
    }
    Ok(Stalled { queued })
}
