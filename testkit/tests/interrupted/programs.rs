// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whole programs, interrupted all the time: every answer is the one that they give otherwise.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
    sync::atomic::{AtomicU8, Ordering},
};

use rstest::rstest;
use testkit::{
    Process, Run,
    records::{Answer, Behaviors, Credentials, Greeting, How, Ready, Report, Request, Stalled, Tally, Transferred},
};

use crate::{
    full::{FullListener, LONG},
    preload::interrupted,
};

/// What `recv()` gives with `MSG_WAITALL` when a signal comes is all that there was, as it is meant to be.
const ENDED_BY_SIGNALS: &str = "MSG_WAITALL";

#[rstest]
#[case::tcp(How::Tcp)]
#[case::nonblocking(How::Nonblocking)]
#[case::polled(How::Polled)]
#[case::io_uring(How::Uring)]
#[case::mptcp(How::Mptcp)]
#[case::fast_open(How::FastOpen)]
#[case::fast_open_connect(How::FastOpenConnect)]
#[case::udp(How::Udp)]
#[case::sendto(How::Sendto)]
fn an_agent_is_answered(#[case] how: How) {
    let (_server, server) = serve();
    let mut agent = Process::spawn("agent", &mut interrupted(probe(&["agent"])));
    let request = serde_json::to_string(&request(how, server.parse().expect("an address"))).expect("JSON");
    for _ in 0..20 {
        agent.say(&request);
        let Report { received, answers, error, .. } = agent.json();
        assert_eq!(error, None);
        let answers: Vec<String> = received
            .into_iter()
            .chain(answers.into_iter().map(|answer| answer.received))
            .collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(Greeting::from_line(&answers[0]).name, "server");
    }
}

/// The client is interrupted while it waits for its connection.
#[rstest]
#[case::tcp(How::Tcp)]
#[case::nonblocking(How::Nonblocking)]
#[case::polled(How::Polled)]
#[case::io_uring(How::Uring)]
#[case::mptcp(How::Mptcp)]
#[case::fast_open(How::FastOpen)]
#[case::fast_open_connect(How::FastOpenConnect)]
fn a_connection_that_takes_a_second_is_made(#[case] how: How) {
    let full = FullListener::new();
    let mut agent = Process::spawn("agent", &mut interrupted(probe(&["agent"])));
    agent.say(&serde_json::to_string(&request(how, full.address)).expect("JSON"));
    full.wait_for_syns(1);
    full.accept_all();
    let Report { received, error, .. } = agent.json();
    assert_eq!((received.as_deref(), error), (Some("welcome"), None));
}

fn request(how: How, to: SocketAddr) -> Request {
    let user = Credentials {
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        groups: Vec::new(),
    };
    Request {
        maker: user.clone(),
        user,
        how,
        mapped: false,
        mark: None,
        device: None,
        late_port: false,
        transparent: false,
        bind: None,
        before: None,
        first: None,
        to,
        also: Vec::new(),
        limit: LONG,
    }
}

#[test]
fn clients_are_answered() {
    let (_server, server) = serve();
    let run = |arguments: &[&str]| Run::of(interrupted(probe(&[arguments, &[&server]].concat())));
    let report: Report = run(&["connect", "--send", "text"]).json();
    assert_eq!(report.greeting().name, "server");
    let report: Report = run(&["connect", "--nonblocking"]).json();
    assert_eq!(report.greeting().name, "server");
    let tally: Tally = run(&["connect", "--count", "100", "--concurrent"]).json();
    assert_eq!(tally, Tally { succeeded: 100, ..Tally::default() });
    let report: Report = run(&["datagram"]).json();
    assert_eq!(Greeting::from_line(&report.received.expect("an answer")).name, "server");
    let answers: Vec<Answer> = run(&["ask"]).json();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// The time limit is that of the whole call. It does not begin anew after each signal.
#[test]
fn a_client_that_is_not_answered_gives_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let server = silent.local_addr().expect("an address").to_string();
    let mut command = interrupted(probe(&["connect", &server]));
    command.env("INTERCEPTOR_TEST_TIMEOUT", "1");
    let Report { received, error, .. } = Run::of(command).json();
    let error = error.map(|failure| (failure.step, failure.errno));
    assert_eq!((received, error), (None, Some(("receive".to_owned(), "ETIMEDOUT".to_owned()))));
}

#[test]
fn sockets_behave_as_without_interruptions() {
    let behaviors = |command: Command| -> Behaviors {
        let mut all: Behaviors = Run::of(command).json();
        all.retain(|name, _| !name.starts_with(ENDED_BY_SIGNALS));
        all
    };
    let pair = || pair(&["behavior"]);
    assert_eq!(behaviors(interrupted(pair())), behaviors(pair()));
}

#[test]
fn every_byte_arrives() {
    let run = |what: &[&str]| Run::of(interrupted(pair(what)));
    let transferred: Transferred = run(&["transfer", "--connections", "4", "--bytes", "4000000"]).json();
    assert_eq!(transferred, Transferred { connections: 4, bytes: 32_000_000 });
    let Transferred { connections, .. } = run(&["churn", "--count", "200"]).json();
    assert_eq!(connections, 200);
    let Stalled { queued } = run(&["stall"]).json();
    assert!(queued.iter().all(|queued| *queued > 0), "{queued:?}");
}

/// A server by TCP and UDP, and its address.
fn serve() -> (Process, String) {
    let address = own_address();
    let mut command = interrupted(probe(&["serve", "--udp", &address, &address]));
    let mut server = Process::spawn("server", &mut command);
    let Ready { ready } = server.json();
    assert_eq!(ready.len(), 2, "{ready:?}");
    (server, address)
}

/// Both ends of connections, in one process.
fn pair(what: &[&str]) -> Command {
    let address = own_address();
    let own = nix::unistd::getuid().as_raw().to_string();
    let places = ["pair", "--server-uid", &own, "--client-uid", &own, "--listen", &address, "--to", &address];
    probe(&[&places, what].concat())
}

/// A loopback address that nobody else uses, with a port.
fn own_address() -> String {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{high}.{low}.{}:8080", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn probe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interceptor-probe"));
    command.args(arguments);
    command
}
