// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The life of the webhook: listen, serve, end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use prometheus_client::registry::Registry;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};

use crate::{
    args::Args,
    certificate::{Keeper, Shown},
    client::client,
    metrics::Metrics,
    server::{Admin, Connections, Door, admin_routes, listen, routes},
    work::Work,
};

/// One processor is enough, so there is one thread.
pub(crate) fn run(args: &Args, work: Work) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("Failed to start the event loop")?.block_on(live(args, work))
}

async fn live(args: &Args, work: Work) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("Failed to wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Failed to wait for SIGINT")?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let shown = Arc::new(Shown::new(metrics.clone()));
    let reviews = listen(args.port, "--port").await?;
    let plain = listen(args.http_port, "--http-port").await?;

    if let Some(files) = args.certificate() {
        let contents = files.show(&shown)?;
        tokio::spawn(files.follow(contents, Arc::clone(&shown)));
    } else {
        let client = client(args.kubeconfig.as_deref()).await?;
        let keeper = Keeper::new(args.place()?, client, Arc::clone(&shown), metrics.clone());
        tokio::spawn(keeper.run());
    }
    tracing::info!(
        reviews = %reviews.local_addr().context("Failed to ask for the port")?,
        http = %plain.local_addr().context("Failed to ask for the port")?,
        "listening"
    );

    // First the API server is told to go elsewhere, then the port is closed, and the plain one last.
    let [(asked, is_asked), (end, is_end), (last, is_last)] = std::array::from_fn(|_| watch::channel(false));
    let admin = Admin { registry: Arc::new(registry), shown: Arc::clone(&shown), asked: is_asked };
    let plain_port = Connections { routes: admin_routes(admin), tls: None };
    let plain_port = tokio::spawn(async move { plain_port.serve(plain, is_last).await });
    let door = Arc::new(Door::new(work, Duration::from_secs(args.body_timeout), metrics));
    let port = Connections { routes: routes(door, args.mode().path()), tls: Some(shown.server()?) };
    let port = tokio::spawn(async move { port.serve(reviews, is_end).await });

    tokio::select! {
        _signal = terminate.recv() => {}
        _signal = interrupt.recv() => {}
    }
    tracing::info!(seconds = args.shutdown_delay, "ending");
    asked.send_replace(true);
    sleep(Duration::from_secs(args.shutdown_delay)).await;
    end.send_replace(true);
    port.await.context("The server broke")?;
    last.send_replace(true);
    plain_port.await.context("The server broke")
}
