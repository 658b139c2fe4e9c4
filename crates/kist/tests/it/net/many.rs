//! Many of each: ports, containers on one network, starts at once.

use std::collections::BTreeSet;

use super::{HOST, Site, page, silent};

#[test]
fn a_thousand_ports_of_one_container() {
    let site = Site::new();
    site.serve("web", "-p 20000-20999:20000-20999 -p 8080:80");
    assert_eq!(
        site.kist.ok(&["ps", "--format", "{{.Ports}}"]),
        "0.0.0.0:20000-20999->20000-20999/tcp, [::]:20000-20999->20000-20999/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
    );
    assert_eq!(site.kist.ok(&["port", "web"]).lines().count(), 2002);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    for port in [20000, 20500, 20999] {
        site.kist.ok(&["exec", "-d", "web", "httpd", "-p", &port.to_string(), "-h", "/www"]);
        assert_eq!(page(&site.outside, &format!("{HOST}:{port}")), "web", "{port}");
    }
    site.kist.ok(&["rm", "-f", "web"]);
    silent(&site.outside, &format!("{HOST}:20000"));
    site.idle("again", "-p 20000-20999:20000-20999");
}

#[test]
fn two_hundred_containers_on_one_network() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    for n in 0..200 {
        site.kist.ok(&["run", "-d", "--name", &format!("box{n}"), "--network", "net", "busybox", "sleep", "1000"]);
    }
    site.serve("web", "--network net -p 8080:80");
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    for n in [0, 99, 199] {
        assert_eq!(site.wget(&format!("box{n}"), "web"), "web");
    }
    let format = "{{range .Containers}}{{.IPv4Address}} {{end}}";
    let addresses = site.kist.ok(&["network", "inspect", "--format", format, "net"]);
    assert_eq!(addresses.split_whitespace().collect::<BTreeSet<_>>().len(), 201);
}

#[test]
fn many_starts_at_once_get_addresses_and_ports_of_their_own() {
    let site = Site::new();
    let running: Vec<_> = (0..20)
        .map(|n| site.kist.spawn(&["run", "-d", "--name", &format!("box{n}"), "-p", "80", "busybox", "sleep", "1000"]))
        .collect();
    for run in running {
        let output = run.wait();
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
    let mut addresses = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for n in 0..20 {
        addresses.insert(site.address(&format!("box{n}")));
        ports.insert(site.kist.ok(&["port", &format!("box{n}"), "80"]));
    }
    assert_eq!((addresses.len(), ports.len()), (20, 20), "{addresses:?} {ports:?}");
}

#[test]
fn one_port_wanted_by_many_at_once_is_one_container_s() {
    let site = Site::new();
    let running: Vec<_> = (0..10)
        .map(|n| {
            site.kist.spawn(&["run", "-d", "--name", &format!("box{n}"), "-p", "8080:80", "busybox", "sleep", "1000"])
        })
        .collect();
    let codes: Vec<_> = running.into_iter().map(|run| run.wait().code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 125).count(), 9, "{codes:?}");
}

#[test]
fn networks_come_and_go_while_containers_start() {
    let site = Site::new();
    let starts = (0..10).map(|n| {
        let net = format!("net{n}");
        site.kist.ok(&["network", "create", &net]);
        site.kist.spawn(&["run", "--rm", "--network", &net, "busybox", "ip", "-o", "-4", "addr", "show", "eth0"])
    });
    let starts: Vec<_> = starts.collect();
    let said: BTreeSet<_> = starts.into_iter().map(|run| run.wait().stdout).collect();
    assert_eq!(said.len(), 10, "each in a subnet of its own: {said:?}");
    for n in 0..10 {
        site.kist.ok(&["network", "rm", &format!("net{n}")]);
    }
}
