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

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use self::archive::{Image, archive};
use self::commit::Commit;
use self::contents::Contents;
use self::packages::Packages;
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
    /// The archive [default: interceptor.tar in target/oci, or interceptor-iptables.tar]
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
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::check(Purpose::Build)?;
    let shown = options
        .name
        .clone()
        .unwrap_or_else(|| format!("{DEFAULT_NAME}{}", options.suffix()));
    let name = archive::Name::read(&shown)?;
    let workspace = Workspace::load()?;
    let commit = Commit::find(root())?;
    // cargo has a folder for each profile there, and `image` is one.
    let folder = workspace.target_dir.join("oci");
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| folder.join(format!("interceptor{}.tar", options.suffix())));

    let mut contents = Contents::default();
    for (program, path) in static_build(&SHIPPED)? {
        contents.program(&format!("{PROGRAMS}/{program}"), &path)?;
    }
    let mut packages = Packages::of(&SHIPPED)?.and(libc::packages()?);
    if options.with_iptables {
        packages = packages.and(debian::add(&mut contents, &folder.join("debian"))?);
    }
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
        path: format!("/{PROGRAMS}:/{}", debian::PROGRAMS),
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
        shown,
        bytes.digest
    ));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
