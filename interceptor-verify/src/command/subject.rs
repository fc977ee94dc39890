// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is compared: the configuration that flags give, or those with which pods of this node are enrolled. Looking
//! for them changes nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use interceptor::{
    Netns, Node, SystemAccounts, read_named_file,
    records::{Record, Records},
};
use interceptor_config::{IstioConfig, ResolvConf, Sources};
use interceptor_policy::{Enrollment, PolicyFlags};

use super::{args::VerifyArgs, output};
use crate::{Stack, istio::Config};

/// One configuration, and whose it is.
pub(super) struct Subject {
    /// Pods by their names, and none for flags.
    pub(super) pods: Vec<String>,
    pub(super) config: Config,
}

/// Everything that is to be compared, and enrolled pods of which nobody knows with what.
pub(super) struct Subjects {
    pub(super) subjects: Vec<Subject>,
    pub(super) unknown: Vec<String>,
}

impl Subjects {
    pub(super) fn find(args: &VerifyArgs) -> Result<Self> {
        let of_pods = args.pod.is_some() || args.netns.is_some() || args.all;
        if !of_pods {
            let subject = Subject { pods: Vec::new(), config: from_flags(args)? };
            return Ok(Self { subjects: vec![subject], unknown: Vec::new() });
        }
        ensure!(
            args.settings.flags.is_empty(),
            "--pod, --netns and --all take the configuration of pods; they cannot be combined with flags of \
             istio-iptables"
        );
        let netns = args.netns.as_deref().map(Netns::open).transpose()?;
        let enrolled = Node::open(&args.bpffs)?.enrollments()?;
        let records = records(args)?;
        let of = |(cookie, enrollment): &(u64, Enrollment)| {
            let mut records = records.iter();
            records.find(|record| record.is_of(*cookie, enrollment.netns_inode))
        };
        let mut found = Self { subjects: Vec::new(), unknown: Vec::new() };
        if let Some(name) = &args.pod {
            let is_it = |pod: &&(u64, Enrollment)| of(pod).is_some_and(|record| record.pod == *name);
            let pods: Vec<_> = enrolled.iter().filter(is_it).collect();
            ensure!(
                !pods.is_empty(),
                "The pod {name} is not enrolled by the agent of this node; `interceptor status` lists pods"
            );
            // A pod whose sandbox has just been replaced has two.
            pods.iter().try_for_each(|pod| found.add(&pod.1, of(pod), name.to_string()))?;
        } else if let Some(netns) = &netns {
            let pod = enrolled.iter().find(|(cookie, _)| *cookie == netns.cookie());
            let pod = pod.with_context(|| format!("{} is not enrolled", netns.name()))?;
            let name = netns.name().to_owned();
            if of(pod).is_none() {
                bail!(
                    "{name} was enrolled by a command and not by the agent, so it is not recorded with which flags; \
                     give the same flags to `interceptor verify`"
                );
            }
            found.add(&pod.1, of(pod), name)?;
        } else {
            ensure!(
                !enrolled.is_empty(),
                "No pod of this node is enrolled; give flags to `interceptor verify` instead"
            );
            for pod in &enrolled {
                found.add(&pod.1, of(pod), format!("net:[{}]", pod.1.netns_inode))?;
            }
        }
        Ok(found)
    }

    /// Pods with the same configuration are compared once.
    fn add(&mut self, enrollment: &Enrollment, record: Option<&Record>, name: String) -> Result<()> {
        let Some(record) = record else {
            self.unknown.push(name);
            return Ok(());
        };
        let name = record.pod.to_string();
        let config = Config::from_printed(&record.settings, stack_of(enrollment, &record.settings))
            .with_context(|| format!("The pod {name}"))?;
        match self.subjects.iter_mut().find(|subject| subject.config == config) {
            Some(subject) => subject.pods.push(name),
            None => self.subjects.push(Subject { pods: vec![name], config }),
        }
        Ok(())
    }
}

fn records(args: &VerifyArgs) -> Result<Vec<Record>> {
    let Some(records) = Records::<Record>::open(&args.run_dir)? else {
        return Ok(Vec::new());
    };
    let (records, unreadable) = records.read()?;
    for file in unreadable {
        output::warn(&format!("{} is no record of a pod: {:#}", file.path.display(), file.error));
    }
    Ok(records)
}

fn stack_of(enrollment: &Enrollment, settings: &BTreeMap<String, String>) -> Stack {
    let dual = settings.get("DUAL_STACK").is_some_and(|dual| dual == "true");
    match (enrollment.policy.has(PolicyFlags::IPV6), dual) {
        (false, _) => Stack::V4,
        (true, false) => Stack::V6,
        (true, true) => Stack::Dual,
    }
}

fn from_flags(args: &VerifyArgs) -> Result<Config> {
    let resolv_conf = ResolvConf { path: &args.resolv_conf, read: &read_named_file };
    let sources = Sources {
        flags: &args.settings.flags,
        environment: &|name| std::env::var(name).ok(),
        annotations: None,
    };
    let (config, warnings) = IstioConfig::resolve(sources, &SystemAccounts, resolv_conf)?;
    for warning in warnings {
        output::warn(&warning);
    }
    let wanted = config.supported()?;
    let printed = printed(wanted.config())?;
    let is_dual = printed.get("DUAL_STACK").is_some_and(|dual| dual == "true");
    Config::from_printed(&printed, if is_dual { Stack::Dual } else { args.stack })
}

/// As `interceptor enroll` prints it.
fn printed(config: &IstioConfig) -> Result<BTreeMap<String, String>> {
    let value = serde_json::to_value(config).context("Failed to print the configuration")?;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let settings = value.as_object().into_iter().flatten();
    Ok(settings.map(|(name, value)| (name.clone(), text(value))).collect())
}
