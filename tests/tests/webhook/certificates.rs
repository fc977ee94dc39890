// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates that are replaced while the webhook serves.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use testkit::{Run, wait_until};

use crate::{
    authority::files,
    client::Client,
    lab::{Webhook, review},
    reviews,
};

#[test]
fn a_swapped_certificate_is_shown_and_no_request_fails() {
    let webhook = Webhook::start();
    let first = webhook.connect().certificate;
    let (is_over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (address, authority) = (webhook.reviews, &webhook.authority.certificate);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                review(&mut Client::connect(address, authority), &reviews::of("v1", &reviews::pod()));
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        let over = Over(&is_over);
        webhook.authority.mount(webhook.folder.path(), "second", 2100);
        wait_until("the new certificate is shown", || webhook.connect().certificate != first);
        let so_far = served.load(Ordering::Relaxed);
        wait_until("requests are served with it", || served.load(Ordering::Relaxed) > so_far + 1);
        drop(over);
    });
}

/// Ends the load, also after a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn with_an_expired_certificate_the_webhook_lives_and_is_not_ready() {
    let webhook = Webhook::start();
    assert_eq!(webhook.get("/readyz").status, 200);
    webhook.authority.mount(webhook.folder.path(), "expired", 2001);
    wait_until("it is not ready", || webhook.get("/readyz").status == 503);
    assert_eq!(webhook.get("/readyz").body, "the certificate has expired\n");
    assert_eq!(webhook.get("/healthz").status, 200);
    webhook.authority.mount(webhook.folder.path(), "valid", 2100);
    wait_until("it is ready again", || webhook.get("/readyz").status == 200);
}

#[test]
fn files_that_hold_no_certificate_leave_the_one_before_in_force() {
    let webhook = Webhook::start();
    let first = webhook.connect().certificate;
    let [certificate, _] = files(webhook.folder.path());
    fs::write(certificate, "garbage").expect("write");
    wait_until("it is counted", || {
        let metrics = webhook.get("/metrics").body;
        metrics
            .lines()
            .any(|line| line == "interceptor_webhook_certificate_failures_total 1")
    });
    assert_eq!(webhook.connect().certificate, first);
    assert_eq!(webhook.get("/readyz").status, 200);
}

#[test]
fn a_webhook_whose_certificate_is_missing_does_not_start() {
    let mut command = std::process::Command::new(testkit::interceptor_binary());
    command.args(["webhook", "--port", "0", "--http-port", "0", "--tls-cert", "/nonexistent/crt", "--tls-key", "/x"]);
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("/nonexistent/crt"), "{run}");
}
