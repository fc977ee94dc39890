// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The folders of the kernel side of the loader stand on floors, and no file imports from its own height or from
//! above.

use std::path::Path;

use super::imports::Imports;

const KERNEL: &str = "interceptor/src/kernel";

/// From the lowest up. A file may import from its own folder, from lower floors, and from the ground.
const FLOORS: [(&str, u8); 6] = [("sys", 1), ("programs", 2), ("pod", 2), ("node", 3), ("check", 4), ("enroll", 5)];

/// The ground: files of the crate that every floor may import. They import nothing of the kernel side.
const GROUND: [&str; 2] = ["interceptor/src/accounts.rs", "interceptor/src/error.rs"];

pub(super) fn floors(imports: &Imports) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, targets) in &imports.0 {
        if GROUND.iter().any(|ground| from == Path::new(ground)) {
            let above = targets.keys().filter(|to| to.starts_with(KERNEL));
            problems.extend(
                above.map(|to| format!("{}: imports {}, but stands below {KERNEL}", from.display(), to.display())),
            );
        }
        let Some(folder) = folder(from) else { continue };
        let Some(floor) = floor(folder) else {
            problems.push(format!(
                "{}: the folder {folder} has no floor; give it one in FLOORS of xtask/src/lint/floors.rs",
                from.display()
            ));
            continue;
        };
        for (to, names) in targets {
            let above = match self::folder(to) {
                Some(other) if other == folder => false,
                Some(other) => self::floor(other).is_none_or(|other| other >= floor),
                // `kernel/mod.rs` and the rest of the crate stand above.
                None => GROUND.iter().all(|ground| to != Path::new(ground)),
            };
            if above {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                problems.push(format!(
                    "{}: imports {} from {}, which is not below it: {folder} stands on floor {floor}, and may import \
                     from itself{} and from the ground",
                    from.display(),
                    names.join(", "),
                    to.display(),
                    below(floor)
                ));
            }
        }
    }
    problems
}

/// The folder below [`KERNEL`] in which a file lies.
fn folder(file: &Path) -> Option<&str> {
    let mut parts = file.strip_prefix(KERNEL).ok()?.iter();
    let folder = parts.next()?.to_str()?;
    parts.next().map(|_| folder)
}

fn floor(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

fn below(floor: u8) -> String {
    let lower: Vec<&str> = FLOORS
        .iter()
        .filter(|(_, other)| *other < floor)
        .map(|(name, _)| *name)
        .collect();
    if lower.is_empty() {
        String::new()
    } else {
        format!(", from {}", lower.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(from: &str, to: &str) -> Vec<String> {
        let mut imports = Imports::default();
        let names = imports.0.entry(from.into()).or_default().entry(to.into()).or_default();
        names.insert("Name".into());
        floors(&imports)
    }

    fn in_kernel(from: &str, to: &str) -> Vec<String> {
        problems(&format!("{KERNEL}/{from}"), &format!("{KERNEL}/{to}"))
    }

    #[test]
    fn a_file_may_import_from_its_folder_and_from_below() {
        assert!(in_kernel("node/links.rs", "node/maps.rs").is_empty());
        assert!(in_kernel("node/links.rs", "sys/bpf.rs").is_empty());
        assert!(in_kernel("enroll/deep/plan.rs", "check/mod.rs").is_empty());
        assert!(problems("interceptor/src/cli/pod.rs", &format!("{KERNEL}/enroll/mod.rs")).is_empty());
    }

    #[test]
    fn an_import_that_points_up_or_aside_is_reported() {
        let problem = "interceptor/src/kernel/pod/netns.rs: imports Name from interceptor/src/kernel/node/maps.rs, \
                       which \
                       is not below it: pod stands on floor 2, and may import from itself, from sys and from the \
                       ground";
        assert_eq!(in_kernel("pod/netns.rs", "node/maps.rs"), [problem]);
        assert_eq!(in_kernel("pod/netns.rs", "programs/object.rs").len(), 1);
        assert_eq!(in_kernel("sys/bpf.rs", "mod.rs").len(), 1);
        let node = "interceptor/src/node.rs";
        assert_eq!(problems(&format!("{KERNEL}/sys/bpf.rs"), node).len(), 1);
    }

    #[test]
    fn the_ground_is_below_every_floor() {
        let [error, bpf] = ["interceptor/src/error.rs", "interceptor/src/kernel/sys/bpf.rs"];
        assert!(problems(bpf, error).is_empty());
        let problem = "interceptor/src/error.rs: imports interceptor/src/kernel/sys/bpf.rs, but stands below \
                       interceptor/src/kernel";
        assert_eq!(problems(error, bpf), [problem]);
    }

    #[test]
    fn a_new_folder_needs_a_floor() {
        assert!(in_kernel("cellar/wine.rs", "sys/bpf.rs")[0].contains("the folder cellar has no floor"));
    }
}
