// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{log, output, validate};
use crate::{
    SystemAccounts,
    kernel::{
        enroll::plan::{self as enrollment, Change, Request},
        node::bpffs::Bpffs,
        pod::{cgroup::Cgroup, netns::Netns},
    },
};
use interceptor_config::{
    Acceleration, AccelerationFlags, IstioConfig, IstioFlags, ResolvConf, compile, unknown_interfaces,
};

/// Intercept a pod: the flags of istio-iptables, and the same outcome for every connection
///
/// Enrolls the pod and exits; what it set up stays in force. Running it again with the same flags changes nothing, with
/// others it switches at one instant.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -b '*' -d 15090,15021,15020
  interceptor pod --netns /run/netns/web --cgroup /sys/fs/cgroup/kubepods/pod1234 -i '*' -b '*'
  interceptor pod --netns /run/netns/web --cgroup /sys/fs/cgroup/kubepods/pod1234 -i '*' -b '*' --dry-run

Exit status: 0 done, 1 refused or failed, 126 validation failed, 255 wrong usage.")]
pub(super) struct PodArgs {
    #[command(flatten)]
    istio: IstioFlags,

    #[command(flatten)]
    acceleration: AccelerationFlags,

    #[command(flatten)]
    place: Place,

    /// Where the DNS servers are listed (with --redirect-dns)
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/resolv.conf",
        help_heading = "Interceptor"
    )]
    resolv_conf: PathBuf,
}

/// Which pod, and where its pins are.
#[derive(Args, Debug)]
#[command(next_help_heading = "Interceptor")]
pub(super) struct Place {
    /// Network namespace of the pod
    #[arg(long, value_name = "PATH", default_value = "/proc/self/ns/net")]
    netns: PathBuf,

    /// The pod's cgroup: the cgroup2 directory above its containers' [default: found from inside a container]
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,

    /// A mounted BPF file system
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    bpffs: PathBuf,
}

pub(super) fn run(args: &PodArgs) -> Result<ExitCode> {
    log::start(&args.istio.log);
    let resolv_conf = ResolvConf { path: &args.resolv_conf, read: &|path| std::fs::read(path) };
    let (config, mut warnings) =
        IstioConfig::resolve(&args.istio, &|name| std::env::var(name).ok(), &SystemAccounts, resolv_conf)?;
    warnings.extend(config.check_supported()?);
    let acceleration = args.acceleration.resolve(&|name| std::env::var(name).ok())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    print_config(&config)?;
    if config.cleanup_only {
        cleanup(&args.place, config.dry_run)?;
    } else if config.skip_rule_apply {
        tracing::info!("Skipping: nothing is set up, as asked for (--skip-rule-apply)");
    } else {
        apply(&args.place, &config, acceleration)?;
    }
    if config.run_validation {
        validate::run(&config)
    } else {
        Ok(ExitCode::SUCCESS)
    }
}

fn apply(place: &Place, config: &IstioConfig, acceleration: Option<Acceleration>) -> Result<()> {
    let netns = Netns::open(&place.netns)?;
    let facts = netns.facts()?;
    for name in unknown_interfaces(&config.excluded_interfaces, &facts) {
        tracing::warn!(
            "The pod has no interface {name} (--istio-exclude-interfaces); should it get one, run this again to exclude it, and until \
             then its connections are intercepted"
        );
    }
    let policy = compile(config, &facts)?.accelerated(acceleration);
    let bpffs = Bpffs::open(&place.bpffs)?;
    let cgroup = match &place.cgroup {
        Some(path) => Cgroup::open(path)?,
        None if netns.is_own()? => Cgroup::of_this_pod()?,
        None => {
            bail!(
                "The pod's cgroup can be found from inside the pod only; with --netns {}, name it with --cgroup",
                place.netns.display()
            )
        }
    };
    let request = Request {
        netns: &netns,
        cgroup: &cgroup,
        policy: &policy,
        force: config.force_apply,
        force_acceleration: acceleration.is_some_and(|wanted| wanted.force),
    };
    if config.dry_run {
        let plan = enrollment::plan(&bpffs, request)?.to_string();
        output::text(&plan);
        if let Some(file) = &config.dry_run_file {
            std::fs::write(file, plan + "\n").with_context(|| format!("Failed to write {file} (DRY_RUN_FILE_PATH)"))?;
        }
        return Ok(());
    }
    match enrollment::enroll(&bpffs, request)?.change {
        Change::Nothing => tracing::info!("The pod is enrolled with this configuration; nothing to do"),
        Change::Enroll => {
            tracing::info!(netns = %netns.path().display(), cgroup = %cgroup.path().display(), "The pod is enrolled")
        }
        Change::Switch => {
            tracing::info!(netns = %netns.path().display(), "The pod is switched to the new configuration")
        }
    }
    Ok(())
}

fn cleanup(place: &Place, dry_run: bool) -> Result<()> {
    let netns = Netns::open(&place.netns)?;
    let bpffs = Bpffs::open(&place.bpffs)?;
    if dry_run {
        output::text(format_args!(
            "End the interception of {} and remove what belongs to it",
            netns.path().display()
        ));
    } else if enrollment::clean(&bpffs, netns.cookie())? {
        tracing::info!(netns = %netns.path().display(), "The pod is no longer enrolled");
    } else {
        tracing::info!(netns = %netns.path().display(), "The pod was not enrolled; nothing to do");
    }
    Ok(())
}

/// One `KEY=value` a line, which people grep for.
fn print_config(config: &IstioConfig) -> Result<()> {
    let serde_json::Value::Object(settings) =
        serde_json::to_value(config).context("Failed to print the configuration")?
    else {
        anyhow::bail!("Failed to print the configuration: it is not a set of settings");
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let lines: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    tracing::info!("Istio config:\n{}", lines.join("\n"));
    Ok(())
}
