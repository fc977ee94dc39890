// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The help is an interface: a change of it shows up in a review. `INTERCEPTOR_UPDATE_HELP=1` writes the file in
//! `tests/help` anew.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn the_help_is_the_one_that_was_reviewed() {
    let run = Command::new(env!("CARGO_BIN_EXE_interceptor-verify"))
        .arg("--help")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("run interceptor-verify");
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let help = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help/verify.txt");
    if env::var_os("INTERCEPTOR_UPDATE_HELP").is_some() {
        fs::write(&file, help).expect("write the help");
        return;
    }
    let reviewed = fs::read_to_string(&file).expect("read the reviewed help");
    assert_eq!(
        help, reviewed,
        "if this is intended, run `INTERCEPTOR_UPDATE_HELP=1 cargo test -p interceptor-verify --test help`"
    );
}
