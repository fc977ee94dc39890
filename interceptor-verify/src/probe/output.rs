// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a client or a server answers: one JSON object on each line. Nothing else is written to standard output.

use std::io::{self, Write as _};

/// Writes one JSON object and a newline to standard output.
pub fn write_line(object: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, object)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
