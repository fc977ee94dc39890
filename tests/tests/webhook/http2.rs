// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HTTP/2, which the API server speaks: many reviews over one connection.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, runtime};
use tokio_rustls::TlsConnector;

use crate::{authority::HOST, client::tls, lab::Webhook, reviews};

#[test]
fn many_reviews_at_a_time_over_one_connection_are_answered() {
    let webhook = Webhook::start();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let sender = connect(&webhook).await;
        let body = Bytes::from(reviews::of("v1", &reviews::pod_of(25_000)).to_string());
        let asked = (0..100).map(|_| {
            let (mut sender, body) = (sender.clone(), body.clone());
            tokio::spawn(async move {
                let request = Request::post(format!("https://{HOST}/inject?timeout=5s"))
                    .header("content-type", "application/json")
                    .body(Full::new(body))
                    .expect("a request");
                sender.ready().await.expect("room for a request");
                let answer = sender.send_request(request).await.expect("an answer");
                let status = answer.status();
                (status, answer.into_body().collect().await.expect("a body").to_bytes())
            })
        });
        for answer in asked.collect::<Vec<_>>() {
            let (status, body) = answer.await.expect("the request did not panic");
            assert_eq!(status, 200);
            let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(answer["response"]["patchType"], "JSONPatch");
        }
    });
}

/// A new connection of HTTP/2.
pub(crate) async fn connect(webhook: &Webhook) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(webhook.reviews).await.expect("connect");
    stream.set_nodelay(true).expect("set TCP_NODELAY, as Go's clients do");
    let connector = TlsConnector::from(tls(&webhook.authority.certificate, &[b"h2"]));
    let stream = connector.connect(ServerName::try_from(HOST).expect("a name"), stream).await;
    let stream = stream.expect("a handshake of TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = handshake.expect("a handshake of HTTP/2");
    tokio::spawn(connection);
    sender
}
