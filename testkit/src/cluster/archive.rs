// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Container images of one layer, as the archives that `docker save` writes and container runtimes import. No
//! registry is asked.

use std::{
    collections::BTreeMap,
    env, fs,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ring::digest::{Context, SHA256};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::program::{libraries, stripped};

/// An image, before it is written.
pub struct Image {
    name: String,
    /// Paths in the image, without the slash at the beginning.
    files: BTreeMap<PathBuf, PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

impl Image {
    /// `name` has a registry and a tag: `localhost/tests:1`. So nobody looks for it elsewhere.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program as `/bin/NAME`, and the libraries that it is linked with. Programs that have debugging information
    /// go in without it.
    #[must_use]
    pub fn program(mut self, name: &str, program: &Path) -> Self {
        for library in libraries(program) {
            self.files.insert(inside(&library), library);
        }
        self.files.insert(Path::new("bin").join(name), program.to_owned());
        self
    }

    /// Another name in `/bin`, as a busybox has many.
    #[must_use]
    pub fn applets(mut self, program: &str, names: &[&str]) -> Self {
        let links = names.iter().map(|name| (Path::new("bin").join(name), PathBuf::from(program)));
        self.links.extend(links);
        self
    }

    /// What a container runs that says nothing else.
    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// What a container runs that says only `args`.
    #[must_use]
    pub fn entrypoint(mut self, program: &str) -> Self {
        self.entrypoint = vec![program.to_owned()];
        self
    }

    /// Writes the archive.
    pub fn write(&self, to: &Path) {
        self.try_write(to)
            .unwrap_or_else(|error| panic!("write the image {} to {}: {error}", self.name, to.display()));
    }

    fn try_write(&self, to: &Path) -> io::Result<()> {
        let layer = to.with_extension("layer");
        let digest = self.write_layer(&layer)?;
        let config = json!({
            "architecture": if env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Env": ["PATH=/bin"], "Entrypoint": self.entrypoint, "Cmd": self.command },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        let manifest = json!([{ "Config": "config.json", "RepoTags": [self.name], "Layers": ["layer.tar"] }]);
        let mut archive = Builder::new(File::create(to)?);
        append_bytes(&mut archive, "config.json", config.to_string().as_bytes())?;
        archive.append_path_with_name(&layer, "layer.tar")?;
        append_bytes(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
        archive.finish()?;
        fs::remove_file(&layer)
    }

    /// Returns the SHA-256 of the layer.
    fn write_layer(&self, to: &Path) -> io::Result<String> {
        let mut layer = Builder::new(Hashed { file: File::create(to)?, digest: Context::new(&SHA256) });
        layer.follow_symlinks(true);
        append_directory(&mut layer, "tmp", 0o1777)?;
        append_directory(&mut layer, "bin", 0o755)?;
        let users = b"root:x:0:0::/:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/sh\n";
        append_bytes(&mut layer, "etc/passwd", users)?;
        for (path, file) in &self.files {
            let mut header = header(EntryType::Regular, 0o755);
            let content = fs::read(stripped(file, to)?)?;
            header.set_size(content.len() as u64);
            layer.append_data(&mut header, path, content.as_slice())?;
        }
        for (path, target) in &self.links {
            layer.append_link(&mut header(EntryType::Symlink, 0o777), path, target)?;
        }
        let Hashed { file: _, digest } = layer.into_inner()?;
        Ok(hexadecimal(digest.finish().as_ref()))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Hashes what it writes.
struct Hashed {
    file: File,
    digest: Context,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.digest.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

fn append_bytes(archive: &mut Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = header(EntryType::Regular, 0o644);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

fn append_directory(archive: &mut Builder<impl Write>, path: &str, mode: u32) -> io::Result<()> {
    archive.append_data(&mut header(EntryType::Directory, mode), path, io::empty())
}

fn inside(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io::Read as _};

    use serde_json::Value;
    use tar::Archive;

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_layer_and_libraries_come_along() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image.tar");
        let image = Image::new("localhost/test:1")
            .program("sh", Path::new("/bin/sh"))
            .applets("sh", &["ash"]);
        image.command(&["/bin/sh"]).write(&path);

        let mut files = BTreeMap::new();
        for entry in Archive::new(File::open(&path).unwrap()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(name, content);
        }
        let layer = &files["layer.tar"];
        let config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
        let digest = ring::digest::digest(&SHA256, layer);
        let digest = hexadecimal(digest.as_ref());
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{digest}"));

        let mut layer = Archive::new(layer.as_slice());
        let entries = layer.entries().unwrap();
        let paths: BTreeSet<String> = entries
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert!(paths.contains("bin/sh") && paths.contains("bin/ash"), "{paths:?}");
        assert!(paths.iter().any(|path| path.contains("libc.so")), "{paths:?}");
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing but the image stays"
        );
    }
}
