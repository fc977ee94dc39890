// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A certificate from files, which somebody else renews: cert-manager, or kubelet from a Secret. Kubelet swaps a
//! symlink to the directory of both files
//! ([`atomic_writer.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/volume/util/atomic_writer.go)).
//! The files are read again and again: that sees every way in which files are replaced.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use super::{pair::Pair, shown::Shown};

/// Between two looks at the files.
const PAUSE: Duration = Duration::from_secs(1);
/// A certificate with its chain is some KB.
const LARGEST: u64 = 1 << 20;

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What the files say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// Shows the certificate. From then on, [`Self::follow`] is to be run with what was read.
    pub(crate) fn show(&self, shown: &Shown) -> Result<Contents> {
        let contents = self.read()?;
        shown.show(self.pair(&contents)?);
        Ok(contents)
    }

    /// Shows what comes into the files, forever. Between two files that are replaced one after the other, and as long
    /// as they hold no certificate, the one before stays.
    pub(crate) async fn follow(self, read: Contents, shown: Arc<Shown>) {
        let mut last = Some(read);
        loop {
            sleep(PAUSE).await;
            match self.read() {
                Ok(contents) if last.as_ref() == Some(&contents) => {}
                Ok(contents) => {
                    match self.pair(&contents) {
                        Ok(pair) => shown.show(pair),
                        Err(error) => shown.failed(&error),
                    }
                    last = Some(contents);
                }
                // Said once.
                Err(error) if last.take().is_some() => shown.failed(&error),
                Err(_again) => {}
            }
        }
    }

    fn read(&self) -> Result<Contents> {
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn pair(&self, Contents { certificate, key }: &Contents) -> Result<Pair> {
        Pair::read(certificate, key).with_context(|| {
            format!(
                "Failed to use {} (--tls-cert) with {} (--tls-key)",
                self.certificate.display(),
                self.key.display()
            )
        })
    }
}

/// The contents of a regular file.
fn read(path: &Path) -> Result<Vec<u8>> {
    let metadata = fs::metadata(path).with_context(|| format!("Failed to read {}", path.display()))?;
    // Opening a FIFO would wait for somebody who writes to it.
    if !metadata.is_file() {
        bail!("{} is no regular file", path.display());
    }
    read_any(path)
}

/// The contents of a file of any kind, of at most 1 MiB.
pub(crate) fn read_any(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("Failed to read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let mut contents = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut contents).with_context(context)?;
    if contents.len() as u64 > LARGEST {
        bail!("{} is larger than {} MiB, and no certificate", path.display(), LARGEST >> 20);
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused() {
        let device = Path::new("/dev/zero");
        let error = read(device).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero is no regular file");
        let error = read_any(device).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero is larger than 1 MiB, and no certificate");
    }
}
