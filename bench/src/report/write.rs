// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes the files of a run. Decides nothing of what is in them.

use std::{fs, path::Path};

use anyhow::Context as _;

use super::{plot::plot, results::Report, summary::summary};

/// Writes all files to `directory`, and makes the directory if it is not there.
pub fn write(report: &Report, directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    let json = serde_json::to_string_pretty(report).context("turn the results into JSON")?;
    write("results.json", json + "\n")?;
    write("summary.md", summary(report))?;
    for outcome in &report.outcomes {
        let picture = plot(outcome).with_context(|| format!("plot {}", outcome.name))?;
        write(&format!("{}.svg", outcome.name), picture)?;
    }
    Ok(())
}
