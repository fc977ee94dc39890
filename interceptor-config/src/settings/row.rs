// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The columns of the table of settings. They hold no value that anybody gave.

/// One setting.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) heading: Heading,
    /// Some settings have variables only.
    pub(crate) flag: Option<Flag>,
    /// The environment variables, the strongest last.
    pub(crate) variables: &'static [&'static str],
    /// The text of the setting if nobody gives one.
    pub(crate) default: &'static str,
    /// What help says instead, where the default depends on something else.
    pub(crate) shown_default: Option<&'static str>,
    pub(crate) value: Value,
    /// One sentence without a full stop. Variables and default are added to it.
    pub(crate) help: &'static str,
}

/// The names of a setting on the command line.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Without its dashes.
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
}

/// What Go's flag library takes for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text, which help calls by this name. Whoever reads the setting judges it.
    Text(&'static str),
    /// A boolean, which may be left out: then it is true.
    Switch,
    /// A port, as a number.
    Number,
    Duration,
}

/// The heading under which help lists a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// What decides over connections.
    Interception,
    /// What a run of the command does with the configuration.
    Run,
    Acceleration,
    Logging,
    /// What Interceptor reads, and then has no use for.
    Compatibility,
}

impl Heading {
    /// The text of the heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Interception => "Interception (as istio-iptables)",
            Self::Run => "Run (as istio-iptables)",
            Self::Acceleration => "Acceleration",
            Self::Logging => "Logging (as pilot-agent)",
            Self::Compatibility => "Accepted for compatibility, no effect",
        }
    }
}
