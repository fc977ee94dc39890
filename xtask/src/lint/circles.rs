// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No file imports itself through others: whoever reads a circle of files has to read all of them at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::imports::Imports;

/// One problem for each group of files that import each other. It shows the group's shortest circle.
pub(super) fn circles(imports: &Imports) -> Vec<String> {
    let mut reported: BTreeSet<&Path> = BTreeSet::new();
    let mut problems = Vec::new();
    for file in imports.0.keys() {
        if reported.contains(file.as_path()) {
            continue;
        }
        let Some(mut circle) = shortest_circle(imports, file) else { continue };
        // Another file of the group may lie in a shorter one.
        let group = group(imports, file);
        for other in &group {
            circle = shortest_circle(imports, other)
                .filter(|found| found.len() < circle.len())
                .unwrap_or(circle);
        }
        let size = group.len();
        reported.extend(group);
        problems.push(format!(
            "circle of imports, in a group of {size} files: {}",
            chain(imports, &circle)
        ));
    }
    problems
}

/// `a.rs → b.rs (Name) → a.rs (Other)`
fn chain(imports: &Imports, circle: &[&Path]) -> String {
    let steps = circle.iter().zip(circle.iter().cycle().skip(1)).map(|(from, to)| {
        let names: Vec<&str> = imports.0[*from][*to].iter().map(String::as_str).collect();
        format!(" → {} ({})", to.display(), names.join(", "))
    });
    format!("{}{}", circle[0].display(), steps.collect::<String>())
}

/// The files of the shortest circle that leads through `start`, beginning with it.
fn shortest_circle<'a>(imports: &'a Imports, start: &'a Path) -> Option<Vec<&'a Path>> {
    let reached = reachable(imports, start);
    let mut last = *reached.get(start)?;
    let mut circle = vec![last];
    while last != start {
        last = reached[last];
        circle.push(last);
    }
    circle.reverse();
    Some(circle)
}

/// The files that import `file` and are imported by it, directly or through others.
fn group<'a>(imports: &'a Imports, file: &'a Path) -> BTreeSet<&'a Path> {
    let reached = reachable(imports, file);
    let closes = |other: &&'a Path| reachable(imports, other).contains_key(file);
    reached.into_keys().filter(closes).collect()
}

/// All files that can be reached, each with the file before it on a shortest way from `start`.
fn reachable<'a>(imports: &'a Imports, start: &'a Path) -> BTreeMap<&'a Path, &'a Path> {
    let mut before = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for next in imports.0.get(file).into_iter().flat_map(BTreeMap::keys).map(PathBuf::as_path) {
            before.entry(next).or_insert_with(|| {
                waiting.push_back(next);
                file
            });
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(edges: &[(&str, &str)]) -> Imports {
        let mut imports = Imports::default();
        for (from, to) in edges {
            let names = imports.0.entry(from.into()).or_default().entry(to.into()).or_default();
            names.insert(to.to_uppercase());
        }
        imports
    }

    #[test]
    fn files_without_a_circle_are_fine() {
        assert_eq!(circles(&imports(&[("a", "b"), ("a", "c"), ("b", "c")])), [""; 0]);
    }

    #[test]
    fn a_circle_is_shown_as_a_chain() {
        let problems = circles(&imports(&[("a", "b"), ("b", "c"), ("c", "b")]));
        assert_eq!(problems, ["circle of imports, in a group of 2 files: b → c (C) → b (B)"]);
    }

    #[test]
    fn the_shortest_circle_of_a_group_is_shown() {
        let problems = circles(&imports(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "c")]));
        assert_eq!(problems, ["circle of imports, in a group of 4 files: c → d (D) → c (C)"]);
    }

    #[test]
    fn each_group_is_reported() {
        assert_eq!(
            circles(&imports(&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("b", "c")])).len(),
            2
        );
    }
}
