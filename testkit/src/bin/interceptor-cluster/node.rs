// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first process of the node: lays out its files, starts its components, and inherits whoever loses a parent.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use nix::{
    errno::Errno,
    sys::wait::{WaitStatus, wait},
    unistd::Pid,
};
use testkit::{
    cluster::{BUSYBOX_IMAGE, CgroupMode, Image, Kubernetes, Message, NODE_NAME, Step},
    timeout, try_wait_until, write_line,
};

use crate::{
    chain,
    components::{Component, Starter},
    configuration, layout, network,
    pki::Pki,
};

#[derive(Args)]
pub(crate) struct Node {
    /// Which cgroup hierarchies the node sees: hybrid or unified
    #[arg(long, value_parser = crate::guard::mode)]
    mode: CgroupMode,
    /// The directory with the programs of Kubernetes
    #[arg(long, value_name = "DIRECTORY")]
    kubernetes: PathBuf,
    /// Where everything is written
    #[arg(long, value_name = "DIRECTORY")]
    work: PathBuf,
}

impl Node {
    /// Says its pid, waits for its network, and goes on until standard input ends. When this process ends, the kernel
    /// ends the node.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        // /proc is still the machine's, and so is the number.
        let pid = fs::read_link("/proc/self").context("read /proc/self")?;
        write_line(&pid.display().to_string().parse::<u32>().context("the number of this process")?)?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).context("wait for the network")?;
        ensure!(line.trim() == "go", "the guard said {line:?}");
        thread::spawn(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap_or_default();
            std::process::exit(0)
        });
        let result = self.bring_up(Instant::now()).and_then(|components| {
            write_line(&Message::Ready)?;
            reap(&components)
        });
        if let Err(error) = result {
            write_line(&Message::Failed(format!("{error:#}")))?;
            // Whoever reads the logs needs them to be whole.
            wait_for_guard();
        }
        Ok(())
    }

    fn bring_up(&self, start: Instant) -> anyhow::Result<Vec<Component>> {
        let done = |what: &str| {
            write_line(&Message::Step(Step {
                done: what.to_owned(),
                milliseconds: start.elapsed().as_millis(),
            }))
        };
        // Asked of the machine, which is not to be seen any more from then on.
        let with_limits = !self.mode.is_without_controllers();
        layout::lay_out(&self.work, self.mode)?;
        network::configure()?;
        let kubernetes = Kubernetes::at(self.kubernetes.clone());
        let pki = Pki::make(self.work.join("pki"))?;
        configuration::write_all(&self.work, &pki, with_limits)?;
        chain::write(&self.work, self.mode)?;
        done("files")?;

        let starter = Starter { kubernetes: &kubernetes, pki: &pki, logs: self.work.join("log") };
        let mut running = vec![starter.etcd()?, starter.apiserver()?, starter.containerd()?];
        wait_for("containerd", &mut running, || {
            let mut command = Command::new("ctr");
            command.arg("version");
            command
        })?;
        self.import_busybox(&kubernetes)?;
        done("containerd")?;
        let kubectl = |arguments: &[&str]| {
            let mut command = Command::new(kubernetes.program("kubectl"));
            command.arg("--kubeconfig").arg(pki.path("admin.conf")).args(arguments);
            command
        };
        wait_for("the API", &mut running, || kubectl(&["get", "--raw", "/readyz"]))?;
        done("API")?;
        running.extend([starter.controller_manager()?, starter.scheduler()?, starter.kubelet()?, starter.proxy()?]);
        wait_for("the node", &mut running, || {
            kubectl(&["wait", "--for=condition=Ready", "--timeout=1s", &format!("node/{NODE_NAME}")])
        })?;
        done("node")?;
        wait_for("the default service account", &mut running, || {
            kubectl(&["get", "serviceaccount", "default"])
        })?;
        done("service account")?;
        Ok(running)
    }

    /// The image of the first container of each pod, which ends when it is told to.
    fn import_busybox(&self, kubernetes: &Kubernetes) -> anyhow::Result<()> {
        let applets = ["cat", "grep", "ls", "nc", "sh", "sleep", "test", "wget"];
        let image = Image::new(BUSYBOX_IMAGE)
            .program("busybox", &kubernetes.program("busybox"))
            .applets("busybox", &applets)
            .command(&["/bin/busybox", "sleep", "2147483647"]);
        let archive = self.work.join("busybox.tar");
        image.write(&archive);
        let mut import = Command::new("ctr");
        import
            .args(["--namespace", "k8s.io", "images", "import"])
            .arg(&archive)
            .stdout(Stdio::null());
        let status = import.status().context("start ctr")?;
        ensure!(status.success(), "{import:?} failed: {status}");
        fs::remove_file(&archive).with_context(|| format!("remove {}", archive.display()))
    }
}

/// Runs a command until it succeeds, unless a component ends.
fn wait_for(what: &str, running: &mut [Component], command: impl Fn() -> Command) -> anyhow::Result<()> {
    let mut ended = Ok(());
    let waited = try_wait_until(what, || {
        ended = running.iter_mut().try_for_each(is_running);
        let mut command = command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ended.is_err() || command.status().is_ok_and(|status| status.success())
    });
    ended?;
    waited.map_err(|error| anyhow::anyhow!("{error}; INTERCEPTOR_TEST_TIMEOUT, now {:?}, is the limit", timeout()))
}

fn is_running(component: &mut Component) -> anyhow::Result<()> {
    match component
        .child
        .try_wait()
        .with_context(|| format!("look at {}", component.name))?
    {
        Some(status) => bail!("{} has ended: {status}", component.name),
        None => Ok(()),
    }
}

/// Waits for processes that have lost their parents, for ever; an error when a component ends.
fn reap(components: &[Component]) -> anyhow::Result<()> {
    let component = |pid: Pid| {
        components
            .iter()
            .find(|component| i64::from(component.child.id()) == i64::from(pid.as_raw()))
    };
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => {
                if let Some(component) = component(pid) {
                    bail!("{} has ended", component.name);
                }
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => bail!("wait for processes: {error}"),
        }
    }
}

/// The other thread ends this process when the guard closes its end, or the guard kills it.
fn wait_for_guard() {
    loop {
        thread::park();
    }
}
