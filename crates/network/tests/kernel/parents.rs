//! Devices on top of one of the host's.

use std::net::{TcpListener, TcpStream};

use network::record;
use spec::network::{Driver, Network};

use crate::host::{Host, attachment, inside, ip, tool};

fn macvlan(host: &Host, parent: Option<&str>, mode: &str) -> Network {
    let driver = Driver::Macvlan { parent: parent.map(str::to_owned), mode: mode.into() };
    Network { driver, ..host.network("mac", &["192.0.2.0/24"]) }
}

#[test]
fn a_macvlan_is_a_neighbour_of_the_outside() {
    let host = Host::new();
    let outside = host.outside();
    let mut network = macvlan(&host, Some("ext0"), "bridge");
    network.pools[0].range = Some("192.0.2.64/26".parse().unwrap());
    record::create(&host.home, &network).unwrap();
    let container = host.container(&[&network]);
    assert_eq!(container.address(), ip("192.0.2.64"), "a range's first address is as good as any");
    let server = inside(&container.namespace, || TcpListener::bind("0.0.0.0:80").unwrap());
    inside(&outside, || TcpStream::connect((container.address(), 80)).unwrap());
    // A socket keeps its namespace.
    drop(server);
    // Its address is free again at once, though its namespace takes a moment to go.
    host.give_back(&container);
    drop(container);
    let next = host.container(&[&network]);
    assert_eq!(next.address(), ip("192.0.2.64"));
    host.give_back(&next);
    record::remove(&host.home, &network).unwrap();
    assert!(tool("ip link").contains("ext0"), "not ours to remove");
}

#[test]
fn a_vlan_below_is_made_and_goes_with_its_network() {
    let host = Host::new();
    let _outside = host.outside();
    let network = macvlan(&host, Some("ext0.10"), "private");
    if let Err(error) = record::create(&host.home, &network) {
        assert_eq!(error.to_string(), "making the device ext0.10 of the network net-mac: Unknown device type");
        testkit::skip!("no VLANs (CONFIG_VLAN_8021Q)");
    }
    assert!(tool("ip -d link show ext0.10").contains("vlan protocol 802.1Q id 10"));
    let container = host.container(&[&network]);
    assert!(inside(&container.namespace, || tool("ip -d link show eth0")).contains("macvlan mode private"));
    host.give_back(&container);
    record::remove(&host.home, &network).unwrap();
    assert!(!tool("ip link").contains("ext0.10"));
}

#[test]
fn a_parent_that_is_not_there_is_named() {
    let host = Host::new();
    let refused = |parent: Option<&str>, mode: &str| {
        let network = macvlan(&host, parent, mode);
        let error = record::create(&host.home, &network).and_then(|()| {
            let mut container = host.bare();
            host.connect(&mut container, &network, &attachment(&network))
        });
        error.unwrap_err().to_string()
    };
    let vlan = "invalid subinterface vlan name nowhere, example formatting is eth0.10";
    assert_eq!(refused(Some("nowhere"), "bridge"), vlan);
    let lower = "failed to find master interface nowhere on the host: name one by -o parent";
    assert_eq!(refused(Some("nowhere.10"), "bridge"), lower);
    // Without a parent the kernel must be able to make one that leads nowhere; where it cannot, its words say so.
    let network = macvlan(&host, None, "bridge");
    match record::create(&host.home, &network) {
        Ok(()) => assert!(tool("ip link").contains(&format!("dm-{}", network.id.short()))),
        Err(error) => assert!(error.to_string().contains("Unknown device type"), "{error}"),
    }
}

#[test]
fn a_kernel_without_ipvlan_says_so() {
    let host = Host::new();
    let _outside = host.outside();
    let driver = Driver::Ipvlan { parent: Some("ext0".into()), mode: "l2".into(), flag: "bridge".into() };
    let network = Network { driver, ..host.network("ipv", &["192.0.2.0/24"]) };
    record::create(&host.home, &network).unwrap();
    let mut container = host.bare();
    match host.connect(&mut container, &network, &attachment(&network)) {
        Ok(()) => assert!(inside(&container.namespace, || tool("ip -d link show eth0")).contains("ipvlan")),
        Err(error) => assert_eq!(error.to_string(), "making the ipvlan device eth0: Unknown device type"),
    }
}
