// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two ends of the connections that are measured, each in its network namespace. Nothing here measures.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::unix::process::CommandExt as _,
    process::Command,
};

use testkit::{
    Launcher, Node, Pod, Process,
    scene::{Scene, Stack},
};

use super::{unavailable::Unavailable, variant::Variant, worker};
use crate::worker::{Cpus, Destinations, Sample, Task, Work};

/// The port of the sidecar that outbound connections are redirected to.
const OUTBOUND: u16 = 15001;

/// An application that connects to whatever is there.
pub struct Caller {
    client: Process,
    cpus: Cpus,
}

impl Caller {
    pub fn start(pod: &Pod<'_>, cpus: Cpus) -> Self {
        Self { client: start(&pod.app(), &worker(pod.node()), &["client"]), cpus }
    }

    /// Carries out `work`, which nobody has to be told about.
    pub fn turn(&mut self, work: Work) -> Sample {
        let Cpus { measured, .. } = self.cpus;
        let task = Task { work, client_cpu: measured, server_cpu: measured };
        self.client.say(&serde_json::to_string(&task).expect("a task is JSON"));
        self.client.json()
    }
}

/// A pod in which an application and its sidecar's stand-in wait for tasks.
pub struct MeasuredPod<'node> {
    pub variant: Variant,
    scene: Scene<'node>,
    client: Process,
    server: Process,
    cpus: Cpus,
}

impl<'node> MeasuredPod<'node> {
    /// Makes the pod, puts interception in force with Istio's default flags and `more`, starts both ends, and makes
    /// sure that connections go where they should.
    pub fn new(
        node: &'node Node,
        name: &str,
        variant: Variant,
        more: &[&str],
        cpus: Cpus,
    ) -> Result<Self, Unavailable> {
        let scene = Scene::with_stack(node, name, Stack::V4);
        // As in a cluster: the rules first, then the sidecar, then the application.
        variant.install(&scene.pod, scene.stack, more)?;
        let worker = worker(node);
        let server = start(&scene.pod.proxy(), &worker, &["server", &OUTBOUND.to_string()]);
        let client = start(&scene.pod.app(), &worker, &["client"]);
        let mut pod = Self { variant, scene, client, server, cpus };
        pod.check()?;
        Ok(pod)
    }

    pub fn scene(&self) -> &Scene<'node> {
        &self.scene
    }

    /// What the application dials: a server outside, and where nothing is intercepted, the stand-in itself. Either
    /// way both ends of the connection are in the pod, and its packets go over loopback.
    pub fn server(&self) -> SocketAddrV4 {
        match self.variant {
            Variant::Direct => SocketAddrV4::new(Ipv4Addr::LOCALHOST, OUTBOUND),
            _ => SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 1), 80),
        }
    }

    /// As many different ones.
    pub fn servers(&self, count: u32) -> Destinations {
        let first = match self.variant {
            Variant::Direct => SocketAddrV4::new(Ipv4Addr::new(127, 1, 0, 1), OUTBOUND),
            _ => SocketAddrV4::new(Ipv4Addr::new(10, 50, 0, 1), 80),
        };
        Destinations { first, count }
    }

    /// Carries out `work` on one processor; what the application says of it.
    pub fn turn(&mut self, work: Work) -> Sample {
        let Cpus { measured, .. } = self.cpus;
        self.both(&Task { work, client_cpu: measured, server_cpu: measured }).0
    }

    /// Carries out `work` with each end on a processor of its own; what both say of it.
    pub fn turn_on_two(&mut self, work: Work) -> (Sample, Sample) {
        let Cpus { measured, other } = self.cpus;
        self.both(&Task { work, client_cpu: measured, server_cpu: other })
    }

    /// Carries out `work` with each end on a processor of its own, and does `meanwhile` while it runs.
    pub fn turn_beside<T>(&mut self, work: Work, meanwhile: impl FnOnce() -> T) -> (Sample, T) {
        let Cpus { measured, other } = self.cpus;
        let task = Task { work, client_cpu: measured, server_cpu: other };
        let line = serde_json::to_string(&task).expect("a task is JSON");
        self.server.say(&line);
        self.client.say(&line);
        let result = meanwhile();
        let took = self.client.json();
        let _server: Sample = self.server.json();
        (took, result)
    }

    /// Opens many connections, and does `meanwhile` while they are open.
    pub fn hold<T>(&mut self, work: Work, meanwhile: impl FnOnce() -> T) -> (Sample, T) {
        let Cpus { measured, .. } = self.cpus;
        let [open, close] =
            [work, Work::CloseAll].map(|work| Task { work, client_cpu: measured, server_cpu: measured });
        let [open, close] = [open, close].map(|task| serde_json::to_string(&task).expect("a task is JSON"));
        self.server.say(&open);
        self.client.say(&open);
        let took = self.client.json();
        let result = meanwhile();
        // The stand-in closes its ends then, too.
        for end in [&mut self.client, &mut self.server] {
            end.say(&close);
        }
        let _closed: Sample = self.client.json();
        for _ in 0..2 {
            let _server: Sample = self.server.json();
        }
        (took, result)
    }

    fn both(&mut self, task: &Task) -> (Sample, Sample) {
        let line = serde_json::to_string(task).expect("a task is JSON");
        if let Work::Connect { .. } = task.work {
            self.client.say(&line);
            let client = self.client.json();
            self.server.say(&line);
            (client, self.server.json())
        } else {
            self.server.say(&line);
            self.client.say(&line);
            (self.client.json(), self.server.json())
        }
    }

    /// A measurement of something that does not intercept would look good.
    fn check(&mut self) -> Result<(), Unavailable> {
        let to = self.server();
        let Cpus { measured, .. } = self.cpus;
        let task = Task { work: Work::WhereTo { to }, client_cpu: measured, server_cpu: measured };
        let (_, Sample { original, .. }) = self.both(&task);
        let expected = (self.variant != Variant::Direct).then_some(SocketAddr::V4(to));
        if original == expected {
            return Ok(());
        }
        Err(Unavailable(format!(
            "a connection to {to} has the original destination {original:?} instead of {expected:?}"
        )))
    }
}

fn start(launcher: &Launcher, worker: &str, arguments: &[&str]) -> Process {
    let mut command: Command = launcher.command(worker);
    // Ctrl-C is for the benchmark, which then ends its workers in good order.
    command.args(arguments).process_group(0);
    let mut process = Process::spawn(format!("worker {}", arguments.join(" ")), &mut command);
    let _ready: Sample = process.json();
    process
}
