// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection and a request.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use nix::errno::Errno;
use testkit::records::{Failure, Tally};
use tokio::net::TcpStream;

/// What went wrong: `connect:ECONNREFUSED`, `receive:EOF`, `status:503`.
pub(crate) fn failure(step: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(raw) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Failure { step: step.to_owned(), errno: format!("{:?}", Errno::from_raw(raw)) };
        }
        cause = error.source();
    }
    Failure { step: step.to_owned(), errno: "EOF".to_owned() }
}

pub(crate) fn count(tally: &mut Tally, outcome: Result<(), Failure>) {
    match outcome {
        Ok(()) => tally.succeeded += 1,
        Err(Failure { step, errno }) => *tally.failed.entry(format!("{step}:{errno}")).or_default() += 1,
    }
}

pub(crate) async fn connect(to: SocketAddr) -> Result<TcpStream, Failure> {
    TcpStream::connect(to).await.map_err(|error| failure("connect", &error))
}

/// An HTTP/1.1 client on a connection of its own.
pub(crate) async fn open(to: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Failure> {
    let stream = connect(to).await?;
    let (client, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failure("send", &error))?;
    // What becomes of the connection is seen by the request on it.
    tokio::spawn(connection.with_upgrades());
    Ok(client)
}

/// One request, which must be answered with 200.
pub(crate) async fn get(client: &mut SendRequest<Empty<Bytes>>, host: &str, path: &str) -> Result<(), Failure> {
    use http_body_util::BodyExt as _;

    let request = Request::get(path)
        .header(HOST, host)
        .body(Empty::new())
        .map_err(|error| failure("send", &error))?;
    let response = client.send_request(request).await.map_err(|error| failure("receive", &error))?;
    let status = response.status();
    response
        .into_body()
        .collect()
        .await
        .map_err(|error| failure("receive", &error))?;
    if status == StatusCode::OK {
        Ok(())
    } else {
        Err(Failure { step: "status".to_owned(), errno: status.as_str().to_owned() })
    }
}
