// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A node that runs, and ways into it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use nix::unistd::geteuid;

use super::{CgroupMode, Image, Kubernetes, Message, Step, message::KEPT};
use crate::{
    interceptor::Run,
    node::{KEEP, profile_directory},
    process::{Finished, Process},
};

/// A Kubernetes of one node. It goes with the value, and with this process.
///
/// There is one at a time on a machine: a second one waits until the first is gone, in this process or in another.
pub struct Cluster {
    mode: CgroupMode,
    kubernetes: Kubernetes,
    /// `None` only while it is dropped, and when it is left to itself.
    guard: Option<Process>,
    work: PathBuf,
    node: u32,
    outside: u32,
    steps: Vec<Step>,
}

impl Cluster {
    /// Panics, naming the log, when the node does not become ready; and, naming the directory, when another kubelet
    /// runs on this machine.
    pub fn start(mode: CgroupMode) -> Self {
        assert!(
            geteuid().is_root(),
            "a Kubernetes node needs root: it has namespaces, cgroups and mounts of its own"
        );
        let kubernetes = Kubernetes::find();
        let program = profile_directory().join("interceptor-cluster");
        assert!(
            program.is_file(),
            "no {}: run `cargo build -p testkit --bins`, which `cargo xtask test` does",
            program.display()
        );
        let mut command = Command::new(program);
        command
            .arg("guard")
            .arg("--mode")
            .arg(mode.to_string())
            .arg("--kubernetes")
            .arg(kubernetes.directory());
        // Ctrl-C ends the test, and by that the node; the guard has to see to it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut guard = Process::spawn("interceptor-cluster", &mut command);
        let mut message = || guard.json();
        let (work, node, outside) = loop {
            match message() {
                Message::Node { work, pid, outside } => break (work, pid, outside),
                Message::Waiting => {}
                Message::Failed(why) => panic!("no Kubernetes node: {why}"),
                other => panic!("no Kubernetes node, but {other:?}"),
            }
        };
        let mut cluster = Self { mode, kubernetes, guard: Some(guard), work, node, outside, steps: Vec::new() };
        cluster.wait_until_ready();
        cluster
    }

    fn wait_until_ready(&mut self) {
        let guard = self.guard.as_mut().expect("only the drop takes it");
        loop {
            match guard.json() {
                Message::Step(step) => self.steps.push(step),
                Message::Ready => return,
                Message::Failed(why) => panic!("the Kubernetes node did not become ready: {why}"),
                other => panic!("the Kubernetes node did not become ready, but {other:?}"),
            }
        }
    }

    pub fn mode(&self) -> CgroupMode {
        self.mode
    }

    /// What was done until the node was ready, and when.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A directory that goes with the node, and that the node sees at the same path.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Logs of the components, one file each, and of the pods.
    pub fn logs(&self) -> PathBuf {
        self.work.join("log")
    }

    /// Of the administrator. The API's address is reachable in the node's network namespace.
    pub fn kubeconfig(&self) -> PathBuf {
        self.work.join("pki/admin.conf")
    }

    /// A namespace of the node, for `setns()`: `net`, `mnt` or `pid`.
    pub fn namespace(&self, kind: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/{kind}", self.node))
    }

    /// A program inside the node, in all of its namespaces. It ends when the command is killed.
    pub fn node(&self, program: impl AsRef<Path>) -> Command {
        let mut command = enter(self.node, &["--mount", "--net", "--pid"]);
        command.args(["setpriv", "--pdeathsig", "KILL", "--"]).arg(program.as_ref());
        command
    }

    /// A program of this machine's mount namespace, in the node's network namespace: for clients of the API.
    pub fn beside_the_api(&self, program: impl AsRef<Path>) -> Command {
        let mut command = enter(self.node, &["--net"]);
        command.arg(program.as_ref()).env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// A program of this machine's mount namespace, in the network at the other end of the node's cable.
    pub fn outside(&self, program: impl AsRef<Path>) -> Command {
        let mut command = enter(self.outside, &["--net"]);
        command.arg(program.as_ref());
        command
    }

    /// `kubectl ARGUMENTS`, as administrator.
    pub fn kubectl<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = self.beside_the_api(self.kubernetes.program("kubectl"));
        command.args(arguments.iter().map(AsRef::as_ref));
        command
    }

    /// Makes an image known to the node. Pods that use it have to say `imagePullPolicy: Never`.
    pub fn import(&self, image: &Image) {
        let archive = self.work.join("image.tar");
        image.write(&archive);
        self.import_archive(&archive);
        fs::remove_file(&archive).unwrap_or_else(|error| panic!("remove {}: {error}", archive.display()));
    }

    /// The same for an archive that somebody else has written, such as `cargo xtask image`.
    #[track_caller]
    pub fn import_archive(&self, archive: &Path) {
        let mut import = self.node("ctr");
        import.args(["--namespace", "k8s.io", "images", "import"]).arg(archive);
        Run::of(import).expect_success();
    }

    /// A small busybox, for images.
    pub fn busybox(&self) -> PathBuf {
        self.kubernetes.program("busybox")
    }

    /// A test has failed: says how to enter the node, which stays if `INTERCEPTOR_TEST_KEEP` asks for that.
    #[expect(clippy::print_stderr, reason = "how to look around after a failure")]
    pub fn failed(&mut self) {
        let Some(guard) = self.guard.as_mut() else { return };
        eprintln!(
            "to look around: nsenter --target {} --mount --net --pid (logs {}); {KEEP}=1 keeps it, and `kill {}` \
             removes it then",
            self.node,
            self.work.join("log").display(),
            guard.pid()
        );
        if env::var_os(KEEP).is_some() {
            guard.say(KEPT);
            self.guard.take().map(Process::leave).unwrap_or_default();
        }
    }
}

/// Ends in `--`, for the program.
fn enter(pid: u32, namespaces: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(pid.to_string()).args(namespaces).arg("--");
    command
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            self.failed();
        }
        let Some(guard) = self.guard.take() else { return };
        match guard.try_finish() {
            Ok(Finished { lines, .. }) => {
                let last = lines.last().map(|line| serde_json::from_str(line));
                let clean = matches!(&last, Some(Ok(Message::Removed(left))) if left.is_empty());
                assert!(
                    clean || thread::panicking(),
                    "the Kubernetes node left something behind: {lines:#?}"
                );
            }
            Err(error) => assert!(thread::panicking(), "{error}"),
        }
    }
}
