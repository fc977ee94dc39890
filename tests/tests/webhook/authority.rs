// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates as cert-manager mounts them: the files are symlinks into a directory that is swapped as a whole.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The name by which the webhook is called.
pub(crate) const HOST: &str = "interceptor-webhook.mesh.svc";

/// An authority that clients trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: rcgen::Certificate,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("make a key");
        let certificate = parameters.self_signed(&key).expect("sign the authority's certificate");
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// Mounts a new certificate in place of the one that is there. It ends with this year.
    pub(crate) fn mount(&self, folder: &Path, version: &str, last_year: i32) {
        let mut parameters = CertificateParams::new([HOST.to_owned()]).expect("a name of a host");
        parameters.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().expect("make a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("sign a certificate");
        let made = folder.join(version);
        fs::create_dir(&made).expect("make a folder");
        fs::write(made.join("tls.crt"), certificate.pem()).expect("write the certificate");
        fs::write(made.join("tls.key"), key.serialize_pem()).expect("write the key");
        symlink(version, folder.join("..tmp")).expect("make a symlink");
        fs::rename(folder.join("..tmp"), folder.join("..data")).expect("swap the symlink");
        for file in files(folder) {
            if !file.exists() {
                let name = file.file_name().expect("a name");
                symlink(Path::new("..data").join(name), &file).expect("make a symlink");
            }
        }
    }
}

/// The certificate and its key.
pub(crate) fn files(folder: &Path) -> [PathBuf; 2] {
    ["tls.crt", "tls.key"].map(|name| folder.join(name))
}
