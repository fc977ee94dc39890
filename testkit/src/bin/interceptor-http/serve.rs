// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The web application.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Frame, Incoming, SizeHint},
    header::{CONNECTION, HeaderValue, UPGRADE},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use nix::unistd::getuid;
use socket2::{Domain, Socket, Type};
use testkit::records::{Greeting, Ready};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::upgrade::PROTOCOL;
use testkit::write_line;

const BACKLOG: i32 = 4096;

/// A part of `/bytes/N`.
static PART: [u8; 64 * 1024] = [b'x'; 64 * 1024];

type Body = BoxBody<Bytes, hyper::Error>;

#[derive(Args)]
pub(crate) struct Serve {
    /// What it calls itself
    #[arg(long, default_value = "server")]
    name: String,
    /// Where to listen
    #[arg(required = true, value_name = "IP:PORT")]
    listen: Vec<SocketAddr>,
}

impl Serve {
    /// Serves until SIGTERM.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
        let mut tasks = JoinSet::new();
        let mut ready = Vec::new();
        for address in &self.listen {
            let listener = listen(*address).with_context(|| format!("listen on {address}"))?;
            ready.push(listener.local_addr()?);
            tasks.spawn(serve_all(listener, self.name.clone()));
        }
        write_line(&Ready { ready })?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            ended = tasks.join_next() => ended.context("something to listen to")?.context("a listener's task")?,
        }
    }
}

/// `[::]` leaves IPv4 to others.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

async fn serve_all(listener: TcpListener, name: String) -> anyhow::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await.context("accept a connection")?;
        let local = stream.local_addr().context("getsockname")?;
        let greeting = Greeting {
            name: name.clone(),
            uid: getuid().as_raw(),
            local,
            peer,
            original_destination: None,
            levels: Vec::new(),
        };
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(request, &greeting);
                async { Ok::<_, Infallible>(response) }
            });
            // A client that breaks off ends it.
            Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await
        });
    }
}

fn answer(request: Request<Incoming>, greeting: &Greeting) -> Response<Body> {
    let path = request.uri().path();
    if request.headers().get(UPGRADE).is_some_and(|wanted| wanted == PROTOCOL) {
        return upgrade(request);
    }
    if path == "/echo" {
        return Response::new(with_trailers(request.into_body()).boxed());
    }
    if let Some(count) = path.strip_prefix("/bytes/").and_then(|count| count.parse().ok()) {
        return Response::new(Bulk(count).boxed());
    }
    let text = serde_json::to_string(greeting).unwrap_or_else(|error| error.to_string());
    Response::new(Full::from(text + "\n").map_err(|never| match never {}).boxed())
}

/// As gRPC ends a stream.
fn with_trailers(body: Incoming) -> impl hyper::body::Body<Data = Bytes, Error = hyper::Error> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.with_trailers(async { Some(Ok(trailers)) })
}

/// This many bytes, without ever waiting for them.
struct Bulk(usize);

impl hyper::body::Body for Bulk {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let now = self.0.min(PART.len());
        self.0 -= now;
        Poll::Ready((now > 0).then(|| Ok(Frame::data(Bytes::from_static(&PART[..now])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0 as u64)
    }
}

fn upgrade(request: Request<Incoming>) -> Response<Body> {
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await?);
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        tokio::io::copy(&mut reader, &mut writer).await?;
        anyhow::Ok(())
    });
    let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}
