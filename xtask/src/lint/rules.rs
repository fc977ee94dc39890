// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules of this project that no compiler checks. Each is a file beside this one.

use std::path::Path;

use anyhow::{Result, bail};

use super::circles::circles;
use super::dependencies::{dependencies, stale_rows};
use super::files::{File, files, read};
use super::floors::floors;
use super::imports::Imports;
use super::style;
use super::variables::variables;
use crate::run::say;
use crate::workspace::Workspace;

/// Prints everything that breaks a rule, and fails if anything does.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    let mut problems = Vec::new();
    for member in &workspace.members {
        problems.extend(workspace_lints(&member.name, &read(&member.manifest)?));
        problems.extend(dependencies(member));
    }
    problems.extend(stale_rows(&workspace.members));

    let rust = files(root, "rs")?;
    problems.extend(rust.iter().flat_map(style::rust));
    let prose = files(root, "md")?;
    problems.extend(prose.iter().filter(|file| is_wrapped(file)).flat_map(style::prose));
    problems.extend(variables(&rust, &prose));

    let roots = workspace.members.iter().flat_map(|member| &member.roots);
    let roots: Vec<&Path> = roots.map(|file| file.strip_prefix(root).unwrap_or(file)).collect();
    let (imports, unreadable) = Imports::of(&roots, &rust);
    problems.extend(unreadable);
    problems.extend(circles(&imports));
    problems.extend(floors(&imports));

    for problem in &problems {
        say(problem);
    }
    if !problems.is_empty() {
        bail!("the project's own rules are broken {} times, as listed above", problems.len());
    }
    say(&format!(
        "the project's own rules: kept by {} packages and {} Rust files",
        workspace.members.len(),
        rust.len()
    ));
    Ok(())
}

/// Whether lines of this file of prose are broken: of those at the top, such as the README, and of docs/.
fn is_wrapped(file: &File) -> bool {
    file.path.parent() == Some(Path::new("")) || file.path.starts_with("docs")
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
}
