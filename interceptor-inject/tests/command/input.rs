// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which files are read, and what is refused about them.

use std::fs;

use super::{IMAGE, INJECTED, PLAIN, fail, rewritten, shown, succeed};

#[test]
fn several_files_come_out_as_one_stream() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one.yaml"), directory.path().join("two"));
    fs::write(&one, PLAIN.trim_end()).unwrap();
    fs::write(&two, format!("\u{feff}{PLAIN}")).unwrap();
    let arguments = ["-f", shown(&one), "-f", "-", "-f", shown(&two), "--image", IMAGE];
    let (stdout, _) = succeed(&arguments, &format!("---\n{INJECTED}"));
    assert_eq!(stdout, format!("{PLAIN}---\n{}---\n{PLAIN}", rewritten()));
}

#[test]
fn a_file_with_directives_can_come_after_another() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("two.yaml");
    fs::write(&file, format!("%YAML 1.2\n---\n{INJECTED}")).unwrap();
    let (stdout, _) = succeed(&["-f", "-", "-f", shown(&file), "--image", IMAGE], PLAIN);
    assert_eq!(stdout, format!("{PLAIN}...\n%YAML 1.2\n---\n{}", rewritten()));
    let (again, _) = succeed(&["-f", "-", "--image", IMAGE], &stdout);
    assert_eq!(again, stdout);
}

#[test]
fn a_directory_is_its_manifests_in_the_order_of_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let named = |name: &str| PLAIN.replace("name: plain", &format!("name: {name}"));
    for name in ["b.yaml", "c.json", "a.yml"] {
        fs::write(directory.path().join(name), named(name)).unwrap();
    }
    fs::write(directory.path().join("README.md"), "no manifest: [").unwrap();
    fs::create_dir(directory.path().join("d.yaml")).unwrap();
    let (stdout, _) = succeed(&["-f", shown(directory.path())], "");
    assert_eq!(stdout, ["a.yml", "b.yaml", "c.json"].map(named).join("---\n"));
}

#[test]
fn the_output_goes_to_a_file_that_may_be_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yaml");
    fs::write(&file, INJECTED).unwrap();
    let (stdout, _) = succeed(&["-f", shown(&file), "-o", shown(&file), "--image", IMAGE], "");
    assert_eq!((stdout.as_str(), fs::read_to_string(&file).unwrap()), ("", rewritten()));
}

#[test]
fn a_failure_leaves_the_output_file_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yaml");
    fs::write(&file, "as it was").unwrap();
    fail(1, &["-f", "-", "-o", shown(&file)], "a: [");
    assert_eq!(fs::read_to_string(&file).unwrap(), "as it was");
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("latin1"), b"a: 1\nb: \xe4\n").unwrap();
    fs::create_dir(path("empty")).unwrap();
    fs::create_dir(path("socket")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("socket").join("a.yaml")).unwrap();
    for (name, expected) in [
        ("missing", "Failed to open"),
        ("latin1", "latin1, line 2: byte 8 is not UTF-8"),
        ("empty", "has no file *.yaml, *.yml or *.json"),
        ("socket", "is not a regular file"),
    ] {
        let stderr = fail(1, &["-f", shown(&path(name))], "");
        assert!(stderr.contains(expected) && stderr.contains(shown(&path(name))), "{stderr}");
    }
    assert!(fail(1, &["-f", "-", "-f", "-"], "").contains("can be read once"));
}
