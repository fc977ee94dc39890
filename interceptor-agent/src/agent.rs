// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The daemon's life: lock, adopt, listen, serve, end.

use std::{sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use interceptor::{
    Node, iptables,
    records::{Records, RunDirectory},
};
use interceptor_wire::SOCKET_NAME;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{
    admin::{self, Admin},
    alone::Alone,
    args::Args,
    by_hand,
    client::client,
    counters::KernelCounters,
    data_path::{Kernel, OnUnsupported},
    enrollments::{Enrollments, Restored},
    file_system, garbage,
    health::Health,
    http,
    installer::Installer,
    log::LogHandle,
    metrics::Metrics,
    numbers::Numbers,
    pods::Pods,
    programs,
    refresh::Refresher,
    repair::Repairer,
    requests::Requests,
    rules::Rules,
    server::Server,
    turns::Turns,
    uninstall::{self, Fate},
    unprotected::Watchman,
};

/// How long the first look at the pods of the node may wait for commands that hold its lock.
const ADOPTION: Duration = Duration::from_mins(1);
/// What people are told if this process could not take the programs off the node.
const STAYS: &str = "the kernel programs stay loaded until `interceptor agent uninstall` or `interceptor clean --all`";
/// How long blocking work may still take at the end.
const LAST_WORK: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args, log: LogHandle) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("Failed to start the event loop")?;
    let ended = runtime.block_on(live(args, log));
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

async fn live(args: &Args, log: LogHandle) -> Result<()> {
    let end = signaled()?;
    let installer = args.installation()?.map(Installer::new);
    let repair = args.repair.rules(&args.node_name)?;
    let run_directory = RunDirectory::create(args.run_dir.path())?;
    let _alone = Alone::soon(&run_directory).await?;
    let records = Records::create(&run_directory)?;
    let unprotected = Records::create(&run_directory)?;
    let rules = Rules::new(Records::create(&run_directory)?);
    if args.on_unsupported == OnUnsupported::Iptables {
        iptables::installed().context("Pods could not get rules (--on-unsupported iptables)")?;
    }
    Node::open(&args.bpffs).map_err(|error| {
        anyhow!("{error}; mount one there with `mount -t bpf -o mode=0700 bpf DIRECTORY`, or name another with --bpffs")
    })?;
    let [health_port, metrics_port] = [
        http::listen(args.health_port, "--health-port").await?,
        http::listen(args.metrics_port, "--metrics-port").await?,
    ];

    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    registry.register_collector(Box::new(KernelCounters::new(args.bpffs.clone())));
    if let Some(installer) = &installer {
        registry.register_collector(Box::new(installer.clone()));
    }
    let client = client(args.kubeconfig.as_deref()).await?;
    let (pods, watch) = Pods::new(client.clone(), &args.node_name);
    let kernel = Arc::new(Kernel::new(args.bpffs.clone(), args.on_unsupported));
    let health = Health::new(args.bpffs.clone(), pods.clone(), installer.clone(), Arc::clone(&kernel));
    registry.register_collector(Box::new(health.clone()));
    let numbers = Arc::new(Numbers::default());
    let enrollments = Enrollments::new(&args.bpffs, records, rules, Arc::clone(&kernel), Arc::clone(&numbers));
    let turns = Turns::new(enrollments);

    let pods_there = adopt(&turns, &metrics).await?;
    let admin = admin::routes(Admin {
        bpffs: args.bpffs.clone(),
        run_dir: args.run_dir.path().to_path_buf(),
        config: args.told.clone(),
        log,
    });
    tokio::spawn(http::serve_root(admin::listen(args.run_dir.path())?, admin));
    let server = Server::bind(&args.run_dir.path().join(SOCKET_NAME))?;
    health.set_listening();
    tracing::info!(
        socket = %args.run_dir.path().join(SOCKET_NAME).display(),
        health = %health_port.local_addr()?,
        metrics = %metrics_port.local_addr()?,
        "listening"
    );

    if pods_there > 0 {
        kernel.set_fit(); // they could not be enrolled otherwise
    }
    let programs = tokio::spawn(programs::keep(turns.clone(), kernel));
    tokio::spawn(watch);
    tokio::spawn(garbage::collect(turns.clone(), metrics.clone()));
    tokio::spawn(file_system::follow(turns.clone(), metrics.clone()));
    let refresher = Refresher { turns: turns.clone(), numbers, metrics: metrics.clone() };
    tokio::spawn(refresher.run());
    tokio::spawn(http::serve_health(health_port, health));
    tokio::spawn(http::serve_metrics(metrics_port, registry));
    let watchman = Watchman {
        pods: pods.clone(),
        turns: turns.clone(),
        client: client.clone(),
        metrics: metrics.clone(),
        records: unprotected,
        excluded: args.entry.exclude_namespaces.names().to_vec(),
        adopts: args.repair.adopts_running(),
    };
    tokio::spawn(watchman.run());
    if let Some(rules) = repair {
        let repairer = Repairer {
            rules,
            pods: pods.clone(),
            turns: turns.clone(),
            client: client.clone(),
            metrics: metrics.clone(),
        };
        tokio::spawn(repairer.run());
    }
    // A pod whose runtime calls the plugin finds somebody who answers.
    if let Some(installer) = installer.clone() {
        // Of its own, because it waits for changes as long as this process lives.
        let keeping = thread::Builder::new().name("installer".to_owned());
        keeping.spawn(move || installer.keep()).context("Failed to start a thread")?;
    }
    server.serve(Requests { pods, turns: turns.clone(), metrics }, end).await;
    programs.abort();
    match installer {
        Some(installer) => leave(args, &client, &installer, &run_directory, &turns).await,
        None => Ok(()),
    }
}

/// Waits until this process is asked to end.
fn signaled() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("Failed to wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Failed to wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _signal = terminate.recv() => {}
            _signal = interrupt.recv() => {}
        }
        tracing::info!("ending");
    })
}

/// Takes the plugin off the node if the agent is being uninstalled.
async fn leave(
    args: &Args,
    client: &Client,
    installer: &Installer,
    run_directory: &RunDirectory,
    turns: &Turns,
) -> Result<()> {
    let name = &args.daemon_set.daemonset_name;
    let fate = match args.entry.pod_namespace.name() {
        Some(namespace) => uninstall::fate(client, [namespace, name], &args.node_name).await,
        None => Fate::Stays("the namespace of the DaemonSet is not known (--pod-namespace)".to_owned()),
    };
    let why = match fate {
        Fate::Goes(why) => why,
        Fate::Stays(why) => {
            tracing::info!(daemonset = name, "the CNI plugin stays on the node: {why}");
            return Ok(());
        }
    };
    tracing::info!(daemonset = name, "uninstalling: {why}");
    if let Some(installation) = installer.end() {
        uninstall::take_off(&installation).await?;
    }
    by_hand::remove_sockets(args.run_dir.path())?;
    // What may be loading them is completed before.
    match turns.take(Instant::now() + LAST_WORK, Enrollments::release).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{STAYS}: {error}"),
        Err(error) => tracing::warn!("{STAYS}: {error}"),
    }
    if args.daemon_set.uninstall_clean {
        by_hand::purge(&args.bpffs, Some(run_directory))?;
    }
    Ok(())
}

/// Takes over what is enrolled, gives it the programs of this build, and re-applies nothing. Returns how
/// many pods there are.
async fn adopt(turns: &Turns, metrics: &Metrics) -> Result<usize> {
    let work = turns.take(Instant::now() + ADOPTION, |enrollments| {
        // A command may hold the lock of the node. What is not collected now is collected later.
        let collected = enrollments.collect().unwrap_or_else(|error| {
            tracing::warn!("Failed to collect pods that are gone: {error}");
            0
        });
        // Before the next pod asks: these are not intercepted.
        let restored = enrollments.restore().unwrap_or_else(|error| {
            tracing::error!("Failed to look after pods that are not enrolled any more: {error}");
            Restored::default()
        });
        enrollments.upgrade();
        enrollments.adopt().map(|adopted| (collected, restored, adopted))
    });
    let adopted = work
        .await
        .map_err(|error| anyhow::anyhow!("Failed to take over the pods of this node: {error}"))?;
    let (collected, restored, adopted) = adopted.context("Failed to take over the pods of this node")?;
    metrics.restored(restored.pods);
    tracing::info!(
        pods = adopted.named,
        collected,
        restored = restored.pods,
        "took over the pods that are enrolled"
    );
    if !adopted.unnamed.is_empty() {
        tracing::info!(
            cookies = ?adopted.unnamed,
            "pods without a record are enrolled, by somebody else; they are left alone"
        );
    }
    Ok(adopted.named + adopted.unnamed.len())
}
