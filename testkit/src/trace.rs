// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor trace`, as a process that follows.

use std::process::Command;

use serde_json::Value;

use crate::{node::Node, process::Process};

/// `interceptor trace ARGUMENTS`, which follows when this returns. What it warns of stands among its lines.
pub fn follow(node: &Node, arguments: &[&str]) -> Process {
    let trace = node.command(&[&["trace"], arguments].concat());
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .arg(trace.get_program())
        .args(trace.get_args());
    let mut process = Process::spawn("trace", &mut command);
    let line = process.line();
    assert_eq!(line, "interceptor: note: following verdicts; interrupt it to end");
    process
}

/// What a trace that follows with `--output json` has said until it ends.
pub fn events(trace: Process) -> Vec<Value> {
    let lines = trace.stop().lines;
    let json = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    lines
        .iter()
        .filter(|line| !line.starts_with("interceptor: "))
        .map(json)
        .collect()
}
