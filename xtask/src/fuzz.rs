// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask fuzz`: builds the fuzzer of the member `fuzz`, and runs it for each target. It knows no target: each
//! folder of `fuzz/seeds` has the name of one.
//!
//! The compiler's passes that tell the fuzzer which code an input reaches are those of the stable compiler. Only
//! sanitizers would need another, and the fuzzed code has no `unsafe`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::programs::host_triple;
use crate::run::{cargo, exec, say};
use crate::workspace::{Workspace, root};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long to run each target
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u32,
    /// The targets to run [default: all, one after the other]
    targets: Vec<String>,
}

/// Instrumentation for libFuzzer: edge counters, a table of the program counters, and operands of comparisons.
const INSTRUMENTATION: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // An overflow is a finding, too.
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// Seconds after which an input counts as one that never ends.
const LONGEST: u32 = 10;

pub(crate) fn run(options: &Options) -> Result<()> {
    let all = targets()?;
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`; there are: {}", all.join(", "));
    }
    let wanted = if options.targets.is_empty() { &all } else { &options.targets };
    let work = Workspace::load()?.target_dir.join("fuzz");
    let host = host_triple()?;
    let packages = ["--package", "interceptor-fuzz", "--features", "libfuzzer", "--target", &host, "--target-dir"];
    exec(
        cargo(["build", "--release"])
            .args(packages)
            .arg(&work)
            .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTATION.join("\x1f"))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .current_dir(root()),
    )
    .context("cannot build the fuzzer; besides what `cargo xtask setup` installs, it needs a C++ compiler (g++)")?;
    let fuzzer = work.join(&host).join("release/interceptor-fuzz");
    for target in wanted {
        fuzz(&fuzzer, target, &work, options.minutes)?;
    }
    say(&format!("\nno findings in {}", wanted.join(", ")));
    Ok(())
}

/// Runs one target. What it learns stays in `corpus/`, and the next run begins with that.
fn fuzz(fuzzer: &Path, target: &str, work: &Path, minutes: u32) -> Result<()> {
    let [corpus, findings] = ["corpus", "findings"].map(|name| work.join(name).join(target));
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut command = Command::new(fuzzer);
    command.env("INTERCEPTOR_FUZZ_TARGET", target);
    command.arg(&corpus).arg(root().join("fuzz/seeds").join(target));
    command.args(["-verbosity=0", "-print_funcs=0", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", u64::from(minutes) * 60));
    command.arg(format!("-timeout={LONGEST}"));
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    exec(&mut command).with_context(|| {
        format!(
            "the input that breaks `{target}` is in {}; mend it, and put the input into fuzz/seeds/{target}",
            findings.display()
        )
    })
}

fn targets() -> Result<Vec<String>> {
    let seeds = root().join("fuzz/seeds");
    let folders = fs::read_dir(&seeds).with_context(|| format!("cannot list {}", seeds.display()))?;
    let mut names = folders
        .map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_refused_with_a_list() {
        let error = run(&Options { minutes: 1, targets: vec!["nothing".into()] })
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("there is no target `nothing`; there are: admission, btf, "),
            "{error}"
        );
    }
}
