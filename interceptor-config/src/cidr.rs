// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An IP range as Istio reads it.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::{ConfigError, Setting, go};

/// An address and a prefix length. Bits behind the prefix may be set; they select nothing, but `127.0.0.1/0` is a
/// loopback range to Istio and `0.0.0.0/0` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// [`netip.ParsePrefix`](https://pkg.go.dev/net/netip#ParsePrefix): the length is not optional, no zone, no leading zeros.
    pub(super) fn parse(setting: Setting, text: &str) -> Result<Self, ConfigError> {
        let malformed = || ConfigError::NotACidr { setting, item: text.to_owned() };
        let Some((address, length)) = text.rsplit_once('/') else {
            let address: IpAddr = text.parse().map_err(|_not_even_an_address| malformed())?;
            return Err(ConfigError::CidrWithoutLength { setting, host: Self(address.into()) });
        };
        let address: IpAddr = address.parse().map_err(|_not_an_address| malformed())?;
        let net = go::parse_decimal(length)
            .and_then(|length| IpNet::new(address, length).ok())
            .ok_or_else(malformed)?;
        match address {
            // Go takes these for IPv6 ranges, in which no packet ever falls.
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
                Err(ConfigError::MappedCidr { setting, item: text.to_owned() })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(Self(net)),
        }
    }

    /// As written, with the bits behind the prefix.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// 0 to 32, or 0 to 128.
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
        let cidr = Cidr::parse(Setting::ServiceCidr, text).unwrap();
        let (address, length) = text.split_once('/').unwrap();
        assert_eq!(
            (cidr.address(), cidr.prefix_len()),
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
        let error = Cidr::parse(Setting::ServiceCidr, text).unwrap_err();
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
        let error = Cidr::parse(Setting::ServiceCidr, text).unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
        assert!(error.starts_with("--istio-service-cidr (ISTIO_SERVICE_CIDR)"), "{error}");
    }
}
