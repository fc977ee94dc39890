// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the plugin is put on the node, and what it is told.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{log::LogArgs, run_dir::absolute, switch::SWITCH};
use crate::install::{Entry, Installation, Layout, PLUGIN};

/// Comes before the lists of other plugins, whose names begin with 05 or more.
const OWN_LIST: &str = "02-interceptor-cni.conflist";
/// Comes after all others, so that a runtime does not take it for the network of pods.
const STANDALONE: &str = "YYY-interceptor-cni.conf";

/// Where the plugin is put. All paths are paths of this process.
#[derive(Args, Debug)]
pub(crate) struct PlaceArgs {
    /// Directory of CNI configurations of the host
    #[arg(
        long,
        value_name = "DIR",
        env = "MOUNTED_CNI_NET_DIR",
        value_parser = absolute,
        default_value = "/host/etc/cni/net.d"
    )]
    pub(crate) mounted_cni_net_dir: PathBuf,

    /// Directory of CNI plugins of the host
    #[arg(
        long,
        value_name = "DIR",
        env = "MOUNTED_CNI_BIN_DIR",
        value_parser = absolute,
        default_value = "/host/opt/cni/bin"
    )]
    pub(crate) mounted_cni_bin_dir: PathBuf,

    /// Name of the CNI configuration that gets the entry; without --chained-cni-plugin, of the file of the plugin alone
    /// [default: the first valid one; YYY-interceptor-cni.conf]
    #[arg(long, value_name = "NAME", env = "CNI_CONF_NAME")]
    cni_conf_name: Option<String>,

    /// Whether the plugin becomes a part of the network of pods. If not, its file names no other plugin, as Multus
    /// wants it
    #[arg(long, value_name = SWITCH, env = "CHAINED_CNI_PLUGIN", default_value = "true")]
    chained_cni_plugin: bool,

    /// Write a list of our own, with all plugins of the network of pods, instead of changing the list of others
    #[arg(long, value_name = SWITCH, env = "ISTIO_OWNED_CNI_CONFIG", default_value = "false")]
    istio_owned_cni_config: bool,

    /// Name of the list of our own, which has to come first in the order of names
    /// [default: 02-interceptor-cni.conflist]
    #[arg(long, value_name = "NAME", env = "ISTIO_OWNED_CNI_CONFIG_FILENAME")]
    istio_owned_cni_config_filename: Option<String>,

    /// As Istio's chart writes it.
    #[arg(long, value_name = "NAME", env = "ISTIO_OWNED_CNI_CONF_FILENAME", hide = true)]
    istio_owned_cni_conf_filename: Option<String>,
}

/// What the plugin is told.
#[derive(Args, Debug)]
pub(crate) struct EntryArgs {
    /// Program of the CNI plugin, which is copied to the host [default: interceptor-cni beside this program]
    #[arg(long, value_name = "FILE", env = "INTERCEPTOR_CNI_PLUGIN")]
    cni_plugin: Option<PathBuf>,

    /// Namespaces whose pods are not intercepted, separated by commas
    #[arg(long, value_name = "NAMESPACES", env = "EXCLUDE_NAMESPACES", default_value = "")]
    pub(crate) exclude_namespaces: Namespaces,

    /// Namespace of the pods of the agent
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "")]
    pub(crate) pod_namespace: Namespace,

    /// Let the group read a file that is ours alone (mode 0640)
    #[arg(long, value_name = SWITCH, env = "CNI_CONF_GROUP_READ", default_value = "false")]
    cni_conf_group_read: bool,

    /// Take the entry of istio-cni out of a list that has it; otherwise such a list is refused
    #[arg(long, value_name = SWITCH, env = "REPLACE_ISTIO_CNI", default_value = "false")]
    replace_istio_cni: bool,

    #[arg(long, value_name = SWITCH, env = "AMBIENT_ENABLED", hide = true, default_value = "false")]
    ambient_enabled: bool,
}

/// The name of a namespace, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespace(String);

/// Names of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespaces(Vec<String>);

impl Namespaces {
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

impl PlaceArgs {
    /// The installation of an entry.
    pub(crate) fn installation(&self, entry: Entry, args: &EntryArgs) -> Result<Installation> {
        let installation = Installation {
            net_dir: self.mounted_cni_net_dir.clone(),
            bin_dir: self.mounted_cni_bin_dir.clone(),
            binary: args.program()?,
            layout: self.layout()?,
            entry,
            replace_istio_cni: args.replace_istio_cni,
            group_read: args.cni_conf_group_read,
        };
        installation.check_names()?;
        Ok(installation)
    }

    /// The same for whoever only takes it off.
    pub(crate) fn any_installation(&self) -> Result<Installation> {
        let installation = Installation {
            net_dir: self.mounted_cni_net_dir.clone(),
            bin_dir: self.mounted_cni_bin_dir.clone(),
            binary: PathBuf::new(),
            layout: self.layout()?,
            entry: Entry::default(),
            replace_istio_cni: false,
            group_read: false,
        };
        installation.check_names()?;
        Ok(installation)
    }

    fn layout(&self) -> Result<Layout> {
        let file = given(self.cni_conf_name.as_ref());
        if !self.chained_cni_plugin {
            // This file is our own anyway.
            return Ok(Layout::Standalone { name: file.unwrap_or_else(|| STANDALONE.to_owned()) });
        }
        if !self.istio_owned_cni_config {
            return Ok(Layout::Chained { file });
        }
        let names = [&self.istio_owned_cni_config_filename, &self.istio_owned_cni_conf_filename];
        let name = match names.map(|name| given(name.as_ref())) {
            [Some(one), Some(other)] if one != other => bail!(
                "ISTIO_OWNED_CNI_CONFIG_FILENAME is {one}, and ISTIO_OWNED_CNI_CONF_FILENAME is {other}; \
                 set one of them"
            ),
            [name, other] => name.or(other).unwrap_or_else(|| OWN_LIST.to_owned()),
        };
        Ok(Layout::OwnList { name, file })
    }
}

impl EntryArgs {
    /// What the plugin is told, by an agent that listens in this directory of the host.
    pub(crate) fn entry(&self, run_dir: &Path, log: &LogArgs) -> Result<Entry> {
        if self.ambient_enabled {
            bail!(
                "Interceptor has no ambient mode, and pods of it would start without interception; take \
                 AMBIENT_ENABLED (--ambient-enabled) away"
            );
        }
        let run_dir = run_dir
            .to_str()
            .with_context(|| format!("{} is not UTF-8, which JSON needs (--run-dir)", run_dir.display()))?;
        Ok(Entry {
            log_level: log.log_level.name().to_owned(),
            run_dir: run_dir.to_owned(),
            exclude_namespaces: self.exclude_namespaces.0.clone(),
            pod_namespace: self.pod_namespace.0.clone(),
        })
    }

    fn program(&self) -> Result<PathBuf> {
        if let Some(path) = &self.cni_plugin {
            return Ok(path.clone());
        }
        let own = std::env::current_exe().context("Failed to find this program; name the plugin with --cni-plugin")?;
        Ok(own.with_file_name(PLUGIN))
    }
}

impl Namespace {
    /// The name, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&self.0)
    }
}

impl FromStr for Namespace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self::default()) } else { namespace(text).map(Self) }
    }
}

impl FromStr for Namespaces {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(namespace).collect::<Result<_, _>>().map(Self)
    }
}

/// A DNS label
/// ([names of objects](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names)).
fn namespace(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.len() <= 63 && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{}` is not the name of a namespace, which has lower-case letters, digits and `-`, at most 63",
            text.escape_debug()
        ))
    }
}

/// Manifests set variables to nothing instead of leaving them out.
fn given(name: Option<&String>) -> Option<String> {
    name.filter(|name| !name.is_empty()).cloned()
}
