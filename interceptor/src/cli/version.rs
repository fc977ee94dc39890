// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor version`, as `pilot-agent version`
//! ([`cobra.go`](https://github.com/istio/istio/blob/master/pkg/version/cobra.go)). Whoever builds a release sets
//! `INTERCEPTOR_REVISION` and `INTERCEPTOR_BUILD_STATUS`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output;

/// Show the version
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor version --short
  interceptor version --output json

The keys of yaml and json are those of Istio. golang_version has the version of the Rust compiler.")]
pub(super) struct VersionArgs {
    /// Format of the output [default: one line]
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    output: Option<Format>,

    /// The same as --output short
    #[arg(short, long, conflicts_with = "output")]
    short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
    Short,
}

/// What Istio prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    client_version: Build,
}

#[derive(Debug, Serialize)]
struct Build {
    version: &'static str,
    revision: &'static str,
    golang_version: &'static str,
    status: &'static str,
    tag: &'static str,
}

const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: or_unknown(option_env!("INTERCEPTOR_REVISION")),
    golang_version: env!("INTERCEPTOR_COMPILER"),
    status: or_unknown(option_env!("INTERCEPTOR_BUILD_STATUS")),
    tag: env!("CARGO_PKG_VERSION"),
};

pub(super) fn run(args: &VersionArgs) -> Result<ExitCode> {
    let Build { version, revision, golang_version, status, tag } = BUILD;
    match args.output.or_else(|| args.short.then_some(Format::Short)) {
        None => output::text(format_args!(
            "client version: {version} (revision {revision}, {golang_version})"
        ))?,
        Some(Format::Short) => output::text(format_args!("client version: {version}"))?,
        Some(Format::Json) => output::json(&Printed { client_version: BUILD })?,
        // A text in quotes is the same in YAML and in Rust, as long as it has no control characters.
        Some(Format::Yaml) => output::text(format_args!(
            "clientVersion:\n  golang_version: {golang_version:?}\n  revision: {revision:?}\n  status: {status:?}\n  \
             tag: {tag:?}\n  version: {version:?}"
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

const fn or_unknown(text: Option<&'static str>) -> &'static str {
    match text {
        Some(text) => text,
        None => "unknown",
    }
}
