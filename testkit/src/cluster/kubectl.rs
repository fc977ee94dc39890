// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests ask the API for. By `kubectl`, as people do.

use serde_json::Value;

use super::Cluster;
use crate::{interceptor::Run, wait::timeout};

impl Cluster {
    /// Runs `kubectl ARGUMENTS`, which has to succeed; what it wrote to standard output.
    #[track_caller]
    pub fn ask<S: AsRef<str>>(&self, arguments: &[S]) -> String {
        let run = Run::of(self.kubectl(arguments));
        run.expect_success();
        run.stdout
    }

    /// An object of the API: `get("pod/web")`.
    #[track_caller]
    pub fn get(&self, object: &str) -> Value {
        Run::of(self.kubectl(&["get", object, "--output", "json"])).json()
    }

    /// Creates or changes objects.
    #[track_caller]
    pub fn apply(&self, objects: &[Value]) {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        Run::with_input(self.kubectl(&["apply", "--filename", "-"]), &list.to_string()).expect_success();
    }

    /// Waits until objects are in a state: `wait_for("condition=Ready", &["pod/web"])`. Panics, with what the API
    /// knows of them, when they do not come to it.
    #[track_caller]
    pub fn wait_for(&self, state: &str, objects: &[&str]) {
        let (wanted, limit) = (format!("--for={state}"), format!("--timeout={}s", limit(objects)));
        let run = Run::of(self.kubectl(&[&["wait", &wanted, &limit], objects].concat()));
        if run.code != Some(0) {
            let described = Run::of(self.kubectl(&[&["describe"], objects].concat()));
            panic!("{run}\n{described}");
        }
    }

    /// Deletes objects, and returns when they are gone.
    #[track_caller]
    pub fn delete(&self, objects: &[&str]) {
        let limit = format!("--timeout={}s", limit(objects));
        self.ask(&[&["delete", "--wait", &limit], objects].concat());
    }

    /// What a container of a pod has written.
    #[track_caller]
    pub fn container_log(&self, pod: &str, container: &str) -> String {
        self.ask(&["logs", pod, "--container", container])
    }

    /// Runs a command in a container.
    pub fn exec(&self, pod: &str, container: &str, words: &[&str]) -> Run {
        Run::of(self.kubectl(&[&["exec", pod, "--container", container, "--"], words].concat()))
    }
}

/// Seconds for each object, because kubectl waits for one after the other. Together less than a test waits for
/// kubectl, so that kubectl says what it has waited for.
fn limit(objects: &[&str]) -> u64 {
    timeout().as_secs() * 5 / 6 / objects.len().max(1) as u64
}
