// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods: a network namespace, and a cgroup with one below it for each of two containers.

use std::{
    fs,
    process::{Command, id},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    interceptor::Run,
    istio_rules::DEFAULT_FLAGS,
    launcher::{APP_UID, Launcher, PROXY_UID},
    namespace::Namespace,
    node::Node,
};

/// A pod: a namespace, its cgroup, and one cgroup below it for each of its two containers.
pub struct Pod<'node> {
    node: &'node Node,
    namespace: Namespace,
}

impl<'node> Pod<'node> {
    pub(crate) fn new(node: &'node Node, namespace: Namespace) -> Self {
        for container in ["app", "sidecar"] {
            fs::create_dir(namespace.cgroup().join(container)).expect("a cgroup for a container");
        }
        Self { node, namespace }
    }

    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub fn node(&self) -> &'node Node {
        self.node
    }

    /// Starts processes in the application's container.
    pub fn app(&self) -> Launcher {
        self.app_as(APP_UID, APP_UID)
    }

    pub fn app_as(&self, uid: u32, gid: u32) -> Launcher {
        self.namespace.launcher(uid, gid).cgroup(self.namespace.cgroup().join("app"))
    }

    /// Starts processes in the sidecar's container, as its user and group.
    pub fn proxy(&self) -> Launcher {
        self.proxy_as(PROXY_UID, PROXY_UID)
    }

    pub fn proxy_as(&self, uid: u32, gid: u32) -> Launcher {
        self.namespace
            .launcher(uid, gid)
            .cgroup(self.namespace.cgroup().join("sidecar"))
    }

    /// `--netns PATH --cgroup DIR`
    pub fn place(&self) -> [String; 4] {
        let [netns, cgroup] =
            [self.namespace.path(), self.namespace.cgroup().to_owned()].map(|path| path.display().to_string());
        ["--netns".to_owned(), netns, "--cgroup".to_owned(), cgroup]
    }

    /// The command line that enrolls the pod with `flags`, to be started by the caller.
    pub fn enroll_command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(self.node.interceptor());
        command
            .arg("istio-iptables")
            .args(flags)
            .args(self.place())
            .arg("--bpffs")
            .arg(self.node.bpffs());
        command
    }

    /// Runs `interceptor istio-iptables FLAGS` for the pod.
    pub fn try_enroll(&self, flags: &[&str]) -> Run {
        Run::of(self.enroll_command(flags))
    }

    /// Enrolls the pod with Istio's default flags and `more`; a flag given again counts.
    pub fn enroll(&self, more: &[&str]) {
        self.try_enroll(&[DEFAULT_FLAGS, more].concat()).expect_success();
    }

    /// Runs `interceptor istio-iptables --data-path iptables FLAGS` for the pod.
    pub fn try_write_rules(&self, flags: &[&str]) -> Run {
        let run_dir = self.node.run_dir().display().to_string();
        self.try_enroll(&[&["--data-path", "iptables", "--run-dir", &run_dir], flags].concat())
    }

    /// The same with Istio's default flags and `more`; a flag given again counts.
    pub fn write_rules(&self, more: &[&str]) {
        self.try_write_rules(&[DEFAULT_FLAGS, more].concat()).expect_success();
    }

    /// Runs `interceptor clean` for the pod.
    pub fn clean(&self) {
        let [netns, run_dir] = [self.namespace.path(), self.node.run_dir()].map(|path| path.display().to_string());
        self.node
            .run(&["clean", "--netns", &netns, "--run-dir", &run_dir])
            .expect_success();
    }
}

impl Node {
    /// A pod: a namespace, and a cgroup with one below it for each of its two containers. Not enrolled, and not
    /// connected.
    pub fn pod(&self, name: &str) -> Pod<'_> {
        // The name that kubelet would give it, with which the loader finds it from inside a container.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let uid = COUNT.fetch_add(1, Ordering::Relaxed);
        Pod::new(
            self,
            self.namespace(name, &format!("pod{:08x}-0000-4000-8000-{uid:012x}", id())),
        )
    }
}
