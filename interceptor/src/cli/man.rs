// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor man`: the help of all commands as manual pages, for those who make packages.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_mangen::Man;

use super::{output, sibling};
use crate::named_file;

/// Pages of commands that are programs of their own: which program, and after which words it tells its options.
const OF_SIBLINGS: [(&str, &str, &[&str]); 6] = [
    ("interceptor-agent", "agent", &[]),
    ("interceptor-inject", "inject", &[]),
    ("interceptor-webhook", "webhook", &[]),
    ("interceptor-verify", "verify", &[]),
    ("interceptor-render-webhook", "webhook", &["render", "webhook"]),
    ("interceptor-render-istio-values", "webhook", &["render", "istio-values"]),
];

/// Write manual pages into a directory
///
/// The pages of agent, inject, webhook and verify have the options only if these programs are beside this one.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  interceptor man /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// An existing directory; pages of the same name are written anew
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &ManArgs, command: Command) -> Result<ExitCode> {
    // `interceptor help enroll` is in no need of a page.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let pages = write(&command, &args.directory)?;
    output::text(format_args!("Wrote {pages} pages into {}", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a command, and those of the commands below it. Returns how many there are.
fn write(command: &Command, directory: &Path) -> Result<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).context("Failed to write a page")?;
    if let Some((_page, program, words)) = OF_SIBLINGS.iter().find(|(page, ..)| *page == name)
        && let Some(help) = sibling::help(program, words)?
    {
        page.extend_from_slice(as_it_is(&help).as_bytes());
    }
    let written = named_file::create(&path).and_then(|mut file| file.write_all(&page));
    written.with_context(|| format!("Failed to write {}", path.display()))?;
    let mut pages = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages += write(below, directory)?;
    }
    Ok(pages)
}

/// A section with this text, line by line. No line begins as a request of roff does
/// ([groff(7)](https://man7.org/linux/man-pages/man7/groff.7.html)).
fn as_it_is(text: &str) -> String {
    let mut section = ".SH HELP\n.nf\n".to_owned();
    for line in text.lines() {
        let line = line.trim_end().replace('\\', "\\e").replace('-', "\\-");
        writeln!(section, "\\&{line}").expect("a string takes everything");
    }
    section + ".fi\n"
}
