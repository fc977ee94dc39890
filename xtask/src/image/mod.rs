// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask image`: the container image, as an OCI archive. No daemon, no registry and no base image is needed, and
//! one commit gives the same bytes wherever its compiler is the same.

mod archive;
mod commit;
mod contents;
mod libc;
mod licenses;
mod packages;
mod sbom;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use self::archive::{Image, archive};
use self::commit::Commit;
use self::contents::Contents;
use self::packages::Packages;
use crate::programs::{shipped, static_build};
use crate::run::say;
use crate::setup::{self, Purpose};
use crate::workspace::{Workspace, root};

/// Where programs are. In images with a distribution below, `/bin` is a link.
const PROGRAMS: &str = "usr/local/bin";

/// Where licenses and the list of packages are.
const DOCUMENTS: &str = "usr/share/doc/interceptor";

/// What a container runs, with the arguments of its manifest.
const ENTRYPOINT: &str = "interceptor";

/// As the chart calls it.
const DEFAULT_NAME: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"));

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The archive [default: interceptor.tar in target/oci]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the image is called where the archive is imported
    #[arg(long, value_name = "NAME:TAG", default_value = DEFAULT_NAME)]
    name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { out: None, name: DEFAULT_NAME.to_owned() }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::check(Purpose::Build)?;
    let name = archive::Name::read(&options.name)?;
    let workspace = Workspace::load()?;
    let commit = Commit::find(root())?;
    let programs = shipped(&workspace);
    // cargo has a folder for each profile there, and `image` is one.
    let folder = workspace.target_dir.join("oci");
    let out = options.out.clone().unwrap_or_else(|| folder.join("interceptor.tar"));

    let mut contents = Contents::default();
    for (program, path) in static_build(&programs)? {
        contents.program(&format!("{PROGRAMS}/{program}"), &path)?;
    }
    let packages = Packages::of(&programs)?.and(libc::packages()?);
    let document = |name: &str| format!("{DOCUMENTS}/{name}");
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        contents.file(&document(license), &root().join(license))?;
    }
    contents.text(&document("THIRD-PARTY.txt"), licenses::text(&packages)?);
    contents.text(&document("sbom.cdx.json"), sbom::text(&packages, &commit)?);
    // For `deploy/Containerfile`, which copies the same files.
    contents.write(&folder.join("root"))?;

    let image = Image {
        name,
        commit,
        entrypoint: format!("/{PROGRAMS}/{ENTRYPOINT}"),
        path: format!("/{PROGRAMS}"),
    };
    let bytes = archive(&image, &contents)?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(&out, &bytes.archive).with_context(|| format!("cannot write {}", out.display()))?;
    for (path, size) in contents.sizes() {
        say(&format!("{:>7.2} MB  /{path}", megabytes(size)));
    }
    say(&format!(
        "wrote {} ({:.1} MB): {} {}",
        out.display(),
        megabytes(bytes.archive.len()),
        options.name,
        bytes.digest
    ));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
