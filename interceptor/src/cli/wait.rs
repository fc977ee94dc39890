// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor wait`, as `pilot-agent wait`
//! ([`wait.go`](https://github.com/istio/istio/blob/master/pilot/cmd/pilot-agent/app/wait.go)): asks a URL until it
//! answers that the sidecar is ready. It changes nothing.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::{Instant, sleep, timeout},
};

use super::{
    exit::ISTIO_USAGE,
    output::{self, error},
};

/// What every answer begins with fits into this.
const STATUS_LINE: u64 = 4096;

/// Wait until the sidecar is ready
///
/// Asks a URL again and again, until the answer has status 200. The flags are those of `pilot-agent wait`. Unlike
/// there, the first request is made at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor wait
  interceptor wait --timeoutSeconds 10 --url http://localhost:15020/healthz/ready

Exit status, as in Istio: 0 ready; 255 not ready in time, or wrong usage.")]
pub(super) struct WaitArgs {
    /// How many seconds to wait in all
    #[arg(long = "timeoutSeconds", value_name = "SECONDS", default_value_t = 60)]
    timeout_seconds: u32,

    /// How many milliseconds one request may take
    #[arg(
        long = "requestTimeoutMillis",
        value_name = "MILLISECONDS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    request_timeout_millis: u32,

    /// How many milliseconds to wait before the next request
    #[arg(
        long = "periodMillis",
        value_name = "MILLISECONDS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    period_millis: u32,

    /// What to ask
    #[arg(long, value_name = "URL", default_value = "http://localhost:15021/healthz/ready")]
    url: Url,
}

/// An address of HTTP, without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    host: String,
    port: u16,
    /// With the query.
    path: String,
}

pub(super) fn run(args: &WaitArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("Failed to start the event loop")?;
    let waited = runtime.block_on(wait(args));
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    if let Err(last) = waited {
        error(&anyhow!(
            "timeout waiting for Envoy proxy to become ready. Last error: {last:#}"
        ));
        return Ok(ExitCode::from(ISTIO_USAGE));
    }
    output::text("Envoy is ready!")?;
    Ok(ExitCode::SUCCESS)
}

async fn wait(args: &WaitArgs) -> Result<()> {
    let millis = |millis: u32| Duration::from_millis(millis.into());
    let (limit, period) = (millis(args.request_timeout_millis), millis(args.period_millis));
    let deadline = Instant::now() + Duration::from_secs(args.timeout_seconds.into());
    loop {
        let asked = match timeout(limit, ask(&args.url)).await {
            Ok(asked) => asked,
            Err(_elapsed) => Err(anyhow!("{} did not answer within {limit:?}", args.url)),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if asked.is_ok() || left.is_zero() {
            return asked;
        }
        // The last attempt is at the deadline.
        sleep(period.min(left)).await;
    }
}

async fn ask(url: &Url) -> Result<()> {
    let mut failed = Vec::new();
    for address in addresses(url).await? {
        match ask_at(url, address).await {
            Ok(()) => return Ok(()),
            Err(error) => failed.push(format!("{address}: {error:#}")),
        }
    }
    bail!(
        "{url}: {}",
        if failed.is_empty() { "no address".to_owned() } else { failed.join("; ") }
    )
}

/// `localhost` is both loopback addresses, also where no file and no name server says so.
async fn addresses(url: &Url) -> Result<Vec<SocketAddr>> {
    if url.host == "localhost" {
        return Ok(vec![
            (Ipv4Addr::LOCALHOST, url.port).into(),
            (Ipv6Addr::LOCALHOST, url.port).into(),
        ]);
    }
    let found = lookup_host((url.host.as_str(), url.port)).await;
    Ok(found.with_context(|| format!("Failed to look {} up", url.host))?.collect())
}

async fn ask_at(url: &Url, address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.context("Failed to connect")?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        url.path,
        url.authority()
    );
    stream.write_all(request.as_bytes()).await.context("Failed to ask")?;
    let mut answer = Vec::new();
    stream
        .take(STATUS_LINE)
        .read_to_end(&mut answer)
        .await
        .context("Failed to read the answer")?;
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    ensure!(
        words.next().is_some_and(|version| version.starts_with("HTTP/1.")),
        "the answer is not HTTP"
    );
    match words.next() {
        Some("200") => Ok(()),
        status => bail!("HTTP status code {}", status.unwrap_or("missing").escape_debug()),
    }
}

impl Url {
    fn authority(&self) -> String {
        let Self { host, port, path: _ } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write http://HOST:PORT/PATH, such as http://localhost:15021/healthz/ready";
        let rest = text.strip_prefix("http://").ok_or(WRONG)?;
        // A blank or a line break would end a line of the request.
        if rest
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '@' | '#'))
        {
            return Err(WRONG);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (host, port) = match authority.strip_prefix('[').and_then(|address| address.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => authority
                .split_once(':')
                .map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(80), str::parse).map_err(|_not_a_port| WRONG)?;
        if host.is_empty() {
            return Err(WRONG);
        }
        Ok(Self { host: host.to_owned(), port, path })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::default("http://localhost:15021/healthz/ready", "http://localhost:15021/healthz/ready")]
    #[case::no_port("http://10.0.0.1", "http://10.0.0.1:80/")]
    #[case::v6("http://[::1]:8080/a?b=c", "http://[::1]:8080/a?b=c")]
    #[case::query_alone("http://a?b", "http://a:80/?b")]
    fn a_url_is_read(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(text.parse::<Url>().unwrap().to_string(), expected);
    }

    #[rstest]
    #[case::tls("https://localhost/")]
    #[case::no_scheme("localhost:15021")]
    #[case::no_host("http://:80/")]
    #[case::port("http://localhost:x/")]
    #[case::large_port("http://localhost:65536/")]
    #[case::another_line("http://localhost/\r\nX: y")]
    #[case::user("http://a@b/")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert!(text.parse::<Url>().is_err());
    }
}
