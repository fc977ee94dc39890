// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is printed instead of running a command: a mistake on the command line, with a tip, or the help that was
//! asked for.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    exit::{FAILED, Statuses},
    output,
};

/// Prints a mistake in `arguments`, or the help that was asked for.
pub(super) fn print(mut error: clap::Error, command: &Command, arguments: &[OsString], statuses: Statuses) -> ExitCode {
    if let Some(tip) = tip(&error, command, arguments) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    let printed = error.print();
    if error.use_stderr() {
        // If standard error cannot be written, there is no place left to say so.
        return ExitCode::from(statuses.usage());
    }
    match output::written(printed.and_then(|()| io::stdout().flush())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// A switch with its value as the next word (`--dry-run false`), which would be another argument in Go as well.
fn tip(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument || !matches!(value.as_str(), "true" | "false") {
        return None;
    }
    let at = arguments.iter().position(|argument| argument == value.as_str())?;
    let switch = arguments.get(at.checked_sub(1)?)?.to_str()?;
    let command = command.find_subcommand(arguments.get(1)?)?;
    let takes_value_after_equals =
        command
            .get_arguments()
            .filter(|argument| argument.is_require_equals_set())
            .any(|argument| {
                argument.get_long().is_some_and(|long| switch == format!("--{long}"))
                    || argument.get_short().is_some_and(|short| switch == format!("-{short}"))
            });
    takes_value_after_equals.then(|| format!("write `{switch}={value}`: a switch takes its value after `=`, as in Go"))
}
