// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor enroll`, which is also `istio-iptables`: reads flags and environment, and calls the library's
//! [`Node`]. It knows no map and no pin.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use interceptor_config::{
    DataPath, Flags, IstioConfig, ResolvConf, Setting, Sources,
    settings::arguments::{AllFlags, FlagArgs},
};

use super::{
    data_path::{self, Chosen},
    log,
    node_args::NodeArgs,
    output,
    pods::RunDirFlag,
    validate,
};
use crate::{Cgroup, Change, EnrollError, Enrolled, Netns, Node, Pod, SystemAccounts, Wanted, named_file};

/// Enroll a pod: redirect its connections to its sidecar
///
/// Takes the flags of istio-iptables, and every connection has the same outcome as under its rules. The command
/// exits; what it set up stays in force. If it runs again, it reads the pod's addresses, interfaces and routes again:
/// with other flags, or if these have changed, it switches the pod at one instant. Otherwise it changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor enroll -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -b '*' -d 15090,15021,15020
  interceptor enroll --netns /run/netns/web --cgroup /sys/fs/cgroup/kubepods/pod1234 -i '*' -b '*'
  interceptor enroll --netns /run/netns/web --cgroup /sys/fs/cgroup/kubepods/pod1234 -i '*' -b '*' --dry-run

istio-iptables and pod are other names of this command.

Exit status:
  0 done, 1 failed, 2 wrong usage, 64 the configuration is refused,
  69 the kernel lacks what is needed, 75 another run holds the lock, 126 validation failed.
  Under the name istio-iptables or pod, as in Istio:
  0 done, 1 failed, 126 validation failed, 255 wrong usage.")]
pub(super) struct EnrollArgs {
    #[command(flatten)]
    settings: FlagArgs<AllFlags>,

    #[command(flatten)]
    pod: PodArgs,

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
struct PodArgs {
    /// Network namespace of the pod
    #[arg(long, value_name = "PATH", default_value = "/proc/self/ns/net")]
    netns: PathBuf,

    /// The pod's cgroup: the cgroup2 directory above its containers' [default: found from inside a container]
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,

    /// Fail if a process of the pod is outside of its cgroup, instead of warning
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    node: NodeArgs,

    #[command(flatten)]
    run_dir: RunDirFlag,
}

pub(super) fn run(args: &EnrollArgs) -> Result<ExitCode> {
    run_with(args, &args.settings.flags)
}

/// `istio-clean-iptables`: with the same flags, `--cleanup-only`.
pub(super) fn clean(args: &EnrollArgs) -> Result<ExitCode> {
    run_with(args, &args.settings.flags.clone().with(Setting::CleanupOnly, "true"))
}

fn run_with(args: &EnrollArgs, flags: &Flags) -> Result<ExitCode> {
    log::start(flags);
    let sources = Sources { flags, environment: &|name| std::env::var(name).ok(), annotations: None };
    let resolv_conf = ResolvConf { path: &args.resolv_conf, read: &named_file::read };
    let (config, mut warnings) = IstioConfig::resolve(sources, &SystemAccounts, resolv_conf)?;
    let printed = print_config(&config)?;
    let wanted = config.supported()?;
    warnings.extend(wanted.notes());
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let config = wanted.config();
    let run = &config.run;
    // A pod or a file system that does not exist is an error before anything is printed. --skip-rule-apply needs
    // neither.
    let needs_pod = run.cleanup_only || !run.skip_rule_apply;
    let netns = needs_pod.then(|| Netns::open(&args.pod.netns)).transpose()?;
    if needs_pod && !run.cleanup_only && config.data_path == DataPath::Ebpf {
        args.pod.node.open()?;
    }
    tracing::info!("Istio config:\n{printed}");
    match netns {
        None => tracing::info!("Skipping: nothing is set up, as asked for (--skip-rule-apply)"),
        Some(netns) if run.cleanup_only => unenroll(&args.pod, &netns, run.dry_run)?,
        Some(netns) => intercept(&args.pod, netns, wanted.clone())?,
    }
    if run.run_validation { validate::run(config) } else { Ok(ExitCode::SUCCESS) }
}

fn intercept(args: &PodArgs, netns: Netns, wanted: Wanted) -> Result<()> {
    match data_path::choose(wanted, &args.node)? {
        (Chosen::Programs, wanted) => enroll(args, &args.node.open()?, netns, &wanted),
        (Chosen::Rules, wanted) if wanted.config().run.dry_run => {
            print_plan(&data_path::plan(&netns, &wanted)?, wanted.config())
        }
        (Chosen::Rules, wanted) => data_path::apply(&netns, &wanted, &args.node, &args.run_dir),
    }
}

fn enroll(args: &PodArgs, node: &Node, netns: Netns, wanted: &Wanted) -> Result<()> {
    let cgroup = match &args.cgroup {
        Some(path) => Cgroup::open(path)?,
        None if netns.is_own()? => Cgroup::of_this_pod()?,
        None => bail!(
            "The pod's cgroup can be found from inside the pod only; with --netns {}, name it with --cgroup",
            netns.name()
        ),
    };
    let pod = Pod::new(netns, cgroup);
    if args.strict {
        let outsiders = pod.outsiders()?;
        if !outsiders.is_empty() {
            return Err(EnrollError::Outside { cgroup: pod.cgroup().path().to_path_buf(), outsiders }.into());
        }
    }
    let run = &wanted.config().run;
    if run.dry_run {
        return print_plan(&warn(node.plan(&pod, wanted)?).plan.to_string(), wanted.config());
    }
    let (netns, cgroup) = (pod.netns().name(), pod.cgroup().path().display());
    match warn(node.enroll(&pod, wanted, args.node.wait())?).plan.change {
        Change::Nothing => tracing::info!("The pod is enrolled with this configuration; nothing to do"),
        Change::Mend => tracing::info!(%netns, "The pod is enrolled with this configuration; its network is mended"),
        Change::Enroll => tracing::info!(%netns, %cgroup, "The pod is enrolled"),
        Change::Switch => tracing::info!(%netns, "The pod is switched to the new configuration"),
    }
    for outsider in pod.outsiders()? {
        tracing::warn!(
            "Process {outsider} of the pod is not in its cgroup {cgroup}: what it connects to is not intercepted; \
             --strict makes this an error"
        );
    }
    Ok(())
}

fn unenroll(args: &PodArgs, netns: &Netns, dry_run: bool) -> Result<()> {
    let name = netns.name();
    if dry_run {
        output::text(format_args!("Unenroll {name} and remove what belongs to it"))?;
    } else if data_path::unenroll(netns, &args.node, &args.run_dir)? {
        tracing::info!(netns = name, "The pod is no longer enrolled");
    } else {
        tracing::info!(netns = name, "The pod was not enrolled; nothing to do");
    }
    Ok(())
}

fn warn(enrolled: Enrolled) -> Enrolled {
    for name in &enrolled.unknown_interfaces {
        tracing::warn!(
            "The pod has no interface {name} (--istio-exclude-interfaces). If it gets one, run this again to exclude \
             it; until then connections through it are intercepted"
        );
    }
    if let Some(why) = &enrolled.unguarded {
        tracing::warn!(
            "The pod is not guarded (--guard), which needs Linux 6.6: {why}. What processes outside of its cgroup, raw \
             sockets and source routes send past the sidecar leaves the pod, and so do redirected packets that are \
             routed away from `lo`"
        );
    }
    enrolled
}

fn print_plan(plan: &str, config: &IstioConfig) -> Result<()> {
    output::text(plan)?;
    config
        .run
        .dry_run_file
        .as_deref()
        .map_or(Ok(()), |file| write(Path::new(file), plan))
}

fn write(file: &Path, plan: &str) -> Result<()> {
    let written = named_file::create(file).and_then(|mut file| writeln!(file, "{plan}"));
    written.with_context(|| format!("Failed to write {} (DRY_RUN_FILE_PATH)", file.display()))
}

/// One `KEY=value` a line, as istio-iptables prints it. People search for these lines.
fn print_config(config: &IstioConfig) -> Result<String> {
    let serde_json::Value::Object(settings) =
        serde_json::to_value(config).context("Failed to print the configuration")?
    else {
        bail!("Failed to print the configuration: it is not a set of settings");
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let lines: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    Ok(lines.join("\n"))
}
