// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin on a node, by the files of two directories.

mod conflicts;
mod file_systems;
mod hostile;
mod istio;
mod keeper;
mod kept;
mod layouts;
mod uninstall;
mod watch;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Entry, InstallError, Installation, Layout, Outcome, Standing};

const CHAINED: Layout = Layout::Chained { file: None };
const LIST: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}, {"type": "portmap"}]}"#;
const SINGLE: &str = r#"{"cniVersion": "0.4.0", "name": "pods", "type": "bridge", "ipam": {"type": "host-local"}}"#;

/// A node with an empty directory of configurations and an empty directory of programs.
struct Node {
    root: TempDir,
}

impl Node {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["net.d", "bin"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("program"), "#!/bin/true\n").unwrap();
        Self { root }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let node = Self::new();
        for (name, text) in files {
            node.write(name, text);
        }
        node
    }

    fn net(&self, name: &str) -> PathBuf {
        self.root.path().join("net.d").join(name)
    }

    fn program(&self) -> PathBuf {
        self.root.path().join("bin/interceptor-cni")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.net(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.net(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// Names in the directory of configurations, in order.
    fn names(&self) -> Vec<String> {
        names(&self.net(""))
    }

    fn installation(&self, layout: Layout) -> Installation {
        installation(self.root.path(), layout)
    }

    /// Installs, and expects that something was written to this file.
    fn installs_into(&self, layout: Layout, name: &str) {
        let outcome = self.installation(layout.clone()).install().unwrap();
        assert_eq!(outcome, Outcome::Installed { file: self.net(name), changed: true });
        self.is_settled(layout, name);
    }

    /// A second run finds nothing to do.
    fn is_settled(&self, layout: Layout, name: &str) {
        let installation = self.installation(layout);
        let outcome = installation.install().unwrap();
        assert_eq!(outcome, Outcome::Installed { file: self.net(name), changed: false });
        assert_eq!(installation.check().unwrap(), Standing::InForce { file: self.net(name) });
    }

    /// Refuses to install, and leaves all files alone.
    fn refuses(&self, layout: Layout) -> InstallError {
        let before = snapshot(&self.net(""));
        let installation = self.installation(layout);
        let error = installation.install().unwrap_err();
        assert_eq!(snapshot(&self.net("")), before);
        assert_eq!(installation.check().unwrap_err().to_string(), error.to_string());
        error
    }
}

fn installation(root: &Path, layout: Layout) -> Installation {
    Installation {
        net_dir: root.join("net.d"),
        bin_dir: root.join("bin"),
        binary: root.join("program"),
        layout,
        entry: Entry {
            log_level: "info".to_owned(),
            run_dir: "/run/interceptor".to_owned(),
            exclude_namespaces: vec!["kube-system".to_owned()],
            pod_namespace: "istio-system".to_owned(),
        },
        replace_istio_cni: false,
        group_read: false,
    }
}

/// The entry of [`installation`].
fn entry() -> Value {
    json!({
        "name": "interceptor-cni",
        "type": "interceptor-cni",
        "plugin_log_level": "info",
        "cni_agent_run_dir": "/run/interceptor",
        "exclude_namespaces": ["kube-system"],
        "pod_namespace": "istio-system",
        "capabilities": {"io.kubernetes.cri.pod-annotations": true, "cgroupPath": true},
    })
}

/// The types of a list's plugins, in order.
fn types(list: &Value) -> Vec<&str> {
    let plugins = list["plugins"].as_array().unwrap();
    plugins.iter().map(|plugin| plugin["type"].as_str().unwrap()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All regular files with their texts.
fn snapshot(directory: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let text = |name: &String| {
        let path = directory.join(name);
        let is_file = path.symlink_metadata().unwrap().is_file();
        is_file.then(|| fs::read(path).unwrap())
    };
    names(directory).into_iter().map(|name| (name.clone(), text(&name))).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
