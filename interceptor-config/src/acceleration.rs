// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Flags that `istio-iptables` does not have: acceleration.
#![expect(clippy::doc_markdown, reason = "clap prints these comments as they stand")]

use clap::Args;
use interceptor_policy::{
    PolicyFlags,
    acceleration::{MAX_BUDGET, MIN_BUDGET},
};

use super::{CompiledPolicy, ConfigError, Environment, flags::switch, go};

const DEFAULT_BUDGET: u32 = 1024 * 1024;

/// The flags of acceleration, as they are written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Acceleration")]
pub struct AccelerationFlags {
    /// Move data between application and sidecar, and between accelerated pods of this node, from socket to socket
    /// (INTERCEPTOR_ACCELERATE; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    accelerate: Option<bool>,

    /// How much may wait for the reader of one direction before that direction goes back to TCP for good, 131072 to
    /// 1073741824 (INTERCEPTOR_ACCELERATE_BUDGET; default: 1048576)
    #[arg(long, value_name = "BYTES")]
    accelerate_budget: Option<String>,

    /// Accelerate even if this kernel is known to be faulty or fails the trial; implies --accelerate (no variable;
    /// default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    force_accelerate: Option<bool>,
}

/// What is wanted of acceleration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceleration {
    /// In bytes, for each direction.
    pub budget: u32,
    /// Whatever the kernel.
    pub force: bool,
}

impl AccelerationFlags {
    /// The flag before the environment before the default; none means no acceleration. Every value is judged, even
    /// where it is without effect.
    pub fn resolve(&self, environment: Environment<'_>) -> Result<Option<Acceleration>, ConfigError> {
        let Self { accelerate, accelerate_budget, force_accelerate } = self;
        let variable = |name: &'static str| environment(name).filter(|text| !text.is_empty()).map(|text| (name, text));
        let from_environment = variable("INTERCEPTOR_ACCELERATE").map(|(name, value)| {
            go::parse_bool(&value).ok_or(ConfigError::Acceleration { name, value, wanted: "true or false" })
        });
        let wanted = accelerate.map_or_else(|| from_environment.unwrap_or(Ok(false)), Ok)?;
        let budget = accelerate_budget
            .clone()
            .map(|text| ("--accelerate-budget", text))
            .or_else(|| variable("INTERCEPTOR_ACCELERATE_BUDGET"));
        let budget = budget.map_or(Ok(DEFAULT_BUDGET), |(name, value)| budget_of(name, value))?;
        let force = force_accelerate.unwrap_or_default();
        Ok((wanted || force).then_some(Acceleration { budget, force }))
    }
}

fn budget_of(name: &'static str, value: String) -> Result<u32, ConfigError> {
    let bytes = value.parse().ok().filter(|bytes| (MIN_BUDGET..=MAX_BUDGET).contains(bytes));
    bytes.ok_or(ConfigError::Acceleration {
        name,
        value,
        wanted: "a number of bytes from 131072 (128 KiB) to 1073741824 (1 GiB)",
    })
}

impl CompiledPolicy {
    /// The same policy, with acceleration if it is wanted.
    #[must_use]
    pub fn accelerated(mut self, wanted: Option<Acceleration>) -> Self {
        if let Some(Acceleration { budget, force: _ }) = wanted {
            self.policy.flags = self.policy.flags.with(PolicyFlags::ACCELERATE);
            self.policy.accelerate_budget = budget;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: AccelerationFlags,
    }

    fn resolve(args: &[&str], variables: &[(&str, &str)]) -> Result<Option<Acceleration>, ConfigError> {
        let flags = Cli::parse_from([&["interceptor"], args].concat()).flags;
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| (*value).to_owned())
        };
        flags.resolve(&variable)
    }

    const ON: Option<Acceleration> = Some(Acceleration { budget: DEFAULT_BUDGET, force: false });
    const FORCED: Option<Acceleration> = Some(Acceleration { budget: DEFAULT_BUDGET, force: true });

    #[rstest]
    #[case::default(&[], &[], None)]
    #[case::flag(&["--accelerate"], &[], ON)]
    #[case::variable(&[], &[("INTERCEPTOR_ACCELERATE", "1")], ON)]
    #[case::empty_variable(&[], &[("INTERCEPTOR_ACCELERATE", "")], None)]
    #[case::flag_over_variable(&["--accelerate=false"], &[("INTERCEPTOR_ACCELERATE", "true")], None)]
    #[case::force(&["--force-accelerate"], &[], FORCED)]
    #[case::budget(&["--accelerate", "--accelerate-budget", "131072"], &[], Some(Acceleration { budget: 131_072, force: false }))]
    #[case::budget_alone(&["--accelerate-budget", "131072"], &[], None)]
    fn precedence(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] wanted: Option<Acceleration>) {
        assert_eq!(resolve(args, variables), Ok(wanted));
    }

    #[rstest]
    #[case::switch(&[], &[("INTERCEPTOR_ACCELERATE", "maybe")], "INTERCEPTOR_ACCELERATE: `maybe`")]
    #[case::too_little(&["--accelerate-budget", "4096"], &[], "--accelerate-budget: `4096`")]
    #[case::too_much(&["--accelerate-budget", "9999999999"], &[], "--accelerate-budget: `9999999999`")]
    #[case::no_number(&[], &[("INTERCEPTOR_ACCELERATE_BUDGET", "1M")], "INTERCEPTOR_ACCELERATE_BUDGET: `1M`")]
    fn bad_values_are_named(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] named: &str) {
        let message = resolve(args, variables).unwrap_err().to_string();
        assert!(message.starts_with(named), "{message}");
    }
}
