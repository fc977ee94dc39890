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
    pub(crate) annotation: Option<Annotation>,
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

/// The annotations of a pod that set a setting. Other names of Istio's annotations are not read.
#[derive(Debug)]
pub(crate) struct Annotation {
    /// Of those that the pod has, the first counts.
    pub(crate) names: &'static [&'static str],
    pub(crate) form: Form,
    /// The text of the setting if the pod has no such annotation. Without it, the default of the setting counts.
    pub(crate) absent: Option<&'static str>,
}

/// How an annotation is written. Istio takes less in an annotation than in a flag or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `REDIRECT` or `TPROXY`.
    Mode,
    /// A list of IP ranges.
    Cidrs,
    /// A list of IP ranges, or `*`.
    CidrsOrAll,
    /// A list of port numbers, without ranges and names.
    Ports,
    /// A list of port numbers, or `*`.
    PortsOrAll,
    /// A list of port numbers, to which the sidecar's own ports are added.
    PortsAndOwn,
    /// A list of names of interfaces, without wildcards.
    Interfaces,
    /// A boolean.
    Switch,
    /// A budget of acceleration.
    Budget,
    /// A data path.
    DataPath,
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
    /// By what connections are redirected.
    DataPath,
    /// What happens to packets that no program for system calls saw.
    Guard,
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
            Self::DataPath => "Data path",
            Self::Guard => "Guard",
            Self::Acceleration => "Acceleration",
            Self::Logging => "Logging (as pilot-agent)",
            Self::Compatibility => "Accepted for compatibility, no effect",
        }
    }
}
