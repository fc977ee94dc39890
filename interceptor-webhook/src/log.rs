// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The log, on standard output.

use tracing_subscriber::EnvFilter;

use crate::args::{Level, LogArgs};

pub(crate) fn start(args: &LogArgs) {
    // Retries of the watches are logged here, so that their library need not.
    let filter = EnvFilter::new(match args.log_level {
        Level::Error => "error",
        Level::Warn => "warn,kube_runtime=off,kube_client=off",
        Level::Info => "info,kube_runtime=off,kube_client=off",
        Level::Debug => "debug,h2=info,hyper=info,hyper_util=info,tower=info,rustls=info",
    });
    let builder = tracing_subscriber::fmt()
        .with_target(false)
        .with_ansi(false)
        .with_env_filter(filter);
    if args.log_json {
        builder.json().flatten_event(true).init();
    } else {
        builder.init();
    }
}
