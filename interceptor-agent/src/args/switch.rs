// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Switches that take a value, because the manifests of Istio write one. Without a value they are on.

use clap::{ArgAction, Command};
use interceptor_config::parse_bool;

/// The name of the value, by which switches are known.
pub(super) const SWITCH: &str = "BOOL";

/// Lets each switch of a command take a value, written as Go reads it.
pub(super) fn with_switches(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_switch = arg.get_value_names().is_some_and(|names| names == [SWITCH]);
        if !is_switch {
            return arg;
        }
        arg.action(ArgAction::Set)
            .value_parser(|text: &str| parse_bool(text).ok_or("write true or false"))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
    })
}
