// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the node agent notes of each pod that it enrolls, so that people can call pods by their names: also after a
//! restart of the agent, and while it is away. What is enrolled is in the kernel; a record only says how a pod is
//! enrolled again, if what is pinned for it is gone.

mod directory;
mod entry;
mod netns;
mod record;
mod rules;
mod settings;
mod unprotected;

use std::{
    fs,
    io::{self, Read as _, Write as _},
    marker::PhantomData,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail};

pub use directory::RunDirectory;
pub use entry::Entry;
pub use record::{PodName, Record, Version, is_sandbox_id};
pub use rules::RulesRecord;
pub use settings::settings;
pub use unprotected::UnprotectedRecord;

/// Where the agent keeps its socket and its records, unless it is told otherwise.
pub const RUN_DIRECTORY: &str = "/run/interceptor";

const SUFFIX: &str = ".json";
/// Far more than a record has.
const LARGEST: u64 = 64 * 1024;

/// The records of a node, one file for each.
#[derive(Debug)]
pub struct Records<T = Record> {
    directory: RunDirectory,
    of: PhantomData<fn() -> T>,
}

/// A file among the records that is none.
#[derive(Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub error: anyhow::Error,
}

impl<T: Entry> Records<T> {
    /// The records in a run directory, for whoever only reads. `None` if there are none.
    pub fn open(run_directory: &Path) -> Result<Option<Self>> {
        let Some(run_directory) = RunDirectory::open(run_directory)? else {
            return Ok(None);
        };
        Ok(run_directory
            .open_below(T::DIRECTORY)?
            .map(|directory| Self { directory, of: PhantomData }))
    }

    /// The same, for whoever writes: makes the directory, and removes what a writer left that was killed.
    pub fn create(run_directory: &RunDirectory) -> Result<Self> {
        let records = Self { directory: run_directory.create_below(T::DIRECTORY)?, of: PhantomData };
        for name in records.directory.names()? {
            if name.starts_with('.') {
                records.directory.remove(&name)?;
            }
        }
        Ok(records)
    }

    /// Reads all of them. What is no record is left alone.
    pub fn read(&self) -> Result<(Vec<T>, Vec<Unreadable>)> {
        let (mut records, mut unreadable) = (Vec::new(), Vec::new());
        for name in self.directory.names()? {
            if name.starts_with('.') {
                continue; // it is being written
            }
            match self.read_file(&name) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => {} // it was removed meanwhile
                Err(error) => unreadable.push(Unreadable { path: self.directory.path().join(name), error }),
            }
        }
        Ok((records, unreadable))
    }

    /// When a record was written or removed last.
    pub fn changed(&self) -> Result<SystemTime> {
        let path = self.directory.path();
        let modified = fs::metadata(path).and_then(|directory| directory.modified());
        modified.with_context(|| format!("Failed to look at {}", path.display()))
    }

    /// The record with this key, if there is one.
    pub fn get(&self, key: &str) -> Result<Option<T>> {
        let name = file_name(key)?;
        let context = || format!("Failed to read {}", self.directory.path().join(&name).display());
        self.read_file(&name).with_context(context)
    }

    /// Writes a record. Whoever reads finds the old one or the new one.
    pub fn write(&self, record: &T) -> Result<()> {
        let name = file_name(&record.key())?;
        let path = self.directory.path().join(&name);
        let text = serde_json::to_vec(record).context("Failed to write a record as JSON")?;
        let new = format!(".{name}");
        let write = || -> Result<()> {
            self.directory.remove(&new)?;
            self.directory.create_file(&new)?.write_all(&text)?;
            self.directory.rename(&new, &name)
        };
        write().with_context(|| format!("Failed to write {}", path.display()))
    }

    /// Removes the record with this key, if there is one.
    pub fn remove(&self, key: &str) -> Result<()> {
        self.directory.remove(&file_name(key)?)
    }

    fn read_file(&self, name: &str) -> Result<Option<T>> {
        let key = name.strip_suffix(SUFFIX).filter(|key| is_sandbox_id(key));
        let Some(key) = key else {
            bail!("its name is not that of a record, <sandbox>{SUFFIX}")
        };
        let Some(file) = self.directory.open_file(name)? else { return Ok(None) };
        let mut text = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut text).context("it cannot be read")?;
        if text.len() as u64 > LARGEST {
            bail!("it has more than {LARGEST} bytes");
        }
        let record: T = serde_json::from_slice(&text).context("it is not a record of this version")?;
        if record.key() != key {
            bail!("it is the record of another sandbox");
        }
        Ok(Some(record))
    }
}

/// Fails for what cannot be an id, and so never leads out of the directory.
fn file_name(sandbox: &str) -> io::Result<String> {
    if is_sandbox_id(sandbox) {
        Ok(format!("{sandbox}{SUFFIX}"))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{sandbox:?} is not the id of a sandbox"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rstest::rstest;

    use super::*;

    fn record(sandbox: &str) -> Record {
        Record {
            version: Record::VERSION,
            sandbox: sandbox.to_owned(),
            interface: "eth0".to_owned(),
            pod: "shop/web-0".parse().unwrap(),
            uid: Some("12345678-90ab-cdef-1234-567890abcdef".to_owned()),
            netns_cookie: 77,
            netns_inode: 4_026_532_000,
            netns_path: Some("/run/netns/cni-1".to_owned()),
            cgroup_id: 12,
            cgroup_path: Some("/sys/fs/cgroup/kubepods/pod1".to_owned()),
            settings: [("PROXY_UID".to_owned(), "1337".to_owned())].into(),
            fingerprint: Some(u64::MAX),
            home: Some(7),
            since: 1_800_000_000,
        }
    }

    fn records(run: &Path) -> Records {
        Records::create(&RunDirectory::create(run).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_by_another_process_and_removed_again() {
        let work = tempfile::tempdir().unwrap();
        let run = work.path().join("run");
        let writer = records(&run);
        writer.write(&record("0a1b")).unwrap();
        writer.write(&Record { since: 2, ..record("0a1b") }).unwrap();
        writer.write(&record("2c3d")).unwrap();

        let reader = Records::<Record>::open(&run).unwrap().unwrap();
        let (mut all, unreadable) = reader.read().unwrap();
        all.sort_by(|one, other| one.sandbox.cmp(&other.sandbox));
        assert_eq!(all, [Record { since: 2, ..record("0a1b") }, record("2c3d")]);
        assert!(unreadable.is_empty(), "{unreadable:?}");
        assert_eq!(reader.get("2c3d").unwrap(), Some(record("2c3d")));

        writer.remove("0a1b").unwrap();
        writer.remove("0a1b").unwrap();
        assert_eq!(reader.get("0a1b").unwrap(), None);
        let file = fs::metadata(run.join("pods/2c3d.json")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_record_without_the_later_fields_is_read() {
        let work = tempfile::tempdir().unwrap();
        let records = records(&work.path().join("run"));
        records.write(&record("0a1b")).unwrap();
        let file = work.path().join("run/pods/0a1b.json");
        let text = fs::read_to_string(&file).unwrap();
        let later = format!("\"fingerprint\":{},\"home\":7,", u64::MAX);
        assert!(text.contains(&later), "{text}");
        fs::write(&file, text.replace(&later, "")).unwrap();
        let expected = Record { fingerprint: None, home: None, ..record("0a1b") };
        assert_eq!(records.get("0a1b").unwrap(), Some(expected));
    }

    #[test]
    fn without_an_agent_there_are_no_records() {
        let work = tempfile::tempdir().unwrap();
        assert!(Records::<Record>::open(&work.path().join("run")).unwrap().is_none());
        RunDirectory::create(&work.path().join("run")).unwrap();
        assert!(Records::<Record>::open(&work.path().join("run")).unwrap().is_none());
    }

    #[rstest]
    #[case::parent("..")]
    #[case::path("a/b")]
    #[case::hidden(".a")]
    #[case::empty("")]
    fn an_id_never_leads_out_of_the_directory(#[case] sandbox: &str) {
        let work = tempfile::tempdir().unwrap();
        let records = records(&work.path().join("run"));
        assert!(records.write(&record(sandbox)).is_err());
        assert!(records.get(sandbox).is_err());
        assert!(records.remove(sandbox).is_err());
    }

    #[test]
    fn what_is_no_record_is_named_and_left_alone() {
        let work = tempfile::tempdir().unwrap();
        let records = records(&work.path().join("run"));
        let pods = work.path().join("run/pods");
        records.write(&record("good")).unwrap();
        fs::write(pods.join("empty.json"), "").unwrap();
        fs::write(pods.join("notes.txt"), "").unwrap();
        fs::copy(pods.join("good.json"), pods.join("other.json")).unwrap();
        symlink(pods.join("good.json"), pods.join("link.json")).unwrap();
        fs::write(pods.join("long.json"), vec![b' '; 70_000]).unwrap();
        fs::create_dir(pods.join("directory.json")).unwrap();

        let (read, unreadable) = records.read().unwrap();
        assert_eq!(read, [record("good")]);
        let mut names: Vec<_> = unreadable
            .iter()
            .map(|unreadable| unreadable.path.file_name().unwrap().to_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["directory.json", "empty.json", "link.json", "long.json", "notes.txt", "other.json"]
        );
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_by_the_next_one() {
        let work = tempfile::tempdir().unwrap();
        let run = work.path().join("run");
        records(&run);
        fs::write(run.join("pods/.0a1b.json"), "{").unwrap();
        records(&run);
        assert!(!run.join("pods/.0a1b.json").exists());
    }
}
