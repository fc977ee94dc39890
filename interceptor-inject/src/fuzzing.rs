// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything here that reads foreign input, for the fuzzers in the member `fuzz`. It has no part in the program, and
//! does no I/O.

use crate::{
    Istio, Rewrite, Undo,
    yaml::{self, Document, split},
};

/// Divides the parts of an input of [`templates`].
const BAR: &str = "\n=====\n";

/// A file with manifests: rewritten, rewritten again, and put back.
pub fn manifests(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let sources = split(text);
    assert_eq!(sources.iter().map(|source| source.text).collect::<String>(), text);
    for document in sources.into_iter().filter_map(|source| Document::read(source).ok().flatten()) {
        let options = Rewrite { tproxy: true, any_runtime: true, ..Rewrite::default() };
        let Ok(once) = options.apply(&document.value) else { continue };
        // A document in which a key is not printable may not be writable.
        let Ok(rewritten) = document.with_value(&once.manifest) else { continue };
        let [source] = split(&rewritten)[..] else {
            panic!("not one document: {rewritten}")
        };
        let again = Document::read(source).ok().flatten().map(|document| document.value);
        assert_eq!(again.as_ref(), Some(&once.manifest));
        assert_eq!(
            options.apply(&once.manifest).map(|twice| twice.manifest).as_ref(),
            Ok(&once.manifest)
        );
        let undo = Undo { init_image: Some("istio".to_owned()), ..Undo::default() };
        if let Ok(undone) = undo.apply(&once.manifest) {
            assert_eq!(undo.apply(&undone.manifest).map(|twice| twice.manifest), Ok(undone.manifest));
        }
    }
}

/// A template, Istio's values, the mesh configuration and a manifest: injected.
pub fn templates(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(4, BAR);
    let mut part = || parts.next().unwrap_or_default();
    let (template, values, mesh, manifest) = (part(), part(), part(), part());
    let Ok(mut istio) = Istio::new(template, mesh, values) else { return };
    istio.native_sidecars = template.len() % 2 == 0;
    istio.rewrite = Some(Rewrite::default());
    let Ok(manifest) = yaml::read_one(manifest) else { return };
    match istio.apply(&manifest) {
        Ok(outcome) => drop(istio.apply(&outcome.manifest)),
        // The thread of the engine has panicked.
        Err(error) => assert!(!error.to_string().contains("the template engine failed"), "{error}"),
    }
}
