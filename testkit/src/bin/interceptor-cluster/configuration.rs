// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that the node's components read at their start. JSON where YAML is expected, which it is.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::json;
use testkit::cluster::{BUSYBOX_IMAGE, OUTSIDE_ADDRESS, STATIC_PODS};

use crate::pki::Pki;

pub(crate) const KUBELET: &str = "/var/lib/kubelet/config.json";

pub(crate) const CONTAINERD: &str = "/etc/containerd/config.toml";

/// `with_limits`: whether limits of containers can be written.
pub(crate) fn write_all(work: &Path, pki: &Pki, with_limits: bool) -> anyhow::Result<()> {
    // Nobody answers there: a pod that asks for a name is to fail at once.
    let resolv_conf = work.join("resolv.conf");
    fs::write(&resolv_conf, format!("nameserver {OUTSIDE_ADDRESS}\n")).context("write resolv.conf")?;
    write(KUBELET, &kubelet(pki, &resolv_conf))?;
    fs::create_dir_all(STATIC_PODS).with_context(|| format!("make {STATIC_PODS}"))?;
    let runc = if with_limits { None } else { Some(runc(work)?) };
    fs::create_dir_all("/etc/containerd").context("make /etc/containerd")?;
    write(CONTAINERD, &containerd(runc.as_deref()))
}

fn kubelet(pki: &Pki, resolv_conf: &Path) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.path("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki.path("kubelet-server.crt"),
        "tlsPrivateKeyFile": pki.path("kubelet-server.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "cgroupsPerQOS": true,
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "staticPodPath": STATIC_PODS,
        "fileCheckFrequency": "2s",
        // A lower one takes a capability that containers, in which tests may run, lack.
        "oomScoreAdj": 0,
        "resolvConf": resolv_conf,
        // The disk belongs to the machine: how full it is must not decide a test.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": { "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        "nodeStatusUpdateFrequency": "2s",
    })
    .to_string()
}

fn containerd(runc: Option<&Path>) -> String {
    let mut text = format!(
        "version = 2\n\
         oom_score = 0\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\n\
         sandbox_image = \"{BUSYBOX_IMAGE}\"\n\
         disable_apparmor = true\n\
         restrict_oom_score_adj = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\n\
         bin_dir = \"/opt/cni/bin\"\n\
         conf_dir = \"/etc/cni/net.d\"\n"
    );
    if let Some(runc) = runc {
        let options = format!(
            "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n\
             runtime_type = \"io.containerd.runc.v2\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n\
             BinaryName = \"{}\"\n",
            runc.display()
        );
        text.push_str(&options);
    }
    text
}

/// A program that stands for runc, and leaves limits out.
fn runc(work: &Path) -> anyhow::Result<PathBuf> {
    let path = work.join("runc");
    script(&path, "runc \"$@\"")?;
    Ok(path)
}

/// A program that is this one in another role.
pub(crate) fn script(path: &Path, arguments: &str) -> anyhow::Result<()> {
    let own = env::current_exe().context("find this program")?;
    let text = format!("#!/bin/sh\nexec '{}' {arguments}\n", own.display());
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} executable", path.display()))
}

fn write(path: &str, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("write {path}"))
}
