// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that a user names: whatever the name leads to, opening it ends at once. A FIFO would wait for a writer, and a
//! device might do anything, so neither is opened.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::libc::{O_NOCTTY, O_NONBLOCK, O_PATH};

/// Far more than any file has that somebody wrote by hand.
#[cfg(feature = "records")]
const LARGEST: u64 = 1 << 20;

/// The contents of a regular file, of at most 1 MiB. Anything else, such as a FIFO or a device, is an error at once.
#[cfg(feature = "records")]
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;

    let mut contents = Vec::new();
    open(path)?.take(LARGEST + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it has more than {LARGEST} bytes")));
    }
    Ok(contents)
}

/// Opens a regular file for reading. The files of namespaces are regular ones.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // This looks at what is there, without opening it.
    expect_regular(&OpenOptions::new().read(true).custom_flags(O_PATH).open(path)?.metadata()?)?;
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)?;
    // Something else may have got the name meanwhile. Opening that has not waited either.
    expect_regular(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file to write it anew. A FIFO that nobody reads is an error (`ENXIO`).
#[cfg(feature = "cli")]
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options.custom_flags(O_NONBLOCK | O_NOCTTY).open(path)
}

fn expect_regular(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "a special file"
    };
    Err(io::Error::other(format!("it is {what}, not a regular file")))
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests {
    use std::{fs, os::unix::net::UnixListener};

    use nix::{sys::stat::Mode, unistd::mkfifo};
    use rstest::rstest;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[rstest]
    #[case::nothing(0)]
    #[case::as_much_as_may_be(LARGEST)]
    fn a_file_is_read(#[case] length: u64) {
        let folder = folder();
        let path = folder.path().join("file");
        File::create(&path).unwrap().set_len(length).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, length);
    }

    #[test]
    fn what_is_no_file_of_reasonable_size_is_refused() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        mkfifo(&path("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        File::create(path("large")).unwrap().set_len(LARGEST + 1).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        for (path, reason) in [
            (path("fifo"), "it is a FIFO, not a regular file"),
            (path("link"), "it is a device, not a regular file"),
            (path("socket"), "it is a special file, not a regular file"),
            (folder.path().to_owned(), "it is a directory, not a regular file"),
            (path("large"), "it has more than 1048576 bytes"),
        ] {
            assert_eq!(read(&path).unwrap_err().to_string(), reason, "{}", path.display());
        }
        assert_eq!(read(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_written_and_a_fifo_without_a_reader_refused() {
        let folder = folder();
        let (file, fifo) = (folder.path().join("file"), folder.path().join("fifo"));
        fs::write(&file, "longer than what comes").unwrap();
        drop(create(&file).unwrap());
        assert_eq!(read(&file).unwrap(), b"");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert_eq!(create(&fifo).unwrap_err().raw_os_error(), Some(nix::libc::ENXIO));
    }
}
