// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench`: builds with all optimizations, and hands over to `interceptor-bench`. Measures nothing
//! itself.

use anyhow::Result;

use crate::programs::hand_over;
use crate::run::{cargo, exec};
use crate::user::require_root;
use crate::workspace::{Workspace, root};

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
    let folder = Workspace::load()?.target_dir.join("release");
    match hand_over(&folder, "interceptor-bench", &options.options)? {}
}
