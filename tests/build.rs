// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compiles the library with which stories meddle with the loader's system calls. The machines that run them may have
//! no compiler. It compiles nothing else.

use std::{env, path::PathBuf, process::Command};

fn main() {
    const SOURCE: &str = "tests/stories/meddle.c";
    println!("cargo:rerun-if-changed={SOURCE}");
    let folder = env::var_os("OUT_DIR").expect("cargo says where to put it");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(PathBuf::from(folder).join("meddle.so"))
        .arg(SOURCE);
    let status = compiler.status().unwrap_or_else(|error| panic!("start {compiler:?}: {error}"));
    assert!(status.success(), "{compiler:?}: {status}");
}
