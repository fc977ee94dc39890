// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A node: the owner of everything that one test leaves in the kernel.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, id},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::geteuid,
};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    cgroup,
    interceptor::{self, Run},
    namespace::Namespace,
};

/// Leaves everything in place when a test fails.
pub(crate) const KEEP: &str = "INTERCEPTOR_TEST_KEEP";

/// The binaries that other users than root run: copied to where those may go.
const TOOLS: [&str; 3] = ["interceptor-http", "interceptor-probe", "interceptor-sidecar"];

/// A node of its own, made for one test: a bpffs, a cgroup and namespaces. All of it goes with the value.
///
/// One bpffs each means one set of maps each: tests on different nodes share nothing.
pub struct Node {
    name: String,
    work: TempDir,
    cgroup: PathBuf,
    interceptor: OnceLock<PathBuf>,
    namespaces: Mutex<Vec<String>>,
}

/// What is used of `status --output json`.
#[derive(Deserialize)]
struct PodCounters {
    counters: BTreeMap<String, u64>,
}

impl Node {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        assert!(
            geteuid().is_root(),
            "these tests need root: they make namespaces, cgroups and eBPF programs of their own"
        );

        let name = format!("interceptor-test-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let work = tempfile::Builder::new().prefix(&name).tempdir().expect("a temporary directory");
        let node = Self {
            cgroup: cgroup::mount_point().join(&name),
            name,
            work,
            interceptor: OnceLock::new(),
            namespaces: Mutex::default(),
        };
        // From here on the drop below takes away what has been made, whatever fails.
        fs::set_permissions(node.work.path(), fs::Permissions::from_mode(0o755))
            .expect("open the temporary directory to all users");
        for tool in TOOLS {
            copy(&profile_directory().join(tool), &node.work.path().join(tool));
        }
        fs::create_dir(node.bpffs()).expect("a mount point for bpffs");
        mount(Some("bpf"), &node.bpffs(), Some("bpf"), MsFlags::empty(), None::<&str>).expect("mount a bpffs");
        fs::create_dir(&node.cgroup).unwrap_or_else(|error| panic!("make {}: {error}", node.cgroup.display()));
        node
    }

    /// The same with another build of `interceptor` than the one under test.
    pub fn with_interceptor(program: &Path) -> Self {
        let node = Self::new();
        let path = node.work.path().join("interceptor");
        copy(program, &path);
        node.interceptor.set(path).expect("nobody has asked for the program yet");
        node
    }

    /// The bpffs of this node, for `--bpffs`.
    pub fn bpffs(&self) -> PathBuf {
        self.work.path().join("bpffs")
    }

    /// Where this node keeps records, for `--run-dir`.
    pub fn run_dir(&self) -> PathBuf {
        self.work.path().join("run")
    }

    /// A directory that every user may read.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// A namespace outside of any mesh.
    pub fn outside(&self, name: &str) -> Namespace {
        self.namespace(name, name)
    }

    pub(crate) fn namespace(&self, name: &str, cgroup: &str) -> Namespace {
        let cgroup = self.cgroup.join(cgroup);
        fs::create_dir(&cgroup).unwrap_or_else(|error| panic!("make {}: {error}", cgroup.display()));
        let namespace = Namespace::new(
            format!("{}-{name}", self.name.replace("interceptor-test", "ict")),
            cgroup,
            self.work.path(),
        );
        self.namespaces
            .lock()
            .expect("no test thread panicked here")
            .push(namespace.name().to_owned());
        namespace.create();
        namespace
    }

    /// A file of another place, where every user may read and run it.
    pub fn bring(&self, file: &Path, name: &str) -> PathBuf {
        let here = self.work.path().join(name);
        // Envoy has a hundred megabytes: another name for the same file is enough, where there can be one.
        if !here.exists() && fs::hard_link(file, &here).is_err() {
            copy(file, &here);
        }
        here
    }

    /// The `interceptor` binary, where every user may run it.
    pub fn interceptor(&self) -> &Path {
        self.interceptor.get_or_init(|| {
            let path = self.work.path().join("interceptor");
            copy(interceptor::binary(), &path);
            path
        })
    }

    /// Runs `interceptor ARGUMENTS --bpffs <this node's>` to its end.
    pub fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Run {
        Run::of(self.command(arguments))
    }

    /// `interceptor ARGUMENTS --bpffs <this node's>`, to be started by the caller.
    pub fn command<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(self.interceptor());
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .arg("--bpffs")
            .arg(self.bpffs());
        command
    }

    /// `interceptor agent ARGUMENTS --bpffs <this node's>`, to be started by the caller.
    pub fn agent(&self, arguments: &[&str]) -> Command {
        let program = interceptor::binary().with_file_name("interceptor-agent");
        assert!(
            program.is_file(),
            "there is no {}: run `cargo build --package interceptor-agent`",
            program.display()
        );
        self.bring(&program, "interceptor-agent");
        self.command(&[&["agent"], arguments].concat())
    }

    /// Every path in this node's bpffs, sorted: what is pinned.
    pub fn pins(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.bpffs()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    directories.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// What is pinned for pods, that is below a directory `pods`.
    pub fn enrolled(&self) -> Vec<PathBuf> {
        self.pins()
            .into_iter()
            .filter(|path| path.parent().is_some_and(|parent| parent.ends_with("pods")))
            .collect()
    }

    /// What the only enrolled pod has counted, by reason, as `interceptor status` tells it.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let pods: Vec<PodCounters> = self.run(&["status", "--output", "json"]).json();
        let [PodCounters { counters }] =
            <[PodCounters; 1]>::try_from(pods).unwrap_or_else(|pods| panic!("{} pods instead of one", pods.len()));
        counters
    }

    fn remove(&self) -> Vec<String> {
        let mut failed = Vec::new();
        let mut attempt = |what: String, result: Result<(), String>| {
            if let Err(error) = result {
                failed.push(format!("{what}: {error}"));
            }
        };
        attempt("end the processes".to_owned(), cgroup::kill_all(&self.cgroup));
        if self.interceptor.get().is_some() {
            let cleaned = Run::attempt(self.command(&["clean", "--all"]), "").and_then(Run::successful);
            attempt("interceptor clean --all".to_owned(), cleaned);
        }
        if self.bpffs().exists() {
            attempt(
                "unmount bpffs".to_owned(),
                umount2(&self.bpffs(), MntFlags::MNT_DETACH).map_err(|error| error.to_string()),
            );
        }
        attempt(
            format!("remove {}", self.cgroup.display()),
            cgroup::remove(&self.cgroup).map_err(|error| error.to_string()),
        );
        for namespace in self
            .namespaces
            .lock()
            .map(|mut names| std::mem::take(&mut *names))
            .unwrap_or_default()
        {
            let mut delete = Command::new("ip");
            delete.args(["netns", "del", &namespace]);
            attempt(
                format!("delete namespace {namespace}"),
                Run::attempt(delete, "").and_then(Run::successful),
            );
        }
        failed
    }

    #[expect(clippy::print_stderr, reason = "how to look around after a failure")]
    fn say_how_to_enter(&self) {
        let namespaces = self.namespaces.lock().map(|names| names.clone()).unwrap_or_default();
        for namespace in namespaces {
            eprintln!(
                "to look around: nsenter --net=/run/netns/{namespace} ({KEEP}=1 keeps it; bpffs {})",
                self.bpffs().display()
            );
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            self.say_how_to_enter();
            if env::var_os(KEEP).is_some() {
                self.work.disable_cleanup(true);
                return;
            }
        }
        let failed = self.remove();
        assert!(failed.is_empty() || thread::panicking(), "left behind: {failed:#?}");
    }
}

/// A link where the file system allows it: debug builds have a hundred megabytes, and each test has a node. Else a
/// copy, by a process of its own: a file that is open for writing here could not be run while some other thread's
/// child, started meanwhile, has not yet closed what it inherited (ETXTBSY).
fn copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_ok() {
        return;
    }
    Run::of_line(&["cp", &from.display().to_string(), &to.display().to_string()]).expect_success();
}

/// Where cargo puts the binaries that belong to the running test: `target/debug` of `target/debug/deps/rows-0123`.
pub fn profile_directory() -> PathBuf {
    let test = env::current_exe().expect("the path of the running test");
    let directory = test.parent().expect("a directory");
    if directory.ends_with("deps") {
        directory.parent().expect("a directory").to_owned()
    } else {
        directory.to_owned()
    }
}
