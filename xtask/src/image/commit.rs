// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which commit is built, and when it was made. The time of the build is nowhere in an image.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::run::{ask, say};

/// By a [convention](https://reproducible-builds.org/docs/source-date-epoch/), the seconds since 1970 that stand for
/// the time of a build.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

pub(super) struct Commit {
    /// Its hash; with `-modified` if the files are not those of the commit. `None` outside a repository.
    pub(super) revision: Option<String>,
    /// Seconds since 1970.
    pub(super) seconds: u64,
    /// The same as RFC 3339 writes it.
    pub(super) time: String,
}

impl Commit {
    /// The commit of the repository at `root`.
    pub(super) fn find(root: &Path) -> Result<Self> {
        let given = std::env::var(SOURCE_DATE_EPOCH).ok();
        let revision = revision(root);
        let seconds = match (given, &revision) {
            (Some(given), _) => given,
            (None, Ok(_)) => git(root, &["log", "-1", "--format=%ct"])?,
            (None, Err(error)) => anyhow::bail!(
                "no time for the files of the image: {error:#}. Outside a repository, set {SOURCE_DATE_EPOCH} to \
                 seconds since 1970"
            ),
        };
        let seconds = seconds
            .parse()
            .with_context(|| format!("{seconds:?} is no number of seconds since 1970 ({SOURCE_DATE_EPOCH})"))?;
        Ok(Self { revision: revision.ok(), seconds, time: time(seconds)? })
    }
}

fn revision(root: &Path) -> Result<String> {
    let mut revision = git(root, &["rev-parse", "HEAD"])?;
    if !git(root, &["status", "--porcelain"])?.is_empty() {
        say("note: files differ from the commit, so nobody else can build this image");
        revision.push_str("-modified");
    }
    Ok(revision)
}

/// git refuses to answer about another user's clone unless it is told that this one is safe.
fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let safe = format!("safe.directory={}", root.display());
    let answer = ask(Command::new("git").arg("-C").arg(root).args(["-c", &safe]).args(arguments))?;
    Ok(answer.trim().to_owned())
}

fn time(seconds: u64) -> Result<String> {
    let asked = ask(Command::new("date").args(["--utc", &format!("--date=@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]))?;
    Ok(asked.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_has_it() {
        assert_eq!(time(0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_709_210_096).unwrap(), "2024-02-29T12:34:56Z");
    }
}
