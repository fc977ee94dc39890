// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests ask the API for. By `kubectl`, as people do.

use std::time::Instant;

use serde_json::Value;

use super::Cluster;
use crate::{interceptor::Run, wait::timeout};

/// How often longer than a condition many pods may take.
const MANY: u32 = 5;

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

    /// Waits until all pods with a label, however many, are in a state: `wait_for_all("condition=Ready", "wave=1")`.
    /// Panics, with what the API knows of them, when they do not come to it.
    #[track_caller]
    pub fn wait_for_all(&self, state: &str, label: &str) {
        let deadline = Instant::now() + timeout() * MANY;
        let wanted = format!("--for={state}");
        // kubectl waits for one after the other, so each of its tries is short.
        let wait = ["wait", &wanted, "--timeout=5s", "pod", "--selector", label];
        while Run::of(self.kubectl(&wait)).code != Some(0) {
            if Instant::now() >= deadline {
                let described = Run::of(self.kubectl(&["describe", "pod", "--selector", label]));
                panic!("{state} is not what all pods with {label} came to\n{described}");
            }
        }
    }

    /// Deletes all pods with a label, and returns when they are gone.
    #[track_caller]
    pub fn delete_all(&self, label: &str) {
        self.ask(&["delete", "pod", "--selector", label, "--wait=false"]);
        let deadline = Instant::now() + timeout() * MANY;
        let list = ["get", "pod", "--selector", label, "--output", "name"];
        while !self.ask(&list).trim().is_empty() {
            assert!(Instant::now() < deadline, "pods with {label} are still there");
            // Fails when the time is over, or when they are gone already.
            drop(Run::of(self.kubectl(&[
                "wait",
                "--for=delete",
                "--timeout=5s",
                "pod",
                "--selector",
                label,
            ])));
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
