// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each kind of call fails with `EINTR` when it is made directly, and goes on when it is made by way of
//! [`testkit::retry`].

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::AsFd as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        socket::{MsgFlags, recv},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use testkit::{
    retry::{self, retry, retry_within},
    wait_until,
};

use crate::{
    full::{FullListener, LONG, kind, listener, tcp},
    preload::in_interrupted_process,
};

/// So many calls have to be interrupted before anything happens that could end them.
const ENOUGH: usize = 5;
/// How long a call waits that nothing ends.
const LIMIT: Duration = Duration::from_millis(50);

#[test]
fn connect_waits_for_the_connection_that_it_began() {
    in_interrupted_process("calls::connect_waits_for_the_connection_that_it_began", || {
        let full = FullListener::new();
        let direct = tcp();
        assert_eq!(kind(direct.connect(&full.address.into())), ErrorKind::Interrupted);
        drop(direct);
        let socket = tcp();
        thread::scope(|scope| {
            let connected = scope.spawn(|| retry::connect(&socket, &full.address.into()));
            full.wait_for_syns(1);
            full.accept_all();
            connected.join().expect("a thread that does not panic").expect("a connection");
        });
        assert_eq!(socket.peer_addr().expect("a peer").as_socket(), Some(full.address));
    });
}

#[test]
fn connect_says_how_the_connection_failed() {
    in_interrupted_process("calls::connect_says_how_the_connection_failed", || {
        let full = FullListener::new();
        let socket = tcp();
        socket.set_write_timeout(Some(LIMIT)).expect("set a time limit");
        let error = retry::connect(&socket, &full.address.into()).expect_err("nobody accepts");
        assert!(
            [Some(Errno::ETIMEDOUT as i32), Some(Errno::EINPROGRESS as i32)].contains(&error.raw_os_error()),
            "{error}"
        );
        let nobody = tcp();
        nobody.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bind");
        let to = nobody.local_addr().expect("an address");
        assert_eq!(kind(retry::connect(&tcp(), &to)), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn accept_goes_on() {
    in_interrupted_process("calls::accept_goes_on", || {
        let listener = listener(8);
        let address = listener.local_addr().expect("an address");
        let calls = AtomicUsize::new(0);
        thread::scope(|scope| {
            let accepted = scope.spawn(|| retry(|| counted(&calls, || listener.accept())));
            wait_for_interruptions(&calls);
            tcp().connect(&address).or_else(interruption_is_success).expect("a connection");
            accepted.join().expect("a thread that does not panic").expect("a connection");
        });
    });
}

#[test]
fn recv_goes_on() {
    in_interrupted_process("calls::recv_goes_on", || {
        let (mut near, far) = pair();
        let calls = AtomicUsize::new(0);
        thread::scope(|scope| {
            let received = scope.spawn(|| {
                let mut buffer = [0; 8];
                retry(|| counted(&calls, || (&far).read(&mut buffer)))
            });
            wait_for_interruptions(&calls);
            near.write_all(b"text").expect("send");
            assert_eq!(received.join().expect("a thread that does not panic").expect("text"), 4);
        });
    });
}

#[test]
fn recv_keeps_its_time_limit() {
    in_interrupted_process("calls::recv_keeps_its_time_limit", || {
        let (_near, far) = pair();
        far.set_read_timeout(Some(LONG)).expect("set a time limit");
        let mut buffer = [0; 8];
        let mut receive = || recv(std::os::fd::AsRawFd::as_raw_fd(&far), &mut buffer, MsgFlags::empty());
        assert_eq!(receive(), Err(Errno::EINTR));
        let start = Instant::now();
        assert_eq!(retry_within(Some(LIMIT), receive), Err(Errno::EAGAIN));
        assert!(start.elapsed() >= LIMIT, "{:?}", start.elapsed());
    });
}

#[test]
fn poll_keeps_its_time_limit_and_sees_what_happens() {
    in_interrupted_process("calls::poll_keeps_its_time_limit_and_sees_what_happens", || {
        let (mut near, far) = pair();
        let mut fds = [PollFd::new(far.as_fd(), PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut fds, PollTimeout::NONE), Err(Errno::EINTR));
        let start = Instant::now();
        assert_eq!(retry::poll(&mut fds, Some(LIMIT)), Ok(0));
        assert!(start.elapsed() >= LIMIT, "{:?}", start.elapsed());
        near.write_all(b"text").expect("send");
        assert_eq!(retry::poll(&mut fds, None), Ok(1));
    });
}

#[test]
fn epoll_keeps_its_time_limit_and_sees_what_happens() {
    in_interrupted_process("calls::epoll_keeps_its_time_limit_and_sees_what_happens", || {
        let (mut near, far) = pair();
        let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll");
        epoll.add(&far, EpollEvent::new(EpollFlags::EPOLLIN, 1)).expect("add a socket");
        let mut events = [EpollEvent::empty()];
        assert_eq!(epoll.wait(&mut events, EpollTimeout::NONE), Err(Errno::EINTR));
        let start = Instant::now();
        assert_eq!(retry::epoll_wait(&epoll, &mut events, Some(LIMIT)), Ok(0));
        assert!(start.elapsed() >= LIMIT, "{:?}", start.elapsed());
        near.write_all(b"text").expect("send");
        assert_eq!(retry::epoll_wait(&epoll, &mut events, None), Ok(1));
    });
}

#[test]
#[expect(clippy::zombie_processes, reason = "`waitpid()` itself is called here")]
fn waitpid_goes_on() {
    in_interrupted_process("calls::waitpid_goes_on", || {
        let mut cat = Command::new("cat");
        cat.env_remove("LD_PRELOAD").stdin(Stdio::piped());
        let mut child = cat.spawn().expect("start cat");
        let pid = Pid::from_raw(child.id().try_into().expect("a pid"));
        let calls = AtomicUsize::new(0);
        thread::scope(|scope| {
            let ended = scope.spawn(|| retry(|| counted(&calls, || waitpid(pid, None))));
            wait_for_interruptions(&calls);
            drop(child.stdin.take());
            let status = ended.join().expect("a thread that does not panic");
            assert_eq!(status, Ok(WaitStatus::Exited(pid, 0)));
        });
    });
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let (listener, near) = (listener(8), tcp());
    retry::connect(&near, &listener.local_addr().expect("an address")).expect("a connection");
    let (far, _) = retry(|| listener.accept()).expect("a connection");
    (near.into(), far.into())
}

fn counted<T>(calls: &AtomicUsize, call: impl FnOnce() -> T) -> T {
    calls.fetch_add(1, Ordering::Relaxed);
    call()
}

/// A call is counted before it is made, so all but the last have been interrupted.
fn wait_for_interruptions(calls: &AtomicUsize) {
    wait_until("the call is interrupted", || calls.load(Ordering::Relaxed) > ENOUGH);
}

/// The kernel goes on connecting.
fn interruption_is_success(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
