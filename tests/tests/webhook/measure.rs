// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many admissions a second one processor does, how long one takes, and how much memory that takes. The webhook
//! that is measured should be the image's: `INTERCEPTOR_BIN=target/oci/root/usr/local/bin/interceptor`.

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http2::SendRequest};
use tokio::runtime;

use crate::{authority::HOST, http2::connect, lab::Webhook, reviews};

/// Of a pod with a sidecar.
const BYTES: usize = 25_000;
const WARM_UP: usize = 500;
const REVIEWS: usize = 10_000;
/// Reviews at a time.
const CLIENTS: usize = 8;

#[test]
#[ignore = "a measurement"]
fn admissions_per_second_of_one_processor() {
    // It logs a line for each review, as it does by default.
    let webhook = Webhook::start();
    let pid = webhook.process.pid();
    let body = Bytes::from(reviews::of("v1", &reviews::pod_of(BYTES)).to_string());
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut sender = connect(&webhook).await;
        for _ in 0..WARM_UP {
            ask(&mut sender, body.clone()).await;
        }

        let before = processor_time(pid);
        let mut took = Vec::new();
        for _ in 0..REVIEWS {
            took.push(ask(&mut sender, body.clone()).await);
        }
        took.sort_unstable();
        let each = processor_time(pid).saturating_sub(before) / u32::try_from(REVIEWS).expect("a count");
        println!(
            "one after the other: {each:?} of processor time each, {:.0}/s",
            1.0 / each.as_secs_f64()
        );
        for percent in [50, 90, 99] {
            println!("p{percent}: {:?}", took[REVIEWS * percent / 100]);
        }

        let (before, started) = (processor_time(pid), Instant::now());
        let clients = (0..CLIENTS).map(|_| {
            let (mut sender, body) = (sender.clone(), body.clone());
            tokio::spawn(async move {
                for _ in 0..REVIEWS / CLIENTS {
                    ask(&mut sender, body.clone()).await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("a client did not panic");
        }
        let (used, elapsed) = (processor_time(pid).saturating_sub(before), started.elapsed());
        let rate = |time: Duration| f64::from(u32::try_from(REVIEWS).expect("a count")) / time.as_secs_f64();
        println!(
            "{CLIENTS} at a time: {:.0}/s, {:.0} for each second of processor time",
            rate(elapsed),
            rate(used)
        );
    });
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("read the status");
    let memory: Vec<_> = status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .collect();
    println!("{memory:?}");
}

/// Asks for a review, and says how long that took.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, body: Bytes) -> Duration {
    let request = Request::post(format!("https://{HOST}/inject?timeout=5s"))
        .header("content-type", "application/json")
        .body(Full::new(body))
        .expect("a request");
    let started = Instant::now();
    sender.ready().await.expect("room for a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.expect("a body");
    started.elapsed()
}

/// What a process has used of processors.
fn processor_time(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("read schedstat");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
