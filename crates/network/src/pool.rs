//! Which subnets networks get. Pure, but for [`taken`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use disk::Home;
use spec::address::Subnet;

use crate::error::NetworkError;
use crate::{link, record};

/// `default-address-pools`: a range, and the prefix length of what is cut out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Default {
    /// From where.
    pub base: Subnet,
    /// How much.
    pub bits: u8,
}

/// Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in pieces of 20 bits.
#[must_use]
pub fn docker() -> Vec<Default> {
    let of = |a, b, bits| Subnet::new(Ipv4Addr::new(a, b, 0, 0).into(), 16).map(|base| Default { base, bits });
    (17..=31).map(|b| of(172, b, 16)).chain([of(192, 168, 20)]).flatten().collect()
}

/// The first subnet that overlaps nothing taken.
#[must_use]
pub fn choose(defaults: &[Default], taken: &[Subnet]) -> Option<Subnet> {
    defaults.iter().find_map(|default| cut(*default, taken))
}

/// Goes from what is taken to what may be free behind it, so that a wide pool costs no more than what is taken of it.
fn cut(from: Default, taken: &[Subnet]) -> Option<Subnet> {
    let width = if from.base.address().is_ipv4() { 32 } else { 128 };
    let size = 1_u128.checked_shl(u32::from(width - from.bits.min(width)))?;
    let mut next = 0;
    loop {
        let candidate = Subnet::new(from.base.nth(next)?, from.bits).filter(|one| from.base.contains(one.address()))?;
        let Some(met) = taken.iter().find(|taken| taken.overlaps(candidate)) else { return Some(candidate) };
        // Behind the end of the wider of both.
        let end = from.base.position(met.last()).unwrap_or(u128::MAX - 1);
        next = (next + size).max(end.checked_add(1)?.checked_next_multiple_of(size)?);
    }
}

/// A unique local IPv6 subnet of 64 bits from random bytes (RFC 4193).
#[must_use]
pub fn unique_local(random: [u8; 5]) -> Subnet {
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&random);
    let subnet = Subnet::new(IpAddr::from(Ipv6Addr::from(octets)), 64);
    subnet.expect("64 bits are not more than 128")
}

/// What is taken: the subnets of all networks, and the host's addresses and routes but the default one.
///
/// # Errors
/// Of the files, of the kernel.
pub fn taken(home: &Home) -> Result<Vec<Subnet>, NetworkError> {
    let networks = record::here(home)?;
    let own = networks.iter().flat_map(|network| network.pools.iter().map(|pool| pool.subnet));
    Ok(own.chain(link::routed()?).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn pools_are_dockers() {
        let texts: Vec<String> = docker().iter().map(|pool| format!("{} {}", pool.base, pool.bits)).collect();
        assert_eq!((texts.len(), texts[0].as_str()), (16, "172.17.0.0/16 16"));
        assert_eq!((texts[14].as_str(), texts[15].as_str()), ("172.31.0.0/16 16", "192.168.0.0/16 20"));
    }

    #[test]
    fn the_first_that_is_free_is_chosen() {
        let chosen = |taken: &[&str]| {
            let taken: Vec<Subnet> = taken.iter().map(|text| subnet(text)).collect();
            choose(&docker(), &taken).map(|subnet| subnet.to_string())
        };
        assert_eq!(chosen(&[]).as_deref(), Some("172.17.0.0/16"));
        assert_eq!(chosen(&["172.17.42.1/32", "10.0.0.0/8"]).as_deref(), Some("172.18.0.0/16"));
        assert_eq!(chosen(&["172.16.0.0/12"]).as_deref(), Some("192.168.0.0/20"));
        assert_eq!(chosen(&["172.16.0.0/12", "192.168.0.0/24", "192.168.17.0/24"]).as_deref(), Some("192.168.32.0/20"));
        assert_eq!(chosen(&["172.16.0.0/12", "192.168.0.0/16"]), None);
        assert_eq!(chosen(&["::/0"]).as_deref(), Some("172.17.0.0/16"));
    }

    #[test]
    fn a_wide_pool_costs_no_more_than_what_is_taken_of_it() {
        let wide = Default { base: subnet("fd00::/8"), bits: 64 };
        assert_eq!(choose(&[wide], &[subnet("fd00::/16")]), Some(subnet("fd01::/64")));
        let whole = Default { base: subnet("::/0"), bits: 128 };
        assert_eq!(choose(&[whole], &[subnet("::/1"), subnet("8000::/1")]), None);
        let all = Default { base: subnet("0.0.0.0/0"), bits: 0 };
        assert_eq!(choose(&[all], &[]), Some(subnet("0.0.0.0/0")));
    }

    #[test]
    fn unique_local_subnets_are_of_their_range() {
        assert_eq!(unique_local([1, 2, 3, 4, 5]), subnet("fd01:203:405::/64"));
    }

    proptest! {
        #[test]
        fn what_is_chosen_overlaps_nothing_and_nothing_before_it_would_do(
            taken in proptest::collection::vec((any::<u16>(), 14_u8..=28), 0..40),
        ) {
            let of = |(low, bits): (u16, u8)| Subnet::new(Ipv4Addr::from_bits(0x0a00_0000 | u32::from(low) << 6).into(), bits);
            let taken: Vec<Subnet> = taken.into_iter().filter_map(of).collect();
            let pool = Default { base: subnet("10.0.0.0/10"), bits: 20 };
            let naive = (0..1_u128 << 10)
                .filter_map(|n| Subnet::new(pool.base.nth(n << 12)?, pool.bits))
                .find(|candidate| taken.iter().all(|taken| !taken.overlaps(*candidate)));
            prop_assert_eq!(choose(&[pool], &taken), naive);
        }
    }
}
