// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fuzzers' targets and seeds, and a short run of every target among the unit tests. The fuzzer itself is
//! `main.rs`, behind the feature `libfuzzer`.

#[cfg(test)]
mod mutations;

use interceptor::fuzzing::{self, Target};
use interceptor_wire::{read_answer, read_request};

/// Those of the members that `interceptor` does not use.
const OTHERS: &[Target] = &[
    Target { name: "cni-args", read: interceptor_cni::fuzzing::args },
    Target { name: "cni-mountinfo", read: interceptor_cni::fuzzing::mountinfo },
    Target { name: "cni-stdin", read: interceptor_cni::fuzzing::stdin },
    Target { name: "inject", read: interceptor_inject::fuzzing::manifests },
    Target { name: "inject-template", read: interceptor_inject::fuzzing::templates },
    Target { name: "admission", read: interceptor_webhook::fuzzing::admission },
    Target { name: "wire-answer", read: |input| drop(read_answer(input)) },
    Target { name: "wire-request", read: |input| drop(read_request(input)) },
];

/// All of them.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    fuzzing::TARGETS.iter().chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use crate::{mutations::Mutations, targets};

    /// Inputs that are made of each target's seeds. All targets together take a few seconds.
    const INPUTS: usize = 2000;

    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
        files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// With the real inputs, the inputs that the fuzzers have found, and others that are made of them.
    #[test]
    fn every_target_bears_whatever_it_reads() {
        for target in targets() {
            let seeds = seeds(target.name);
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for input in seeds.iter().cloned().chain(Mutations::of(&seeds).take(INPUTS)) {
                (target.read)(&input);
            }
        }
    }

    /// `cargo xtask fuzz` takes the names of the folders for the names of the targets.
    #[test]
    fn targets_and_folders_of_seeds_have_the_same_names() {
        let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")).unwrap();
        let folders: BTreeSet<String> = folders
            .map(|folder| folder.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(folders, targets().map(|target| target.name.to_owned()).collect());
    }
}
