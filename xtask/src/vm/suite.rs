// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which tests run in the machine.

use std::time::Duration;

use anyhow::Result;

use super::built::{self, Built};
use super::step::Step;
use super::{Version, boot};
use crate::architecture::Architecture;
use crate::run::say;
use crate::suite::Suite;

/// How much of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What differs from kernel to kernel, in a few minutes.
    Part,
    All,
}

/// Boots the kernels one after the other and runs the tests there.
pub(crate) fn test(versions: &[Version], extent: Extent, filter: Option<&str>) -> Result<()> {
    let (here, built) = (Architecture::here()?, built::build()?);
    let (steps, limit) = match extent {
        Extent::Part => (
            PART.map(Step::of_line).into_iter().chain([alone()]).collect(),
            Duration::from_mins(20),
        ),
        Extent::All => (all(&built, filter), Duration::from_hours(3)),
    };
    let mut failed = Vec::new();
    for version in versions {
        say(&format!("\n=== Linux {version}"));
        if let Err(error) = boot(*version, here, &built, &steps, limit) {
            say(&format!("{error:#}"));
            failed.push(version.to_string());
        }
    }
    anyhow::ensure!(failed.is_empty(), "the tests failed on Linux {}", failed.join(" and "));
    Ok(())
}

/// What is needed, the verdict table of a pod with IPv4, and the demo.
const PART: [&str; 3] = ["interceptor check", "rows ebpf::v4::v4", "interceptor-demo"];

/// The tests of what is refused on kernels that are not fit for it, and what `interceptor check` says then.
const ACCELERATION: &str = "acceleration";
const REFUSED: &str = "--accelerate is refused";

/// Tests that change what belongs to the whole machine. Elsewhere they are ignored.
fn alone() -> Step {
    Step::of_line(&format!("{ACCELERATION} memory:: --ignored --test-threads 1")).unless(REFUSED, None)
}

/// Every test target, but those that need the programs of others, which do not fit into the machine.
fn all(built: &Built, filter: Option<&str>) -> Vec<Step> {
    let (left_out, tests): (Vec<&String>, Vec<&String>) = built
        .tests
        .keys()
        .partition(|test| Suite::ALL.into_iter().any(|suite| suite.target() == Some(test.as_str())));
    say(&format!(
        "not taken along, because they need the programs of others: {left_out:?}"
    ));
    let mut steps = vec![Step::of_line("interceptor check")];
    steps.extend(tests.into_iter().map(|test| {
        let step = Step::of_line(&filter.map_or_else(|| test.clone(), |filter| format!("{test} {filter}")));
        if test == ACCELERATION {
            step.unless(REFUSED, Some(&format!("{ACCELERATION} refusal")))
        } else {
            step
        }
    }));
    if filter.is_none() {
        steps.push(alone());
        steps.push(Step::of_line("interceptor-demo"));
    }
    steps
}
