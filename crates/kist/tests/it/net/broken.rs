//! What others do to a host: a firewall is loaded anew, links are taken away, subnets are taken, processes are killed.

use std::fs;

use super::{HOST, OUTSIDE, Site, get, page, refused, silent};
use crate::{inspect, pid};

/// The process that owns the container: the parent of its first one.
fn monitor(site: &Site, container: &str) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid(&site.kist, container))).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_firewall_that_is_loaded_anew_is_made_good() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.serve("web", "--network net -p 8080:80");
    site.serve("plain", "-p 8081:80");
    let outside = [format!("{HOST}:8080"), format!("{HOST}:8081")];
    let all = |site: &Site| {
        for (address, name) in outside.iter().zip(["web", "plain"]) {
            assert_eq!(page(&site.outside, address), name);
        }
        assert_eq!(page(&site.host, "127.0.0.1:8080"), "web");
    };
    all(&site);
    let rules = site.host.rules();
    site.host.ok("nft flush ruleset");
    silent(&site.outside, &outside[0]);
    site.kist.ok(&["network", "reload"]);
    all(&site);
    assert_eq!(site.host.rules(), rules, "the same as before");
    site.host.ok("nft flush ruleset");
    // Any command does.
    site.kist.ok(&["ps"]);
    all(&site);
    assert_eq!(site.host.rules(), rules);
}

#[test]
fn rules_of_others_stay() {
    let site = Site::new();
    let theirs = "table inet theirs {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t\ttcp dport 9999 drop\n\t}\n}";
    site.host.ok(&format!("nft -f - <<'END'\n{theirs}\nEND"));
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    site.kist.ok(&["network", "reload"]);
    site.kist.ok(&["rm", "-f", "web"]);
    assert_eq!(site.host.ok("nft list table inet theirs"), theirs);
    site.host.ok("nft delete table inet theirs");
}

#[test]
fn a_link_that_was_lost_comes_with_the_next_start() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    let index = site.exec("web", "cat /sys/class/net/eth0/iflink");
    let link = site.host.ok(&format!("ip -o link | grep '^{index}: ' | cut -d: -f2 | cut -d@ -f1"));
    site.host.ok(&format!("ip link delete {link}"));
    silent(&site.outside, &format!("{HOST}:8080"));
    site.kist.ok(&["restart", "-t", "0", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_bridge_that_was_lost_comes_again() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    for bridge in site.host.ok("ip -o link show type bridge | cut -d: -f2").split_whitespace() {
        site.host.ok(&format!("ip link delete {bridge}"));
    }
    silent(&site.outside, &format!("{HOST}:8080"));
    site.serve("other", "-p 8081:80");
    assert_eq!(page(&site.outside, &format!("{HOST}:8081")), "other");
    site.kist.ok(&["restart", "-t", "0", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_subnet_that_the_host_uses_is_left_alone() {
    for taken in [
        "ip link add theirs type bridge && ip address add 172.17.5.1/24 dev theirs && ip link set theirs up",
        "ip route add 172.17.128.0/20 via 192.0.2.2",
    ] {
        let site = Site::new();
        site.host.ok(taken);
        site.serve("web", "-p 8080:80");
        assert!(site.address("web").starts_with("172.18.0."), "{}", site.address("web"));
        assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
        let id = site.kist.ok(&["network", "create", "net"]);
        let subnet = site.kist.ok(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", &id]);
        assert_eq!(subnet, "172.19.0.0/16");
        site.host.ok("ip link delete theirs 2>/dev/null || true");
    }
}

#[test]
fn a_network_without_free_addresses_says_so() {
    let site = Site::new();
    let id = site.kist.ok(&["network", "create", "--subnet", "10.77.0.0/29", "small"]);
    for n in 2..7 {
        site.idle(&format!("box{n}"), "--network small");
        assert_eq!(site.address(&format!("box{n}")), format!("10.77.0.{n}"));
    }
    let more = ["run", "-d", "--name", "more", "--network", "small", "busybox", "sleep", "1000"];
    let out = site.kist.run(&more);
    refused(&out, 125, "no available IPv4 addresses on this network's address pools: small (");
    refused(&out, 125, &id);
    assert_eq!(inspect(&site.kist, "more", "{{.State.Status}}"), "created");
    site.kist.ok(&["rm", "-f", "box4"]);
    site.kist.ok(&["start", "more"]);
    assert_eq!(site.address("more"), "10.77.0.4");
}

#[test]
fn a_killed_container_gives_back_what_it_had() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    site.host.ok(&format!("kill -9 {}", pid(&site.kist, "web")));
    site.kist.wait_until("it has ended", |kist| inspect(kist, "web", "{{.State.Status}}") == "exited");
    assert_eq!(inspect(&site.kist, "web", "{{.State.ExitCode}}"), "137");
    silent(&site.outside, &format!("{HOST}:8080"));
    drop(site.host.inside(|| std::net::TcpListener::bind("0.0.0.0:8080").unwrap()));
    site.kist.ok(&["start", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_killed_monitor_leaves_nothing_that_the_next_command_does_not_take_away() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.serve("web", "--network net -p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    let address = site.address("web");
    site.host.ok(&format!("kill -9 {}", monitor(&site, "web")));
    site.kist.wait_until("it has ended", |kist| inspect(kist, "web", "{{.State.Running}}") == "false");
    site.serve("next", "--network net -p 8080:80");
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "next");
    assert_eq!(site.address("next"), address, "its address is free too");
    assert_eq!(site.try_exec("next", "nslookup -type=a web").code, 1, "nor is its name kept");
    site.kist.ok(&["rm", "-f", "next"]);
    site.kist.ok(&["start", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_monitor_and_its_container_killed_at_once() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    site.host.ok(&format!("kill -9 {} {}", monitor(&site, "web"), pid(&site.kist, "web")));
    site.kist.ok(&["ps", "-a"]);
    site.kist.ok(&["start", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn a_command_killed_on_its_way_leaves_no_port_and_no_address() {
    let site = Site::new();
    for delay_ms in [5, 10, 20, 40, 80] {
        let running = site.kist.spawn(&["run", "--name", "web", "-p", "8080:80", "busybox", "sleep", "1000"]);
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        running.signal(rustix::process::Signal::KILL);
        running.wait();
        site.kist.run(&["rm", "-f", "web"]);
        site.serve("next", "-p 8080:80");
        assert_eq!(site.address("next"), "172.17.0.2");
        site.kist.ok(&["rm", "-f", "next"]);
    }
}

#[test]
fn a_host_that_forwards_nothing_of_its_own_still_does_for_containers() {
    let site = Site::new();
    assert_eq!(site.host.ok("cat /proc/sys/net/ipv4/ip_forward"), "0");
    site.serve("web", "-p 8080:80");
    page(&site.outside, &format!("{HOST}:8080"));
    assert_eq!(site.exec("web", &format!("ping -c 1 -W 2 {OUTSIDE} >/dev/null && echo pong")), "pong");
}

#[test]
fn two_engines_on_one_host_do_not_meddle() {
    let site = Site::new();
    let other = site.host.kist(crate::PROGRAM);
    other.load(&testkit::busybox_image());
    site.serve("web", "-p 8080:80");
    let script = "mkdir -p /www && echo other >/www/index.html && exec httpd -f -p 80 -h /www";
    crate::background(&other, "--name web -p 8081:80", script);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    assert_eq!(page(&site.outside, &format!("{HOST}:8081")), "other");
    let taken = other.run(&["run", "-d", "-p", "8080:80", "busybox", "true"]);
    assert_eq!(taken.code, 125, "{}", taken.stderr);
    other.ok(&["rm", "-f", "web"]);
    assert!(get(&site.outside, &format!("{HOST}:8081")).is_err());
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    drop(other);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}
