// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One file of the directory: a list of plugins, or a single plugin, as container runtimes read it
//! ([`conf.go`](https://github.com/containernetworking/cni/blob/main/libcni/conf.go)). It changes nothing but our
//! entry, and reads nothing of an entry but its type.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{entry::PLUGIN, error::InstallError, object::Object};

/// The type of Istio's plugin, which would intercept the same pods.
pub(super) const ISTIO: &str = "istio-cni";
/// Of a list that is made out of a plugin without a version: the first version in which plugins see the result of the
/// plugin before them.
pub(super) const VERSION: &str = "0.3.1";
/// Of a list that is made out of a plugin without a name.
const NAME: &str = "k8s-pod-network";
const PLUGINS: &str = "plugins";

/// A list of plugins.
#[derive(Clone, Debug)]
pub(super) struct Network {
    keys: Object,
    plugins: Vec<Plugin>,
}

#[derive(Clone, Debug)]
struct Plugin {
    r#type: String,
    text: Box<RawValue>,
}

impl Network {
    /// Reads the text of a `.conflist`. The error says why no runtime would take it.
    pub(super) fn list(text: &[u8]) -> Result<Self, String> {
        let keys: Object = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if keys.text("name").is_none_or(|name| name.is_empty()) {
            return Err("it has no `name`".to_owned());
        }
        let plugins = keys.get(PLUGINS).ok_or("it has no `plugins`")?;
        let plugins: Vec<Box<RawValue>> =
            serde_json::from_str(plugins.get()).map_err(|error| format!("`plugins`: {error}"))?;
        if plugins.is_empty() {
            return Err("its `plugins` are empty".to_owned());
        }
        let plugins = plugins.into_iter().map(Plugin::read).collect::<Result<_, _>>()?;
        Ok(Self { keys, plugins })
    }

    /// Makes a list out of the text of a `.conf`. It keeps the network's name: plugins file addresses in use under it.
    pub(super) fn single(text: &[u8]) -> Result<Self, String> {
        let keys: Object = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let text: Box<RawValue> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let plugin = Plugin::read(text)?;
        let name = keys.text("name").filter(|name| !name.is_empty());
        let version = keys.text("cniVersion").filter(|version| hands_results_on(version));
        let mut list = Object::default();
        for (key, value) in [
            ("cniVersion", version.as_deref().unwrap_or(VERSION)),
            ("name", name.as_deref().unwrap_or(NAME)),
            (PLUGINS, ""),
        ] {
            list.set(key, to_raw_value(value).map_err(|error| error.to_string())?);
        }
        Ok(Self { keys: list, plugins: vec![plugin] })
    }

    /// Whether one of the plugins is of this type.
    pub(super) fn has(&self, r#type: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.r#type == r#type)
    }

    /// With our entry, once and as the last one, because it has to see the addresses that others have given.
    pub(super) fn with(&self, entry: Box<RawValue>) -> Self {
        let mut network = self.without(&[PLUGIN, ISTIO]);
        network.plugins.push(Plugin { r#type: PLUGIN.to_owned(), text: entry });
        network
    }

    /// Without the plugins of these types.
    pub(super) fn without(&self, types: &[&str]) -> Self {
        let mut network = self.clone();
        network.plugins.retain(|plugin| !types.contains(&plugin.r#type.as_str()));
        network
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }

    /// Whether both say the same. Blanks and the order of keys do not matter; the order of plugins does.
    pub(super) fn says_the_same_as(&self, other: &Self) -> Result<bool, InstallError> {
        let value = |network| serde_json::to_value(network).map_err(|cause| InstallError::Json { cause });
        Ok(value(self)? == value(other)?)
    }

    /// The text of a `.conflist`.
    pub(super) fn text(&self) -> Result<Vec<u8>, InstallError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|cause| InstallError::Json { cause })?;
        text.push(b'\n');
        Ok(text)
    }
}

impl Plugin {
    fn read(text: Box<RawValue>) -> Result<Self, String> {
        let keys: Object = serde_json::from_str(text.get()).map_err(|error| format!("a plugin: {error}"))?;
        let r#type = keys
            .text("type")
            .filter(|text| !text.is_empty())
            .ok_or("a plugin has no `type`")?;
        Ok(Self { r#type, text })
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.keys.iter() {
            if key == PLUGINS {
                let plugins: Vec<&RawValue> = self.plugins.iter().map(|plugin| &*plugin.text).collect();
                map.serialize_entry(key, &plugins)?;
            } else {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// Whether this version of the specification hands the result of one plugin to the next, as all since 0.3.0 do.
fn hands_results_on(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (0, 3))
}

/// Whether two texts are the same JSON.
pub(super) fn is_same_json(one: &[u8], other: &[u8]) -> bool {
    let value = |text| serde_json::from_slice::<Value>(text).ok();
    value(one).is_some_and(|one| Some(one) == value(other))
}
