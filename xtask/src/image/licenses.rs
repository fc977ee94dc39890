// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The licenses of all packages in an image, as one text. Many packages share one text, which stands there once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::packages::{Origin, Package, Packages};

/// How files of licenses begin, in capital letters.
const BEGINNINGS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// First the packages, then the texts, which the packages name by number.
pub(super) fn text(packages: &Packages) -> Result<String> {
    let mut texts = Texts::default();
    let mut text = String::from(
        "What the programs of this image consist of. After each package come its license and the numbers of the texts \
         that its authors distribute with it. The texts follow below.\n\n",
    );
    for package in packages.all.iter().filter(|package| package.origin != Origin::Own) {
        let numbers = texts.of(package)?;
        let home = match &package.origin {
            Origin::Crates { repository, .. } => repository.as_deref().unwrap_or("https://crates.io"),
            Origin::Debian { .. } => "https://packages.debian.org",
            Origin::Toolchain { homepage } => homepage,
            Origin::Own => "",
        };
        writeln!(
            text,
            "{} {}: {} {numbers:?} {home}",
            package.name, package.version, package.license
        )?;
    }
    for (number, content) in texts.in_order() {
        writeln!(text, "\n[{number}] {}\n\n{content}", "-".repeat(80))?;
    }
    Ok(text)
}

/// Numbers by text.
#[derive(Default)]
struct Texts(BTreeMap<String, usize>);

impl Texts {
    fn of(&mut self, package: &Package) -> Result<Vec<usize>> {
        let mut numbers = Vec::new();
        for file in files(&package.texts)? {
            let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let content = String::from_utf8_lossy(&content).replace('\r', "").trim().to_owned();
            let next = self.0.len() + 1;
            numbers.push(*self.0.entry(content).or_insert(next));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn in_order(&self) -> BTreeMap<usize, &str> {
        self.0.iter().map(|(text, number)| (*number, text.as_str())).collect()
    }
}

/// The files of licenses in a folder, in the order of their names; a file stands for itself. Some packages come
/// without any.
fn files(place: &Path) -> Result<Vec<PathBuf>> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    if !place.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(place).with_context(|| format!("cannot list {}", place.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", place.display()))?.path();
        let is_page = path.extension().is_some_and(|extension| extension == "html");
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        // The compiler has a page for browsers, too.
        if path.is_file() && !is_page && BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    fn package(name: &str, texts: PathBuf) -> Package {
        let origin = Origin::Crates { repository: None, checksum: String::new() };
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: "MIT".to_owned(),
            origin,
            texts,
        }
    }

    #[test]
    fn a_text_of_two_packages_stands_there_once() {
        let all = vec![package("one", root().to_owned()), package("two", root().join("LICENSE-MIT"))];
        let text = text(&Packages { all }).unwrap();
        assert!(
            text.contains("one 1.0.0: MIT [1, 2] ") && text.contains("two 1.0.0: MIT [2] "),
            "{text}"
        );
        let mit = std::fs::read_to_string(root().join("LICENSE-MIT")).unwrap();
        assert_eq!(text.matches(mit.trim()).count(), 1);
    }
}
