// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The result of the chain: what the plugins before this one printed, byte for byte.

use std::net::IpAddr;

use serde::Deserialize;

use crate::{
    config::Config,
    error::{CniError, code},
};

/// What ADD prints when it succeeds.
pub(crate) fn passed_on(config: &Config<'_>) -> String {
    match config.prev_result {
        Some(result) => result.get().to_owned(),
        None => serde_json::json!({ "cniVersion": config.cni_version, "dns": {} }).to_string(),
    }
}

/// The addresses in it
/// ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#add-success)).
pub(crate) fn addresses(config: &Config<'_>) -> Result<Vec<IpAddr>, CniError> {
    #[derive(Deserialize)]
    struct Addresses {
        ips: Option<Vec<Address>>,
    }
    #[derive(Deserialize)]
    struct Address {
        address: String,
    }
    let Some(result) = config.prev_result else { return Ok(Vec::new()) };
    let Addresses { ips } = serde_json::from_str(result.get()).map_err(|error| bad(&error.to_string()))?;
    let parse = |Address { address }| {
        let host = address.split_once('/').map_or(address.as_str(), |(host, _prefix)| host);
        host.parse().map_err(|_error| bad(&format!("{address:?} is no address")))
    };
    ips.unwrap_or_default().into_iter().map(parse).collect()
}

fn bad(why: &str) -> CniError {
    CniError::new(
        code::NOT_DECODED,
        format!("The addresses in prevResult cannot be read: {why}; look at the plugins before this one in the list"),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::strange_numbers(r#"{"cniVersion" : "1.0.0","x":1.00,"y":12345678901234567890123,"z":1e400}"#)]
    #[case::unknown_fields(r#"{ "ips":[{"address":"10.0.0.1/24","new":{"a":[null]}}],"other":"\u00e9\/" }"#)]
    fn the_result_is_passed_on_as_it_came(#[case] result: &str) {
        let stdin = format!("{{\"cniVersion\":\"1.0.0\",\n \"prevResult\": {result} }}");
        assert_eq!(passed_on(&Config::read(stdin.as_bytes()).unwrap()), result);
    }

    #[rstest]
    #[case("{}", r#"{"cniVersion":"0.1.0","dns":{}}"#)]
    #[case(r#"{"cniVersion":"1.1.0","prevResult":null}"#, r#"{"cniVersion":"1.1.0","dns":{}}"#)]
    fn without_a_result_it_is_an_empty_one_of_the_version(#[case] stdin: &str, #[case] result: &str) {
        assert_eq!(passed_on(&Config::read(stdin.as_bytes()).unwrap()), result);
    }

    fn read(prev_result: &str) -> Result<Vec<IpAddr>, CniError> {
        addresses(&Config::read(format!(r#"{{"prevResult":{prev_result}}}"#).as_bytes()).unwrap())
    }

    #[test]
    fn addresses_are_read_without_their_prefix() {
        let both = read(r#"{"ips":[{"address":"10.0.0.2/24","gateway":"10.0.0.1"},{"address":"fd00::2/64"}]}"#);
        assert_eq!(
            both.unwrap(),
            ["10.0.0.2", "fd00::2"].map(|text| text.parse::<IpAddr>().unwrap())
        );
        assert!(read(r#"{"ips":null}"#).unwrap().is_empty());
    }

    #[rstest]
    #[case(r#"{"ips":[{"address":"web"}]}"#)]
    #[case(r#"{"ips":[{}]}"#)]
    #[case(r#"{"ips":"10.0.0.1"}"#)]
    fn what_is_no_address_is_an_error(#[case] prev_result: &str) {
        assert_eq!(read(prev_result).unwrap_err().code, code::NOT_DECODED);
    }
}
