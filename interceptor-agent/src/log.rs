// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The log of the daemon, on standard output.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tracing_subscriber::{EnvFilter, Registry, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

use crate::args::{Level, LogArgs};

/// Which messages are logged, to be changed while this process runs.
#[derive(Clone, Debug)]
pub(crate) struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
    level: Arc<Mutex<Level>>,
}

/// Logs from now on.
pub(crate) fn start(args: &LogArgs) -> LogHandle {
    let (filter, handle) = reload::Layer::new(filter(args.level()));
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    if args.log_json {
        registry.with(lines.json().flatten_event(true)).init();
    } else {
        registry.with(lines).init();
    }
    LogHandle { filter: handle, level: Arc::new(Mutex::new(args.level())) }
}

impl LogHandle {
    pub(crate) fn level(&self) -> Level {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, level: Level) -> Result<()> {
        let mut current = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.reload(filter(level))?;
        *current = level;
        Ok(())
    }
}

/// The watch of the pods logs its own retries, so that its library need not.
fn filter(level: Level) -> EnvFilter {
    EnvFilter::new(match level {
        Level::None => "off",
        Level::Error => "error",
        Level::Warn => "warn,kube_runtime=off,kube_client=off",
        Level::Info => "info,kube_runtime=off,kube_client=off",
        Level::Debug => "debug,aya=info,aya_obj=info,hyper=info,hyper_util=info,tower=info,rustls=info",
    })
}
