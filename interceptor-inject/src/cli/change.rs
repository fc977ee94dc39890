// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the command does with each manifest, by its flags. Flags of one mode are refused in another.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    args::{Cli, Mode},
    cluster::Cluster,
    input,
    kube_inject::TemplateFlags,
};
use crate::{DataPath, Istio, Kind, Outcome, Plain, Remote, Rewrite, Undo};

/// What to do with each manifest.
pub(super) enum Change {
    Rewrite(Rewrite),
    Istio(Box<Istio>),
    /// Asks the injector that is called so.
    Remote(Injector),
    Plain(Plain),
    Undo(Undo),
}

/// The injector of a cluster.
pub(super) struct Injector {
    cluster: Cluster,
    /// How the API server calls it.
    client_config: Value,
    rewrite: Option<Rewrite>,
    kinds: Vec<Kind>,
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

impl Change {
    pub(super) fn new(cli: &Cli) -> Result<Self, Problem> {
        let usage = |message: String| Err(Problem::Usage(message));
        if cli.others.operator {
            return usage(
                "--operatorFileName is not read; give the values and the mesh configuration as files, or let istioctl \
                 inject: istioctl kube-inject … -f FILE | interceptor inject -f -"
                    .to_owned(),
            );
        }
        let mode = cli.mode.unwrap_or_else(|| {
            let is_istio = cli.template.inject.is_some() || cli.template.revision.is_some();
            if is_istio { Mode::Istio } else { Mode::Rewrite }
        });
        let of_istio = cli.template.given().or_else(|| cli.cluster.given()).or(cli.others.given);
        if let Some(flag) = of_istio.filter(|_flag| mode != Mode::Istio) {
            return usage(format!(
                "--{flag} is about Istio's injector; use --mode istio, or let istioctl inject: istioctl kube-inject \
                 --{flag} … -f FILE | interceptor inject -f -"
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
            Mode::Istio => istio(cli),
            Mode::Plain => plain(cli).map(Self::Plain),
        }
    }

    pub(super) fn apply(&self, manifest: &Value) -> Result<Outcome> {
        Ok(match self {
            Self::Rewrite(rewrite) => rewrite.apply(manifest)?,
            Self::Istio(istio) => istio.apply(manifest)?,
            Self::Remote(injector) => injector.apply(manifest)?,
            Self::Plain(plain) => plain.apply(manifest)?,
            Self::Undo(undo) => undo.apply(manifest)?,
        })
    }

    /// What a changed workload is called in the report.
    pub(super) const fn done(&self) -> &'static str {
        match self {
            Self::Rewrite(_) => "rewritten",
            Self::Istio(_) | Self::Remote(_) | Self::Plain(_) => "injected",
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

impl Injector {
    fn apply(&self, manifest: &Value) -> Result<Outcome> {
        let ask = |review: &Value| {
            let answer = self.cluster.review(&self.client_config, review);
            answer.map_err(|error| format!("{error:#}"))
        };
        let remote = Remote { ask: &ask, rewrite: self.rewrite.clone(), kinds: self.kinds.clone() };
        Ok(remote.apply(manifest)?)
    }
}

/// From files where all are given. What is missing comes from a cluster: without templates, its injector is asked, and
/// if there is none, its `ConfigMap`s.
fn istio(cli: &Cli) -> Result<Change, Problem> {
    let template = &cli.template;
    if cli.cluster.mesh_map.as_deref() == Some("") && template.mesh.is_none() {
        return Err(Problem::Usage("--meshConfigFile or --meshConfigMapName must be set".to_owned()));
    }
    let cluster = Cluster::new(&cli.cluster, template.revision.as_deref());
    let rewrite = (!template.keep_istio_init).then(|| rewrite(cli));
    if template.inject.is_none()
        && let Some(client_config) = cluster.injector().with_context(|| hint(template))?
    {
        let without_effect = [
            ("meshConfigFile", template.mesh.is_some()),
            ("valuesFile", template.values.is_some()),
            ("native-sidecars", cli.native_sidecars),
        ];
        if let Some((flag, _)) = without_effect.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Problem::Usage(format!(
                "--{flag} has no effect on Istio's injector in the cluster, which is asked; give --injectConfigFile too"
            )));
        }
        return Ok(Change::Remote(Injector {
            cluster,
            client_config,
            rewrite,
            kinds: cli.kinds.clone(),
        }));
    }
    let text = |file: &Option<PathBuf>, of_cluster: &dyn Fn() -> Result<String>| match file {
        Some(file) => input::file(file).map(|input| input.text),
        None => of_cluster().with_context(|| hint(template)),
    };
    let inject = text(&template.inject, &|| cluster.injection())?;
    let mesh = text(&template.mesh, &|| cluster.mesh())?;
    let values = text(&template.values, &|| cluster.injection())?;
    let istio = Istio::new(&inject, &mesh, &values);
    let mut istio = istio.with_context(|| {
        let shown = |file: &Option<PathBuf>| {
            let file = file.as_deref().map(Path::display).map(|path| path.to_string());
            file.unwrap_or_else(|| "the cluster".to_owned())
        };
        let files = [&template.inject, &template.mesh, &template.values].map(shown);
        format!("Failed to read Istio's configuration from {}", files.join(", "))
    })?;
    // Istio calls its default revision by no name.
    istio.revision = template
        .revision
        .clone()
        .filter(|revision| revision != "default")
        .unwrap_or_default();
    istio.native_sidecars = cli.native_sidecars;
    istio.rewrite = rewrite;
    istio.kinds.clone_from(&cli.kinds);
    Ok(Change::Istio(Box::new(istio)))
}

/// Which files make a cluster unnecessary.
fn hint(template: &TemplateFlags) -> String {
    let files = [
        ("--injectConfigFile", &template.inject),
        ("--meshConfigFile", &template.mesh),
        ("--valuesFile", &template.values),
    ];
    let missing: Vec<_> = files.iter().filter(|(_, file)| file.is_none()).map(|(flag, _)| *flag).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    format!("{} {verb} not given, and the cluster cannot be asked", missing.join(", "))
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
