// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The memory of the maps that all pods share belongs to the cgroup of whoever enrolled the first pod. Listed in
//! `docs/limits.md`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use testkit::{Node, Run, cgroup2_mount_point, istio_rules::DEFAULT_FLAGS, scene::Scene, wait_until};

/// So many lists take more memory than may be left over from earlier ones.
const RANGES: u16 = 4000;

#[test]
fn a_first_pod_that_has_used_up_its_memory_keeps_others_out_for_as_long_as_it_is_there() {
    let node = Node::new();
    let [first, second] = ["first", "second"].map(|name| Scene::new(&node, name));
    let memory = MemoryCgroup::new("first");
    Run::of(memory.command(&first.pod.enroll_command(DEFAULT_FLAGS))).expect_success();
    memory.close();

    let ranges: Vec<String> = (0..RANGES)
        .map(|index| format!("10.{}.{}.0/24", index / 250, index % 250))
        .collect();
    let ranges = ranges.join(",");
    let flags = [DEFAULT_FLAGS, &["-x", &ranges]].concat();
    let enrolled = node.enrolled();
    let refused = second.pod.try_enroll(&flags);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("Cannot allocate memory"),
        "{refused}"
    );
    assert_eq!(node.enrolled(), enrolled, "nothing is left of it");

    // Then the memory belongs to the cgroup above.
    memory.remove();
    second.pod.try_enroll(&flags).expect_success();
}

/// A cgroup with the controller of memory, in whichever hierarchy that is.
struct MemoryCgroup {
    directory: PathBuf,
    /// Of cgroup1.
    limit: PathBuf,
}

impl MemoryCgroup {
    fn new(name: &str) -> Self {
        let of_cgroup1 = Path::new("/sys/fs/cgroup/memory");
        let parent = if of_cgroup1.join("memory.limit_in_bytes").exists() {
            of_cgroup1.to_owned()
        } else {
            let root = cgroup2_mount_point();
            fs::write(root.join("cgroup.subtree_control"), "+memory").expect("a controller of memory");
            root
        };
        let directory = parent.join(format!("interceptor-test-{}-{name}", process::id()));
        fs::create_dir(&directory).expect("create a cgroup");
        Self { limit: directory.join("memory.limit_in_bytes"), directory }
    }

    /// The same command, run in the cgroup.
    fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]);
        inside.arg(self.directory.join("cgroup.procs"));
        inside.arg(command.get_program()).args(command.get_args());
        inside
    }

    /// No more memory from now on.
    fn close(&self) {
        if !self.limit.exists() {
            return fs::write(self.directory.join("memory.max"), "0").expect("set a limit");
        }
        wait_until("the limit is what is used", || {
            // What can be freed is freed first. A limit below what is left is refused.
            fs::write(self.directory.join("memory.force_empty"), "0").expect("free memory");
            let used = fs::read_to_string(self.directory.join("memory.usage_in_bytes")).expect("read what is used");
            fs::write(&self.limit, used.trim()).is_ok()
        });
    }

    fn remove(&self) {
        fs::remove_dir(&self.directory).expect("remove a cgroup without processes");
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // Unless the test has failed, it is gone.
        fs::remove_dir(&self.directory).unwrap_or_default();
    }
}
