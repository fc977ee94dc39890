// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An agent that does what a test tells it to, and remembers what it was asked.

use std::{
    fs,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{MetadataExt as _, chown},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use interceptor_wire::{
    Answer, Attachment, Connection, Did, Listener, Received, Request, SOCKET_NAME, receive, send_answer,
};
use rustix::{
    net::{SendFlags, send},
    process::Uid,
    thread::set_thread_uid,
};
use testkit::timeout;

use crate::node::Node;

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    /// None; the connection stays open.
    Silence,
    HangUp,
    Raw(&'static str),
}

/// What was asked, and what came with it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The inode of the network namespace.
    pub(crate) netns: Option<u64>,
    /// The directory of the cgroup, in the agent's mount namespace, which is the test's.
    pub(crate) cgroup: Option<PathBuf>,
}

pub(crate) struct Agent {
    socket: PathBuf,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn enrolled() -> Reply {
    did(Did::Enrolled)
}

pub(crate) fn did(did: Did) -> Reply {
    Reply::Answer(Answer::Done { did, why: "the agent says so".into() })
}

pub(crate) fn refused(code: u32, msg: &str) -> Reply {
    Reply::Answer(Answer::Refused { code, msg: msg.into(), retry: true })
}

impl Agent {
    /// Replies to every request in the same way.
    pub(crate) fn start(node: &Node, reply: Reply) -> Self {
        let socket = node.run_dir().join(SOCKET_NAME);
        let listener = Listener::bind(&socket).unwrap();
        Self::of(listener, socket, reply)
    }

    /// The same, as a process of this user would.
    pub(crate) fn start_as(user: u32, node: &Node, reply: Reply) -> Self {
        let socket = node.run_dir().join(SOCKET_NAME);
        chown(node.run_dir(), Some(user), None).unwrap();
        // Only this thread becomes that user.
        let listener = thread::scope(|scope| {
            let bind = scope.spawn(|| {
                set_thread_uid(Uid::from_raw(user)).unwrap();
                Listener::bind(&socket).unwrap()
            });
            bind.join().unwrap()
        });
        Self::of(listener, socket, reply)
    }

    fn of(listener: Listener, socket: PathBuf, reply: Reply) -> Self {
        let (asked, stopped) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (asked, stopped) = (Arc::clone(&asked), Arc::clone(&stopped));
            move || serve(&listener, &reply, &asked, &stopped)
        });
        Self { socket, asked, stopped, thread: Some(thread) }
    }

    /// Stops, and tells what was asked.
    pub(crate) fn stop(mut self) -> Vec<Asked> {
        self.end();
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stopped.store(true, Ordering::Relaxed);
        // It waits for a connection.
        let connection = Connection::open(&self.socket, Instant::now() + timeout());
        drop(connection);
        let ended = thread.join();
        assert!(ended.is_ok() || thread::panicking(), "the agent's thread failed");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(listener: &Listener, reply: &Reply, asked: &Mutex<Vec<Asked>>, stopped: &AtomicBool) {
    let mut open = Vec::new();
    loop {
        let connection = listener.accept().unwrap();
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        // A plugin that finds no cgroup goes without a question.
        let Ok(received) = receive(&connection) else { continue };
        asked.lock().unwrap().push(Asked::of(received.unwrap()));
        match reply {
            Reply::Answer(answer) => send_answer(&connection, answer).unwrap(),
            Reply::Silence => open.push(connection),
            Reply::HangUp => {}
            Reply::Raw(text) => {
                send(&connection, text.as_bytes(), SendFlags::empty()).unwrap();
            }
        }
    }
}

impl Asked {
    fn of(Received { request, descriptors }: Received) -> Self {
        let path = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        Self {
            request,
            netns: descriptors.netns.as_ref().map(|fd| inode(&path(fd))),
            cgroup: descriptors.cgroup.as_ref().map(|fd| fs::read_link(path(fd)).unwrap()),
        }
    }

    /// Of ADD, DEL or CHECK.
    #[track_caller]
    pub(crate) fn attachment(&self) -> &Attachment {
        match &self.request {
            Request::Add(attachment) | Request::Del(attachment) | Request::Check(attachment) => attachment,
            other => panic!("{other:?} is about no attachment"),
        }
    }
}

pub(crate) fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}
