// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Both sides over real sockets. How a message is read and written is tested beside it.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Read as _, Seek as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt as _,
    },
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rstest::rstest;
use rustix::{
    cmsg_space,
    io::{FdFlags, fcntl_getfd},
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv,
        send, sendmsg, socketpair,
    },
};

use crate::{
    Answer, AskError, Connection, Descriptors, Did, Listener, MAX_MESSAGE, Malformed, Request, peer_uid, receive,
    send_answer, set_nonblocking,
};

const STATUS: &[u8] = br#"{"v":1,"verb":"status"}"#;

/// A safety net, and nothing that a test waits for.
fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn send_with(socket: &OwnedFd, bytes: &[u8], files: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).unwrap();
}

/// Files that say who they are.
fn file(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn text(fd: OwnedFd) -> String {
    let mut file = File::from(fd);
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Descriptors of this process that are this pipe's other end.
fn is_closed(mut reader: io::PipeReader) -> bool {
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).is_ok_and(|read| read == 0)
}

/// Answers one connection, and returns what was asked.
fn serve(listener: Listener, answer: Answer) -> thread::JoinHandle<Request> {
    thread::spawn(move || {
        let connection = listener.accept().unwrap();
        let received = receive(&connection).unwrap().unwrap();
        send_answer(&connection, &answer).unwrap();
        received.request
    })
}

fn done() -> Answer {
    Answer::Done { did: Did::Ready, why: "the programs are loaded".into() }
}

#[test]
fn the_question_arrives_with_its_files_and_the_answer_comes_back() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let listener = Listener::bind(&path).unwrap();
    let agent = thread::spawn(move || {
        let connection = listener.accept().unwrap();
        assert_eq!(peer_uid(&connection).unwrap(), rustix::process::geteuid().as_raw());
        let received = receive(&connection).unwrap().unwrap();
        let Descriptors { netns, cgroup } = received.descriptors;
        for fd in [&netns, &cgroup].into_iter().flatten() {
            assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
        }
        assert_eq!(
            (netns.map(text), cgroup.map(text)),
            (Some("netns".into()), Some("cgroup".into()))
        );
        send_answer(&connection, &done()).unwrap();
        received.request
    });
    let [netns, cgroup] = ["netns", "cgroup"].map(file);
    let descriptors = Descriptors { netns: Some(netns.as_fd()), cgroup: Some(cgroup.as_fd()) };
    let connection = Connection::open(&path, later()).unwrap();
    assert_eq!(connection.ask(&Request::Status, &descriptors, later()).unwrap(), done());
    assert_eq!(agent.join().unwrap(), Request::Status);
}

#[test]
fn a_cgroup_alone_is_not_taken_for_a_network_namespace() {
    let (client, agent) = pair();
    let cgroup = file("cgroup");
    send_with(
        &client,
        br#"{"v":1,"descriptors":["cgroup"],"verb":"status"}"#,
        &[cgroup.as_fd()],
    );
    let received = receive(&agent).unwrap().unwrap();
    assert!(received.descriptors.netns.is_none());
    assert_eq!(received.descriptors.cgroup.map(text).as_deref(), Some("cgroup"));
}

#[rstest]
#[case::fewer_than_named(br#"{"v":1,"descriptors":["netns","cgroup"],"verb":"status"}"#, 1)]
#[case::more_than_named(br#"{"v":1,"verb":"status"}"#, 1)]
#[case::one_named_twice(br#"{"v":1,"descriptors":["netns","netns"],"verb":"status"}"#, 2)]
fn other_descriptors_than_named_are_refused_and_closed(#[case] message: &[u8], #[case] count: usize) {
    let (client, agent) = pair();
    let (reader, writer) = io::pipe().unwrap();
    send_with(&client, message, &vec![writer.as_fd(); count]);
    drop(writer);
    let error = receive(&agent).unwrap().unwrap_err();
    assert!(
        matches!(error, Malformed::OtherDescriptors { came, .. } if came == count),
        "{error}"
    );
    assert!(is_closed(reader));
}

#[rstest]
fn surplus_descriptors_are_refused_and_closed(#[values(3, 4, 5, 16)] count: usize) {
    let (client, agent) = pair();
    let (reader, writer) = io::pipe().unwrap();
    send_with(&client, STATUS, &vec![writer.as_fd(); count]);
    drop(writer);
    let error = receive(&agent).unwrap().unwrap_err();
    assert!(matches!(error, Malformed::TooManyDescriptors), "{error}");
    assert!(is_closed(reader));
}

#[test]
fn descriptors_of_a_bad_message_are_closed() {
    let (client, agent) = pair();
    let (reader, writer) = io::pipe().unwrap();
    send_with(&client, b"hello", &[writer.as_fd()]);
    drop(writer);
    assert!(matches!(receive(&agent).unwrap(), Err(Malformed::Json(_))));
    assert!(is_closed(reader));
}

#[test]
fn a_message_of_the_greatest_length_is_read_and_a_longer_one_refused() {
    let (client, agent) = pair();
    let mut message = STATUS.to_vec();
    message.resize(MAX_MESSAGE, b' ');
    send(&client, &message, SendFlags::empty()).unwrap();
    assert_eq!(receive(&agent).unwrap().unwrap().request, Request::Status);
    message.push(b' ');
    send(&client, &message, SendFlags::empty()).unwrap();
    let error = receive(&agent).unwrap().unwrap_err();
    assert!(matches!(error, Malformed::TooLong), "{error}");
}

#[test]
fn a_refused_peer_can_be_answered() {
    let (client, agent) = pair();
    send(&client, br#"{"v":9}"#, SendFlags::empty()).unwrap();
    let error = receive(&agent).unwrap().unwrap_err();
    send_answer(&agent, &Answer::Refused { code: 6, msg: error.to_string(), retry: false }).unwrap();
    let mut bytes = [0; 1000];
    let (taken, _length) = recv(&client, &mut bytes[..], RecvFlags::empty()).unwrap();
    let text = String::from_utf8_lossy(&bytes[..taken]);
    assert!(text.contains("the message is of version 9 of the protocol"), "{text}");
}

#[test]
fn a_peer_that_says_nothing_and_goes_is_an_error_of_the_socket() {
    let (client, agent) = pair();
    drop(client);
    assert_eq!(receive(&agent).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_socket_that_does_not_block_says_so() {
    let (client, agent) = pair();
    set_nonblocking(&agent, true).unwrap();
    assert_eq!(receive(&agent).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    send(&client, STATUS, SendFlags::empty()).unwrap();
    assert_eq!(receive(&agent).unwrap().unwrap().request, Request::Status);
}

#[test]
fn an_answer_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    let (client, agent) = pair();
    drop(client);
    assert_eq!(send_answer(&agent, &done()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn an_answer_that_is_too_long_is_not_sent() {
    let (_client, agent) = pair();
    let answer = Answer::Refused { code: 100, msg: "x".repeat(MAX_MESSAGE), retry: false };
    assert_eq!(send_answer(&agent, &answer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_client_waits_for_an_agent_that_is_not_there_yet() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let client = {
        let path = path.clone();
        thread::spawn(move || {
            let connection = Connection::open(&path, later()).unwrap();
            connection.ask(&Request::Status, &Descriptors::NONE, later()).unwrap()
        })
    };
    serve(Listener::bind(&path).unwrap(), done()).join().unwrap();
    assert_eq!(client.join().unwrap(), done());
}

#[test]
fn a_client_waits_while_a_socket_refuses() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    drop(Listener::bind(&path).unwrap());
    let client = {
        let path = path.clone();
        thread::spawn(move || Connection::open(&path, later()).map(drop))
    };
    let listener = Listener::bind(&path).unwrap();
    drop(listener.accept().unwrap());
    client.join().unwrap().unwrap();
}

#[rstest]
#[case::missing(false, io::ErrorKind::NotFound)]
#[case::refusing(true, io::ErrorKind::ConnectionRefused)]
fn a_client_gives_up_at_the_deadline(#[case] left_behind: bool, #[case] kind: io::ErrorKind) {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    if left_behind {
        drop(Listener::bind(&path).unwrap());
    }
    let deadline = Instant::now() + Duration::from_millis(250);
    let error = Connection::open(&path, deadline).unwrap_err();
    assert!(Instant::now() >= deadline);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(
        matches!(&error, AskError::Unreachable { cause, .. } if cause.kind() == kind),
        "{error}"
    );
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_an_error_at_once() {
    let error = Connection::open(Path::new(&format!("/{}", "x".repeat(200))), later()).unwrap_err();
    assert!(matches!(error, AskError::Unreachable { .. }), "{error}");
}

#[test]
fn a_client_does_not_wait_longer_than_it_may_for_the_answer() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let listener = Listener::bind(&path).unwrap();
    let connection = Connection::open(&path, later()).unwrap();
    let silent = listener.accept().unwrap();
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = connection.ask(&Request::Status, &Descriptors::NONE, deadline).unwrap_err();
    assert!(matches!(error, AskError::NoAnswer), "{error}");
    assert!(Instant::now() >= deadline);
    drop(silent);
}

#[test]
fn a_client_tells_an_agent_that_hangs_up_from_one_that_is_silent() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let listener = Listener::bind(&path).unwrap();
    let connection = Connection::open(&path, later()).unwrap();
    let agent = thread::spawn(move || receive(listener.accept().unwrap()).unwrap().unwrap().request);
    let error = connection.ask(&Request::Status, &Descriptors::NONE, later()).unwrap_err();
    assert!(matches!(error, AskError::Lost(_)), "{error}");
    assert_eq!(agent.join().unwrap(), Request::Status);
}

#[test]
fn an_answer_that_is_too_long_is_not_taken_for_a_shorter_one() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let listener = Listener::bind(&path).unwrap();
    let agent = thread::spawn(move || {
        let connection = listener.accept().unwrap();
        receive(&connection).unwrap().unwrap();
        let mut answer = br#"{"v":1,"ok":true,"did":"ready","why":""}"#.to_vec();
        answer.resize(MAX_MESSAGE + 1, b' ');
        send(&connection, &answer, SendFlags::empty()).unwrap();
    });
    let connection = Connection::open(&path, later()).unwrap();
    let error = connection.ask(&Request::Status, &Descriptors::NONE, later()).unwrap_err();
    assert!(matches!(error, AskError::Malformed(Malformed::TooLong)), "{error}");
    agent.join().unwrap();
}

#[test]
fn a_listener_is_for_its_user_alone_and_replaces_the_one_before() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("cni.sock");
    let _before = Listener::bind(&path).unwrap();
    let listener = Listener::bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(work.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["cni.sock"]);
    let agent = serve(listener, done());
    let connection = Connection::open(&path, later()).unwrap();
    connection.ask(&Request::Status, &Descriptors::NONE, later()).unwrap();
    assert_eq!(agent.join().unwrap(), Request::Status);
}
