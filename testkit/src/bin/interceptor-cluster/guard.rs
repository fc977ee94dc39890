// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard: outlives the test that started it, and leaves nothing.

use std::{
    env,
    fs::{File, TryLockError},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio, id},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;
use testkit::{
    Interrupt,
    cluster::{CgroupMode, KEPT, Message},
    try_wait_until, write_line,
};

use crate::{cgroups::Cgroups, network};

/// One node at a time: kubelet's cgroups have the same names on every node. Only root can make a file there.
const LOCK: &str = "/run/interceptor-cluster.lock";

/// Between two looks at what is not told by a file descriptor.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Guard {
    /// Which cgroup hierarchies the node sees: hybrid or unified
    #[arg(long, value_parser = mode)]
    mode: CgroupMode,
    /// The directory with the programs of Kubernetes
    #[arg(long, value_name = "DIRECTORY")]
    kubernetes: PathBuf,
}

enum Event {
    /// The test has closed its end, or has ended.
    Released,
    Kept,
    /// A line of the node's first process.
    Said(String),
    NodeEnded,
}

impl Guard {
    /// Returns when nothing is left, or having said what is.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let interrupt = Interrupt::watch()?;
        let (sender, events) = channel();
        let from_test = sender.clone();
        thread::spawn(move || listen_to_test(&from_test));
        let Some(_lock) = lock(&events, &interrupt)? else { return Ok(()) };

        let mut left = Vec::new();
        match Cgroups::before() {
            Ok(cgroups) => {
                let result = self.keep_node(sender, &events, &interrupt, &mut left);
                left.extend(cgroups.restore());
                if let Err(error) = result {
                    tell(&Message::Failed(format!("{error:#}")));
                }
            }
            Err(error) => tell(&Message::Failed(format!("{error:#}"))),
        }
        tell(&Message::Removed(left));
        Ok(())
    }

    /// Until the test releases it. What it could not remove is added to `left`.
    fn keep_node(
        &self,
        sender: Sender<Event>,
        events: &Receiver<Event>,
        interrupt: &Interrupt,
        left: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let work = tempfile::Builder::new()
            .prefix("interceptor-cluster-")
            .tempdir()
            .context("make a directory")?;
        // This process becomes the node's outside: nothing of the machine's own network is touched.
        unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
        let mut node = RunningNode::start(self, work.path(), sender)?;
        let result = node.introduce(work.path(), events).and_then(|()| relay(events, interrupt));
        let logs = match &result {
            Ok(()) => None,
            Err(_) => Some(last_words(work.path())),
        };
        left.extend(node.end());
        left.extend(remove(work));
        match (result, logs) {
            (Err(error), Some(logs)) => Err(error.context(logs)),
            (result, _) => result,
        }
    }
}

/// The `unshare` that waits for the node's first process.
struct RunningNode {
    unshare: Child,
}

impl RunningNode {
    fn start(guard: &Guard, work: &Path, sender: Sender<Event>) -> anyhow::Result<Self> {
        let own = env::current_exe().context("find this program")?;
        // If this process is killed, the kernel kills unshare, and by that the node.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        command.args(["unshare", "--mount", "--propagation", "slave", "--net", "--pid", "--fork", "--kill-child=KILL"]);
        command.arg(&own).arg("node").arg("--mode").arg(guard.mode.to_string());
        command.arg("--kubernetes").arg(&guard.kubernetes).arg("--work").arg(work);
        let mut unshare = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start setpriv and unshare")?;
        let stdout = unshare.stdout.take().context("standard output is a pipe")?;
        thread::spawn(move || listen_to_node(stdout, &sender));
        Ok(Self { unshare })
    }

    /// Gives it a network, and tells the test of it.
    fn introduce(&mut self, work: &Path, events: &Receiver<Event>) -> anyhow::Result<()> {
        let pid = match events.recv() {
            Ok(Event::Said(line)) => line.parse().with_context(|| format!("the node's pid is {line:?}"))?,
            _ => bail!("the node's first process did not start"),
        };
        network::connect(pid)?;
        write_line(&Message::Node { work: work.to_owned(), pid, outside: id() })?;
        let stdin = self.unshare.stdin.as_mut().context("standard input is a pipe")?;
        writeln!(stdin, "go").context("tell the node to go on")
    }

    /// Ends it, and with it everything inside; says what went wrong.
    fn end(&mut self) -> Option<String> {
        drop(self.unshare.stdin.take());
        let ended = try_wait_until("the node's first process ends", || {
            self.unshare.try_wait().is_ok_and(|status| status.is_some())
        });
        if ended.is_err() {
            // The kernel kills the node with it.
            self.unshare.kill().unwrap_or_default();
        }
        self.unshare
            .wait()
            .err()
            .map(|error| format!("wait for the node's end: {error}"))
    }
}

/// Passes on what the node says, until the test does not want it any more.
fn relay(events: &Receiver<Event>, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut is_kept = false;
    loop {
        match events.recv_timeout(PAUSE) {
            Ok(Event::Said(line)) => {
                let message: Message =
                    serde_json::from_str(&line).with_context(|| format!("the node said {line:?}"))?;
                if let Message::Failed(why) = message {
                    bail!(why);
                }
                write_line(&message)?;
            }
            Ok(Event::Released) if !is_kept => return Ok(()),
            Ok(Event::Kept) => is_kept = true,
            Ok(Event::Released) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Event::NodeEnded) => bail!("the node's first process has ended"),
            Err(RecvTimeoutError::Disconnected) => bail!("nobody is there any more"),
        }
        if interrupt.check().is_err() {
            return Ok(());
        }
    }
}

/// `None` when the test is gone before it is its turn.
fn lock(events: &Receiver<Event>, interrupt: &Interrupt) -> anyhow::Result<Option<File>> {
    let file = File::create(LOCK).with_context(|| format!("open {LOCK}"))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => write_line(&Message::Waiting)?,
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("lock {LOCK}")),
        }
        if matches!(events.recv_timeout(PAUSE * 10), Ok(Event::Released)) || interrupt.check().is_err() {
            return Ok(None);
        }
    }
}

fn listen_to_test(events: &Sender<Event>) {
    let mut lines = std::io::stdin().lines();
    while let Some(Ok(line)) = lines.next() {
        if line == KEPT {
            events.send(Event::Kept).unwrap_or_default();
        }
    }
    events.send(Event::Released).unwrap_or_default();
}

fn listen_to_node(stdout: ChildStdout, events: &Sender<Event>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        events.send(Event::Said(line)).unwrap_or_default();
    }
    events.send(Event::NodeEnded).unwrap_or_default();
}

/// At the end, when the test may be gone.
fn tell(message: &Message) {
    write_line(message).unwrap_or_default();
}

/// The ends of all logs, because the logs go with the node.
fn last_words(work: &Path) -> String {
    const LINES: usize = 15;
    let mut text = String::from("the last words of each component:");
    let files = std::fs::read_dir(work.join("log")).into_iter().flatten().flatten();
    for path in files.map(|entry| entry.path()).filter(|path| path.is_file()) {
        let log = std::fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        text = format!("{text}\n--- {}\n{}", path.display(), last.join("\n"));
    }
    text
}

fn remove(work: TempDir) -> Option<String> {
    let path = work.path().to_owned();
    work.close().err().map(|error| format!("remove {}: {error}", path.display()))
}

pub(crate) fn mode(text: &str) -> anyhow::Result<CgroupMode> {
    let mode = CgroupMode::ALL.into_iter().find(|mode| mode.to_string() == text);
    let mode = mode.with_context(|| format!("{text:?} is neither hybrid nor unified"))?;
    ensure!(
        mode.is_possible(),
        "this machine has no cgroup1, so a node on it cannot be hybrid"
    );
    Ok(mode)
}
