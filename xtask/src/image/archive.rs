// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Images of one layer as an archive, in the
//! [image layout of OCI](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md).

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::{Result, ensure};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::commit::Commit;
use super::contents::Contents;
use crate::architecture::Architecture;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What an image is, besides its files.
pub(super) struct Image {
    pub(super) name: Name,
    pub(super) commit: Commit,
    pub(super) entrypoint: String,
    /// Where programs look for programs.
    pub(super) path: String,
}

/// `registry.example/interceptor:0.1.0`
pub(super) struct Name(String);

pub(super) struct Archive {
    pub(super) archive: Vec<u8>,
    /// Of the manifest, or of the index, by which registries and runtimes know the image.
    pub(super) digest: String,
}

impl Name {
    /// Refuses a name without a tag: runtimes would not know it again.
    pub(super) fn read(text: &str) -> Result<Self> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._/:".contains(&byte);
        let tag = text.rsplit_once(':').map_or("", |(_name, tag)| tag);
        let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let name = text.strip_suffix(tag).unwrap_or_default();
        ensure!(
            !tag.is_empty() && tag.bytes().all(is_tag) && name.len() > 1 && name.bytes().all(good),
            "{text:?} is no name of an image; write one like localhost/interceptor:0.1.0"
        );
        Ok(Self(text.to_owned()))
    }

    fn tag(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(_name, tag)| tag)
    }
}

/// The archive, in memory. If there is one variant, it is the image. Otherwise an index of them is, in which runtimes
/// look for that of their machine.
pub(super) fn archive(image: &Image, variants: &BTreeMap<Architecture, Contents>) -> Result<Archive> {
    let mut blobs = Blobs::default();
    let mut manifests = Vec::new();
    for (architecture, contents) in variants {
        manifests.push(variant(image, *architecture, contents, &mut blobs)?);
    }
    let mut named = match <[Value; 1]>::try_from(manifests) {
        Ok([only]) => only,
        Err(manifests) => blobs.add(INDEX, bytes(&index(&manifests))),
    };
    let digest = named["digest"].as_str().unwrap_or_default().to_owned();
    // podman and skopeo read the first, containerd both.
    named["annotations"] =
        json!({ "org.opencontainers.image.ref.name": image.name.tag(), "io.containerd.image.name": image.name.0 });

    let mut archive = Builder::new(Vec::new());
    append(&mut archive, image, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut archive, image, "index.json", &bytes(&index(&[named])))?;
    for (digest, blob) in &blobs.0 {
        append(&mut archive, image, &format!("blobs/{}", digest.replace(':', "/")), blob)?;
    }
    Ok(Archive { archive: archive.into_inner()?, digest })
}

fn index(manifests: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

/// Adds the image for such a machine, and returns its descriptor.
fn variant(image: &Image, architecture: Architecture, contents: &Contents, blobs: &mut Blobs) -> Result<Value> {
    let layer = contents.layer(image.commit.seconds)?;
    let unpacked = digest(&layer);
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(&layer)?;
    let layer = blobs.add(LAYER, packed.finish()?);
    let config = blobs.add(CONFIG, bytes(&config(image, architecture, &unpacked)));
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let mut descriptor = blobs.add(MANIFEST, bytes(&manifest));
    descriptor["platform"] = json!({ "architecture": architecture.name(), "os": "linux" });
    Ok(descriptor)
}

fn config(image: &Image, architecture: Architecture, unpacked: &str) -> Value {
    let Image { commit, entrypoint, path, name } = image;
    let mut labels = json!({
        "org.opencontainers.image.created": commit.time,
        "org.opencontainers.image.description": "Redirects a pod's connections to its sidecar proxy with eBPF",
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        "org.opencontainers.image.ref.name": name.0,
        "org.opencontainers.image.title": "Interceptor",
        "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(revision) = &commit.revision {
        labels["org.opencontainers.image.revision"] = json!(revision);
    }
    json!({
        "architecture": architecture.name(),
        "os": "linux",
        "created": commit.time,
        "config": { "Entrypoint": [entrypoint], "Env": [format!("PATH={path}")], "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [unpacked] },
        "history": [{ "created": commit.time, "created_by": "cargo xtask image" }],
    })
}

/// By their digests.
#[derive(Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// Returns its descriptor.
    fn add(&mut self, media_type: &str, blob: Vec<u8>) -> Value {
        let (digest, size) = (digest(&blob), blob.len());
        self.0.insert(digest.clone(), blob);
        json!({ "mediaType": media_type, "digest": digest, "size": size })
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn append(archive: &mut Builder<Vec<u8>>, image: &Image, path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(image.commit.seconds);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn image() -> Image {
        Image {
            name: Name::read("localhost:5000/interceptor:0.1").unwrap(),
            commit: Commit {
                revision: Some("abc".to_owned()),
                seconds: 7,
                time: "1970-01-01T00:00:07Z".to_owned(),
            },
            entrypoint: "/bin/interceptor".to_owned(),
            path: "/bin".to_owned(),
        }
    }

    fn contents() -> Contents {
        let mut contents = Contents::default();
        contents.text("bin/interceptor", "a program ".repeat(1000));
        contents
    }

    fn written(architectures: &[Architecture]) -> Vec<u8> {
        let variants = architectures.iter().map(|architecture| (*architecture, contents())).collect();
        archive(&image(), &variants).unwrap().archive
    }

    /// What an archive holds, by paths.
    struct Files(BTreeMap<String, Vec<u8>>);

    impl Files {
        fn of(architectures: &[Architecture]) -> Self {
            let mut files = BTreeMap::new();
            for entry in tar::Archive::new(written(architectures).as_slice()).entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                files.insert(entry.path().unwrap().display().to_string(), bytes);
            }
            Self(files)
        }

        fn json(&self, path: &str) -> Value {
            serde_json::from_slice(&self.0[path]).unwrap()
        }

        /// The blob of a descriptor, which names it by its digest and size.
        fn blob(&self, descriptor: &Value) -> &[u8] {
            let named = descriptor["digest"].as_str().unwrap();
            let blob = &self.0[&format!("blobs/{}", named.replace(':', "/"))];
            assert_eq!(
                (digest(blob).as_str(), blob.len() as u64),
                (named, descriptor["size"].as_u64().unwrap())
            );
            blob
        }

        fn read(&self, descriptor: &Value) -> Value {
            serde_json::from_slice(self.blob(descriptor)).unwrap()
        }

        /// Looks at the image of a manifest, and returns its configuration.
        fn config(&self, descriptor: &Value) -> Value {
            let manifest = self.read(descriptor);
            let config = self.read(&manifest["config"]);
            let mut layer = Vec::new();
            GzDecoder::new(self.blob(&manifest["layers"][0]))
                .read_to_end(&mut layer)
                .unwrap();
            assert_eq!(config["rootfs"]["diff_ids"], json!([digest(&layer)]));
            assert_eq!(layer, contents().layer(7).unwrap());
            assert_eq!(config["architecture"], descriptor["platform"]["architecture"]);
            config
        }
    }

    #[test]
    fn the_same_files_of_the_same_commit_are_the_same_archive() {
        assert!(written(&[Architecture::Amd64]) == written(&[Architecture::Amd64]));
    }

    #[test]
    fn an_archive_for_one_kind_of_machine_names_its_image() {
        let files = Files::of(&[Architecture::Arm64]);
        let named = &files.json("index.json")["manifests"][0];
        let config = files.config(named);
        assert_eq!(config["architecture"], "arm64");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
        let annotations = &named["annotations"];
        assert_eq!(annotations["io.containerd.image.name"], "localhost:5000/interceptor:0.1");
        assert_eq!(annotations["org.opencontainers.image.ref.name"], "0.1");
        assert_eq!(files.json("oci-layout")["imageLayoutVersion"], "1.0.0");
    }

    #[test]
    fn an_archive_for_more_kinds_names_an_index_of_images() {
        let files = Files::of(&[Architecture::Amd64, Architecture::Arm64]);
        let all = files.json("index.json");
        let [named] = all["manifests"].as_array().unwrap().as_slice() else {
            panic!("{all}")
        };
        assert_eq!(named["mediaType"], INDEX);
        assert_eq!(named["annotations"]["org.opencontainers.image.ref.name"], "0.1");
        let images = files.read(named)["manifests"].clone();
        let machines = images
            .as_array()
            .unwrap()
            .iter()
            .map(|image| files.config(image)["architecture"].clone());
        assert_eq!(machines.collect::<Vec<_>>(), ["amd64", "arm64"]);
    }

    #[test]
    fn a_name_needs_a_tag() {
        for name in ["", "interceptor", ":1", "interceptor:", "Interceptor:1", "a b:1", "localhost:5000/interceptor"] {
            assert!(Name::read(name).is_err(), "{name}");
        }
    }
}
