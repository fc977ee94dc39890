// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--run-validation`: tests that connections are redirected by making one, as `istio-iptables` does
//! ([`validation/validator.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/validation/validator.go)).
//! It changes nothing in the pod.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::exit::VALIDATION_FAILED;
use interceptor_config::IstioConfig;

/// The time limit of one attempt, and the pause before the next.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Tests whether a connection from the sidecar to its own pod is redirected to the sidecar's inbound port.
pub(super) fn run(config: &IstioConfig) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("Failed to start the validation")?;
    let validated = runtime.block_on(async { timeout(config.run.probe_timeout, validate(config)).await });
    let error = match validated {
        Ok(Ok(())) => {
            tracing::info!("Validation passed: connections are redirected");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Err(error)) => error,
        Err(elapsed) => anyhow!("no connection was redirected within {:?} ({elapsed})", config.run.probe_timeout),
    };
    tracing::error!(
        "iptables validation failed; workload is not ready for Istio.\n\
         When using Istio CNI, this can occur if a pod is scheduled before the node is ready.\n\
         If installed with 'cni.repair.deletePods=true', this pod should automatically be deleted and retry.\n\
         Otherwise, this pod will need to be manually removed so that it is scheduled on a node with the data path \
         installed.\n\
         Cause: {error:#}. Run the validation in the pod, as the sidecar's user"
    );
    Ok(ExitCode::from(VALIDATION_FAILED))
}

async fn validate(config: &IstioConfig) -> Result<()> {
    let outbound = listen(config.proxy.envoy_port)?;
    let inbound = listen(config.proxy.inbound_capture_port)?;
    let answer_all = async {
        loop {
            let accepted =
                tokio::select! { accepted = outbound.accept() => accepted, accepted = inbound.accept() => accepted };
            let (stream, _peer) = accepted.context("Failed to accept a connection")?;
            answer(stream).await?;
        }
    };
    let ask_until_right = async {
        loop {
            match timeout(ATTEMPT, ask(config.run.probe_port)).await {
                Ok(Ok(port)) if port == config.run.probe_port => return Ok(()),
                Ok(Ok(port)) => {
                    tracing::warn!("The port of the original destination is {port}, not {}", config.run.probe_port);
                }
                Ok(Err(error)) => tracing::debug!("Not redirected yet: {error:#}"),
                Err(_elapsed) => tracing::debug!("No answer yet"),
            }
            sleep(ATTEMPT).await;
        }
    };
    tokio::select! { failed = answer_all => failed, done = ask_until_right => done }
}

fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let socket = TcpSocket::new_v4().context("Failed to make a socket")?;
    socket.set_reuseaddr(true).context("Failed to set SO_REUSEADDR")?;
    socket.set_reuseport(true).context("Failed to set SO_REUSEPORT")?;
    socket
        .bind(address)
        .and_then(|()| socket.listen(16))
        .with_context(|| format!("Failed to listen on {address}"))
}

/// Sends the port of the connection's original destination, as text.
async fn answer(mut stream: TcpStream) -> Result<()> {
    let original = SockRef::from(&stream)
        .original_dst_v4()
        .ok()
        .and_then(|address| address.as_socket_ipv4());
    if let Some(original) = original {
        let port = original.port().to_string();
        stream.write_all(port.as_bytes()).await.context("Failed to answer")?;
    }
    Ok(())
}

/// Makes the connection that has to be redirected, from the sidecar to an address of its own pod. Returns the port
/// that was answered.
async fn ask(port: u16) -> Result<u16> {
    let socket = TcpSocket::new_v4().context("Failed to make a socket")?;
    socket
        .bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())
        .context("Failed to bind to 127.0.0.1")?;
    let target = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 6), port);
    let mut stream = socket
        .connect(target.into())
        .await
        .with_context(|| format!("Failed to connect to {target}"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("Failed to read the answer")?;
    answer.parse().with_context(|| format!("The answer `{answer}` is not a port"))
}
