// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--run-validation`: tests that connections are redirected by making one, as `istio-iptables` does
//! ([`validation/validator.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/validation/validator.go)).
//! It changes nothing in the pod.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
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

/// Who connects to whom, in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    /// Where the connection comes from, and where it has to arrive.
    here: IpAddr,
    /// Where it goes. Nobody listens there.
    there: IpAddr,
}

impl Probe {
    const V4: Self = Self {
        here: IpAddr::V4(Ipv4Addr::LOCALHOST),
        there: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)),
    };
    const V6: Self = Self {
        here: IpAddr::V6(Ipv6Addr::LOCALHOST),
        there: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6)),
    };

    /// IPv6 where the pod has no other address, as in Istio.
    fn of_this_pod() -> Result<Self> {
        let interfaces = getifaddrs().context("Failed to list the addresses of the pod")?;
        let addresses: Vec<IpAddr> = interfaces.filter_map(|interface| ip_address(&interface.address?)).collect();
        Ok(Self::for_addresses(&addresses))
    }

    fn for_addresses(addresses: &[IpAddr]) -> Self {
        let has = |is_in_family: fn(&IpAddr) -> bool| {
            addresses.iter().any(|address| is_in_family(address) && is_reachable(*address))
        };
        if has(IpAddr::is_ipv6) && !has(IpAddr::is_ipv4) { Self::V6 } else { Self::V4 }
    }
}

fn ip_address(storage: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Whether others can know the pod by it.
const fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}

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
    let probe = Probe::of_this_pod()?;
    let outbound = listen(probe, config.proxy.envoy_port)?;
    let inbound = listen(probe, config.proxy.inbound_capture_port)?;
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
            match timeout(ATTEMPT, ask(probe, config.run.probe_port)).await {
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

fn listen(probe: Probe, port: u16) -> Result<TcpListener> {
    let address = SocketAddr::new(probe.here, port);
    let socket = socket_for(address)?;
    socket.set_reuseaddr(true).context("Failed to set SO_REUSEADDR")?;
    socket.set_reuseport(true).context("Failed to set SO_REUSEPORT")?;
    socket
        .bind(address)
        .and_then(|()| socket.listen(16))
        .with_context(|| format!("Failed to listen on {address}"))
}

fn socket_for(address: SocketAddr) -> Result<TcpSocket> {
    let made = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    made.context("Failed to make a socket")
}

/// Sends the port of the connection's original destination, as text.
async fn answer(mut stream: TcpStream) -> Result<()> {
    let is_v4 = stream.local_addr().context("Failed to look at a connection")?.is_ipv4();
    let socket = SockRef::from(&stream);
    let original = if is_v4 { socket.original_dst_v4() } else { socket.original_dst_v6() };
    if let Some(original) = original.ok().and_then(|address| address.as_socket()) {
        let port = original.port().to_string();
        stream.write_all(port.as_bytes()).await.context("Failed to answer")?;
    }
    Ok(())
}

/// Makes the connection that has to be redirected, from the sidecar to an address of its own pod. Returns the port
/// that was answered.
async fn ask(probe: Probe, port: u16) -> Result<u16> {
    let (from, target) = (SocketAddr::new(probe.here, 0), SocketAddr::new(probe.there, port));
    let socket = socket_for(from)?;
    socket.bind(from).with_context(|| format!("Failed to bind to {}", from.ip()))?;
    let mut stream = socket
        .connect(target)
        .await
        .with_context(|| format!("Failed to connect to {target}"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("Failed to read the answer")?;
    answer.parse().with_context(|| format!("The answer `{answer}` is not a port"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::both_families(&["127.0.0.1", "10.0.0.1", "::1", "fd00::1"], Probe::V4)]
    #[case::v4(&["127.0.0.1", "10.0.0.1", "::1", "fe80::1"], Probe::V4)]
    #[case::v6(&["127.0.0.1", "169.254.0.1", "::1", "fe80::1", "fd00::1"], Probe::V6)]
    #[case::none(&["127.0.0.1", "::1"], Probe::V4)]
    fn the_family_is_that_of_the_pods_first_address(#[case] addresses: &[&str], #[case] probe: Probe) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(Probe::for_addresses(&addresses), probe);
    }
}
