// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The one generated file that the source package lacks: the descriptions of the API's types.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::compile::go_build;
use super::place::Place;
use crate::run::exec;

/// What marks a package whose types are described.
const MARK: &str = "+k8s:openapi-gen=";

/// Which directories of the source have types of the API.
const SEARCHED: [&str; 4] = ["staging/src", "pkg", "cmd", "plugin"];

/// Marked, but not part of the API.
const LEFT_OUT: [&str; 2] = ["vendor/k8s.io/code-generator", "vendor/k8s.io/sample-apiserver"];

/// Writes `pkg/generated/openapi/zz_generated.openapi.go`, and makes sure that the generator has seen every type.
pub(super) fn generate(place: &Place) -> Result<()> {
    let source = place.source();
    let generator = place.build.join("openapi-gen");
    // Without -trimpath: the generator looks for Go's own sources where it was built.
    exec(
        go_build(place)
            .arg("-o")
            .arg(&generator)
            .arg("./vendor/k8s.io/kube-openapi/cmd/openapi-gen"),
    )?;
    let report = place.build.join("violations");
    let inputs: Vec<_> = inputs(&source)?
        .iter()
        .map(|package| format!("k8s.io/kubernetes/{package}"))
        .collect();
    let mut command = Command::new("nice");
    command
        .arg(&generator)
        .arg("--logtostderr")
        .arg("--input-dirs")
        .arg(inputs.join(","));
    command.args(["--output-package", "k8s.io/kubernetes/pkg/generated/openapi"]);
    command.args(["--output-file-base", "zz_generated.openapi"]);
    command.args(["--go-header-file", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"]);
    command.arg("--report-filename").arg(&report);
    exec(
        command
            .current_dir(&source)
            .env("GO111MODULE", "off")
            .env("GOPATH", place.gopath()),
    )?;

    let known = source.join("api/api-rules/violation_exceptions.list");
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    ensure!(
        read(&report)? == read(&known)?,
        "the generator of the API's descriptions has not seen the types that it should: {} and {} differ",
        report.display(),
        known.display()
    );
    Ok(())
}

/// The packages with a mark, by their directories in the source.
fn inputs(source: &Path) -> Result<Vec<String>> {
    let mut marked = Vec::new();
    for directory in SEARCHED {
        visit(&source.join(directory), &mut marked)?;
    }
    let relative = marked.iter().filter_map(|directory| directory.strip_prefix(source).ok());
    // What is staged is a package of its own for the compiler.
    let mut packages: Vec<_> = relative
        .map(|directory| directory.to_string_lossy().replacen("staging/src", "vendor", 1))
        .filter(|package| !LEFT_OUT.iter().any(|left_out| package.starts_with(left_out)))
        .collect();
    packages.sort();
    Ok(packages)
}

/// Adds the directories with a file of Go that has the mark and is no test.
fn visit(directory: &Path, marked: &mut Vec<PathBuf>) -> Result<()> {
    let mut has_mark = false;
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", directory.display()))?.path();
        if path.is_dir() && !path.is_symlink() {
            visit(&path, marked)?;
        } else if !has_mark && is_source(&path) {
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            has_mark = String::from_utf8_lossy(&text).contains(MARK);
        }
    }
    if has_mark {
        marked.push(directory.to_owned());
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    path.is_file()
        && path.extension().is_some_and(|extension| extension == "go")
        && !path.to_string_lossy().contains("_test")
}
