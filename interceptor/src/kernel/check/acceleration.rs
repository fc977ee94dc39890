// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether this kernel accelerates connections without harm. Two things decide: its release, for known bugs in socket
//! maps, and a test that accelerates connections and compares them with TCP. The test leaves nothing behind.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream},
};

use anyhow::{Context as _, Result, ensure};
use interceptor_policy::{Reason, acceleration::MIN_BUDGET};

use crate::kernel::{
    check::known_bad,
    check::scratch::{self, Interception, TIMEOUT},
    sys,
    sys::release::Names,
};
use interceptor_config::AccelerationConfig;

/// The test could not be run, so it says nothing about the kernel.
#[derive(Debug, thiserror::Error)]
#[error(
    "Acceleration cannot be tested now: TCP uses at least the first number of net.ipv4.tcp_mem of this machine's \
     memory, and then nothing is accelerated. Try again later"
)]
pub(crate) struct NoMemory;

/// Fails on a kernel that does not pass the check, unless `force` turns the failure into a warning.
pub(crate) fn gate(force: bool) -> Result<()> {
    match has_no_known_bug().and_then(|()| test()) {
        Err(error) if force => {
            tracing::warn!("Accelerating although this kernel failed the acceleration check: {error:#}");
            Ok(())
        }
        checked => checked,
    }
}

/// Looks this kernel up in the list of known bugs.
pub(crate) fn has_no_known_bug() -> Result<()> {
    known_bad::judge(&Names::of_this_kernel()?)
}

/// Accelerates connections in a network namespace that exists only for this test, and compares them with TCP.
pub(crate) fn test() -> Result<()> {
    let test = std::thread::spawn(|| {
        scratch::enter_namespace()?;
        let interception = scratch::intercept_this_thread(Some(AccelerationConfig::with_budget(MIN_BUDGET)))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 15006)).context("Failed to listen on port 15006")?;
        answers(&listener, &interception)?;
        end_of_stream(&listener)?;
        order(&listener, &interception)
    });
    test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The sidecar connects to its own pod, and the connection is redirected back to the sidecar.
fn pair(listener: &TcpListener) -> Result<(TcpStream, TcpStream)> {
    const DIALED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 6), 15002);
    let client = TcpStream::connect_timeout(&DIALED.into(), TIMEOUT)
        .with_context(|| format!("Failed to connect to {DIALED}"))?;
    let (server, _peer) = listener.accept().context("Failed to accept the connection")?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(TIMEOUT)).context("Failed to set a time limit")?;
        stream.set_nodelay(true).context("Failed to set TCP_NODELAY")?;
    }
    Ok((client, server))
}

/// Data arrives, and `FIONREAD`, `MSG_PEEK` and `poll` report it.
fn answers(listener: &TcpListener, interception: &Interception) -> Result<()> {
    let (mut client, mut server) = pair(listener)?;
    client.write_all(b"question").context("Failed to send")?;
    memory_suffices(interception)?;
    let accelerated = interception.count(Reason::Accelerated)?;
    ensure!(accelerated == 1, "a connection inside the test's pod was not accelerated");
    ensure!(sys::is_readable(&server)?, "poll() does not report data that has arrived");
    let waiting = sys::bytes_to_read(&server).context("Failed to ask how much has arrived (FIONREAD)")?;
    ensure!(
        waiting == 8,
        "ioctl(FIONREAD) returns {waiting} although 8 bytes have arrived; a server that uses it waits forever"
    );
    let mut buffer = [0; 16];
    let peeked = sys::retry(|| server.peek(&mut buffer)).context("Failed to look at what has arrived (MSG_PEEK)")?;
    ensure!(&buffer[..peeked] == b"question", "MSG_PEEK shows other data than was sent");
    let read = sys::retry(|| server.read(&mut buffer)).context("Failed to read what has arrived")?;
    ensure!(&buffer[..read] == b"question", "other data arrived than was sent");
    server.write_all(b"answer").context("Failed to answer")?;
    let read = sys::retry(|| client.read(&mut buffer)).context("Failed to read the answer")?;
    ensure!(
        &buffer[..read] == b"answer",
        "the answer that arrived is not the one that was sent"
    );
    Ok(())
}

/// Data that was sent before a FIN is read before the FIN. This also holds for an end that has sent its own FIN.
fn end_of_stream(listener: &TcpListener) -> Result<()> {
    let (mut client, mut server) = pair(listener)?;
    client.write_all(b"last words").context("Failed to send")?;
    client.shutdown(Shutdown::Write).context("Failed to end a direction")?;
    server
        .write_all(b"farewell")
        .context("Failed to send into the other direction")?;
    reads_all(&mut server, b"last words")?;
    drop(server);
    let mut rest = String::new();
    client
        .read_to_string(&mut rest)
        .context("Failed to read what was sent before the other side closed")?;
    ensure!(
        rest == "farewell",
        "{} of 8 bytes survived the other side's close()",
        rest.len()
    );
    Ok(())
}

fn reads_all(server: &mut TcpStream, wanted: &[u8]) -> Result<()> {
    let mut all = Vec::new();
    server
        .read_to_end(&mut all)
        .context("Failed to read what was sent before the end")?;
    ensure!(
        all == wanted,
        "{} of {} bytes arrived before the end of the stream",
        all.len(),
        wanted.len()
    );
    Ok(())
}

/// A writer whose reader does not read is stopped. What it wrote arrives in order: the first part through the socket
/// map, the rest by TCP.
fn order(listener: &TcpListener, interception: &Interception) -> Result<()> {
    /// More than TCP's queues hold with any usual limit.
    const TOO_MUCH: u64 = 64 << 20;
    let (mut client, mut server) = pair(listener)?;
    client.set_nonblocking(true).context("Failed to set O_NONBLOCK")?;
    let mut written = 0_u64;
    loop {
        let chunk: Vec<u8> = (written..written + 1000).map(pattern).collect();
        match sys::retry(|| client.write(&chunk)) {
            Ok(bytes) => written += bytes as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error).context("Failed to send to a reader that does not read"),
        }
        ensure!(
            written < TOO_MUCH,
            "the kernel accepted {written} bytes for a reader that does not read"
        );
    }
    memory_suffices(interception)?;
    ensure!(
        interception.count(Reason::AccelerationOverBudget)? > 0,
        "a direction did not go back to TCP when it was over its budget"
    );
    drop(client);
    let (mut at, mut buffer) = (0_u64, vec![0; 64 * 1024]);
    loop {
        match sys::retry(|| server.read(&mut buffer)) {
            Ok(0) => break,
            Ok(bytes) => {
                let in_order = buffer[..bytes].iter().zip(at..).all(|(byte, at)| *byte == pattern(at));
                ensure!(in_order, "data arrived out of order after a direction went back to TCP");
                at += bytes as u64;
            }
            Err(error) => return Err(error).with_context(|| format!("Failed to read after {at} of {written} bytes")),
        }
    }
    ensure!(at == written, "{at} of {written} bytes arrived");
    Ok(())
}

fn memory_suffices(interception: &Interception) -> Result<()> {
    ensure!(interception.count(Reason::AccelerationMemoryPressure)? == 0, NoMemory);
    Ok(())
}

/// A byte that differs between neighboring positions.
const fn pattern(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
