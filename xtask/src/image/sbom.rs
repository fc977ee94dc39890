// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The list of packages in an image, for programs that look for known faults: a software bill of materials, in the
//! format [CycloneDX](https://cyclonedx.org/docs/1.5/json/).

use anyhow::Result;
use serde_json::{Value, json};

use super::commit::Commit;
use super::packages::{Origin, Package, Packages};

pub(super) fn text(packages: &Packages, commit: &Commit) -> Result<String> {
    let components: Vec<_> = packages.all.iter().map(component).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": commit.time,
            "component": {
                "type": "container",
                "bom-ref": "interceptor",
                "name": "interceptor",
                "version": env!("CARGO_PKG_VERSION"),
                "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }],
            },
        },
        "components": components,
    });
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

fn component(package: &Package) -> Value {
    let Package { name, version, license, origin, texts: _ } = package;
    let mut component = json!({
        "type": "library",
        "name": name,
        "version": version,
        "licenses": [{ "expression": license }],
    });
    match origin {
        Origin::Own => {}
        Origin::Crates { checksum, .. } => {
            // https://github.com/package-url/purl-spec; `+` has to be escaped.
            component["purl"] = json!(format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")));
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        Origin::Debian { architecture } => {
            let version = version.replace('+', "%2B").replace('~', "%7E");
            component["purl"] = json!(format!("pkg:deb/debian/{name}@{version}?arch={architecture}"));
        }
        Origin::Toolchain { homepage } => {
            component["externalReferences"] = json!([{ "type": "website", "url": homepage }]);
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_of_debian_is_named_with_its_architecture() {
        let package = Package {
            name: "libc6".to_owned(),
            version: "2.36-9+deb12u1".to_owned(),
            license: "LGPL-2.1-or-later".to_owned(),
            origin: Origin::Debian { architecture: "amd64".to_owned() },
            texts: "/nowhere".into(),
        };
        assert_eq!(component(&package)["purl"], "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64");
    }

    #[test]
    fn a_package_of_crates_io_is_named_so_that_scanners_know_it() {
        let origin = Origin::Crates { repository: None, checksum: "00ff".to_owned() };
        let package = Package {
            name: "libbpf-sys".to_owned(),
            version: "1.5.0+v1.5.0".to_owned(),
            license: "BSD-2-Clause".to_owned(),
            origin,
            texts: "/nowhere".into(),
        };
        let component = component(&package);
        assert_eq!(component["purl"], "pkg:cargo/libbpf-sys@1.5.0%2Bv1.5.0");
        assert_eq!(component["hashes"][0]["content"], "00ff");
    }
}
