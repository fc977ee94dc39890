// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An image of one layer as an archive, in the
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
    /// Of the manifest, by which registries and runtimes know the image.
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

/// The archive, in memory.
pub(super) fn archive(image: &Image, contents: &Contents) -> Result<Archive> {
    let mut blobs = Blobs::default();
    let layer = contents.layer(image.commit.seconds)?;
    let unpacked = digest(&layer);
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(&layer)?;
    let layer = blobs.add(LAYER, packed.finish()?);
    let config = blobs.add(CONFIG, bytes(&config(image, &unpacked)));
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let mut manifest = blobs.add(MANIFEST, bytes(&manifest));
    let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
    manifest["platform"] = json!({ "architecture": architecture(), "os": "linux" });
    // podman and skopeo read the first, containerd both.
    manifest["annotations"] =
        json!({ "org.opencontainers.image.ref.name": image.name.tag(), "io.containerd.image.name": image.name.0 });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });

    let mut archive = Builder::new(Vec::new());
    append(&mut archive, image, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut archive, image, "index.json", &bytes(&index))?;
    for (digest, blob) in &blobs.0 {
        append(&mut archive, image, &format!("blobs/{}", digest.replace(':', "/")), blob)?;
    }
    Ok(Archive { archive: archive.into_inner()?, digest })
}

fn config(image: &Image, unpacked: &str) -> Value {
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
        "architecture": architecture(),
        "os": "linux",
        "created": commit.time,
        "config": { "Entrypoint": [entrypoint], "Env": [format!("PATH={path}")], "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [unpacked] },
        "history": [{ "created": commit.time, "created_by": "cargo xtask image" }],
    })
}

/// As OCI, and Go, call that of this machine.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
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

    fn files() -> BTreeMap<String, Vec<u8>> {
        let written = archive(&image(), &contents()).unwrap().archive;
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(written.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), bytes);
        }
        files
    }

    #[test]
    fn the_same_files_of_the_same_commit_are_the_same_archive() {
        assert!(archive(&image(), &contents()).unwrap().archive == archive(&image(), &contents()).unwrap().archive);
    }

    #[test]
    fn every_descriptor_names_a_blob_by_its_digest_and_size() {
        let files = files();
        let read = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let blob = |descriptor: &Value| -> &[u8] {
            let named = descriptor["digest"].as_str().unwrap();
            let blob = &files[&format!("blobs/{}", named.replace(':', "/"))];
            assert_eq!(
                (digest(blob).as_str(), blob.len() as u64),
                (named, descriptor["size"].as_u64().unwrap())
            );
            blob
        };
        let index = read(&files["index.json"]);
        let manifest = read(blob(&index["manifests"][0]));
        let config = read(blob(&manifest["config"]));
        let mut layer = Vec::new();
        GzDecoder::new(blob(&manifest["layers"][0])).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest(&layer)]));
        assert_eq!(layer, contents().layer(7).unwrap());
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
        let annotations = &index["manifests"][0]["annotations"];
        assert_eq!(annotations["io.containerd.image.name"], "localhost:5000/interceptor:0.1");
        assert_eq!(annotations["org.opencontainers.image.ref.name"], "0.1");
        assert_eq!(read(&files["oci-layout"])["imageLayoutVersion"], "1.0.0");
    }

    #[test]
    fn a_name_needs_a_tag() {
        for name in ["", "interceptor", ":1", "interceptor:", "Interceptor:1", "a b:1", "localhost:5000/interceptor"] {
            assert!(Name::read(name).is_err(), "{name}");
        }
    }
}
