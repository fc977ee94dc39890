// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that are programs of their own, so that this one stays small: `interceptor agent` is `interceptor-agent`,
//! beside this program and of its version.

use std::{
    ffi::OsString,
    io::ErrorKind,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Blocks of 128 KiB and more go back to the kernel when they are freed. Otherwise glibc keeps them once it has seen
/// some go: tens of megabytes of a daemon that has loaded programs, because aya reads the kernel's type information for
/// that. See `mallopt(3)`, `M_MMAP_THRESHOLD`.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=131072");

/// Everything after the name of the command is for the other program to read.
#[derive(Args, Debug)]
pub(super) struct SiblingArgs {
    /// Arguments; --help lists them
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Replaces this process by `interceptor-<command>`, with the words before the arguments. Returns only if that fails.
pub(super) fn run(command: &str, words: &[&str], SiblingArgs { arguments }: &SiblingArgs) -> Result<ExitCode> {
    let path = path(command)?;
    expect_own_version(&path)?;
    let mut command = Command::new(&path);
    let (variable, value) = ALLOCATOR;
    // Who has set it knows better.
    if std::env::var_os(variable).is_none() {
        command.env(variable, value);
    }
    let error = command.args(words).args(arguments).exec();
    Err(error).with_context(|| format!("Failed to start {}", path.display()))
}

/// What `interceptor-<command> WORDS --help` says. Nothing, if there is no such program beside this one.
pub(super) fn help(command: &str, words: &[&str]) -> Result<Option<String>> {
    let path = path(command)?;
    if !path.exists() {
        return Ok(None);
    }
    expect_own_version(&path)?;
    let asked = Command::new(&path).args(words).arg("--help").output();
    let asked = asked.with_context(|| format!("Failed to start {}", path.display()))?;
    if !asked.status.success() {
        bail!("{} has no help: {}", path.display(), asked.status);
    }
    let text = String::from_utf8(asked.stdout).with_context(|| format!("{} has no help in UTF-8", path.display()))?;
    Ok(Some(text))
}

fn path(command: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("Failed to find this program")?;
    Ok(own.with_file_name(format!("interceptor-{command}")))
}

fn expect_own_version(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().display();
    // It reads no standard input. Without this, /dev/null would have to be there.
    let asked = match Command::new(path).arg("--version").stdin(Stdio::inherit()).output() {
        Ok(asked) => asked,
        // The same error also means that its dynamic linker is missing.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.exists() => bail!(
            "{} is missing. This command is a program of its own; put {name} of version {VERSION} beside this one. \
             From the source, `cargo build --release --package {name}` makes it",
            path.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("Failed to start {}", path.display())),
    };
    let said = String::from_utf8_lossy(&asked.stdout);
    match said.lines().next().and_then(|line| line.split_once(' ')) {
        Some((program, VERSION)) if name.to_string() == program => Ok(()),
        Some((program, version)) if name.to_string() == program => bail!(
            "{} is of version {}, and this program of version {VERSION}; put both of one release beside each other",
            path.display(),
            version.escape_debug()
        ),
        _ => bail!("{} does not say its version (--version); is it {name}?", path.display()),
    }
}
