// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A webhook that runs with a certificate from files.

use std::{net::SocketAddr, process::Command, time::Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Process, timeout};

use crate::{
    authority::{Authority, files},
    client::{Answer, Client},
};

/// A running webhook. It is killed with the value.
pub(crate) struct Webhook {
    pub(crate) process: Process,
    pub(crate) reviews: SocketAddr,
    /// Of health and metrics.
    pub(crate) http: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
}

/// A line of the log, as far as it is read.
#[derive(Debug, Deserialize)]
struct Line {
    message: String,
    reviews: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

impl Webhook {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().expect("a folder");
        authority.mount(folder.path(), "first", 2100);
        let [certificate, key] = files(folder.path());
        let mut command = Command::new(testkit::interceptor_binary());
        command.args(["webhook", "--port", "0", "--http-port", "0", "--shutdown-delay", "0", "--log-json"]);
        // Tests send slowly on a busy machine.
        command.args(["--body-timeout", "3600"]);
        command
            .arg("--tls-cert")
            .arg(certificate)
            .arg("--tls-key")
            .arg(key)
            .args(arguments);
        let mut process = Process::spawn("webhook", &mut command);
        let (reviews, http) = loop {
            if let Line { message: _, reviews: Some(reviews), http: Some(http) } = process.json() {
                break (reviews, http);
            }
        };
        let local = |address: SocketAddr| SocketAddr::from(([127, 0, 0, 1], address.port()));
        Self { process, reviews: local(reviews), http: local(http), folder, authority }
    }

    /// A new connection of HTTP/1.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.reviews, &self.authority.certificate)
    }

    /// Asks for a review over a connection of its own. The answer has to be one.
    #[track_caller]
    pub(crate) fn review(&self, asked: &Value) -> Value {
        review(&mut self.connect(), asked)
    }

    /// Asks what becomes of a pod that gets an Envoy without Istio.
    #[track_caller]
    pub(crate) fn review_plain(&self, asked: &Value) -> Value {
        let json = [("content-type", "application/json")];
        let answer = self.connect().ask("POST", "/plain?timeout=10s", &json, &asked.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// Sends a body over a connection of its own.
    pub(crate) fn post(&self, content_type: &str, body: &str) -> Answer {
        post(&mut self.connect(), content_type, body)
    }

    /// What kubelet or Prometheus is told.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let mut client = Client::plain(self.http);
        client.ask("GET", path, &[], "")
    }

    /// Reads the log until it says this.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + timeout();
        while Instant::now() < deadline {
            let line: Line = self.process.json();
            if line.message.contains(text) {
                return;
            }
        }
        panic!("the webhook does not say {text:?}");
    }

    /// That it still answers.
    #[track_caller]
    pub(crate) fn expect_alive(&self) {
        let answer = self.review(&crate::reviews::of(
            "v1",
            &json!({ "apiVersion": "v1", "kind": "Pod", "spec": {} }),
        ));
        assert_eq!(answer["response"]["allowed"], true, "{answer}");
    }
}

/// Asks for a review. The answer has to be one.
#[track_caller]
pub(crate) fn review(client: &mut Client, asked: &Value) -> Value {
    let answer = post(client, "application/json", &asked.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn post(client: &mut Client, content_type: &str, body: &str) -> Answer {
    client.ask("POST", "/inject?timeout=5s", &[("content-type", content_type)], body)
}
