// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What applications do with sockets, and what they see. The same names with the same lines mean: no application can
//! tell the difference.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "one signature for all: some close an end, some can fail"
)]

use std::{
    fs::{self, File},
    io::{Seek as _, Write as _},
    net::{Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::mpsc::{TryRecvError, channel},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    fcntl::{SpliceFFlags, splice},
    poll::PollFlags,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
        sendfile::sendfile,
        socket::{MsgFlags, setsockopt, sockopt::TcpUlp},
    },
    unistd::{gettid, pipe},
};
use socket2::SockRef;
use testkit::{
    records::Behaviors,
    retry::{retry, retry_within},
    wait_until,
};

use super::{
    maker::Maker,
    step::{Log, linger_zero, wait_until_arrived},
};

type Behavior = fn(&mut Log, TcpStream, TcpStream) -> anyhow::Result<()>;

/// Each is done twice: from the client to the server and the other way round.
const ALL: &[(&str, Behavior)] = &[
    ("what has arrived is seen by poll, FIONREAD and MSG_PEEK, and read", arrival),
    ("a half-closed connection carries an answer", half_close),
    ("an answer outlives both FINs", answer_before_close),
    ("1 byte before close", |log, a, b| pending(log, a, &b, 1)),
    ("100 bytes before close", |log, a, b| pending(log, a, &b, 100)),
    ("4096 bytes before close", |log, a, b| pending(log, a, &b, 4096)),
    ("64 KiB before close", |log, a, b| pending(log, a, &b, 65_536)),
    ("1 MiB before close", |log, a, b| pending(log, a, &b, 1 << 20)),
    ("SO_LINGER 0 resets", reset),
    ("what arrived before a reset", reset_with_data),
    ("writing to a peer that has closed", write_after_close),
    ("writing after shutdown", write_after_shutdown),
    ("shutdown for reading", shutdown_read),
    ("epoll, level-triggered", |log, a, b| epoll(log, &a, &b, EpollFlags::empty())),
    ("epoll, edge-triggered", |log, a, b| epoll(log, &a, &b, EpollFlags::EPOLLET)),
    ("recv timeout", timeout),
    ("empty messages", empty),
    ("sendfile", send_file),
    ("an upper-layer protocol", upper_layer),
    ("close with unread data", close_unread),
    ("MSG_WAITALL", wait_all),
    ("splice", splice_from),
    ("MSG_OOB", urgent),
];

pub(super) fn all(maker: &Maker<'_>) -> anyhow::Result<Behaviors> {
    let mut seen = Behaviors::new();
    for (name, behavior) in ALL {
        for reverse in [false, true] {
            let (client, server) = maker.make()?;
            let (name, from, to) = if reverse {
                (format!("{name}, from the server"), server, client)
            } else {
                ((*name).to_owned(), client, server)
            };
            let mut log = Log::default();
            behavior(&mut log, from, to).with_context(|| name.clone())?;
            seen.insert(name, log.0);
        }
    }
    let mut log = Log::default();
    reconnect(&mut log, maker)?;
    seen.insert("a socket that connects again".to_owned(), log.0);
    Ok(seen)
}

const NONE: MsgFlags = MsgFlags::empty();

fn arrival(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.poll(&a);
    log.poll(&b);
    log.send(&a, b"0123456789", NONE);
    log.poll_until(&b, PollFlags::POLLIN);
    log.fionread(&b);
    log.recv(&b, 100, MsgFlags::MSG_PEEK);
    log.recv(&b, 4, MsgFlags::MSG_PEEK);
    log.recv(&b, 4, NONE);
    log.fionread(&b);
    log.send(&a, b"abc", NONE);
    log.recv(&b, 6, NONE);
    log.recv(&b, 100, NONE);
    log.fionread(&b);
    log.poll(&b);
    log.recv(&b, 1, MsgFlags::MSG_DONTWAIT);
    Ok(())
}

fn half_close(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, &[b'q'; 1000], NONE);
    log.shutdown(&a, Shutdown::Write);
    log.poll_until(&b, PollFlags::from_bits_retain(0x2000));
    log.recv_rest(&b);
    log.send(&b, &vec![b'a'; 70_000], NONE);
    log.shutdown(&b, Shutdown::Write);
    log.recv_rest(&a);
    log.poll(&a);
    log.send(&a, b"x", NONE);
    Ok(())
}

fn answer_before_close(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"question", NONE);
    log.shutdown(&a, Shutdown::Write);
    log.recv_rest(&b);
    log.send(&b, &vec![b'a'; 50_000], NONE);
    drop(b);
    log.poll_until(&a, PollFlags::from_bits_retain(0x2000));
    log.recv_rest(&a);
    Ok(())
}

fn pending(log: &mut Log, a: TcpStream, b: &TcpStream, size: usize) -> anyhow::Result<()> {
    let writer = thread::spawn(move || {
        let mut log = Log::default();
        log.send(&a, &vec![b'p'; size], NONE);
        drop(a);
        log
    });
    log.recv_rest(b);
    log.0.extend(writer.join().expect("a thread that does not panic").0);
    Ok(())
}

fn reset(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    linger_zero(&a)?;
    drop(a);
    log.poll_until(&b, PollFlags::POLLIN);
    log.recv(&b, 10, NONE);
    log.recv(&b, 10, NONE);
    log.send(&b, b"x", NONE);
    Ok(())
}

fn reset_with_data(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, &[b'd'; 100], NONE);
    linger_zero(&a)?;
    drop(a);
    log.poll_until(&b, PollFlags::POLLHUP);
    log.recv(&b, 1000, NONE);
    log.recv(&b, 1000, NONE);
    log.recv(&b, 1000, NONE);
    Ok(())
}

fn write_after_close(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"first", NONE);
    log.recv(&b, 10, NONE);
    drop(b);
    log.poll_until(&a, PollFlags::from_bits_retain(0x2000));
    log.send(&a, b"nobody there", NONE);
    log.poll_until(&a, PollFlags::POLLHUP);
    log.send(&a, b"nobody there", NONE);
    log.send(&a, b"nobody there", NONE);
    log.recv(&a, 10, NONE);
    Ok(())
}

fn write_after_shutdown(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"first", NONE);
    log.shutdown(&a, Shutdown::Write);
    log.send(&a, b"too late", NONE);
    log.recv_rest(&b);
    log.shutdown(&b, Shutdown::Write);
    log.send(&b, b"too late", NONE);
    log.recv_rest(&a);
    Ok(())
}

fn shutdown_read(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"before", NONE);
    log.poll_until(&b, PollFlags::POLLIN);
    log.shutdown(&b, Shutdown::Read);
    log.recv(&b, 100, NONE);
    log.recv(&b, 100, NONE);
    log.send(&b, b"other way", NONE);
    log.recv(&a, 100, NONE);
    Ok(())
}

fn epoll(log: &mut Log, a: &TcpStream, b: &TcpStream, mode: EpollFlags) -> anyhow::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(
        b.as_fd(),
        EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | mode, 1),
    )?;
    log.epoll(&epoll, false);
    for _ in 0..2 {
        log.send(a, b"message", NONE);
        log.epoll(&epoll, true);
        log.epoll(&epoll, false);
    }
    log.recv(b, 3, NONE);
    log.epoll(&epoll, false);
    log.recv(b, 100, NONE);
    log.epoll(&epoll, false);
    log.send(a, b"last", NONE);
    log.shutdown(a, Shutdown::Write);
    wait_until_arrived(a);
    log.epoll(&epoll, true);
    log.recv_rest(b);
    Ok(())
}

fn timeout(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    b.set_read_timeout(Some(Duration::from_millis(20)))?;
    log.recv(&b, 10, NONE);
    log.send(&a, b"here", NONE);
    wait_until_arrived(&a);
    log.recv(&b, 10, NONE);
    log.recv(&b, 10, NONE);
    Ok(())
}

fn empty(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"", NONE);
    log.recv(&b, 10, MsgFlags::MSG_DONTWAIT);
    log.send(&a, b"more", NONE);
    log.recv(&b, 0, NONE);
    log.recv(&b, 10, NONE);
    Ok(())
}

fn send_file(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    const SIZE: usize = 100_000;
    let mut file = tempfile()?;
    file.write_all(&vec![b'f'; SIZE])?;
    file.rewind()?;
    let reader = thread::spawn(move || {
        let mut log = Log::default();
        log.recv_rest(&b);
        log
    });
    let mut left = SIZE;
    while left > 0 {
        left -= retry(|| sendfile(&a, &file, None, left)).context("sendfile")?;
    }
    drop(a);
    log.0.extend(reader.join().expect("a thread that does not panic").0);
    Ok(())
}

fn tempfile() -> anyhow::Result<File> {
    let path = std::env::temp_dir().join(format!("interceptor-pair-{}", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .context("make a file")?;
    fs::remove_file(&path).context("remove it")?;
    Ok(file)
}

fn upper_layer(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    // Not there on this kernel, or refused: an application cannot tell.
    log.tell("TCP_ULP", setsockopt(&a, TcpUlp::default(), b"none such").map(|()| "done"));
    log.send(&a, b"in the clear", NONE);
    log.recv(&b, 100, NONE);
    Ok(())
}

/// TCP resets; the kernel does not see what waits in the queue of a socket map.
fn close_unread(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"never read", NONE);
    log.poll_until(&b, PollFlags::POLLIN);
    drop(b);
    log.poll_until(&a, PollFlags::from_bits_retain(0x2000));
    log.recv(&a, 10, NONE);
    Ok(())
}

fn wait_all(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"0123456789", NONE);
    let (say_thread, thread) = channel();
    let (say_done, done) = channel();
    let reader = thread::spawn(move || {
        let mut log = Log::default();
        say_thread.send(gettid()).expect("somebody listens");
        log.recv(&b, 20, MsgFlags::MSG_WAITALL);
        say_done.send(()).expect("somebody listens");
        log.recv(&b, 20, MsgFlags::MSG_DONTWAIT);
        log
    });
    let stat = format!("/proc/self/task/{}/stat", thread.recv().context("the reader's thread")?);
    wait_until("the reader has its answer, or waits for more", || {
        let sleeps = fs::read_to_string(&stat)
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S')));
        sleeps || done.try_recv() != Err(TryRecvError::Empty)
    });
    log.send(&a, b"abcdefghij", NONE);
    log.0.extend(reader.join().expect("a thread that does not panic").0);
    Ok(())
}

fn splice_from(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"for a pipe", NONE);
    log.poll_until(&b, PollFlags::POLLIN);
    let (_read, write) = pipe()?;
    // Where nothing is found it waits this long, whatever the flag says: that is for the pipe.
    b.set_read_timeout(Some(Duration::from_millis(20)))?;
    let spliced = retry_within(b.read_timeout()?, || {
        splice(&b, None, &write, None, 100, SpliceFFlags::SPLICE_F_NONBLOCK)
    });
    log.tell("splice", spliced);
    log.recv(&b, 100, MsgFlags::MSG_DONTWAIT);
    Ok(())
}

fn urgent(log: &mut Log, a: TcpStream, b: TcpStream) -> anyhow::Result<()> {
    log.send(&a, b"before", NONE);
    log.send(&a, b"!", MsgFlags::MSG_OOB);
    log.send(&a, b"after", NONE);
    wait_until_arrived(&a);
    log.recv(&b, 6, NONE);
    log.poll(&b);
    log.recv(&b, 10, MsgFlags::MSG_OOB | MsgFlags::MSG_DONTWAIT);
    drop(a);
    log.recv_rest(&b);
    Ok(())
}

/// Nothing of the first connection reaches the second.
fn reconnect(log: &mut Log, maker: &Maker<'_>) -> anyhow::Result<()> {
    let (client, server) = maker.make()?;
    log.send(&server, b"for the first", NONE);
    log.poll_until(&client, PollFlags::POLLIN);
    log.tell("disconnect", rustix::net::connect_unspec(&client).map(|()| "done"));
    log.poll_until(&server, PollFlags::POLLHUP);
    log.send(&server, b"nobody there", NONE);
    maker.connect(&SockRef::from(&client))?;
    let second = maker.accept()?;
    log.send(&second, b"for the second", NONE);
    log.recv(&client, 100, NONE);
    log.send(&client, b"answer", NONE);
    log.recv(&second, 100, NONE);
    log.recv(&client, 100, MsgFlags::MSG_DONTWAIT);
    Ok(())
}
