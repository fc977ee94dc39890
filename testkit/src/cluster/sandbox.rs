// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's sandbox, as the container runtime knows it: the process that holds the pod's namespaces.

use super::Cluster;
use crate::interceptor::Run;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// 64 digits, which CNI plugins know as `CNI_CONTAINERID`.
    pub id: String,
    /// In the node's PID namespace.
    pub pid: u32,
}

impl Cluster {
    /// The sandbox of a pod, if it runs.
    pub fn sandbox(&self, pod_uid: &str) -> Option<Sandbox> {
        let filter = format!("labels.\"io.kubernetes.pod.uid\"=={pod_uid},labels.\"io.cri-containerd.kind\"==sandbox");
        let sandboxes = self.ctr(&["containers", "list", "--quiet", &filter]);
        let tasks = self.ctr(&["tasks", "list"]);
        sandboxes.lines().find_map(|id| running(&tasks, id))
    }

    /// The first process of a container, as the node numbers it. `id` is as the API writes it: `containerd://0123…`
    pub fn process_of(&self, id: &str) -> Option<u32> {
        let id = id.strip_prefix("containerd://")?;
        running(&self.ctr(&["tasks", "list"]), id).map(|task| task.pid)
    }

    fn ctr(&self, arguments: &[&str]) -> String {
        let mut command = self.node("ctr");
        command.args(["--namespace", "k8s.io"]).args(arguments);
        let run = Run::of(command);
        run.expect_success();
        run.stdout
    }
}

/// Lines are `0123…    4711    RUNNING`.
fn running(tasks: &str, id: &str) -> Option<Sandbox> {
    tasks
        .lines()
        .find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [task, pid, "RUNNING"] if task == id => Some(Sandbox { id: id.to_owned(), pid: pid.parse().ok()? }),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_has_stopped_is_no_sandbox() {
        let tasks = "TASK    PID     STATUS\nabc    4711    RUNNING\ndef    4712    STOPPED\n";
        assert_eq!(running(tasks, "abc"), Some(Sandbox { id: "abc".to_owned(), pid: 4711 }));
        assert_eq!(running(tasks, "def"), None);
        assert_eq!(running(tasks, "ab"), None);
    }
}
