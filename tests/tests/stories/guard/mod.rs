// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard: what the programs for system calls do not see, or cannot hold, does not leave the pod past the
//! redirection.

mod passing;
mod switch;
mod ways_out;

use std::path::PathBuf;

use nix::sys::utsname::uname;
use testkit::{
    Launcher, Node,
    istio_rules::DEFAULT_FLAGS,
    scene::{Scene, Stack},
};

pub(crate) const V4: &str = "10.99.0.1";
pub(crate) const V6: &str = "fd99::1";

pub(crate) const TPROXY: &[&str] = &["-m", "TPROXY"];
pub(crate) const ALL_DNS: &[&str] = &["--redirect-dns", "--capture-all-dns"];
pub(crate) const BEYOND_EXCLUDED: &[&str] = &["-x", "10.98.0.0/16,fd98::/16"];

pub(crate) const NOTHING: [&str; 0] = [];

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    App,
    /// With `CAP_NET_RAW`, in the application's container.
    Root,
    /// As the application's user, and not in the pod's cgroup.
    Outsider,
    /// The socket was made outside of the pod's cgroup, and its process was moved there.
    Migrated,
}

impl Who {
    fn launcher(self, scene: &Scene<'_>) -> (Launcher, Vec<String>) {
        let elsewhere: PathBuf = scene.outside.cgroup().to_owned();
        match self {
            Self::App => (scene.pod.app(), Vec::new()),
            Self::Root => (scene.pod.app_as(0, 0), Vec::new()),
            Self::Outsider => (scene.pod.app().cgroup(elsewhere), Vec::new()),
            Self::Migrated => (scene.pod.app(), vec!["--made-in".to_owned(), elsewhere.display().to_string()]),
        }
    }
}

/// Sends, and returns what arrives outside of the pod.
pub(crate) fn leaving(scene: &Scene<'_>, who: Who, how: &str, to: &str, flags: &[&str]) -> Vec<String> {
    let (launcher, more) = who.launcher(scene);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let watcher = scene.outside.root().watch();
    let then = if to.starts_with('[') { format!("[{V6}]:9") } else { format!("{V4}:9") };
    let report = launcher.leave(how, to, &[flags, &more].concat(), &then);
    // A raw socket of IPv6 is told that its packet was dropped; the others are not.
    let told = report.error.as_ref().is_none_or(|failure| failure.errno == "ENOBUFS");
    assert!(told, "{report:#?}");
    let lines = watcher.finish().lines;
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

pub(crate) fn scene(node: &Node) -> Scene<'_> {
    Scene::with_stack(node, "pod", Stack::Dual)
}

/// Whether this kernel can guard a pod. One that cannot has to say so: it enrolls with a warning, and refuses if the
/// guard is asked for.
pub(crate) fn can_guard(scene: &Scene<'_>) -> bool {
    let names = uname().expect("the name of this kernel");
    let release = names.release().to_string_lossy();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    if (numbers.next(), numbers.next()) >= (Some(6), Some(6)) {
        return true;
    }
    let warned = scene.pod.try_enroll(DEFAULT_FLAGS);
    warned.expect_success();
    assert!(warned.output().contains("not guarded"), "{warned}");
    let refused = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["--guard", "on"]].concat());
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.output().contains("Linux 6.6"), "{refused}");
    false
}
