// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs of a node and of its control plane, and their flags.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use testkit::cluster::{Kubernetes, NODE_ADDRESS, NODE_NAME};

use crate::{
    configuration,
    network::{PODS, SERVICES},
    pki::Pki,
};

/// One that runs. Its log is `NAME.log`.
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) child: Child,
}

/// Starts components, in the order in which they are asked for.
pub(crate) struct Starter<'a> {
    pub(crate) kubernetes: &'a Kubernetes,
    pub(crate) pki: &'a Pki,
    pub(crate) logs: PathBuf,
}

impl Starter<'_> {
    pub(crate) fn etcd(&self) -> anyhow::Result<Component> {
        self.start(
            "etcd",
            Path::new("etcd"),
            &strings(&[
                "--name=node",
                "--data-dir=/run/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                "--initial-cluster=node=http://127.0.0.1:2380",
            ]),
        )
    }

    pub(crate) fn apiserver(&self) -> anyhow::Result<Component> {
        let mut flags = strings(&[
            "--etcd-servers=http://127.0.0.1:2379",
            "--secure-port=6443",
            "--cert-dir=/run/apiserver",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction,MutatingAdmissionWebhook,ValidatingAdmissionWebhook",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        ]);
        flags.push(format!("--advertise-address={NODE_ADDRESS}"));
        flags.push(format!("--service-cluster-ip-range={SERVICES}"));
        flags.extend(self.files(&[
            ("tls-cert-file", "apiserver.crt"),
            ("tls-private-key-file", "apiserver.key"),
            ("client-ca-file", "ca.crt"),
            ("service-account-key-file", "sa.pub"),
            ("service-account-signing-key-file", "sa.key"),
            ("kubelet-client-certificate", "apiserver-kubelet.crt"),
            ("kubelet-client-key", "apiserver-kubelet.key"),
            ("requestheader-client-ca-file", "ca.crt"),
            ("proxy-client-cert-file", "front-proxy.crt"),
            ("proxy-client-key-file", "front-proxy.key"),
        ]));
        self.kubernetes("kube-apiserver", &flags)
    }

    pub(crate) fn containerd(&self) -> anyhow::Result<Component> {
        self.start(
            "containerd",
            Path::new("containerd"),
            &strings(&["--config", configuration::CONTAINERD]),
        )
    }

    /// As administrator, and not with one service account for each controller: it is ready 2 s sooner.
    pub(crate) fn controller_manager(&self) -> anyhow::Result<Component> {
        let mut flags = strings(&[
            "--leader-elect=false",
            "--port=0",
            "--bind-address=127.0.0.1",
            "--cert-dir=/run/controller-manager",
            "--use-service-account-credentials=false",
        ]);
        flags.extend(self.files(&[
            ("kubeconfig", "admin.conf"),
            ("authentication-kubeconfig", "controller-manager.conf"),
            ("authorization-kubeconfig", "controller-manager.conf"),
            ("service-account-private-key-file", "sa.key"),
            ("root-ca-file", "ca.crt"),
            ("cluster-signing-cert-file", "ca.crt"),
            ("cluster-signing-key-file", "ca.key"),
        ]));
        self.kubernetes("kube-controller-manager", &flags)
    }

    pub(crate) fn scheduler(&self) -> anyhow::Result<Component> {
        let mut flags =
            strings(&["--leader-elect=false", "--port=0", "--bind-address=127.0.0.1", "--cert-dir=/run/scheduler"]);
        flags.extend(self.files(&[
            ("kubeconfig", "scheduler.conf"),
            ("authentication-kubeconfig", "scheduler.conf"),
            ("authorization-kubeconfig", "scheduler.conf"),
        ]));
        self.kubernetes("kube-scheduler", &flags)
    }

    /// Its collector takes a container that is made and not yet started for a dead one, unless it has to wait.
    pub(crate) fn kubelet(&self) -> anyhow::Result<Component> {
        let mut flags = strings(&[
            "--container-runtime=remote",
            "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
            "--minimum-container-ttl-duration=10s",
            "--v=2",
        ]);
        flags.push(format!("--config={}", configuration::KUBELET));
        flags.push(format!("--hostname-override={NODE_NAME}"));
        flags.push(format!("--node-ip={NODE_ADDRESS}"));
        flags.extend(self.files(&[("kubeconfig", "kubelet.conf")]));
        self.kubernetes("kubelet", &flags)
    }

    /// It sets no limits of connection tracking: those belong to the machine.
    pub(crate) fn proxy(&self) -> anyhow::Result<Component> {
        let mut flags = strings(&[
            "--proxy-mode=iptables",
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]);
        flags.push(format!("--hostname-override={NODE_NAME}"));
        flags.push(format!("--cluster-cidr={PODS}"));
        flags.extend(self.files(&[("kubeconfig", "proxy.conf")]));
        self.kubernetes("kube-proxy", &flags)
    }

    fn files(&self, files: &[(&str, &str)]) -> Vec<String> {
        files
            .iter()
            .map(|(flag, file)| format!("--{flag}={}", self.pki.path(file).display()))
            .collect()
    }

    fn kubernetes(&self, name: &'static str, flags: &[String]) -> anyhow::Result<Component> {
        self.start(name, &self.kubernetes.program(name), flags)
    }

    fn start(&self, name: &'static str, program: &Path, flags: &[String]) -> anyhow::Result<Component> {
        let path = self.logs.join(format!("{name}.log"));
        let log = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        let same = log.try_clone().with_context(|| format!("share {}", path.display()))?;
        let mut command = Command::new(program);
        command.args(flags).stdin(Stdio::null()).stdout(log).stderr(same);
        let child = command.spawn().with_context(|| {
            format!(
                "start {}: `cargo xtask setup --cluster` installs what is missing",
                program.display()
            )
        })?;
        Ok(Component { name, child })
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
