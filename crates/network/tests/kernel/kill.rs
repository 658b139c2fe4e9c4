//! Killed at every act: what the dead had written down is given back, and networks are whole or not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use disk::{Home, Journal};
use network::{Taken, endpoint, place, record};
use spec::network::Egress;

use crate::host::{Host, attachment, port, tool};

/// What a victim is to do, and where.
const VICTIM: &str = "KIST_NETWORK_VICTIM";

/// This very program, in the same network namespace, doing one of the victims below.
fn victim(host: &Host, what: &str, faults: &testkit::Faults) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let dirs = format!("{}|{}", host.home.root().display(), host.home.run().display());
    command.args([&format!("kill::{what}"), "--exact", "--nocapture"]).env(VICTIM, dirs);
    faults.arm(&mut command);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // Killed by a signal, it has no code.
    assert!(output.status.code().is_none_or(|code| code == 0), "{said}");
}

fn dirs() -> Option<Home> {
    let dirs = std::env::var(VICTIM).ok()?;
    let (root, run) = dirs.split_once('|')?;
    Some(Home::open(Path::new(root), Path::new(run)).unwrap())
}

fn claims(home: &Home) -> PathBuf {
    home.run().join("claims.log")
}

#[test]
fn victim_of_networks() {
    let Some(home) = dirs() else { return };
    let host = Host::at(home);
    let network = host.network("br-a", &["172.30.0.0/16"]);
    record::create(&host.home, &network).unwrap();
    record::remove(&host.home, &network).unwrap();
}

#[test]
fn victim_of_containers() {
    let Some(home) = dirs() else { return };
    let host = Host::at(home);
    let network = record::find(&host.home, &network::pool::docker(), "net-br-z").unwrap();
    let mut container = host.bare();
    container.journal = Some(Journal::open(&claims(&host.home)).unwrap());
    container.egress = Some(Egress { subnets: vec!["10.0.0.0/8".parse().unwrap()], names: Vec::new() });
    host.connect(&mut container, &network, &attachment(&network)).unwrap();
    host.publish(&mut container, &[port("0.0.0.0", 8080, "80/tcp"), port("127.0.0.1", 5353, "53/udp")]).unwrap();
}

#[test]
fn networks_of_the_dead_are_whole_or_swept() {
    let host = Host::new();
    host.created("br-z", &["172.29.0.0/16"]);
    host.restore(&[]);
    let acts = testkit::for_each_kill(|faults| {
        victim(&host, "victim_of_networks", faults);
        if let Ok(network) = record::find(&host.home, &network::pool::docker(), "net-br-a") {
            record::remove(&host.home, &network).unwrap();
        }
        // The next command sweeps.
        let other = host.created("br-b", &["172.31.0.0/16"]);
        record::remove(&host.home, &other).unwrap();
        assert!(!tool("ip link").contains("br-a"));
        assert!(!tool("nft list ruleset").contains("br-a"));
        for dir in [place::records(&host.home), place::network_names(&host.home)] {
            assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
        }
    });
    assert!(acts >= 8, "{acts} acts");
}

#[test]
fn places_of_the_dead_are_given_back() {
    let host = Host::new();
    let network = host.created("br-z", &["172.29.0.0/16"]);
    host.restore(&[]);
    let round = |faults: &testkit::Faults| {
        let _ = std::fs::remove_file(claims(&host.home));
        victim(&host, "victim_of_containers", faults);
        let mut journal = Journal::<Taken>::open(&claims(&host.home)).unwrap();
        let give_back = |taken: &Taken| endpoint::give_back(&host.home, taken).map_err(std::io::Error::other);
        journal.give_back(give_back).unwrap();
        let table = tool("nft list ruleset");
        assert!(!table.contains("172.29.0.2") && !table.contains("chain veth"), "{table}");
        let of_run = host.home.run().join("networks").join(network.id.as_str());
        for dir in ["leases", "names"] {
            assert_eq!(std::fs::read_dir(of_run.join(dir)).map_or(0, Iterator::count), 0, "{dir}");
        }
    };
    // The first container also finishes the bridge, at which acts the first loop is over; the second has the rest.
    let acts = [testkit::for_each_kill(round), testkit::for_each_kill(round)];
    assert!(acts[0] >= 10 && acts[1] >= 10, "{acts:?}");
}
