// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client process: connects and sends as it is told, and writes what it measured. It starts nothing by itself.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    at_once, http, say, serve_tasks,
    stream::{Stream, unix_address},
    task::{Destinations, Peer, Sample, Work},
};

/// The application: carries out tasks until standard input ends.
pub fn client() -> anyhow::Result<()> {
    say(&Sample::default())?;
    let mut held = Vec::new();
    serve_tasks(|work| carry_out(work, &mut held), |task| task.client_cpu)
}

fn carry_out(work: &Work, held: &mut Vec<TcpStream>) -> anyhow::Result<Sample> {
    match work {
        Work::WhereTo { to } => {
            let mut stream = connect(&(*to).into())?;
            let mut end = Vec::new();
            stream.read_to_end(&mut end).context("wait for the stand-in")?;
            Ok(Sample::default())
        }
        Work::Connect { to, count } => connects(to, *count),
        Work::Request { to, count, size } => requests(to, *count, *size),
        Work::Load { to, count, size, per_second, seed } => load(to, *count, *size, *per_second, *seed),
        Work::RoundTrips { to, count, size } => round_trips(*to, *count, *size),
        Work::Bulk { to, count, size } => bulk(*to, *count, *size),
        Work::Pages { to, count, keep_alive } => pages(&(*to).into(), *count, *keep_alive),
        Work::Crowd { to, clients, count, keep_alive } => crowd((*to).into(), *clients, *count, *keep_alive),
        Work::ManyOpen { from, to, count } => {
            let took;
            (took, *held) = many_open(*from, to, *count);
            Ok(took)
        }
        Work::CloseAll => {
            held.clear();
            Ok(Sample::default())
        }
    }
}

/// Only the system call is timed. The connection is reset afterward, so that none waits for its end.
fn connects(to: &Destinations, count: usize) -> anyhow::Result<Sample> {
    let mut nanoseconds = Vec::with_capacity(count);
    for index in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).context("make a socket")?;
        socket.set_linger(Some(Duration::ZERO)).context("set SO_LINGER")?;
        let address = to.nth(index).into();
        let start = Instant::now();
        let connected = socket.connect(&address);
        nanoseconds.push(since(start));
        connected.with_context(|| format!("connect to {}", to.nth(index)))?;
    }
    Ok(Sample { nanoseconds, ..Sample::default() })
}

fn requests(to: &Destinations, count: usize, size: usize) -> anyhow::Result<Sample> {
    let mut buffer = vec![7; size];
    let mut nanoseconds = Vec::with_capacity(count);
    for index in 0..count {
        let start = Instant::now();
        request(&to.nth(index), &mut buffer)?;
        nanoseconds.push(since(start));
    }
    Ok(Sample { nanoseconds, ..Sample::default() })
}

/// Arrivals of a Poisson process: most come close together, some far apart, as from many clients that know nothing of
/// each other.
fn load(to: &Destinations, count: usize, size: usize, per_second: f64, seed: u64) -> anyhow::Result<Sample> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut buffer = vec![7; size];
    let mut nanoseconds = Vec::with_capacity(count);
    let mut due = Instant::now();
    for index in 0..count {
        // Between 0 and 1, and never 0, whose logarithm is infinite.
        let chance: f64 = 1.0 - random.random::<f64>();
        due += Duration::from_secs_f64(-chance.ln() / per_second);
        // Awake until then: the time it takes to wake up would be counted as the server's.
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        request(&to.nth(index), &mut buffer)?;
        nanoseconds.push(since(due));
    }
    Ok(Sample { nanoseconds, ..Sample::default() })
}

fn round_trips(to: Peer, count: usize, size: usize) -> anyhow::Result<Sample> {
    let mut stream = connect_to_peer(to)?;
    let mut buffer = vec![7; size];
    let mut nanoseconds = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        stream
            .write_all(&buffer)
            .and_then(|()| stream.read_exact(&mut buffer))
            .context("a round trip")?;
        nanoseconds.push(since(start));
    }
    Ok(Sample { nanoseconds, ..Sample::default() })
}

fn bulk(to: Peer, count: usize, size: usize) -> anyhow::Result<Sample> {
    let mut stream = connect_to_peer(to)?;
    let buffer = vec![7; size];
    let start = Instant::now();
    for _ in 0..count {
        stream.write_all(&buffer).context("send")?;
    }
    stream.read_exact(&mut [0]).context("wait until all has arrived")?;
    Ok(Sample { nanoseconds: vec![since(start)], ..Sample::default() })
}

fn pages(to: &SocketAddr, count: usize, keep_alive: bool) -> anyhow::Result<Sample> {
    let mut connection = None;
    let mut nanoseconds = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => connect(to)?,
        };
        http::get(&mut stream, keep_alive)?;
        connection = keep_alive.then_some(stream);
        nanoseconds.push(since(start));
    }
    Ok(Sample { nanoseconds, ..Sample::default() })
}

/// Each client is a thread that waits for its page, as a process that has nothing else to do.
fn crowd(to: SocketAddr, clients: usize, count: usize, keep_alive: bool) -> anyhow::Result<Sample> {
    let start = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|_| thread::spawn(move || pages(&to, count, keep_alive)))
        .collect();
    let mut nanoseconds = Vec::new();
    for client in clients {
        let taken = client.join().map_err(|_panic| anyhow::anyhow!("a client panicked"))??;
        nanoseconds.extend(taken.nanoseconds);
    }
    Ok(Sample { nanoseconds, whole_ns: since(start), ..Sample::default() })
}

/// The connections stay open until [`Work::CloseAll`].
fn many_open(from: Option<Ipv4Addr>, to: &Destinations, count: usize) -> (Sample, Vec<TcpStream>) {
    let start = Instant::now();
    let open: Vec<io::Result<TcpStream>> = (0..count).map(|index| connect_from(from, to.nth(index))).collect();
    let nanoseconds = vec![since(start)];
    let open: Vec<TcpStream> = open.into_iter().flatten().collect();
    for stream in &open {
        // Otherwise its port stays taken for a minute. Where that fails, the next run tells.
        SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap_or_default();
    }
    (Sample { nanoseconds, failed: count - open.len(), ..Sample::default() }, open)
}

fn request(to: &SocketAddr, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut stream = connect(to)?;
    stream
        .write_all(buffer)
        .and_then(|()| stream.read_exact(buffer))
        .context("a request")?;
    let ended = stream.read(buffer).context("wait for the end")?;
    anyhow::ensure!(ended == 0, "more than the response came");
    Ok(())
}

fn connect_from(from: Option<Ipv4Addr>, to: SocketAddr) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(to);
    };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // As all others: the port is chosen when the destination is known, and may be that of connections to other
    // destinations.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

fn connect_to_peer(to: Peer) -> anyhow::Result<Box<dyn Stream>> {
    Ok(match to {
        Peer::Server(to) => Box::new(connect(&to.into())?),
        Peer::Unix => Box::new(UnixStream::connect_addr(&unix_address()?).context("connect to the UNIX socket")?),
    })
}

fn connect(to: &SocketAddr) -> anyhow::Result<TcpStream> {
    TcpStream::connect(to)
        .and_then(at_once)
        .with_context(|| format!("connect to {to}"))
}

/// Five hundred years fit.
#[expect(clippy::cast_possible_truncation, reason = "nobody measures that long")]
fn since(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}
