// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The help of each command is an interface: a change of it shows up in a review. `INTERCEPTOR_UPDATE_HELP=1` writes
//! the files in `tests/help` anew.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use rstest::rstest;

#[rstest]
#[case::interceptor("interceptor", &[])]
#[case::enroll("enroll", &["enroll"])]
#[case::unenroll("unenroll", &["unenroll"])]
#[case::refresh("refresh", &["refresh"])]
#[case::status("status", &["status"])]
#[case::upgrade("upgrade", &["upgrade"])]
#[case::explain("explain", &["explain"])]
#[case::trace("trace", &["trace"])]
#[case::render("render", &["render"])]
#[case::render_iptables("render-iptables", &["render", "iptables"])]
#[case::check("check", &["check"])]
#[case::wait("wait", &["wait"])]
#[case::version("version", &["version"])]
#[case::completion("completion", &["completion"])]
#[case::man("man", &["man"])]
fn the_help_is_the_one_that_was_reviewed(#[case] name: &str, #[case] command: &[&str]) {
    let run = Command::new(env!("CARGO_BIN_EXE_interceptor"))
        .args(command)
        .arg("--help")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("run interceptor");
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let help = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
    if env::var_os("INTERCEPTOR_UPDATE_HELP").is_some() {
        fs::write(&file, help).expect("write the help");
        return;
    }
    let reviewed = fs::read_to_string(&file).expect("read the reviewed help");
    let changed = (1..)
        .zip(help.lines().zip(reviewed.lines()))
        .find(|(_, (now, then))| now != then);
    assert!(
        help == reviewed,
        "the first line that changed is {changed:?}; if this is intended, run `INTERCEPTOR_UPDATE_HELP=1 cargo test \
         -p interceptor --test help`, and review {}",
        file.display()
    );
}
