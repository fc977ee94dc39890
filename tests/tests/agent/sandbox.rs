// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a container runtime has of a pod: a sandbox, that is a network namespace and a cgroup, and the plugin's words
//! about them.

use std::{
    fs::File,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use interceptor_wire::{Answer, AskError, Attachment, Connection, Descriptors, Request};
use serde_json::{Value, json};
use testkit::{Pod, timeout};

use crate::api::NODE;

/// A sandbox of a pod of Kubernetes.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) netns: PathBuf,
    pub(crate) cgroup: PathBuf,
}

impl Sandbox {
    /// A first sandbox of this pod.
    pub(crate) fn of(pod: &Pod<'_>, name: &str) -> Self {
        let cgroup = pod.namespace().cgroup().to_owned();
        let directory = cgroup.file_name().and_then(|name| name.to_str()).expect("the cgroup's name");
        Self {
            id: new_id(),
            name: name.to_owned(),
            uid: directory.strip_prefix("pod").expect("a pod's cgroup").to_owned(),
            netns: pod.namespace().path(),
            cgroup,
        }
    }

    /// Another sandbox of the same pod, as after the end of its first one.
    pub(crate) fn again(&self, netns: PathBuf) -> Self {
        Self { id: new_id(), netns, ..self.clone() }
    }

    /// The pod as the API server shows it, with a sidecar.
    pub(crate) fn injected(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": "shop", "name": self.name, "uid": self.uid, "resourceVersion": "1",
                "labels": {}, "annotations": {"sidecar.istio.io/status": "{}"},
            },
            "spec": {
                "nodeName": NODE,
                "initContainers": [{"name": "istio-validation", "args": ["istio-iptables", "-p", "15001"]}],
                "containers": [{"name": "app"}, {"name": "istio-proxy", "args": ["proxy", "sidecar"]}],
            },
            "status": {"phase": "Pending"},
        })
    }

    pub(crate) fn add(&self, socket: &Path) -> Result<Answer, AskError> {
        self.ask(socket, &Request::Add(self.attachment()))
    }

    pub(crate) fn del(&self, socket: &Path) -> Result<Answer, AskError> {
        self.ask(socket, &Request::Del(self.attachment()))
    }

    /// As the later ones of several are: the network namespace is gone.
    pub(crate) fn del_without_namespace(&self, socket: &Path) -> Result<Answer, AskError> {
        let request = Request::Del(self.attachment());
        connect(socket)?.ask(&request, &Descriptors::NONE, Instant::now() + timeout())
    }

    pub(crate) fn check(&self, socket: &Path) -> Result<Answer, AskError> {
        self.ask(socket, &Request::Check(self.attachment()))
    }

    pub(crate) fn attachment(&self) -> Attachment {
        let pod = json!({"namespace": "shop", "name": self.name, "uid": self.uid});
        let attachment = json!({
            "container_id": self.id, "ifname": "eth0", "netns_path": self.netns, "pod": pod,
            "cgroup_path": self.cgroup, "ips": ["10.99.0.2"],
        });
        serde_json::from_value(attachment).expect("an attachment")
    }

    fn ask(&self, socket: &Path, request: &Request) -> Result<Answer, AskError> {
        let [netns, cgroup] = [&self.netns, &self.cgroup]
            .map(|path| File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        let descriptors = Descriptors { netns: Some(netns.as_fd()), cgroup: Some(cgroup.as_fd()) };
        connect(socket)?.ask(request, &descriptors, Instant::now() + timeout())
    }
}

/// Asks without a sandbox.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Answer, AskError> {
    connect(socket)?.ask(request, &Descriptors::NONE, Instant::now() + timeout())
}

fn connect(socket: &Path) -> Result<Connection, AskError> {
    // No second try: a test knows whether the agent runs.
    Connection::open(socket, Instant::now())
}

fn new_id() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{:08x}{:056x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
