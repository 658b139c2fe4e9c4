//! Networks' records, leases, and what is left after crashes.

use std::fs;

use network::endpoint;
use network::{NetworkError, pool, record};
use rustix::io::Errno;
use spec::network::{Driver, Network};

use crate::host::{Host, attachment, ip, port, tool};

fn entries(dir: std::path::PathBuf) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn predefined_networks_are_made_once_and_bridge_takes_what_is_free() {
    let host = Host::new();
    tool("ip link add kist0 type bridge");
    tool("ip addr add 172.17.3.1/24 dev kist0");
    tool("ip route add blackhole 172.18.0.0/15");
    let bridge = record::find(&host.home, &network::pool::docker(), "bridge").unwrap();
    let Driver::Bridge(ours) = &bridge.driver else { panic!("{bridge:?}") };
    assert_eq!((ours.device.as_str(), bridge.pools[0].subnet.to_string()), ("kist1", "172.20.0.0/16".into()));
    assert_eq!(bridge.pools[0].gateway, Some(ip("172.20.0.1")));
    let all: Vec<String> =
        record::all(&host.home, &network::pool::docker()).unwrap().into_iter().map(|network| network.name).collect();
    assert_eq!(all, ["bridge", "host", "none"]);
    assert_eq!(record::find(&host.home, &network::pool::docker(), "bridge").unwrap(), bridge);
    assert!(!tool("ip link").contains("kist1"), "its device comes with the first container");
    host.container(&[&bridge]);
    assert!(tool("ip link").contains("kist1"));
}

#[test]
fn networks_are_found_by_name_and_by_the_beginning_of_their_identifier() {
    let host = Host::new();
    let (a, b) = (host.created("br-a", &["172.30.0.0/24"]), host.created("br-b", &["172.30.1.0/24"]));
    let found = |word: &str| {
        record::find(&host.home, &network::pool::docker(), word).map(|network| network.name).map_err(|e| e.to_string())
    };
    assert_eq!(found("net-br-a"), Ok("net-br-a".into()));
    assert_eq!(found(a.id.as_str()), Ok("net-br-a".into()));
    assert_eq!(found(&b.id.as_str()[..8]), Ok("net-br-b".into()));
    assert_eq!(found("0000000"), Err("network 0000000 is ambiguous (2 matches found based on ID prefix)".into()));
    for unknown in ["", "x", "../networks", "net-br-"] {
        assert_eq!(found(unknown), Err(format!("network {unknown} not found")));
    }
}

#[test]
fn two_networks_share_neither_name_nor_subnet_nor_device() {
    let host = Host::new();
    host.created("br-a", &["172.30.0.0/16"]);
    let refused = |network: &Network| record::create(&host.home, network).unwrap_err().to_string();
    let same_name = Network { name: "net-br-a".into(), ..host.network("br-b", &["172.31.0.0/16"]) };
    assert_eq!(refused(&same_name), "network with name net-br-a already exists");
    let overlaps = host.network("br-b", &["172.30.5.0/24"]);
    assert_eq!(refused(&overlaps), "invalid pool request: Pool overlaps with other one on this address space");
    let same_device = Network { name: "other".into(), ..host.network("br-a", &["172.31.0.0/16"]) };
    assert_eq!(refused(&same_device), "network net-br-a is already using the device br-a");
    let taken = pool::taken(&host.home).unwrap();
    assert!(taken.contains(&"172.30.0.0/16".parse().unwrap()));
    let nobridge = host.network("lo", &["172.31.0.0/16"]);
    assert!(refused(&nobridge).starts_with("the device lo is no bridge"));
    assert_eq!(entries(host.home.root().join("networks")), 1);
}

#[test]
fn a_network_in_use_stays_and_an_unused_one_leaves_nothing() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let member = host.container(&[&network]);
    assert_eq!(record::members(&host.home, &network.id).unwrap(), std::slice::from_ref(&member.id));
    assert!(matches!(record::remove(&host.home, &network), Err(NetworkError::InUse { .. })));
    host.give_back(&member);
    record::remove(&host.home, &network).unwrap();
    assert!(!tool("ip link").contains("br-a"));
    assert!(!tool("nft list ruleset").contains("br-a"));
    assert_eq!(entries(host.home.root().join("networks")), 0);
    assert_eq!(entries(host.home.root().join("network-names")), 0);
}

#[test]
fn addresses_are_given_lowest_first_and_those_of_the_dead_are_taken_over() {
    let host = Host::new();
    let mut network = host.network("br-a", &["172.30.0.0/29"]);
    network.pools[0].aux.insert("printer".into(), ip("172.30.0.3"));
    record::create(&host.home, &network).unwrap();
    let members: Vec<_> = (0..4).map(|_| host.container(&[&network])).collect();
    let addresses: Vec<_> = members.iter().map(|member| member.address().to_string()).collect();
    assert_eq!(addresses, ["172.30.0.2", "172.30.0.4", "172.30.0.5", "172.30.0.6"]);
    let mut late = host.bare();
    let full = host.connect(&mut late, &network, &attachment(&network)).unwrap_err().to_string();
    let id = &network.id;
    assert_eq!(full, format!("no available IPv4 addresses on this network's address pools: net-br-a ({id})"));
    fs::remove_dir_all(host.home.sandbox(&members[2].id)).unwrap();
    host.connect(&mut late, &network, &attachment(&network)).unwrap();
    assert_eq!(late.address(), members[2].address());
    // What he has by now stays his.
    members[2].claims.iter().for_each(|claim| endpoint::give_back(&host.home, claim).unwrap());
    assert_eq!(record::members(&host.home, &network.id).unwrap().len(), 4);
}

#[test]
fn an_address_asked_for_is_had_or_refused() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let mut one = host.bare();
    let mut asked = attachment(&network);
    (asked.ipv4, asked.ipv6) = (Some("172.30.7.7".parse().unwrap()), Some("fd00:30::77".parse().unwrap()));
    host.connect(&mut one, &network, &asked).unwrap();
    assert_eq!((one.address(), one.address6()), (ip("172.30.7.7"), ip("fd00:30::77")));
    assert_eq!(one.endpoints[0].mac.to_string(), "02:42:ac:1e:07:07");
    let mut other = host.bare();
    let mut refused = |text: &str| {
        asked.ipv4 = Some(text.parse().unwrap());
        host.connect(&mut other, &network, &asked).unwrap_err().to_string()
    };
    assert_eq!(refused("172.30.7.7"), "Address already in use");
    assert_eq!(refused("172.30.0.1"), "Address already in use");
    let outside = "invalid address 10.0.0.1: it does not belong to any of this network's subnets";
    assert_eq!(refused("10.0.0.1"), outside);
}

/// Nothing of a container is left: no address, no name, no element.
fn assert_clean(host: &Host, network: &Network, at: u64) {
    let of_run = host.home.run().join("networks").join(network.id.as_str());
    assert_eq!(entries(of_run.join("leases")), 0, "leases, act {at}");
    assert_eq!(entries(of_run.join("names")), 0, "names, act {at}");
    let table = tool("nft list ruleset");
    assert!(!table.contains("172.30.0.2"), "act {at}: {table}");
}

#[test]
fn whatever_fails_on_the_way_in_is_given_back() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let first = host.container(&[&network]);
    host.give_back(&first);
    let mut acts = 0;
    for at in 1.. {
        let mut container = host.bare();
        container.egress =
            Some(spec::network::Egress { subnets: vec!["10.0.0.0/8".parse().unwrap()], names: Vec::new() });
        let armed = disk::faults::fail_at(at, Errno::NOSPC);
        let published = host.connect(&mut container, &network, &attachment(&network)).and_then(|()| {
            host.publish(&mut container, &[port("0.0.0.0", 8080, "80/tcp"), port("127.0.0.1", 81, "81/udp")])
        });
        let hit = armed.hit();
        drop(armed);
        assert_eq!(published.is_err(), hit, "act {at}: {published:?}");
        host.give_back(&container);
        assert_clean(&host, &network, at);
        if !hit {
            break;
        }
        acts = at;
    }
    assert!(acts >= 8, "{acts} acts");
}

#[test]
fn giving_back_can_be_broken_off_anywhere_and_done_again() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    for at in 1.. {
        let mut container = host.bare();
        container.egress =
            Some(spec::network::Egress { subnets: vec!["10.0.0.0/8".parse().unwrap()], names: Vec::new() });
        host.connect(&mut container, &network, &attachment(&network)).unwrap();
        host.publish(&mut container, &[port("0.0.0.0", 8080, "80/tcp")]).unwrap();
        let armed = disk::faults::fail_at(at, Errno::IO);
        for claim in container.claims.iter().rev() {
            let _ = endpoint::give_back(&host.home, claim);
        }
        let hit = armed.hit();
        drop(armed);
        host.give_back(&container);
        assert_clean(&host, &network, at);
        if !hit {
            assert!(at > 5);
            break;
        }
    }
}

#[test]
fn a_network_half_made_or_half_removed_is_not_there_and_is_swept() {
    let host = Host::new();
    host.container(&[&host.created("br-z", &["172.29.0.0/16"])]);
    for at in 1.. {
        let network = host.network("br-a", &["172.30.0.0/16"]);
        let armed = disk::faults::fail_at(at, Errno::NOSPC);
        let made = record::create(&host.home, &network);
        let removed = made.as_ref().ok().map(|()| record::remove(&host.home, &network));
        let hit = armed.hit();
        drop(armed);
        assert_eq!(made.is_err() || removed.is_some_and(|removed| removed.is_err()), hit, "act {at}");
        let is_there = record::find(&host.home, &network::pool::docker(), "net-br-a").is_ok();
        if is_there {
            record::remove(&host.home, &network).unwrap();
        } else {
            // The next command sweeps.
            let other = host.created("br-b", &["172.31.0.0/16"]);
            record::remove(&host.home, &other).unwrap();
        }
        assert!(!tool("ip link").contains("br-a"), "act {at}");
        assert!(!tool("nft list ruleset").contains("br-a"), "act {at}");
        assert_eq!(entries(host.home.root().join("networks")), 1, "act {at}");
        assert_eq!(entries(host.home.root().join("network-names")), 1, "act {at}");
        if !hit {
            assert!(at > 6);
            break;
        }
    }
}

#[test]
fn containers_that_join_at_once_get_different_addresses() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let (home, network) = (&host.home, &network);
    let joined = move |first: u8| {
        let one = |n: u8| {
            let mut bytes = [0xee; 32];
            (bytes[0], bytes[1]) = (first, n);
            let container = spec::id::ContainerId::from_bytes(bytes);
            fs::create_dir(home.sandbox(&container)).unwrap();
            let attachment = attachment(network);
            let (network, names) = (network, vec!["same".to_owned()]);
            let join = endpoint::Join { network, attachment: &attachment, container: &container, interface: 0, names };
            endpoint::join(home, &join, &mut |_| Ok(())).unwrap()
        };
        (0..25).map(one).collect::<Vec<_>>()
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|first| scope.spawn(move || joined(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut addresses: Vec<_> = all.iter().flat_map(spec::network::Endpoint::addresses).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 200);
    assert_eq!(addresses[99], ip("172.30.0.101"), "without gaps");
    let names = network::place::names(home, &network.id).join("same");
    assert_eq!(entries(names), 100);
}

#[test]
fn a_full_bridge_says_what_to_do() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let ports: String = (0..1023).map(|n| format!("link add p{n} master br-a type veth peer name q{n}\n")).collect();
    let batch = host.home.run().join("ports");
    std::fs::write(&batch, ports).unwrap();
    tool(&format!("ip -batch {}", batch.display()));
    let mut late = host.bare();
    let error = host.connect(&mut late, &network, &attachment(&network)).unwrap_err().to_string();
    let text = "the bridge br-a has all 1023 ports a bridge can have: connect the container to another network";
    assert_eq!(error, text);
}
