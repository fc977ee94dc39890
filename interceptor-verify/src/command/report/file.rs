// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--report FILE`: the format is that of the file's name.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process,
    str::FromStr,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{
    model::{Report, Verdict},
    page::{html, markdown},
};

/// Where a report goes, and in which format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct ReportFile {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Markdown,
}

/// The report with its verdict.
#[derive(Serialize)]
struct Judged<'a> {
    verdict: Verdict,
    #[serde(flatten)]
    report: &'a Report,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Format::Json,
            Some("html") => Format::Html,
            Some("md") => Format::Markdown,
            _ => return Err("its name has to end with .json, .html or .md".to_owned()),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(format!("there is no directory {}", folder.display()));
        }
        Ok(Self { path, format })
    }
}

impl ReportFile {
    /// Puts it in the place of a file of that name, and follows no link that somebody put there.
    pub(in crate::command) fn write(&self, report: &Report) -> Result<()> {
        let text = match self.format {
            Format::Json => {
                serde_json::to_string_pretty(&Judged { verdict: report.verdict(), report })
                    .context("Failed to write JSON")?
                    + "\n"
            }
            Format::Html => html(report),
            Format::Markdown => markdown(report),
        };
        let name = self.path.file_name().unwrap_or_default().display();
        let beside = self.path.with_file_name(format!(".{name}.{}", process::id()));
        let write = || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&beside)?
                .write_all(text.as_bytes())?;
            fs::rename(&beside, &self.path)
        };
        write().with_context(|| format!("Failed to write the report {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_report_says_what_it_is() {
        let format = |text: &str| text.parse::<ReportFile>().map(|file| file.format);
        assert_eq!(format("a.json"), Ok(Format::Json));
        assert_eq!(format("/tmp/a.b.html"), Ok(Format::Html));
        assert_eq!(format("./a.md"), Ok(Format::Markdown));
        assert!(format("a.txt").unwrap_err().contains(".json, .html or .md"));
        assert!(format("/nowhere-at-all/a.md").unwrap_err().contains("/nowhere-at-all"));
    }
}
