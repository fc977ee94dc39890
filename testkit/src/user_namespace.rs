// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod with a user namespace of its own (`hostUsers: false`), as a runtime makes it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{interceptor::Run, pod::Pod, process::Process};

/// What the pod's user 0 is outside.
const ROOT_OUTSIDE: u32 = 100_000;

/// A user namespace, and a network namespace that it owns. Both are kept by one process, which ends with the value.
pub struct UserNamespace<'pod> {
    pod: &'pod Pod<'pod>,
    holder: Process,
}

impl<'pod> UserNamespace<'pod> {
    /// Of this pod, whose other network namespace is not used. It has an interface, an address and a default route, and
    /// no neighbor.
    pub fn of(pod: &'pod Pod<'pod>) -> Self {
        let mut command = Command::new("/usr/bin/unshare");
        // It says a line when it is there, and lives until its standard input ends.
        command.args(["--user", "--net", "/bin/sh", "-c", "echo '{}'; read line"]);
        let mut holder = Process::spawn("holder of the namespaces", &mut command);
        let _there: serde_json::Value = holder.json();
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{}/{map}", holder.pid()), format!("0 {ROOT_OUTSIDE} 65536")).expect("map the ids");
        }
        let namespace = Self { pod, holder };
        for arguments in [
            "link set lo up",
            "link add eth0 type veth peer name peer0",
            "link set peer0 up",
            "link set eth0 up",
            "addr add 10.99.0.2/24 dev eth0",
            "route add default dev eth0",
        ] {
            let program: Vec<&str> = ["/usr/sbin/ip"].into_iter().chain(arguments.split(' ')).collect();
            namespace.run("0", &program).expect_success();
        }
        namespace
    }

    /// The network namespace.
    pub fn netns(&self) -> PathBuf {
        Path::new("/proc").join(self.holder.pid().to_string()).join("ns/net")
    }

    /// Runs a program as a user of the pod, in both namespaces and the pod's cgroup.
    pub fn run(&self, user: &str, program: &[&str]) -> Run {
        let mut command = self.pod.app_as(0, 0).command("/usr/bin/nsenter");
        let target = self.holder.pid().to_string();
        command
            .args(["--target", &target, "--user", "--net", "--setuid", user, "--setgid", user])
            .args(program);
        Run::of(command)
    }

    /// Connects as a user of the pod, and says what failed: nobody answers.
    pub fn connect(&self, user: &str, to: &str) -> Option<String> {
        let probe = self.pod.node().work().join("interceptor-probe").display().to_string();
        let report: crate::records::Report = self.run(user, &[&probe, "connect", to]).json();
        report.error.map(|failure| failure.errno)
    }
}
