// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules of this project that no compiler checks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::source::lines_with_keyword;
use crate::run::say;
use crate::workspace::{Member, Workspace};

const LICENSE: &str = "// SPDX-License-Identifier: Apache-2.0 OR MIT";

/// `unsafe` stays where kernel memory and system calls are: these folders are read with that in mind.
const MAY_BE_UNSAFE: [&str; 2] = ["interceptor-ebpf", "interceptor/src/kernel"];

/// The decision is pure: the kernel programs, the loader and the tests all call it.
const POLICY: (&str, &[&str]) = ("interceptor-policy", &["zerocopy"]);

pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut problems = Vec::new();
    for member in &workspace.members {
        let manifest = read(&member.manifest)?;
        problems.extend(workspace_lints(&member.name, &manifest));
        problems.extend(policy_dependencies(member));
    }
    let files = rust_files(&workspace.root)?;
    for file in &files {
        let source = read(&workspace.root.join(file))?;
        problems.extend(license(file, &source));
        problems.extend(misplaced_unsafe(file, &source));
    }
    for problem in &problems {
        say(problem);
    }
    if !problems.is_empty() {
        bail!("the project's own rules: {} broken, listed above", problems.len());
    }
    say(&format!(
        "the project's own rules: kept by {} packages and {} Rust files",
        workspace.members.len(),
        files.len()
    ));
    Ok(())
}

fn workspace_lints(member: &str, manifest: &str) -> Option<String> {
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits = lines
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.replace(' ', "") == "workspace=true");
    (!inherits).then(|| {
        format!("{member}/Cargo.toml: lacks `[lints]` with `workspace = true`, so the workspace's lints do not apply")
    })
}

fn policy_dependencies(member: &Member) -> Vec<String> {
    let (policy, allowed) = POLICY;
    let extra = member
        .dependencies
        .iter()
        .filter(|name| member.name == policy && !allowed.contains(&name.as_str()));
    extra
        .map(|name| {
            format!(
                "{policy}/Cargo.toml: depends on {name}; the policy crate may depend on {} only",
                allowed.join(", ")
            )
        })
        .collect()
}

fn license(file: &Path, source: &str) -> Option<String> {
    let first = source.lines().next();
    (first != Some(LICENSE)).then(|| format!("{}:1: the first line is not `{LICENSE}`", file.display()))
}

fn misplaced_unsafe(file: &Path, source: &str) -> Vec<String> {
    if MAY_BE_UNSAFE.iter().any(|folder| file.starts_with(folder)) {
        return Vec::new();
    }
    let lines = lines_with_keyword(source, "unsafe").into_iter();
    lines
        .map(|line| format!("{}:{line}: `unsafe` outside {}", file.display(), MAY_BE_UNSAFE.join(" and ")))
        .collect()
}

/// All Rust files of the project, relative to its root. Walks the folders instead of asking git, which refuses to
/// answer root about another user's clone.
fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let context = || format!("cannot list {}", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_without_the_workspaces_lints_is_named() {
        assert_eq!(
            workspace_lints("a", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"),
            None
        );
        for manifest in [
            "",
            "[lints]\n",
            "[lints]\nworkspace = false\n",
            "[dependencies]\nworkspace = true\n",
            "[lints]\n[x]\nworkspace = true",
        ] {
            assert!(
                workspace_lints("a", manifest).is_some_and(|problem| problem.starts_with("a/Cargo.toml:")),
                "{manifest}"
            );
        }
    }

    #[test]
    fn the_policy_crate_may_depend_on_zerocopy_only() {
        let member = |name: &str| Member {
            name: name.into(),
            manifest: PathBuf::new(),
            dependencies: vec!["zerocopy".into(), "aya".into()],
            tests: vec![],
        };
        let problems = policy_dependencies(&member("interceptor-policy"));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("depends on aya;"), "{problems:?}");
        assert!(policy_dependencies(&member("interceptor")).is_empty());
    }

    #[test]
    fn the_first_line_is_the_license() {
        let file = Path::new("a/src/lib.rs");
        assert_eq!(license(file, &format!("{LICENSE}\nfn f() {{}}\n")), None);
        for source in ["", "fn f() {}\n", &format!("\n{LICENSE}\n"), "// SPDX-License-Identifier: MIT\n"] {
            assert!(
                license(file, source).is_some_and(|problem| problem.starts_with("a/src/lib.rs:1:")),
                "{source}"
            );
        }
    }

    #[test]
    fn unsafe_is_reported_outside_its_folders() {
        let source = "fn f() {\n    unsafe { g() }\n}\n";
        let problems = |file: &str| misplaced_unsafe(Path::new(file), source);
        assert!(problems("interceptor/src/cli/run.rs")[0].starts_with("interceptor/src/cli/run.rs:2:"));
        assert_eq!(problems("interceptor/src/kernel_names.rs").len(), 1);
        assert!(problems("interceptor/src/kernel/maps.rs").is_empty());
        assert!(problems("interceptor-ebpf/src/main.rs").is_empty());
    }

    #[test]
    fn this_file_is_found() {
        assert!(
            rust_files(crate::workspace::root())
                .unwrap()
                .contains(&PathBuf::from("xtask/src/lint/rules.rs"))
        );
    }
}
