// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor agent install` and `uninstall`: what the agent does itself, for nodes on which it does not run.

use std::{fs, io::ErrorKind, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use interceptor::{
    EnrollError, Node, iptables, namespaces,
    records::{Record, Records, RulesRecord, RunDirectory, UnprotectedRecord},
};
use interceptor_wire::SOCKET_NAME;
use tokio::runtime;

use crate::{
    admin::ADMIN_SOCKET_NAME,
    alone::Alone,
    args::{InstallArgs, UninstallArgs},
    install::Outcome,
    uninstall::take_off,
};

/// How long to wait for the lock of the node, which other commands take as well.
const LOCK: Duration = Duration::from_secs(5);

/// Puts the plugin on this node once.
pub(crate) fn install(args: &InstallArgs) -> Result<()> {
    match args.installation()?.install()? {
        Outcome::Installed { file, changed } => {
            let file = file.display();
            tracing::info!(%file, changed, "the CNI plugin is on the node");
            Ok(())
        }
        Outcome::NoList { why } => bail!(
            "{} has no network of pods yet that the CNI plugin could be a part of{}{}. Install the network first, or \
             say --chained-cni-plugin=false",
            args.place.mounted_cni_net_dir.display(),
            if why.is_empty() { "" } else { ": " },
            why.join("; ")
        ),
    }
}

/// Takes it off.
pub(crate) fn uninstall(args: &UninstallArgs) -> Result<()> {
    let installation = args.place.any_installation()?;
    let run_directory = RunDirectory::open(args.run_dir.path())?;
    let alone = run_directory.as_ref().map(Alone::now).transpose()?;
    if let Some(None) = alone {
        bail!(
            "An agent runs with {}, and would put the plugin back; end it first",
            args.run_dir.path().display()
        );
    }
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime
        .context("Failed to start the event loop")?
        .block_on(take_off(&installation))?;
    remove_sockets(args.run_dir.path())?;
    if args.purge {
        purge(&args.bpffs, run_directory.as_ref()).context("The CNI plugin is off the node, but pods are not")
    } else {
        release(&args.bpffs).context("The CNI plugin is off the node, but the kernel programs are not")
    }
}

/// Takes the kernel programs off the node, which an agent has kept for pods to come. With pods, they go with the last
/// one.
fn release(bpffs: &Path) -> Result<()> {
    match Node::open(bpffs) {
        Err(EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. }) => Ok(()), // then nothing is loaded
        node => Ok(node?.release(LOCK)?),
    }
}

/// Ends the interception of all pods. The records go last: they have the names of pods.
pub(crate) fn purge(bpffs: &Path, run_directory: Option<&RunDirectory>) -> Result<()> {
    let existed = Node::open(bpffs)?.unenroll_all(LOCK)?;
    if let Some(run_directory) = run_directory {
        let rules: Records<RulesRecord> = Records::create(run_directory)?;
        for noted in rules.read()?.0 {
            purge_rules(&noted)?;
            rules.remove(&noted.netns_cookie.to_string())?;
        }
        let records = Records::<Record>::create(run_directory)?;
        let (known, _unreadable) = records.read()?;
        for record in known {
            records.remove(&record.sandbox)?;
        }
        let unprotected = Records::<UnprotectedRecord>::create(run_directory)?;
        for record in unprotected.read()?.0 {
            unprotected.remove(&record.uid)?;
        }
    }
    let what = if existed {
        "ended the interception of all pods"
    } else {
        "no pod was intercepted"
    };
    tracing::info!("{what}");
    Ok(())
}

/// Removes the rules of a pod, if its network namespace is visible from here.
fn purge_rules(noted: &RulesRecord) -> Result<()> {
    if let Some(netns) = namespaces::find(noted.netns_cookie, noted.netns_inode, None, namespaces::processes()) {
        iptables::remove(&netns, LOCK)?;
    } else {
        tracing::warn!(
            "net:[{}] is gone, or not visible from here: if it is there, its rules of iptables stay",
            noted.netns_inode
        );
    }
    Ok(())
}

/// Removes the sockets, at which nobody listens.
pub(crate) fn remove_sockets(run_dir: &Path) -> Result<()> {
    for path in [SOCKET_NAME, ADMIN_SOCKET_NAME].map(|name| run_dir.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("Failed to remove {}", path.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
