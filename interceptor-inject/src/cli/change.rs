// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the command does with each manifest, by its flags. Flags of one mode are refused in another.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    args::{Cli, Mode},
    input,
};
use crate::{DataPath, Istio, Outcome, Plain, Rewrite, Undo};

/// What to do with each manifest.
pub(super) enum Change {
    Rewrite(Rewrite),
    Istio(Box<Istio>),
    Plain(Plain),
    Undo(Undo),
}

/// Why there is nothing to do.
pub(super) enum Problem {
    /// The flags do not go together.
    Usage(String),
    /// A file cannot be used.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

const TO_ISTIOCTL: &str = "istioctl kube-inject … -f FILE | interceptor inject -f -";

impl Change {
    pub(super) fn new(cli: &Cli) -> Result<Self, Problem> {
        let usage = |message: String| Err(Problem::Usage(message));
        if cli.cluster.operator {
            return usage(format!(
                "--operatorFileName is not read; give the values and the mesh configuration as files, or let istioctl \
                 inject: {TO_ISTIOCTL}"
            ));
        }
        let mode = cli.mode.unwrap_or_else(|| {
            let is_istio = cli.template.inject.is_some() || cli.template.revision.is_some();
            if is_istio { Mode::Istio } else { Mode::Rewrite }
        });
        if let Some(flag) = cli.template.given().or(cli.cluster.given).filter(|_flag| mode != Mode::Istio) {
            return usage(format!(
                "--{flag} is about Istio's template, which --mode istio renders; give --injectConfigFile, \
                 --meshConfigFile and --valuesFile, or let istioctl inject: istioctl kube-inject --{flag} … -f FILE | \
                 interceptor inject -f -"
            ));
        }
        if let Some(flag) = cli.plain.given().filter(|_flag| mode != Mode::Plain) {
            return usage(format!("--{flag} is about --mode plain"));
        }
        if cli.explain && mode != Mode::Rewrite {
            return usage(
                "--explain is about --mode rewrite; the other modes say with each workload what decided".to_owned(),
            );
        }
        if cli.native_sidecars && mode == Mode::Rewrite {
            return usage("--native-sidecars is about --mode istio and --mode plain".to_owned());
        }
        match mode {
            Mode::Rewrite if cli.undo => Ok(Self::Undo(Undo {
                init_image: cli.init_image.clone(),
                kinds: cli.kinds.clone(),
            })),
            _ if cli.undo => usage("--undo goes back from --mode rewrite only".to_owned()),
            Mode::Rewrite => Ok(Self::Rewrite(rewrite(cli))),
            Mode::Istio => istio(cli).map(|istio| Self::Istio(Box::new(istio))),
            Mode::Plain => plain(cli).map(Self::Plain),
        }
    }

    pub(super) fn apply(&self, manifest: &Value) -> Result<Outcome> {
        Ok(match self {
            Self::Rewrite(rewrite) => rewrite.apply(manifest)?,
            Self::Istio(istio) => istio.apply(manifest)?,
            Self::Plain(plain) => plain.apply(manifest)?,
            Self::Undo(undo) => undo.apply(manifest)?,
        })
    }

    /// What a changed workload is called in the report.
    pub(super) const fn done(&self) -> &'static str {
        match self {
            Self::Rewrite(_) => "rewritten",
            Self::Istio(_) | Self::Plain(_) => "injected",
            Self::Undo(_) => "Istio's again",
        }
    }
}

fn rewrite(cli: &Cli) -> Rewrite {
    Rewrite {
        image: cli.image.clone(),
        data_path: cli.data_path,
        tproxy: cli.tproxy,
        any_runtime: cli.any_runtime,
        selinux_type: cli.selinux_type.clone(),
        kinds: cli.kinds.clone(),
    }
}

fn istio(cli: &Cli) -> Result<Istio, Problem> {
    let template = &cli.template;
    let text = |flag: &str, file: &Option<PathBuf>| match file {
        Some(file) => Ok(input::file(file)?.text),
        None => Err(Problem::Usage(format!(
            "--mode istio needs --injectConfigFile, --meshConfigFile and --valuesFile, because it asks no cluster; \
             --{flag} is missing. Get the ConfigMaps with kubectl -n istio-system get configmap NAME -o yaml, or let \
             istioctl inject: {TO_ISTIOCTL}"
        ))),
    };
    let inject = text("injectConfigFile", &template.inject)?;
    let mesh = text("meshConfigFile", &template.mesh)?;
    let values = text("valuesFile", &template.values)?;
    let istio = Istio::new(&inject, &mesh, &values);
    let mut istio = istio.with_context(|| {
        let shown = |file: &Option<PathBuf>| file.as_deref().map(Path::display).map(|path| path.to_string());
        let files = [&template.inject, &template.mesh, &template.values].map(shown);
        format!(
            "Failed to read Istio's configuration from {}",
            files.map(Option::unwrap_or_default).join(", ")
        )
    })?;
    // Istio calls its default revision by no name.
    istio.revision = template
        .revision
        .clone()
        .filter(|revision| revision != "default")
        .unwrap_or_default();
    istio.native_sidecars = cli.native_sidecars;
    istio.rewrite = (!template.keep_istio_init).then(|| rewrite(cli));
    istio.kinds.clone_from(&cli.kinds);
    Ok(istio)
}

fn plain(cli: &Cli) -> Result<Plain, Problem> {
    let usage = |message: &str| Problem::Usage(message.to_owned());
    if cli.data_path == DataPath::Cni {
        return Err(usage(
            "--mode plain needs --data-path init: the CNI plugin knows Istio's pods only",
        ));
    }
    if cli.tproxy {
        return Err(usage("--tproxy is not for --mode plain, which redirects"));
    }
    let needed = "--mode plain needs --envoy-image and --envoy-config";
    Ok(Plain {
        envoy_image: cli.plain.envoy_image.clone().ok_or_else(|| usage(needed))?,
        envoy_config: cli.plain.envoy_config.clone().ok_or_else(|| usage(needed))?,
        image: cli.image.clone(),
        native_sidecars: cli.native_sidecars,
        any_runtime: cli.any_runtime,
        selinux_type: cli.selinux_type.clone(),
        kinds: cli.kinds.clone(),
    })
}
