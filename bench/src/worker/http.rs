// SPDX-License-Identifier: Apache-2.0 OR MIT
//! As much of HTTP/1.1 as it takes to get a page without measuring the client.

use std::io::{Read, Write};

use anyhow::{Context as _, bail, ensure};

/// More than any head or page here.
const ROOM: usize = 1 << 16;

/// Asks for a page and reads it to its end.
pub(super) fn get(stream: &mut (impl Read + Write), keep_alive: bool) -> anyhow::Result<()> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let request = format!("GET / HTTP/1.1\r\nHost: web\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).context("ask for a page")?;
    let mut buffer = vec![0; ROOM];
    let mut received = 0;
    loop {
        let read = stream.read(&mut buffer[received..]).context("read a page")?;
        received += read;
        match length(&buffer[..received])? {
            Some(length) if received == length => return Ok(()),
            _ => ensure!(
                read > 0,
                "the page ended early, after {:?}",
                String::from_utf8_lossy(&buffer[..received])
            ),
        }
    }
}

/// How long the response is that begins so, once that can be told.
fn length(response: &[u8]) -> anyhow::Result<Option<usize>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = response.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&response[..head]).context("the head of a response is no text")?;
    ensure!(text.starts_with("HTTP/1.1 200 "), "not a page: {text:?}");
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            let body: usize = value.trim().parse().with_context(|| format!("a length of {value:?}"))?;
            return Ok(Some(head + END.len() + body));
        }
    }
    bail!("a page that does not say how long it is: {text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_head_and_body() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
        assert_eq!(length(response).unwrap(), Some(response.len() + 2));
        assert_eq!(length(&response[..20]).unwrap(), None);
    }

    #[test]
    fn an_error_is_no_page() {
        assert!(length(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
