// SPDX-License-Identifier: Apache-2.0 OR MIT
//! File systems that take no data. They are real: a small tmpfs in a mount namespace of its own, in which a second
//! process of this test program runs. It needs no privilege, but user namespaces.

use std::{
    env,
    io::{ErrorKind, Write as _},
    process::Command,
    time::Instant,
};

use super::*;
use crate::install::Keeper;

/// Tells the second process that it is the second one, and where the file system is.
const ROOT: &str = "INTERCEPTOR_TEST_SMALL_FILE_SYSTEM";

/// Runs the test of this name once more, with the root of a small file system.
fn on_a_small_file_system(name: &str, test: fn(&Path)) {
    if let Some(root) = env::var_os(ROOT) {
        return test(Path::new(&root));
    }
    let node = Node::new();
    let script = r#"mount -t tmpfs -o size=64k,mode=755 none "$2" && exec "$1" --exact "$3" --nocapture"#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([env::current_exe().unwrap().as_os_str(), node.root.path().as_os_str()])
        .arg(format!("install::tests::file_systems::{name}"))
        .env(ROOT, node.root.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// A program that is in place, and a list without the entry. Returns the list.
fn lay_out(root: &Path) -> String {
    for directory in ["net.d", "bin"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    // Longer than what may be left of the last page.
    let list = LIST.replace("pods", &"p".repeat(9000));
    fs::write(root.join("net.d/a.conflist"), &list).unwrap();
    for program in ["program", "bin/interceptor-cni"] {
        fs::write(root.join(program), "#!/bin/true\n").unwrap();
    }
    set_mode(&root.join("bin/interceptor-cni"), 0o755);
    list
}

#[test]
fn a_full_disk_leaves_the_list_as_it_was() {
    on_a_small_file_system("a_full_disk_leaves_the_list_as_it_was", |root| {
        let (list, file) = (lay_out(root), root.join("net.d/a.conflist"));
        fill(root);
        let installation = installation(root, CHAINED);
        let (mut keeper, now) = (Keeper::new(installation.clone()), Instant::now());
        let error = keeper.look(now).unwrap_err();
        let InstallError::Io { cause, path, .. } = &error else { panic!("{error}") };
        assert_eq!((cause.kind(), path), (ErrorKind::StorageFull, &file));
        assert_eq!(fs::read_to_string(&file).unwrap(), list);
        assert_eq!(names(&root.join("net.d")), ["a.conflist"]);
        assert_eq!(installation.check().unwrap(), Standing::Lost { file: file.clone() });

        fs::remove_file(root.join("filler")).unwrap();
        keeper.look(now).unwrap();
        assert_eq!(installation.check().unwrap(), Standing::InForce { file });
    });
}

#[test]
fn a_full_disk_leaves_the_program_as_it_was() {
    on_a_small_file_system("a_full_disk_leaves_the_program_as_it_was", |root| {
        let list = lay_out(root);
        fs::write(root.join("program"), "#!/bin/new\n").unwrap();
        fill(root);
        installation(root, CHAINED).install().unwrap_err();
        assert_eq!(fs::read_to_string(root.join("bin/interceptor-cni")).unwrap(), "#!/bin/true\n");
        assert_eq!(names(&root.join("bin")), ["interceptor-cni"]);
        assert_eq!(fs::read_to_string(root.join("net.d/a.conflist")).unwrap(), list);
    });
}

#[test]
fn a_file_system_that_is_read_only_is_refused_with_a_hint() {
    on_a_small_file_system("a_file_system_that_is_read_only_is_refused_with_a_hint", |root| {
        lay_out(root);
        let mount = Command::new("mount").args(["-o", "remount,ro"]).arg(root).status().unwrap();
        assert!(mount.success());
        let error = installation(root, CHAINED).install().unwrap_err().to_string();
        let start = format!("failed to write to {}/bin: Read-only file system", root.display());
        assert!(error.starts_with(&start) && error.contains("global.platform"), "{error}");
    });
}

/// Takes all space that is left.
fn fill(root: &Path) {
    let mut filler = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(root.join("filler"))
        .unwrap();
    let error = loop {
        match filler.write(&[0; 4096]) {
            Ok(_written) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}
