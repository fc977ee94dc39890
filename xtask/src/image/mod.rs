// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask image`: the container image, as an OCI archive. No daemon, no registry and no base image is needed, and
//! one commit gives the same bytes wherever its compiler is the same.

mod archive;
mod commit;
mod contents;
mod debian;
mod libc;
mod licenses;
mod packages;
mod sbom;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::archive::{Image, archive};
use self::commit::Commit;
use self::contents::Contents;
use self::packages::Packages;
use crate::architecture::Architecture;
use crate::programs::{SHIPPED, static_build};
use crate::run::say;
use crate::setup::{self, Purpose};
use crate::workspace::{Workspace, root};

/// Where programs are. In images with a distribution below, `/bin` is a link.
const PROGRAMS: &str = "usr/local/bin";

/// Where licenses and the list of packages are.
const DOCUMENTS: &str = "usr/share/doc/interceptor";

/// What a container runs, with the arguments of its manifest.
const ENTRYPOINT: &str = "interceptor";

/// As the chart calls it, and `interceptor inject`.
const DEFAULT_NAME: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"));

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// The archive [default: interceptor.tar in target/oci, with `-iptables` and, for other machines than this one,
    /// their architectures before the dot]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the image is called where the archive is imported [default: as the chart calls it,
    /// localhost/interceptor:VERSION, or localhost/interceptor:VERSION-iptables]
    #[arg(long, value_name = "NAME:TAG")]
    name: Option<String>,
    /// With iptables and `ip` from Debian's packages, for agents that write rules where the kernel lacks something
    /// (`onUnsupported=iptables`), and for `interceptor verify`
    #[arg(long)]
    with_iptables: bool,
    /// For machines of this architecture instead of this machine's; if repeated, one archive is for all of them
    #[arg(long, value_name = "ARCHITECTURE", value_enum)]
    arch: Vec<Architecture>,
}

impl Options {
    /// The second image.
    pub(crate) fn iptables() -> Self {
        Self { with_iptables: true, ..Self::default() }
    }

    /// Behind the tag, and behind the name of the archive.
    fn suffix(&self) -> &'static str {
        if self.with_iptables { "-iptables" } else { "" }
    }

    /// Each once, in the order of the archive.
    fn architectures(&self) -> Result<BTreeSet<Architecture>> {
        let here = Architecture::here()?;
        Ok(if self.arch.is_empty() {
            [here].into()
        } else {
            self.arch.iter().copied().collect()
        })
    }

    fn out(&self, folder: &Path, architectures: &BTreeSet<Architecture>) -> Result<PathBuf> {
        if let Some(out) = &self.out {
            return Ok(out.clone());
        }
        let mut name = format!("interceptor{}", self.suffix());
        if *architectures != [Architecture::here()?].into() {
            name.extend(architectures.iter().map(|architecture| format!("-{architecture}")));
        }
        Ok(folder.join(format!("{name}.tar")))
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let architectures = options.architectures()?;
    for architecture in &architectures {
        setup::check(if architecture.is_foreign()? { Purpose::Arm64 } else { Purpose::Build })?;
    }
    let shown = options
        .name
        .clone()
        .unwrap_or_else(|| format!("{DEFAULT_NAME}{}", options.suffix()));
    let image = Image {
        name: archive::Name::read(&shown)?,
        commit: Commit::find(root())?,
        entrypoint: format!("/{PROGRAMS}/{ENTRYPOINT}"),
        path: format!("/{PROGRAMS}:/{}", debian::PROGRAMS),
    };
    // cargo has a folder for each profile there, and `image` is one.
    let folder = Workspace::load()?.target_dir.join("oci");
    let out = options.out(&folder, &architectures)?;

    let mut variants = BTreeMap::new();
    for architecture in architectures {
        let contents = contents(options, architecture, &folder, &image.commit)?;
        for (path, size) in contents.sizes() {
            say(&format!("{architecture} {:>7.2} MB  /{path}", megabytes(size)));
        }
        variants.insert(architecture, contents);
    }
    let bytes = archive(&image, &variants)?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(&out, &bytes.archive).with_context(|| format!("cannot write {}", out.display()))?;
    say(&format!(
        "wrote {} ({:.1} MB): {} {}",
        out.display(),
        megabytes(bytes.archive.len()),
        shown,
        bytes.digest
    ));
    Ok(())
}

/// The files of the image for such a machine, which are written to `root` in `folder`, too, or to `root-ARCHITECTURE`.
fn contents(options: &Options, architecture: Architecture, folder: &Path, commit: &Commit) -> Result<Contents> {
    let mut contents = Contents::default();
    for (program, path) in static_build(&SHIPPED, architecture)? {
        contents.program(&format!("{PROGRAMS}/{program}"), &path)?;
    }
    let mut packages = Packages::of(&SHIPPED, architecture)?.and(libc::packages(architecture)?);
    if options.with_iptables {
        let fetched = folder.join(format!("debian-{architecture}"));
        packages = packages.and(debian::add(&mut contents, &fetched, architecture)?);
    }
    let document = |name: &str| format!("{DOCUMENTS}/{name}");
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        contents.file(&document(license), &root().join(license))?;
    }
    contents.text(&document("THIRD-PARTY.txt"), licenses::text(&packages)?);
    contents.text(&document("sbom.cdx.json"), sbom::text(&packages, commit)?);
    // For `deploy/Containerfile`, which copies the same files.
    let is_foreign = architecture.is_foreign()?;
    let written = if is_foreign { format!("root-{architecture}") } else { "root".to_owned() };
    contents.write(&folder.join(written))?;
    Ok(contents)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
