// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bytes that look random and can be told apart by their place, made and compared as fast as memory is copied.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use nix::poll::{PollFd, PollFlags};
use testkit::{
    retry::{poll, retry},
    timeout,
};

/// A prime, so that no power of two and no common size of a buffer is a multiple of it.
const PERIOD: usize = 4_194_301;

/// Repeats after [`PERIOD`] bytes; twice as long, so that every piece of a period is a slice.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random(1);
    let period: Vec<u8> = (0..PERIOD).map(|_| random.next().to_le_bytes()[0]).collect();
    [period.as_slice(), period.as_slice()].concat()
});

/// `SplitMix64`.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 1 to 1 MiB, each power of two as often as the next.
    pub(super) fn size(&mut self) -> usize {
        let most = 1_usize << (self.next() % 21);
        usize::try_from(self.next()).unwrap_or(usize::MAX) % most + 1
    }
}

/// One direction of one connection.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    seed: u64,
}

/// When a writer ends.
pub(super) enum Until<'a> {
    Bytes(u64),
    Told(&'a AtomicBool),
}

impl Stream {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The bytes from `at` on, up to `size` of them and at least one.
    fn piece(self, at: u64, size: usize) -> &'static [u8] {
        let start = (self.seed.wrapping_mul(0x9e37_79b1) ^ (self.seed << 7)).wrapping_add(at) % PERIOD as u64;
        let start = usize::try_from(start).expect("less than a period");
        &BYTES[start..start + size.min(PERIOD)]
    }

    /// Writes in pieces of random size, and ends the direction. Returns how many bytes there were. The stream is
    /// non-blocking.
    pub(super) fn write(self, mut to: &TcpStream, until: &Until<'_>) -> anyhow::Result<u64> {
        let mut random = Random(self.seed);
        let mut at = 0;
        loop {
            let left = match until {
                Until::Bytes(bytes) => bytes - at,
                Until::Told(stop) if stop.load(Ordering::Relaxed) => 0,
                Until::Told(_) => u64::MAX,
            };
            if left == 0 {
                to.shutdown(Shutdown::Write).context("end a direction")?;
                return Ok(at);
            }
            let size = random.size().min(usize::try_from(left).unwrap_or(usize::MAX));
            let end = at + size as u64;
            while at < end {
                let left = usize::try_from(end - at).unwrap_or(usize::MAX);
                at += when_ready(to, PollFlags::POLLOUT, || to.write(self.piece(at, left)))
                    .with_context(|| format!("write after {at} bytes"))?;
            }
        }
    }

    /// Writes without waiting, until nothing more is taken. The stream is non-blocking.
    pub(super) fn write_what_is_taken(self, mut to: &TcpStream, at_most: u64) -> anyhow::Result<u64> {
        let mut at = 0;
        while at < at_most {
            match retry(|| to.write(self.piece(at, 16 * 1024))) {
                Ok(written) => at += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).with_context(|| format!("write after {at} bytes")),
            }
        }
        Ok(at)
    }

    /// Reads to the end, compares, and adds to `arrived`. Returns how many bytes there were. The stream may be
    /// blocking or not.
    pub(super) fn read(self, mut from: &TcpStream, arrived: &AtomicU64) -> anyhow::Result<u64> {
        let mut buffer = vec![0; 256 * 1024];
        let mut random = Random(self.seed ^ u64::MAX);
        let mut at = 0;
        loop {
            let size = random.size().min(buffer.len());
            let read = when_ready(from, PollFlags::POLLIN, || from.read(&mut buffer[..size]));
            let read = read.with_context(|| format!("read after {at} bytes"))?;
            if read == 0 {
                return Ok(at);
            }
            let bytes = usize::try_from(read).unwrap_or(usize::MAX);
            ensure!(
                buffer[..bytes] == *self.piece(at, bytes),
                "other bytes than were written, within {read} from {at}"
            );
            at += read;
            arrived.fetch_add(read, Ordering::Relaxed);
        }
    }
}

/// Waits while the stream is not ready. That the other end has nothing to do for half of [`timeout`] is an error.
fn when_ready(
    stream: &TcpStream,
    event: PollFlags,
    mut attempt: impl FnMut() -> io::Result<usize>,
) -> anyhow::Result<u64> {
    loop {
        match retry(&mut attempt) {
            Ok(bytes) => return Ok(bytes as u64),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let ready = poll(&mut [PollFd::new(stream.as_fd(), event)], Some(timeout() / 2)).context("poll")?;
                ensure!(ready > 0, "not ready for {event:?} within {:?}", timeout() / 2);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
