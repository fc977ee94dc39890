// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of an image, and the layer that they become: the same bytes for the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

/// Files by their paths, which have no slash at the beginning.
#[derive(Default)]
pub(super) struct Contents(BTreeMap<String, File>);

enum File {
    Regular {
        mode: u32,
        bytes: Vec<u8>,
    },
    /// What a symbolic link says.
    Link(String),
}

impl Contents {
    pub(super) fn program(&mut self, path: &str, from: &Path) -> Result<()> {
        self.bytes(path, 0o755, read(from)?);
        Ok(())
    }

    pub(super) fn file(&mut self, path: &str, from: &Path) -> Result<()> {
        self.bytes(path, 0o644, read(from)?);
        Ok(())
    }

    pub(super) fn text(&mut self, path: &str, text: String) {
        self.bytes(path, 0o644, text.into_bytes());
    }

    pub(super) fn bytes(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.0.insert(path.to_owned(), File::Regular { mode, bytes });
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.0.insert(path.to_owned(), File::Link(target.to_owned()));
    }

    /// Path and size of each file that is no link.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().filter_map(|(path, file)| match file {
            File::Regular { bytes, .. } => Some((path.as_str(), bytes.len())),
            File::Link(_) => None,
        })
    }

    /// A tar archive, in which everything is root's and of one time.
    pub(super) fn layer(&self, seconds: u64) -> io::Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        let header = |kind, mode, size| {
            let mut header = Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(seconds);
            header.set_size(size);
            header
        };
        for folder in self.folders() {
            layer.append_data(&mut header(EntryType::Directory, 0o755, 0), format!("{folder}/"), io::empty())?;
        }
        for (path, file) in &self.0 {
            match file {
                File::Regular { mode, bytes } => {
                    let mut header = header(EntryType::Regular, *mode, bytes.len() as u64);
                    layer.append_data(&mut header, path, bytes.as_slice())?;
                }
                File::Link(target) => {
                    layer.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)?;
                }
            }
        }
        layer.into_inner()
    }

    /// Every folder that a file is in, each after the one around it.
    fn folders(&self) -> BTreeSet<&str> {
        let of = |path: &'_ str| path.match_indices('/').map(|(end, _slash)| end).collect::<Vec<_>>();
        let all = self.0.keys().flat_map(|path| of(path).into_iter().map(move |end| &path[..end]));
        all.collect()
    }

    /// Writes the files below `folder`, which holds nothing else afterwards.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let emptied = std::fs::remove_dir_all(folder);
        if let Err(error) = emptied
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
        }
        for (path, file) in &self.0 {
            let path = folder.join(path);
            write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn write(path: &Path, file: &File) -> io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    match file {
        File::Regular { mode, bytes } => {
            std::fs::write(path, bytes)?;
            std::fs::set_permissions(path, Permissions::from_mode(*mode))
        }
        File::Link(target) => symlink(target, path),
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use tar::Archive;

    use super::*;

    #[test]
    fn a_layer_does_not_depend_on_who_wrote_it_and_in_which_order() {
        let names = ["usr/local/bin/b", "usr/local/bin/a", "usr/share/doc"];
        let layer = |names: &[&str]| {
            let mut contents = Contents::default();
            for name in names {
                contents.text(name, format!("this is {name}"));
            }
            contents.layer(1_000).unwrap()
        };
        let mut reversed = names;
        reversed.reverse();
        assert_eq!(layer(&names), layer(&reversed));
    }

    #[test]
    fn a_link_says_where_it_leads() {
        let mut contents = Contents::default();
        contents.link("usr/sbin/iptables-nft", "xtables-nft-multi");
        let layer = contents.layer(1_000).unwrap();
        let mut archive = Archive::new(layer.as_slice());
        let last = archive.entries().unwrap().last().unwrap().unwrap();
        let target = last.link_name().unwrap().expect("it is a link");
        assert_eq!(target.display().to_string(), "xtables-nft-multi");
        let folder = std::env::temp_dir().join(format!("interceptor-contents-{}", std::process::id()));
        contents.write(&folder).unwrap();
        let written = std::fs::read_link(folder.join("usr/sbin/iptables-nft"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(written.unwrap(), target);
    }

    #[test]
    fn folders_come_before_their_files_and_all_belongs_to_root() {
        let mut contents = Contents::default();
        contents.text("usr/share/doc", "text".to_owned());
        contents
            .program("usr/local/bin/this", &std::env::current_exe().unwrap())
            .unwrap();
        let layer = contents.layer(1_000).unwrap();
        let mut entries = Vec::new();
        for entry in Archive::new(layer.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(
                (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
                (0, 0, 1_000)
            );
            let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            entries.push((path, mode, bytes.len()));
        }
        let names: Vec<_> = entries.iter().map(|(path, mode, _)| (path.as_str(), *mode)).collect();
        let folder = |name| (name, 0o755);
        assert_eq!(
            names,
            [
                folder("usr/"),
                folder("usr/local/"),
                folder("usr/local/bin/"),
                folder("usr/share/"),
                ("usr/local/bin/this", 0o755),
                ("usr/share/doc", 0o644),
            ]
        );
        assert_eq!(entries[5].2, 4);
    }
}
