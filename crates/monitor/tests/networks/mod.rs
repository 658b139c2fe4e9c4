//! Containers on networks, in a network namespace of the test's own.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use disk::Home;
use monitor::protocol::{Ask, FailureKind, Tell};
use monitor::status::{self, State, Status};
use network::{place, record};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use spec::container::RestartPolicy;
use spec::id::NetworkId;
use spec::network::{Attachment, Bridge, Driver, GatewayMode, Network, Pool, Publish};

use crate::house::{Container, House, Made, until};

/// Runs a test where it can make links and rules that nobody else sees.
fn elsewhere(test: impl FnOnce()) {
    let home = File::open("/proc/self/ns/net").unwrap();
    sys::clone::unshare(UnshareFlags::NEWNET).unwrap();
    sys::loopback::up().unwrap();
    test();
    move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn make_network(home: &Home, n: u8) -> NetworkId {
    let id = NetworkId::from_bytes([n; 32]);
    let pool = Pool {
        subnet: format!("10.{n}.0.0/24").parse().unwrap(),
        range: None,
        gateway: Some(Ipv4Addr::new(10, n, 0, 1).into()),
        aux: std::collections::BTreeMap::new(),
        given: true,
    };
    let bridge = Bridge {
        device: format!("br-test{n}"),
        mtu: None,
        icc: true,
        masquerade: true,
        gateway_mode: [GatewayMode::Nat; 2],
        host_binding: None,
    };
    let network = Network {
        id: id.clone(),
        name: format!("net{n}"),
        created: spec::time::Time::from_ns(0),
        driver: Driver::Bridge(bridge),
        internal: false,
        attachable: false,
        ipv4: true,
        ipv6: false,
        pools: vec![pool],
        options: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
        egress: None,
    };
    record::create(home, &network).unwrap();
    id
}

fn on(network: &NetworkId) -> Attachment {
    Attachment {
        network: network.clone(),
        ipv4: None,
        ipv6: None,
        mac: None,
        aliases: vec!["Alias".into()],
        links: Vec::new(),
        driver_options: std::collections::BTreeMap::new(),
        gateway_priority: 0,
    }
}

fn port(number: u16) -> Publish {
    Publish { port: "80/tcp".parse().unwrap(), host_ip: None, host_ports: Some((number, number)) }
}

fn state(house: &House, made: &Made) -> State {
    status::of(&house.home, &made.id).unwrap()
}

fn addresses(state: &State) -> Vec<String> {
    state.endpoints.iter().flat_map(|endpoint| endpoint.addresses()).map(|address| address.to_string()).collect()
}

fn list(dir: std::path::PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What containers have of a network now.
fn held(house: &House, network: &NetworkId) -> (Vec<String>, Vec<String>) {
    (list(place::leases(&house.home, network)), list(place::names(&house.home, network)))
}

fn is_free(number: u16) -> bool {
    TcpListener::bind(("0.0.0.0", number)).is_ok()
}

fn finish(house: &House, networks: &[NetworkId]) {
    for id in networks {
        assert_eq!(held(house, id), (Vec::new(), Vec::new()));
        record::remove(&house.home, &record::by_id(&house.home, id).unwrap().unwrap()).unwrap();
    }
    house.assert_clean();
}

pub(crate) fn joined_and_left() {
    elsewhere(|| {
        let house = House::new();
        let network = make_network(&house.home, 7);
        let made = house.create_on(Container::new(&["sleep", "1000"]), vec![on(&network)], vec![port(8080)]);
        let client = house.spawn(&made);
        let pid = house.start(&client);
        let state = state(&house, &made);
        assert_eq!(addresses(&state), ["10.7.0.2"], "it stands in the status before the start is answered");
        assert_eq!(state.published.len(), 2, "of each family one");
        let short = made.id.short().to_owned();
        assert_eq!(held(&house, &network), (vec!["10.7.0.2".into()], vec![short, "alias".into()]));
        assert!(!is_free(8080));
        let read = |name: &str| std::fs::read_to_string(house.home.container(&made.id).join(name)).unwrap();
        assert!(read("hosts").contains("\n10.7.0.2\t"), "{}", read("hosts"));
        assert_eq!(read("resolv.conf").lines().next(), Some("nameserver 127.0.0.11"));
        let routes = std::fs::read_to_string(format!("/proc/{pid}/net/route")).unwrap();
        assert!(routes.contains("eth0\t00000000\t0100070A"), "{routes}");
        let live = monitor::live(&house.home).unwrap();
        assert_eq!((live.len(), &live[0].container), (1, &made.id));
        client.ask(&Ask::Stop { signal: 9, timeout_s: None }, &[]).unwrap();
        assert_eq!(client.tell().unwrap(), Tell::Done);
        assert!(is_free(8080));
        house.wait_gone(&made.id);
        finish(&house, &[network]);
    });
}

pub(crate) fn outlast_a_restart() {
    elsewhere(|| {
        let house = House::new();
        let network = make_network(&house.home, 8);
        let what = Container { restart: RestartPolicy::Always, ..Container::new(&["sleep", "0.1"]) };
        let made = house.create_on(what, vec![on(&network)], vec![port(8081)]);
        let client = house.spawn(&made);
        house.start(&client);
        let first = state(&house, &made).endpoints;
        for restarts in 1..=3 {
            until(|| (state(&house, &made).restarts >= restarts).then_some(()));
            assert_eq!(state(&house, &made).endpoints, first);
            assert!(!is_free(8081));
        }
        until(|| state(&house, &made).status.life().filter(|_| state(&house, &made).restarts >= 3));
        let stop = Ask::Stop { signal: 9, timeout_s: None };
        client.ask(&stop, &[]).unwrap();
        assert_eq!(client.tell_within(Duration::from_secs(20)).unwrap(), Tell::Done);
        assert!(is_free(8081));
        house.wait_gone(&made.id);
        finish(&house, &[network]);
    });
}

pub(crate) fn of_a_lost_monitor() {
    elsewhere(|| {
        let house = House::new();
        let network = make_network(&house.home, 9);
        let made = house.create_on(Container::new(&["sleep", "1000"]), vec![on(&network)], vec![port(8082)]);
        let client = house.spawn(&made);
        house.start(&client);
        house.kill_monitor(&made.id);
        drop(client);
        assert!(is_free(8082), "the port was the monitor's");
        assert_eq!(held(&house, &network).0, ["10.9.0.2"], "the address is the container's until somebody cleans up");
        assert_eq!(house.recover().len(), 1);
        finish(&house, &[network]);
    });
}

pub(crate) fn a_taken_port() {
    elsewhere(|| {
        let house = House::new();
        let network = make_network(&house.home, 10);
        let first = house.create_on(Container::new(&["sleep", "1000"]), vec![on(&network)], vec![port(8083)]);
        let client = house.spawn(&first);
        house.start(&client);
        let second = house.create_on(Container::new(&["sleep", "1000"]), vec![on(&network)], vec![port(8083)]);
        let Tell::Failed(failure) = house.call(&house.spawn(&second), &Ask::Start { console: None, given: Vec::new() })
        else {
            panic!("it started")
        };
        assert_eq!((failure.kind, failure.exit_code), (FailureKind::Network, 125));
        let text = failure.message;
        assert!(
            text.starts_with(
                "failed to set up container networking: driver failed programming external connectivity on endpoint "
            ) && text.ends_with("): Bind for 0.0.0.0:8083 failed: port is already allocated"),
            "{text}"
        );
        house.wait_gone(&second.id);
        let Status::Exited(exit) = state(&house, &second).status else { panic!("it ran") };
        assert_eq!((exit.started, exit.code), (None, 125));
        assert_eq!(held(&house, &network).0, ["10.10.0.2"]);
        assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
        house.wait_gone(&first.id);
        finish(&house, &[network]);
    });
}

pub(crate) fn change_while_it_runs() {
    elsewhere(|| {
        let house = House::new();
        let (one, two) = (make_network(&house.home, 11), make_network(&house.home, 12));
        let made = house.create_on(Container::new(&["sleep", "1000"]), vec![on(&one)], vec![port(8084)]);
        let client = house.spawn(&made);
        let pid = house.start(&client);
        let routes = || std::fs::read_to_string(format!("/proc/{pid}/net/route")).unwrap();
        let hosts = || std::fs::read_to_string(house.home.container(&made.id).join("hosts")).unwrap();
        let ports = || state(&house, &made).published;
        let before = ports();
        assert_eq!(house.call(&client, &Ask::Networks(vec![on(&one), on(&two)])), Tell::Done);
        assert_eq!(addresses(&state(&house, &made)), ["10.11.0.2", "10.12.0.2"]);
        assert!(hosts().contains("\n10.12.0.2\t") && routes().contains("eth1"), "{}{}", hosts(), routes());
        // The route out and the ports go where there still is one.
        assert_eq!(house.call(&client, &Ask::Networks(vec![on(&two)])), Tell::Done);
        assert!(!routes().contains("eth0") && routes().contains("eth1\t00000000\t01000C0A"), "{}", routes());
        assert!(!hosts().contains("10.11.0.2"));
        assert_eq!((held(&house, &one).0, ports()), (Vec::new(), before));
        // One that is not there changes nothing.
        let gone = on(&NetworkId::from_bytes([99; 32]));
        let Tell::Failed(failure) = house.call(&client, &Ask::Networks(vec![on(&two), gone])) else { panic!() };
        assert_eq!(failure.kind, FailureKind::Network);
        assert_eq!(addresses(&state(&house, &made)), ["10.12.0.2"]);
        assert_eq!(house.call(&client, &Ask::Remove), Tell::Done);
        house.wait_gone(&made.id);
        finish(&house, &[one, two]);
    });
}
