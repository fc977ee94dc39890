// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of settings as arguments of a command line, for clap. It looks nothing up, and judges only what Go's
//! flag library judges
//! ([`root.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/cmd/root.go)).

use std::marker::PhantomData;

use clap::{
    Arg, ArgMatches, Args, Command, Error, FromArgMatches,
    builder::{StyledStr, ValueParser},
};

use super::{
    flags::Flags,
    row::{Heading, Value},
    table::Setting,
};
use crate::values::go;

/// Which flags a command takes, and which of them its help lists.
pub trait Scope {
    /// Where the help of this command lists a setting.
    fn place(setting: Setting) -> Place;
}

/// Where the help of a command lists a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Under(Heading),
    /// The command accepts the flag, and its help does not list it.
    Hidden,
    /// The command does not accept the flag.
    Nowhere,
}

/// For a command that puts a configuration in force: all flags.
#[derive(Clone, Copy, Debug)]
pub struct AllFlags;

/// For a command that decides over one connection: what a verdict depends on.
#[derive(Clone, Copy, Debug)]
pub struct VerdictFlags;

/// For a command that renders Istio's rules: what a rule depends on.
#[derive(Clone, Copy, Debug)]
pub struct RuleFlags;

impl Scope for AllFlags {
    fn place(setting: Setting) -> Place {
        Place::Under(setting.heading())
    }
}

impl Scope for VerdictFlags {
    fn place(setting: Setting) -> Place {
        match setting.heading() {
            Heading::Interception => Place::Under(Heading::Interception),
            Heading::Run | Heading::Logging | Heading::Compatibility => Place::Hidden,
            // Flags of Istio that stand elsewhere.
            Heading::DataPath if setting != Setting::DataPath => Place::Hidden,
            Heading::DataPath | Heading::Guard | Heading::Acceleration => Place::Nowhere,
        }
    }
}

impl Scope for RuleFlags {
    fn place(setting: Setting) -> Place {
        match setting {
            // Istio writes a rule for this setting.
            Setting::DropInvalid => Place::Under(Heading::Interception),
            setting => VerdictFlags::place(setting),
        }
    }
}

/// The flags of a command, to be flattened into its arguments. A flag given twice counts the second time.
#[derive(Clone, Debug)]
pub struct FlagArgs<S> {
    /// What was given.
    pub flags: Flags,
    scope: PhantomData<S>,
}

impl<S: Scope> Args for FlagArgs<S> {
    fn augment_args(command: Command) -> Command {
        let command = command.args_override_self(true);
        Setting::ALL
            .iter()
            .filter_map(|setting| argument(*setting, S::place(*setting)))
            .fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Scope> FromArgMatches for FlagArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self { flags: Flags::default(), scope: PhantomData };
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in Setting::ALL {
            let given = setting.flag().filter(|_| S::place(*setting) != Place::Nowhere);
            if let Some(text) = given.and_then(|flag| matches.get_one::<String>(flag)) {
                self.flags = std::mem::take(&mut self.flags).with(*setting, text);
            }
        }
        Ok(())
    }
}

/// Reads the arguments that a container gives to `istio-iptables`, without that name. The error is one line that says
/// which argument is wrong.
pub fn parse(arguments: &[&str]) -> Result<Flags, String> {
    let command = Command::new("istio-iptables").no_binary_name(true).disable_help_flag(true);
    let command = FlagArgs::<AllFlags>::augment_args(command);
    let matches = command.try_get_matches_from(arguments);
    let args = matches.and_then(|matches| FlagArgs::<AllFlags>::from_arg_matches(&matches));
    args.map(|args| args.flags).map_err(|error| one_line(&error))
}

/// The first line of clap's message. The lines below are about usage.
fn one_line(error: &Error) -> String {
    let message = error.to_string();
    let line = message.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn argument(setting: Setting, place: Place) -> Option<Arg> {
    let flag = setting.flag()?;
    let argument = match place {
        Place::Nowhere => return None,
        Place::Hidden => Arg::new(flag).hide(true),
        Place::Under(heading) => Arg::new(flag).help_heading(heading.title()),
    };
    let argument = argument.long(flag).short(setting.short()).help(StyledStr::from(setting.help()));
    Some(match setting.value() {
        Value::Text(name) => argument.value_name(name).allow_hyphen_values(true),
        Value::Number => argument
            .value_name("PORT")
            .allow_hyphen_values(true)
            .value_parser(judge(number)),
        Value::Duration => argument
            .value_name("DURATION")
            .allow_hyphen_values(true)
            .value_parser(judge(duration)),
        Value::Switch => argument
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(judge(switch)),
    })
}

/// A parser that keeps the text as it is, and refuses what `error_of` has an error for.
fn judge(error_of: fn(&str) -> Option<&'static str>) -> ValueParser {
    ValueParser::new(move |text: &str| error_of(text).map_or_else(|| Ok(text.to_owned()), Err))
}

fn switch(text: &str) -> Option<&'static str> {
    go::parse_bool(text)
        .is_none()
        .then_some("write true or false, after an equals sign")
}

fn duration(text: &str) -> Option<&'static str> {
    go::parse_duration(text)
        .is_none()
        .then_some("write a number and a unit, such as 5s, 1m30s or 500ms")
}

fn number(text: &str) -> Option<&'static str> {
    go::parse_decimal::<u16>(text)
        .is_none()
        .then_some("write a number from 0 to 65535")
}
