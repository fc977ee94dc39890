// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runtime wants, from the environment
//! ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#parameters)). It opens nothing.

use std::{ffi::OsString, str::FromStr};

use interceptor_wire::{ContainerId, InterfaceName, Pod};

use crate::error::{CniError, code};

/// The environment of the process.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Del,
    Check,
    Status,
    Gc,
    Version,
}

impl Verb {
    pub(crate) fn of(environment: Environment<'_>) -> Result<Self, CniError> {
        let Some(name) = variable(environment, "CNI_COMMAND")? else {
            return Err(CniError::new(
                code::BAD_ENVIRONMENT,
                "CNI_COMMAND is missing; this program is a CNI plugin, which container runtimes start",
            ));
        };
        let all = [Self::Add, Self::Del, Self::Check, Self::Status, Self::Gc, Self::Version];
        all.into_iter().find(|verb| verb.name() == name).ok_or_else(|| {
            CniError::new(
                code::BAD_ENVIRONMENT,
                format!("CNI_COMMAND={name} is not one of ADD, DEL, CHECK, STATUS, GC and VERSION"),
            )
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Status => "STATUS",
            Self::Gc => "GC",
            Self::Version => "VERSION",
        }
    }
}

/// The attachment that ADD, DEL and CHECK are about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) container_id: ContainerId,
    pub(crate) ifname: InterfaceName,
    /// `None` if it is missing or empty, as it may be at DEL.
    pub(crate) netns: Option<String>,
    /// `None` if this is no pod of Kubernetes: its name or its namespace is missing or empty.
    pub(crate) pod: Option<Pod>,
}

impl Call {
    pub(crate) fn of(environment: Environment<'_>) -> Result<Self, CniError> {
        Ok(Self {
            container_id: required(environment, "CNI_CONTAINERID")?,
            ifname: required(environment, "CNI_IFNAME")?,
            netns: variable(environment, "CNI_NETNS")?,
            pod: pod(&variable(environment, "CNI_ARGS")?.unwrap_or_default())?,
        })
    }
}

/// The pod that `CNI_ARGS` names: `KEY=VALUE` pairs with `;` between them. Other keys are ignored, whether
/// `IgnoreUnknown` is among them or not.
pub(crate) fn pod(args: &str) -> Result<Option<Pod>, CniError> {
    let pairs = args.split(';').filter(|pair| !pair.is_empty());
    let [mut namespace, mut name, mut uid] = [""; 3];
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(bad("CNI_ARGS", &format!("{pair:?} is no KEY=VALUE")));
        };
        match key {
            "K8S_POD_NAMESPACE" => namespace = value,
            "K8S_POD_NAME" => name = value,
            "K8S_POD_UID" => uid = value,
            _ => {}
        }
    }
    if namespace.is_empty() || name.is_empty() {
        return Ok(None);
    }
    Ok(Some(Pod {
        namespace: parse("CNI_ARGS, K8S_POD_NAMESPACE", namespace)?,
        name: parse("CNI_ARGS, K8S_POD_NAME", name)?,
        uid: if uid.is_empty() { None } else { Some(parse("CNI_ARGS, K8S_POD_UID", uid)?) },
    }))
}

fn required<T: FromStr<Err: ToString>>(environment: Environment<'_>, name: &str) -> Result<T, CniError> {
    match variable(environment, name)? {
        Some(text) => parse(name, &text),
        None => Err(bad(name, "it is missing or empty, and the runtime has to set it")),
    }
}

/// An empty variable counts as missing.
fn variable(environment: Environment<'_>, name: &str) -> Result<Option<String>, CniError> {
    let Some(value) = environment(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.into_string();
    text.map(Some)
        .map_err(|bytes| bad(name, &format!("{} is no UTF-8", bytes.display())))
}

fn parse<T: FromStr<Err: ToString>>(place: &str, text: &str) -> Result<T, CniError> {
    text.parse().map_err(|error: T::Err| bad(place, &error.to_string()))
}

fn bad(place: &str, why: &str) -> CniError {
    CniError::new(code::BAD_ENVIRONMENT, format!("{place}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use rstest::rstest;

    use super::*;

    fn environment(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<OsString> {
        |wanted| {
            pairs
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| OsString::from(value))
        }
    }

    #[test]
    fn every_verb_is_known_by_its_name() {
        for verb in [Verb::Add, Verb::Del, Verb::Check, Verb::Status, Verb::Gc, Verb::Version] {
            assert_eq!(Verb::of(&|_| Some(verb.name().into())), Ok(verb));
        }
    }

    #[rstest]
    #[case::none(&[])]
    #[case::lower_case(&[("CNI_COMMAND", "add")])]
    #[case::unknown(&[("CNI_COMMAND", "DANCE")])]
    fn what_is_no_verb_is_refused(#[case] pairs: &'static [(&'static str, &'static str)]) {
        let error = Verb::of(&environment(pairs)).unwrap_err();
        assert_eq!(error.code, code::BAD_ENVIRONMENT);
        assert!(error.msg.starts_with("CNI_COMMAND"), "{error:?}");
    }

    #[test]
    fn the_runtimes_variables_are_read() {
        let call = Call::of(&environment(&[
            ("CNI_CONTAINERID", "0a1b"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", "/run/netns/a"),
            (
                "CNI_ARGS",
                "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;OTHER=0a;IgnoreUnknown=1;K8S_POD_UID=1-2",
            ),
        ]));
        let call = call.unwrap();
        assert_eq!(
            (call.container_id.as_str(), call.ifname.as_str(), call.netns.as_deref()),
            ("0a1b", "eth0", Some("/run/netns/a"))
        );
        let pod = call.pod.unwrap();
        assert_eq!(
            (pod.namespace.as_str(), pod.name.as_str(), pod.uid.unwrap().as_str()),
            ("default", "web", "1-2")
        );
    }

    #[rstest]
    #[case::no_container(&[("CNI_IFNAME", "eth0")], "CNI_CONTAINERID")]
    #[case::empty_container(&[("CNI_CONTAINERID", ""), ("CNI_IFNAME", "eth0")], "CNI_CONTAINERID")]
    #[case::path_as_container(&[("CNI_CONTAINERID", "../a"), ("CNI_IFNAME", "eth0")], "CNI_CONTAINERID")]
    #[case::no_interface(&[("CNI_CONTAINERID", "a")], "CNI_IFNAME")]
    #[case::long_interface(&[("CNI_CONTAINERID", "a"), ("CNI_IFNAME", "sixteen_letters_")], "CNI_IFNAME")]
    #[case::no_pair(&[("CNI_CONTAINERID", "a"), ("CNI_IFNAME", "eth0"), ("CNI_ARGS", "x")], "CNI_ARGS")]
    fn a_bad_variable_is_named(#[case] pairs: &'static [(&'static str, &'static str)], #[case] name: &str) {
        let error = Call::of(&environment(pairs)).unwrap_err();
        assert_eq!(error.code, code::BAD_ENVIRONMENT);
        assert!(error.msg.starts_with(name), "{error:?}");
    }

    #[test]
    fn a_variable_that_is_no_text_is_named() {
        let error = Call::of(&|_| Some(OsString::from_vec(vec![0xff]))).unwrap_err();
        assert!(
            error.msg.starts_with("CNI_CONTAINERID: ") && error.msg.ends_with(" is no UTF-8"),
            "{error:?}"
        );
    }

    #[rstest]
    #[case("")]
    #[case(";;")]
    #[case("IgnoreUnknown=1;A=B=C")]
    #[case("K8S_POD_NAME=web")]
    #[case("K8S_POD_NAME=;K8S_POD_NAMESPACE=default")]
    #[case("K8S_POD_UID=1-2")]
    fn without_name_and_namespace_it_is_no_pod(#[case] args: &str) {
        assert_eq!(pod(args), Ok(None));
    }

    #[rstest]
    #[case("K8S_POD_NAMESPACE=a;K8S_POD_NAME=../b", "K8S_POD_NAME")]
    #[case("K8S_POD_NAMESPACE=a b;K8S_POD_NAME=b", "K8S_POD_NAMESPACE")]
    #[case("K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_UID=../..", "K8S_POD_UID")]
    fn a_name_that_kubernetes_does_not_give_is_refused(#[case] args: &str, #[case] key: &str) {
        let error = pod(args).unwrap_err();
        assert!(error.msg.starts_with(&format!("CNI_ARGS, {key}: ")), "{error:?}");
    }
}
