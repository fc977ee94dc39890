// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs of others, and small ones in other languages, made ready to run.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use crate::node::Node;

/// Where users' programs are found who have no home.
pub const SYSTEM: [&str; 2] = ["/usr/bin", "/bin"];

/// Where those of administrators are.
const ADMINISTRATORS: &str = "/usr/sbin";

/// What has to be there before a program can run.
#[derive(Clone, Copy)]
pub enum Build {
    Nothing,
    /// A file of this name and with this text.
    Copy(&'static str, &'static str),
    /// The same, and what this command makes of it; the names of the program and of the file are the last words.
    Compile(&'static str, &'static str, &'static [&'static str]),
}

impl Build {
    /// The file to run, where every user may read it.
    pub fn make(self, node: &Node) -> PathBuf {
        match self {
            Self::Nothing => PathBuf::new(),
            Self::Copy(name, text) => write(node.work(), name, text),
            Self::Compile(name, text, command) => node.bring(&compile(name, text, command), &program_of(name)),
        }
    }
}

/// The program's path. Panics, saying how to get it, when it is not there: a test without it is not a pass.
pub fn find(program: &str) -> PathBuf {
    let folders = [&SYSTEM[..], &[ADMINISTRATORS]].concat();
    let found = folders
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "there is no {program} in {}: run `cargo xtask setup --clients --resolvers`",
            folders.join(", ")
        )
    })
}

/// What is made of the file of this name.
fn program_of(name: &str) -> String {
    format!("{name}.program")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
    file
}

/// Once for all tests; in cargo's target directory, where the compilers find what they kept of earlier runs.
fn compile(name: &'static str, text: &str, command: &[&str]) -> PathBuf {
    static MADE: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("no compiler failed before");
    made.entry(name).or_insert_with(|| {
        let running = env::current_exe().expect("the path of the running test");
        let target = running.ancestors().nth(3).expect("cargo's target directory");
        let folder = target.join("programs");
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("make {}: {error}", folder.display()));
        let (source, program) = (write(&folder, name, text), folder.join(program_of(name)));
        let mut compiler = Command::new(find(command[0]));
        compiler.args(&command[1..]).arg(&program).arg(&source);
        compiler
            .env("GOCACHE", folder.join("go"))
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0");
        let status = compiler.status().unwrap_or_else(|error| panic!("start {compiler:?}: {error}"));
        assert!(status.success(), "{compiler:?}: {status}");
        program
    });
    made[name].clone()
}
