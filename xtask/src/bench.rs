// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench`: builds with all optimizations, and hands over to `interceptor-bench`. Measures nothing
//! itself.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::architecture::Architecture;
use crate::programs::{PLUGIN, hand_over, static_build};
use crate::run::{cargo, exec};
use crate::user::require_root;
use crate::workspace::{Workspace, root};

/// What is measured with the agent and the plugin, as they are shipped.
const WITH_THE_AGENT: [&str; 2] = ["adds", "pods-start"];

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What `interceptor-bench` takes: --quick, --only NAME, --rounds N, --out DIR, --seed S, --against PATH;
    /// --help explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    require_root("the benchmark", "bench")?;
    // `interceptor` is built alone: together with the others it would get dependencies with more features than the
    // program that users run.
    let interceptor = ["--package", "interceptor"].as_slice();
    let others = ["--package", "testkit", "--package", "interceptor-bench"].as_slice();
    for packages in [interceptor, others] {
        exec(cargo(["build", "--release", "--bins"]).args(packages).current_dir(root()))?;
    }
    let target = Workspace::load()?.target_dir;
    let mut words = options.options.clone();
    if needs_the_agent(&words) {
        let shipped = target.join("bench-programs");
        bring_shipped(&shipped)?;
        words.push(format!("--shipped={}", shipped.display()));
    }
    match hand_over(&target.join("release"), "interceptor-bench", &words)? {}
}

/// The programs take minutes to build, so they are built for what needs them only.
fn needs_the_agent(words: &[String]) -> bool {
    words.iter().any(|word| {
        let name = word.strip_prefix("--only=").unwrap_or(word);
        WITH_THE_AGENT.contains(&name)
    })
}

/// Puts the programs into one folder, as an image has them.
fn bring_shipped(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, program) in static_build(&["interceptor", "interceptor-agent", PLUGIN], Architecture::here()?)? {
        let to = folder.join(name);
        fs::copy(&program, &to).with_context(|| format!("cannot copy {} to {}", program.display(), to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_with_the_agent_is_named_by_only() {
        let needs = |words: &[&str]| needs_the_agent(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert!(needs(&["--quick", "--only", "adds"]));
        assert!(needs(&["--only=pods-start"]));
        assert!(!needs(&["--only", "pods", "--rounds", "4"]));
        assert!(!needs(&[]));
    }
}
