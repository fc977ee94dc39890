// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands of the image, which are programs of their own in part: each is there. They run in the image's files,
//! without a container around.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testkit::Run;

use crate::chart::archive;

/// Where the image has its programs.
const PROGRAM: &str = "/usr/local/bin/interceptor";

/// Of the image whose tag ends so.
pub(crate) fn every_command_shows_its_help(suffix: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let root = unpack(&archive(suffix), directory.path());
    let help = run(&root, &["--help"]);
    let commands: Vec<_> = listed(&help).collect();
    for known in ["enroll", "explain", "agent", "inject", "verify", "webhook"] {
        assert!(commands.contains(&known), "{help}");
    }
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(run(&root, &[command, "--help"]).contains("Usage: "), "{command}");
    }
    for tool in ["iptables", "webhook", "istio-values"] {
        assert!(run(&root, &["render", tool, "--help"]).contains("Usage: "), "{tool}");
    }
    if !suffix.is_empty() {
        for [program, flag] in [["iptables-legacy", "--version"], ["iptables-nft", "--version"], ["ip", "-Version"]] {
            inside(&root, &[&format!("/usr/sbin/{program}"), flag]).expect_success();
        }
    }
}

/// The first words of the lines below `Commands:`.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // A long description goes on in the next line, further to the right.
    let commands = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    commands.filter_map(|line| line.split_whitespace().next())
}

/// Unpacks the one layer of an image, and returns the folder.
fn unpack(archive: &Path, directory: &Path) -> PathBuf {
    let [image, root] = ["image", "root"].map(|name| directory.join(name));
    for folder in [&image, &root, &root.join("dev"), &root.join("proc")] {
        fs::create_dir(folder).expect("make a folder");
    }
    let tar = |archive: &Path, to: &Path| {
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--file"]).arg(archive).arg("--directory").arg(to);
        Run::of(tar).expect_success();
    };
    let blob = |digest: &Value| {
        let digest = digest.as_str().expect("a digest").replace(':', "/");
        image.join("blobs").join(digest)
    };
    let read = |path: &Path| -> Value {
        serde_json::from_slice(&fs::read(path).expect("read what the archive holds")).expect("JSON")
    };
    tar(archive, &image);
    let manifest = read(&blob(&read(&image.join("index.json"))["manifests"][0]["digest"]));
    tar(&blob(&manifest["layers"][0]["digest"]), &root);
    root
}

fn run(root: &Path, arguments: &[&str]) -> String {
    let run = inside(root, &[&[PROGRAM], arguments].concat());
    run.expect_success();
    run.stdout
}

/// Runs a program with `root` as its file system, and with /proc and /dev, which every container has.
fn inside(root: &Path, words: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let script = "mount -t proc proc \"$0/proc\" && mount --bind /dev \"$0/dev\" && exec chroot \"$0\" \"$@\"";
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .arg(root)
        .args(words);
    Run::of(command)
}
