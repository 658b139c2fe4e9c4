//! The settings and verbs of networks, on hosts of the tests' own. What containers do with networks is in `net`.

use testkit::{Kist, Machine};

use crate::PROGRAM;

/// An engine with the image `busybox`, on a host of its own.
fn on(host: &Machine) -> Kist {
    let kist = host.kist(PROGRAM);
    kist.load(&testkit::busybox_image());
    kist
}

/// Makes what the machine's owner says be this.
fn settle(kist: &mut Kist, text: &str) {
    kist.scratch().write("config/engine.json", text);
    let dir = kist.scratch().join("config");
    kist.env("KIST_CONFIG", dir.to_str().unwrap());
}

#[test]
fn settings_that_make_no_sense_stop_every_command_and_are_named() {
    let mut kist = crate::empty();
    settle(&mut kist, r#"{"firewall": "shut"}"#);
    for args in [&["ps"][..], &["network", "ls"], &["images"]] {
        let output = kist.fails(args);
        assert!(
            output
                .stderr
                .contains("config/engine.json: firewall: \"shut\" is no way of the firewall: open or respect-input"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn subnets_come_from_the_owners_pools_until_they_are_used_up() {
    let host = Machine::new();
    let mut kist = host.kist(PROGRAM);
    settle(&mut kist, r#"{"default-address-pools": [{"base": "10.200.0.0/23", "size": 24}]}"#);
    let subnet = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}";
    kist.ok(&["network", "create", "one"]);
    // The default bridge takes its own of them, as docker0 does.
    assert_eq!(kist.ok(&["network", "inspect", "-f", subnet, "bridge"]), "10.200.0.0/24 10.200.0.1");
    assert_eq!(kist.ok(&["network", "inspect", "-f", subnet, "one"]), "10.200.1.0/24 10.200.1.1");
    let output = kist.fails(&["network", "create", "two"]);
    assert!(output.stderr.contains("all predefined address pools have been fully subnetted"), "{}", output.stderr);
    kist.ok(&["network", "rm", "one"]);
}

#[test]
fn a_network_with_ipv6_has_a_range_of_its_own() {
    let host = Machine::new();
    let kist = host.kist(PROGRAM);
    kist.ok(&["network", "create", "--ipv6", "net"]);
    let said =
        kist.ok(&["network", "inspect", "-f", "{{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{end}}", "net"]);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(
        words[0] == "true" && words[1].starts_with("172.") && words[2].starts_with("fd") && words[2].ends_with("/64")
    );
    kist.ok(&["network", "rm", "net"]);
}

#[test]
fn rules_that_somebody_flushed_are_restored_by_the_next_command() {
    let host = Machine::new();
    let kist = on(&host);
    kist.ok(&["run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sleep", "1000"]);
    let tables = host.ok("nft list tables");
    host.ok("nft flush ruleset");
    let output = kist.run(&["ps", "-q"]);
    assert_eq!(output.stderr, "the firewall rules of kist were gone and have been restored\n");
    assert_eq!(host.ok("nft list tables"), tables);
    assert_eq!(kist.run(&["ps", "-q"]).stderr, "");
    host.ok("nft flush ruleset");
    assert_eq!(kist.run(&["rm", "-f", "web"]).code, 0);
}

#[test]
fn prune_takes_the_idle_device_of_the_default_network_away() {
    let host = Machine::new();
    let kist = on(&host);
    let device =
        kist.ok(&["network", "inspect", "-f", "{{index .Options \"com.docker.network.bridge.name\"}}", "bridge"]);
    kist.ok(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]);
    kist.ok(&["network", "prune", "-f"]);
    host.ok(&format!("ip link show {device}"));
    kist.ok(&["rm", "-f", "web"]);
    kist.ok(&["network", "prune", "-f"]);
    assert!(!host.run(&format!("ip link show {device}")).status.success(), "{device} is there still");
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "cat", "/sys/class/net/eth0/operstate"]), "up");
}

#[test]
fn connecting_fails_whole_where_the_address_is_taken() {
    let host = Machine::new();
    let kist = on(&host);
    kist.ok(&["network", "create", "--subnet", "10.77.0.0/24", "net"]);
    kist.ok(&["run", "-d", "--name", "first", "--network", "net", "--ip", "10.77.0.9", "busybox", "sleep", "1000"]);
    kist.ok(&["run", "-d", "--name", "second", "busybox", "sleep", "1000"]);
    let output = kist.fails(&["network", "connect", "--ip", "10.77.0.9", "net", "second"]);
    assert!(output.stderr.contains("Address already in use"), "{}", output.stderr);
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert_eq!(crate::inspect(&kist, "second", networks), "bridge ");
    kist.ok(&["network", "connect", "--ip", "10.77.0.10", "net", "second"]);
    assert_eq!(crate::inspect(&kist, "second", "{{.NetworkSettings.Networks.net.IPAddress}}"), "10.77.0.10");
    let output = kist.fails(&["network", "connect", "--ip", "10.78.0.9", "net", "first"]);
    assert!(
        output.stderr.contains("no configured subnet or ip-range contain the IP address 10.78.0.9"),
        "{}",
        output.stderr
    );
    kist.ok(&["rm", "-f", "first", "second"]);
    kist.ok(&["network", "rm", "net"]);
}

#[test]
fn what_a_policy_refused_is_shown() {
    let (host, outside) = (Machine::new(), Machine::new());
    // Where no way leads nothing is refused either.
    host.connect(&outside, "192.0.2.1/24", "192.0.2.2/24");
    let kist = on(&host);
    kist.ok(&["network", "create", "net"]);
    let flags = ["run", "-d", "--name", "web", "--network", "net", "--egress", "allow=10.0.0.0/8", "busybox"];
    kist.ok(&[&flags[..], &["sleep", "1000"]].concat());
    kist.run(&["exec", "web", "nslookup", "example.org"]);
    kist.run(&["exec", "web", "nc", "-w", "2", "192.0.2.2", "80"]);
    let said = kist.ok(&["logs", "--network", "web"]);
    assert!(said.contains(" refused name example.org"), "{said}");
    assert!(said.contains(" refused tcp 192.0.2.2:80 ("), "{said}");
    kist.ok(&["stop", "-t", "0", "web"]);
    assert!(kist.ok(&["logs", "--network", "web"]).contains(" refused name example.org"));
    assert_eq!(kist.ok(&["logs", "--network", "--until", "1h", "web"]), "");
    kist.ok(&["rm", "-f", "web"]);
    kist.ok(&["network", "rm", "net"]);
}

#[test]
fn ports_on_the_hosts_network_are_discarded_with_a_warning() {
    let host = Machine::new();
    let kist = on(&host);
    let output = kist.run(&["run", "--rm", "--network", "host", "-p", "8080:80", "busybox", "true"]);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (0, "WARNING: Published ports are discarded when using host network mode\n")
    );
}
