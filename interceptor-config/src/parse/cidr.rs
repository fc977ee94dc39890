// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IP ranges as Istio reads them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::list::selection;
use crate::{
    error::ConfigError,
    settings::Setting,
    values::{Cidr, Selection, go},
};

/// A list of ranges or `*`.
pub(crate) fn cidrs_or_all(setting: Setting, value: &str) -> Result<Selection<Cidr>, ConfigError> {
    selection(setting, value, |item| cidr(setting, item))
}

/// A list of ranges. `*` is refused with a hint.
pub(crate) fn cidrs(setting: Setting, value: &str) -> Result<Vec<Cidr>, ConfigError> {
    match cidrs_or_all(setting, value)? {
        Selection::All => Err(ConfigError::EverythingExcluded { setting }),
        Selection::Listed(ranges) => Ok(ranges),
    }
}

/// [`netip.ParsePrefix`](https://pkg.go.dev/net/netip#ParsePrefix): the length is not optional, and there are no zones
/// and no leading zeros.
pub(crate) fn cidr(setting: Setting, text: &str) -> Result<Cidr, ConfigError> {
    let malformed = || ConfigError::NotACidr { setting, item: text.to_owned() };
    let Some((address, length)) = text.rsplit_once('/') else {
        let address: IpAddr = text.parse().map_err(|_not_even_an_address| malformed())?;
        return Err(ConfigError::CidrWithoutLength { setting, host: IpNet::from(address).into() });
    };
    let address: IpAddr = address.parse().map_err(|_not_an_address| malformed())?;
    let net = go::parse_decimal(length)
        .and_then(|length| IpNet::new(address, length).ok())
        .ok_or_else(malformed)?;
    match address {
        // Go takes these for IPv6 ranges, and no packet has such an address.
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Err(ConfigError::MappedCidr { setting, item: text.to_owned() })
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(net.into()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::v4("10.0.0.0/8")]
    #[case::v4_with_host_bits("10.1.2.3/8")]
    #[case::everything("0.0.0.0/0")]
    #[case::one_address("10.1.2.3/32")]
    #[case::v6("2001:db8::/32")]
    #[case::compatible_v6("::10.0.0.0/104")]
    fn good(#[case] text: &str) {
        let parsed = cidr(Setting::ServiceCidr, text).unwrap();
        let (address, length) = text.split_once('/').unwrap();
        assert_eq!(
            (parsed.address(), parsed.prefix_len()),
            (address.parse().unwrap(), length.parse().unwrap())
        );
    }

    #[rstest]
    #[case::blank(" 10.0.0.0/8")]
    #[case::leading_zero("10.01.0.0/16")]
    #[case::leading_zero_of_the_length("10.0.0.0/08")]
    #[case::sign("10.0.0.0/+8")]
    #[case::empty_length("10.0.0.0/")]
    #[case::too_long("10.0.0.0/33")]
    #[case::far_too_long("10.0.0.0/256")]
    #[case::too_long_v6("2001:db8::/129")]
    #[case::mask("10.0.0.0/255.0.0.0")]
    #[case::zone("fe80::1%eth0/64")]
    #[case::name("example.com/24")]
    #[case::short("10/8")]
    #[case::star("*")]
    fn malformed(#[case] text: &str) {
        let error = cidr(Setting::ServiceCidr, text).unwrap_err();
        assert_eq!(
            error,
            ConfigError::NotACidr { setting: Setting::ServiceCidr, item: text.to_owned() }
        );
    }

    #[rstest]
    #[case::no_length("10.1.2.3", "write 10.1.2.3/32")]
    #[case::no_length_v6("2001:db8::1", "write 2001:db8::1/128")]
    #[case::mapped("::ffff:10.0.0.0/104", "10.0.0.0/8")]
    fn almost(#[case] text: &str, #[case] advice: &str) {
        let error = cidr(Setting::ServiceCidr, text).unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
        assert!(error.starts_with("--istio-service-cidr (ISTIO_SERVICE_CIDR)"), "{error}");
    }
}
