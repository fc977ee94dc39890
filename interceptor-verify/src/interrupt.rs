// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ctrl-C ends a program early; what it made is still taken away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, bail};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Whether somebody asked this program to end.
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on, signals no longer end this program at once.
    pub fn watch() -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let runtime = Builder::new_current_thread().enable_io().build().context("start the runtime")?;
        let entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
        let mut hangup = signal(SignalKind::hangup()).context("wait for SIGHUP")?;
        drop(entered);
        let watched = Arc::clone(&asked);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            watched.store(true, Ordering::Relaxed);
            // Dropping the runtime does not give the signals back: later ones do not disturb the cleaning up.
        });
        Ok(Self(asked))
    }

    /// An error once somebody did.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("interrupted; everything that was made has been taken away");
        }
        Ok(())
    }
}
