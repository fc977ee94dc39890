// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The end of the webhook, when it is asked to end.

use nix::sys::signal::Signal;

use crate::{lab::Webhook, reviews};

#[test]
fn a_request_that_has_begun_is_answered_and_then_the_webhook_ends() {
    let mut webhook = Webhook::start();
    let body = reviews::of("v1", &reviews::pod()).to_string();
    let mut client = webhook.connect();
    let length = body.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", &length), ("expect", "100-continue")];
    client.head("POST", "/inject", &headers);
    assert_eq!(client.line(), "HTTP/1.1 100 Continue", "the webhook reads the body");
    assert_eq!(client.line(), "");
    let mut idle = webhook.connect();

    webhook.process.signal(Signal::SIGTERM);
    webhook.wait_for("ending");
    assert!(idle.is_closed(), "a connection without a request ends at once");
    client.send(body.as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    let finished = webhook.process.finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
}

#[test]
fn a_webhook_that_ends_is_not_ready_and_still_serves_for_a_while() {
    let mut webhook = Webhook::start_with(&["--shutdown-delay", "3600"]);
    webhook.process.signal(Signal::SIGTERM);
    webhook.wait_for("ending");
    let ready = webhook.get("/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (503, "this process ends\n"));
    webhook.expect_alive();
}
