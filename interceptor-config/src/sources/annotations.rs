// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotations of a pod as Istio's CNI plugin reads them
//! ([`sidecar_redirect.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/sidecar_redirect.go)). Unlike a
//! bad value in the environment, a bad value in an annotation is always an error.
//!
//! Two differences, and both refuse more: port numbers with leading zeros, which iptables takes for octal, and `*`
//! among excluded ports, which iptables refuses.

use std::collections::BTreeMap;

use crate::{
    error::{AnnotationFault, ConfigError},
    parse,
    settings::{Annotation, Form, Setting},
    values::{DataPath, go},
};

/// Looks up an annotation. An annotation that is set to nothing is set.
pub type Annotations<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The sidecar's ports that Istio excludes with every list: merged metrics, readiness, Envoy's metrics.
const OWN_PORTS: [&str; 3] = ["15020", "15021", "15090"];

/// The texts of all settings that have an annotation, in the form of a flag. An error names every bad annotation.
pub(super) fn read(annotations: Annotations<'_>) -> Result<BTreeMap<Setting, String>, ConfigError> {
    let mut texts = BTreeMap::new();
    let mut faults = Vec::new();
    for setting in Setting::ALL {
        let Some(Annotation { names, form, absent }) = setting.annotation() else {
            continue;
        };
        let given = names.iter().find_map(|name| annotations(name).map(|value| (*name, value)));
        let text = match given {
            Some((annotation, value)) => flag_text(*setting, *form, &value).or_else(|| {
                faults.push(AnnotationFault { annotation, value, wanted: wanted(*form) });
                None
            }),
            None => absent.and_then(|text| flag_text(*setting, *form, text)),
        };
        texts.extend(text.map(|text| (*setting, text)));
    }
    if faults.is_empty() {
        Ok(texts)
    } else {
        Err(ConfigError::Annotations { faults })
    }
}

/// The value of an annotation as the flag would say it. `None` if it is not valid.
fn flag_text(setting: Setting, form: Form, value: &str) -> Option<String> {
    let valid = |valid: bool| valid.then(|| value.to_owned());
    let cidrs = || value.is_empty() || value.split(',').all(|item| parse::cidr(setting, item).is_ok());
    match form {
        Form::PortsOrAll | Form::CidrsOrAll if value == "*" => Some(value.to_owned()),
        Form::Mode => valid(value == "REDIRECT" || value == "TPROXY"),
        Form::Cidrs | Form::CidrsOrAll => valid(cidrs()),
        Form::Ports | Form::PortsOrAll => Some(items(value, is_port)?.join(",")),
        Form::PortsAndOwn => {
            let mut ports = items(value, is_port)?;
            ports.extend(OWN_PORTS);
            Some(without_repetition(&ports).join(","))
        }
        Form::Interfaces => Some(items(value, is_interface)?.join(",")),
        Form::Switch => valid(go::parse_bool(value).is_some()),
        Form::DataPath => valid(DataPath::parse(value).is_some()),
        Form::Budget => valid(parse::budget(setting, value.to_owned()).is_ok()),
    }
}

/// What to write instead.
const fn wanted(form: Form) -> &'static str {
    match form {
        Form::Mode => "REDIRECT or TPROXY",
        Form::Cidrs => "IP ranges separated by commas without blanks, such as 10.0.0.0/8,fd00::/8",
        Form::CidrsOrAll => "`*`, or IP ranges separated by commas without blanks, such as 10.0.0.0/8,fd00::/8",
        Form::Ports | Form::PortsAndOwn => "port numbers separated by commas, such as 80,443",
        Form::PortsOrAll => "`*`, or port numbers separated by commas, such as 80,443",
        Form::Interfaces => {
            "names of interfaces separated by commas, such as net1,net2; a name begins with a letter and has at most \
             15 letters, digits, `_`, `.` or `-`"
        }
        Form::Switch => "true or false",
        Form::Budget => parse::BUDGET,
        Form::DataPath => DataPath::VALUES,
    }
}

/// The items of a list, without the blanks around them. `None` if one of them is not valid.
fn items(list: &str, is_valid: fn(&str) -> bool) -> Option<Vec<&str>> {
    let list = list.trim();
    if list.is_empty() {
        return Some(Vec::new());
    }
    list.split(',')
        .map(|item| Some(item.trim()).filter(|item| is_valid(item)))
        .collect()
}

fn is_port(text: &str) -> bool {
    go::parse_decimal::<u16>(text).is_some()
}

fn is_interface(name: &str) -> bool {
    parse::fits_an_interface(name)
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Each item at its first place.
fn without_repetition<'a>(items: &[&'a str]) -> Vec<&'a str> {
    items.iter().fold(Vec::new(), |mut unique, item| {
        if !unique.contains(item) {
            unique.push(item);
        }
        unique
    })
}
