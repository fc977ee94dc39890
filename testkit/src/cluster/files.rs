// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of the node.

use std::path::Path;

use super::Cluster;
use crate::interceptor::Run;

impl Cluster {
    /// Puts a file into the node, at a path that the node sees, such as a plugin into `/opt/cni/bin`. Whoever looks
    /// sees all of it, or what was there before.
    pub fn put(&self, file: &Path, path: &str, mode: &str) {
        let partial = format!("{path}.partial");
        let mut install = self.node("install");
        install.args(["-m", mode]).arg(file).arg(&partial);
        Run::of(install).expect_success();
        let mut rename = self.node("mv");
        rename.args(["-f", &partial, path]);
        Run::of(rename).expect_success();
    }

    /// The text of a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        self.succeed(&["cat", path])
    }

    pub fn exists(&self, path: &str) -> bool {
        let mut test = self.node("test");
        test.args(["-e", path]);
        Run::of(test).code == Some(0)
    }

    /// Runs a command on the node, which has to succeed; what it wrote to standard output.
    #[track_caller]
    pub fn succeed(&self, words: &[&str]) -> String {
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = self.node(program);
        command.args(arguments);
        let run = Run::of(command);
        run.expect_success();
        run.stdout
    }
}
