// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A running Envoy.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{admin::Admin, binary::Binary, config::Config, line::Line};
use crate::{
    launcher::Launcher,
    node::Node,
    process::{Finished, Process},
    wait::{try_wait_until, wait_until},
};

/// The options of an Envoy that does not matter otherwise: one thread, what it logs is there at once, and it never
/// waits for long.
const OPTIONS: [&str; 12] = [
    "--concurrency",
    "1",
    "--log-level",
    "warning",
    "--file-flush-interval-msec",
    "20",
    "--drain-time-s",
    "1",
    "--drain-strategy",
    "immediate",
    "--parent-shutdown-time-s",
    "3",
];

/// Envoy multiplies the number by this, to have some more names for itself.
const BASE_STEP: u32 = 10;

/// How an Envoy begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Alone.
    Alone,
    /// The first of several that take over from each other.
    First,
    /// Takes over the sockets of `base`, whose epoch is one less. `base` is what [`Envoy::base`] says of the first.
    After { base: u32, epoch: u32 },
}

/// An Envoy that takes connections. Ends with the value.
pub struct Envoy {
    process: Process,
    admin: Admin,
    access_log: PathBuf,
    base: Option<u32>,
}

/// Where the files of an Envoy are, and of those that follow it.
pub struct EnvoyFiles {
    directory: PathBuf,
    started: Cell<u32>,
    base: Cell<Option<u32>>,
}

impl EnvoyFiles {
    /// A directory of this name, below the node's.
    pub fn new(node: &Node, name: &str) -> Self {
        let directory = node.work().join(name);
        fs::create_dir(&directory).unwrap_or_else(|error| panic!("make {}: {error}", directory.display()));
        // Envoy is another user.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("open the directory to all users");
        Self { directory, started: Cell::new(0), base: Cell::new(None) }
    }

    /// A name that those before do not have.
    fn next(&self) -> u32 {
        self.started.replace(self.started.get() + 1)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for EnvoyFiles {
    fn drop(&mut self) {
        // Envoys that take over from each other share memory, which outlives them.
        if let Some(base) = self.base.get() {
            fs::remove_file(format!("/dev/shm/envoy_shared_memory_{}", base * BASE_STEP)).unwrap_or_default();
        }
    }
}

impl Envoy {
    /// Starts `binary`, and returns when it takes connections.
    pub fn start(
        launcher: &Launcher,
        node: &Node,
        binary: &Binary,
        config: &Config,
        files: &EnvoyFiles,
        start: Start,
    ) -> Self {
        let program = node.bring(binary.path(), &format!("envoy-{}", binary.name()));
        let number = files.next();
        let [bootstrap, log, admin] =
            ["config.json", "log", "admin"].map(|file| files.file(&format!("{number}-{file}")));
        let config = Config { admin: admin.clone(), access_log: files.file("access.log"), ..config.clone() };
        let text = serde_json::to_vec_pretty(&config.bootstrap()).expect("JSON");
        fs::write(&bootstrap, text).unwrap_or_else(|error| panic!("write {}: {error}", bootstrap.display()));

        let base_file = files.file("base");
        let mut command = launcher.command(&program.display().to_string());
        command
            .args(OPTIONS)
            .arg("--config-path")
            .arg(&bootstrap)
            .arg("--log-path")
            .arg(&log);
        match start {
            Start::Alone => command.arg("--disable-hot-restart"),
            Start::First => command.arg("--use-dynamic-base-id").arg("--base-id-path").arg(&base_file),
            Start::After { base, epoch } => {
                command.args(["--base-id", &base.to_string(), "--restart-epoch", &epoch.to_string()])
            }
        };
        let mut process = Process::spawn(format!("Envoy with {}", bootstrap.display()), &mut command);
        let admin = Admin::new(admin);
        // Before the workers have started, the sockets are bound and nobody listens.
        let takes_connections = || {
            admin
                .get("/stats?filter=listener_manager.workers_started")
                .is_ok_and(|stats| stats.contains("workers_started: 1"))
        };
        let mut ended = false;
        let waited = try_wait_until("Envoy takes connections", || {
            ended = process.has_ended();
            ended || takes_connections()
        });
        let takes_them = waited.is_ok() && !ended;
        assert!(
            takes_them,
            "Envoy does not take connections\n{}",
            fs::read_to_string(&log).unwrap_or_default()
        );
        let base = match start {
            Start::Alone => None,
            Start::First => {
                let text = fs::read_to_string(&base_file).expect("the number that Envoy chose");
                files.base.set(Some(text.trim().parse().expect("a number")));
                files.base.get()
            }
            Start::After { base, .. } => Some(base),
        };
        Self { process, admin, access_log: config.access_log, base }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it can be administrated: a Unix socket.
    pub fn admin(&self) -> &Path {
        self.admin.socket()
    }

    /// What those that take over from it have to know; nothing if nobody can.
    pub fn base(&self) -> Option<u32> {
        self.base
    }

    /// Everything that was logged so far, also by those before it in the same place.
    pub fn lines(&self) -> Vec<Line> {
        lines(&self.access_log)
    }

    /// How many requests of HTTP it has taken itself. One that has taken over counts on from those before it.
    pub fn requests(&self) -> u64 {
        let stats = self
            .admin
            .get("/stats?filter=^http.*downstream_rq_total$")
            .expect("Envoy answers");
        let counted = stats
            .lines()
            .filter(|line| !line.starts_with("http.admin."))
            .filter_map(|line| line.split_once("downstream_rq_total: "));
        counted.map(|(_, count)| count.trim().parse::<u64>().expect("a count")).sum()
    }

    /// Ends it in good order, and returns everything that was logged: connections that were still open are, too.
    pub fn stop(self) -> Vec<Line> {
        let Self { process, access_log, .. } = self;
        let Finished { status, .. } = process.stop();
        assert!(status.success(), "Envoy ended with {status}");
        lines(&access_log)
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(self) {
        self.process.kill();
    }

    /// Makes it take no more connections, and end those that it has as they become idle. Returns when nobody in its
    /// namespace listens.
    pub fn drain(&self) {
        let answer = self.admin.post("/drain_listeners?graceful").expect("Envoy answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        wait_until("the sidecar listens no more", || !self.anyone_listens());
    }

    /// On the sidecar's ports.
    fn anyone_listens(&self) -> bool {
        let table = |name| fs::read_to_string(format!("/proc/{}/net/{name}", self.pid())).expect("Envoy runs");
        // `   0: 00000000:3A99 00000000:0000 0A …`: 0A is listening.
        let listens = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(3) == Some(&"0A")
                && [15001, 15006].iter().any(|port| fields[1].ends_with(&format!(":{port:04X}")))
        };
        ["tcp", "tcp6"].iter().any(|name| table(name).lines().any(listens))
    }

    /// Reads on until it ends by itself, as one does that has been taken over from.
    pub fn finish(self) {
        let Finished { status, .. } = self.process.finish();
        assert!(status.success(), "Envoy ended with {status}");
    }
}

fn lines(access_log: &Path) -> Vec<Line> {
    let text = fs::read_to_string(access_log).unwrap_or_else(|error| panic!("read {}: {error}", access_log.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect()
}
