// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates and keys of one cluster, and the kubeconfig of each component. Nobody outside trusts them.
//!
//! Who needs which certificate: [PKI certificates and
//! requirements](https://kubernetes.io/docs/setup/best-practices/certificates/).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;
use testkit::cluster::{NODE_ADDRESS, NODE_NAME};

/// The first address of the services': that of the API.
const API_SERVICE: &str = "10.96.0.1";

/// A directory with `NAME.crt` and `NAME.key`, and `NAME.conf` for those who ask the API.
pub(crate) struct Pki(PathBuf);

struct Identity {
    /// Of the files.
    file: &'static str,
    name: String,
    group: Option<&'static str>,
    /// How it is reached, if it serves.
    hosts: Vec<String>,
    is_client_of_the_api: bool,
}

impl Pki {
    pub(crate) fn make(directory: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&directory).with_context(|| format!("make {}", directory.display()))?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).context("close the directory of keys")?;
        let pki = Self(directory);
        let authority = pki.authority()?;
        for identity in identities() {
            pki.issue(&identity, &authority)?;
        }
        // Signs tokens of service accounts.
        let key = KeyPair::generate().context("make a key")?;
        pki.write("sa.key", &key.serialize_pem())?;
        pki.write("sa.pub", &key.public_key_pem())?;
        Ok(pki)
    }

    /// `pki.path("ca.crt")`
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn authority(&self) -> anyhow::Result<Issuer<'static, KeyPair>> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "interceptor-cluster");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("make a key")?;
        let certificate = parameters.self_signed(&key).context("sign the authority's certificate")?;
        self.write("ca.crt", &certificate.pem())?;
        self.write("ca.key", &key.serialize_pem())?;
        Ok(Issuer::new(parameters, key))
    }

    fn issue(&self, identity: &Identity, authority: &Issuer<'_, KeyPair>) -> anyhow::Result<()> {
        let Identity { file, name, group, hosts, is_client_of_the_api } = identity;
        let mut parameters =
            CertificateParams::new(hosts.clone()).with_context(|| format!("name the hosts {hosts:?}"))?;
        parameters.distinguished_name.push(DnType::CommonName, name.as_str());
        if let Some(group) = group {
            parameters.distinguished_name.push(DnType::OrganizationName, *group);
        }
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().context("make a key")?;
        let certificate = parameters
            .signed_by(&key, authority)
            .with_context(|| format!("sign for {file}"))?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())?;
        if *is_client_of_the_api {
            self.write(&format!("{file}.conf"), &self.kubeconfig(file))?;
        }
        Ok(())
    }

    /// JSON is YAML.
    fn kubeconfig(&self, file: &str) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "cluster", "cluster": {
                "server": format!("https://{NODE_ADDRESS}:6443"),
                "certificate-authority": self.path("ca.crt"),
            } }],
            "users": [{ "name": file, "user": {
                "client-certificate": self.path(&format!("{file}.crt")),
                "client-key": self.path(&format!("{file}.key")),
            } }],
            "contexts": [{ "name": "cluster", "context": { "cluster": "cluster", "user": file } }],
            "current-context": "cluster",
        })
        .to_string()
    }

    fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        write(&self.path(file), text)
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn identities() -> Vec<Identity> {
    let server = |file, name: &str, hosts: &[&str]| Identity {
        file,
        name: name.to_owned(),
        group: None,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        is_client_of_the_api: false,
    };
    let client = |file, name: String, group| Identity { file, name, group, hosts: vec![], is_client_of_the_api: true };
    let api = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        NODE_ADDRESS,
        API_SERVICE,
    ];
    vec![
        server("apiserver", "kube-apiserver", &api),
        server("kubelet-server", NODE_NAME, &[NODE_NAME, NODE_ADDRESS]),
        server("front-proxy", "front-proxy", &[]),
        client("admin", "admin".to_owned(), Some("system:masters")),
        client("apiserver-kubelet", "apiserver-kubelet".to_owned(), Some("system:masters")),
        client("controller-manager", "system:kube-controller-manager".to_owned(), None),
        client("scheduler", "system:kube-scheduler".to_owned(), None),
        client("proxy", "system:kube-proxy".to_owned(), None),
        client("kubelet", format!("system:node:{NODE_NAME}"), Some("system:nodes")),
    ]
}
