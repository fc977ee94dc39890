// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Running programs and talking to the user. Nothing is run silently except questions that change nothing.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Prints the command, runs it without standard input, and fails with the command and its status unless it succeeds.
pub(crate) fn exec(command: &mut Command) -> Result<()> {
    run_shown(&shown(command), command)
}

/// The same for a line that is also meant for the user to copy.
pub(crate) fn shell(line: &str) -> Result<()> {
    run_shown(line, Command::new("sh").args(["-c", line]))
}

fn run_shown(line: &str, command: &mut Command) -> Result<()> {
    say(&format!("$ {line}"));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// The standard output of a command that only asks.
pub(crate) fn ask(command: &mut Command) -> Result<String> {
    let line = shown(command);
    String::from_utf8(ask_bytes(command)?).with_context(|| format!("`{line}` wrote something else than UTF-8"))
}

/// The same for one that answers with something else than text.
pub(crate) fn ask_bytes(command: &mut Command) -> Result<Vec<u8>> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` failed: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// The cargo that runs this program.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Tells the user; stops the program when nobody reads any more, as in `| head`.
pub(crate) fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(1);
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a program that fails")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// The command as the user would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = if program.file_name() == Some(OsStr::new("cargo")) {
        Path::new("cargo")
    } else {
        program
    };
    // Separators that cannot be typed are shown as spaces.
    let typed = |value: &OsStr| quoted(&value.to_string_lossy().replace('\x1f', " "));
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), typed(value?))));
    let words = std::iter::once(program.as_os_str()).chain(command.get_args()).map(typed);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_=/.,:+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/opt/toolchain/bin/cargo");
        command.args(["test", "--", "two words"]).env("RUSTDOCFLAGS", "-Dwarnings");
        assert_eq!(shown(&command), "RUSTDOCFLAGS=-Dwarnings cargo test -- 'two words'");
    }

    #[test]
    fn a_failing_command_is_named_with_its_status() {
        let error = exec(&mut Command::new("false")).unwrap_err();
        assert_eq!(error.to_string(), "`false` failed: exit status: 1");
    }
}
