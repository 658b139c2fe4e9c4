//! Networks of another kind: none, the host's, another container's, one without a way out, IPv6.

use std::net::TcpListener;

use super::{HOST, HOST6, OUTSIDE, OUTSIDE6, Site, page, refused, silent};
use crate::{inspect, sh};

#[test]
fn none_is_a_loopback_and_nothing_else() {
    let site = Site::new();
    assert_eq!(sh(&site.kist, "--network none", "ls /sys/class/net; ip route"), "lo");
    site.idle("box", "--network none");
    assert_eq!(inspect(&site.kist, "box", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}"), "none");
}

#[test]
fn the_hosts_network_is_the_hosts() {
    let site = Site::new();
    site.serve("web", "--network host");
    assert_eq!(page(&site.outside, &format!("{HOST}:80")), "web");
    assert_eq!(page(&site.host, "127.0.0.1:80"), "web");
    assert_eq!(inspect(&site.kist, "web", "{{json .NetworkSettings.Ports}}"), "{}");
    assert_eq!(site.kist.ok(&["ps", "--format", "{{.Ports}}"]), "");
}

#[test]
fn a_container_can_live_in_the_network_of_another() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    site.idle("beside", "--network container:web");
    assert_eq!(site.wget("beside", "127.0.0.1"), "web");
    assert_eq!(site.exec("beside", "cat /etc/hostname"), site.exec("web", "cat /etc/hostname"));
    assert_eq!(site.exec("beside", "cat /etc/hosts"), site.exec("web", "cat /etc/hosts"));
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}

#[test]
fn an_internal_network_has_no_way_out_nor_in() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "--internal", "inner"]);
    site.serve("web", "--network inner -p 8080:80");
    site.idle("client", "--network inner");
    assert_eq!(site.wget("client", "web"), "web");
    assert_eq!(site.exec("client", "ip route | grep -c default || true"), "0");
    let listener = site.outside.inside(|| TcpListener::bind("0.0.0.0:7000").unwrap());
    assert_ne!(site.try_exec("client", &format!("nc -w 1 {OUTSIDE} 7000 </dev/null")).code, 0);
    // Whoever makes himself a route is not let through either.
    let gateway = inspect(&site.kist, "client", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    let gateway = gateway.rsplit_once('.').unwrap().0.to_owned() + ".1";
    crate::background(&site.kist, "--name bold --network inner --cap-add NET_ADMIN", "sleep 1000");
    site.exec("bold", &format!("ip route add default via {gateway}"));
    assert_ne!(site.try_exec("bold", &format!("nc -w 1 {OUTSIDE} 7000 </dev/null")).code, 0);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody came out");
    silent(&site.outside, &format!("{HOST}:8080"));
    let address = site.address("web");
    site.outside.route("172.16.0.0/12", HOST);
    silent(&site.outside, &format!("{address}:80"));
    // The other network of a container on two is its way out.
    site.kist.ok(&["network", "connect", "bridge", "client"]);
    assert_eq!(site.exec("client", "ip route | grep -c default"), "1");
}

#[test]
fn a_network_can_have_both_families() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "--ipv6", "--subnet", "2001:db8:7::/64", "six"]);
    site.serve("web", "--network six -p 8080:80");
    site.idle("client", "--network six");
    let address = inspect(&site.kist, "web", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}");
    assert_eq!(address, "2001:db8:7::2");
    assert_eq!(site.wget("client", "[2001:db8:7::2]"), "web");
    assert!(site.exec("client", "nslookup -type=aaaa web").contains("Address: 2001:db8:7::2"));
    for (from, to) in [
        (&site.outside, format!("[{HOST6}]:8080")),
        (&site.outside, format!("{HOST}:8080")),
        (&site.host, "[::1]:8080".to_owned()),
        (&site.host, "127.0.0.1:8080".to_owned()),
    ] {
        assert_eq!(page(from, &to), "web", "{to}");
    }
    assert_eq!(site.kist.ok(&["port", "web"]), "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080");
    assert_eq!(
        site.kist.ok(&["ps", "--filter", "name=web", "--format", "{{.Ports}}"]),
        "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
    );
    let listener = site.outside.inside(|| TcpListener::bind("[::]:7000").unwrap());
    let accept = std::thread::spawn(move || listener.accept().unwrap().1.ip().to_string());
    site.exec("client", &format!("echo x | nc -w 3 {OUTSIDE6} 7000"));
    assert_eq!(accept.join().unwrap(), HOST6, "as the host");
}

#[test]
fn a_container_has_the_address_it_asks_for() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254", "net"]);
    site.idle("box", "--network net --ip 10.77.0.9 --mac-address 02:42:ac:11:00:99");
    assert_eq!(site.address("box"), "10.77.0.9");
    let said = site.exec(
        "box",
        "ip -4 addr show eth0 | grep -o 'inet [^ ]*'; cat /sys/class/net/eth0/address; ip route | grep default",
    );
    assert_eq!(said.trim_end(), "inet 10.77.0.9/24\n02:42:ac:11:00:99\ndefault via 10.77.0.254 dev eth0");
    assert_eq!(
        inspect(
            &site.kist,
            "box",
            "{{.NetworkSettings.Networks.net.MacAddress}} {{.NetworkSettings.Networks.net.Gateway}} {{.NetworkSettings.Networks.net.IPPrefixLen}}"
        ),
        "02:42:ac:11:00:99 10.77.0.254 24"
    );
    let taken = ["run", "-d", "--network", "net", "--ip", "10.77.0.9", "busybox", "true"];
    refused(&site.kist.run(&taken), 125, "Address already in use");
    let outside = ["run", "-d", "--network", "net", "--ip", "10.78.0.9", "busybox", "true"];
    refused(&site.kist.run(&outside), 125, "no configured subnet or ip-range contain the IP address 10.78.0.9");
    refused(
        &site.kist.run(&["run", "-d", "--ip", "172.17.0.9", "busybox", "true"]),
        125,
        "user specified IP address is supported on user defined networks only",
    );
    site.kist.ok(&["restart", "-t", "0", "box"]);
    assert_eq!(site.address("box"), "10.77.0.9");
}

#[test]
fn an_interface_is_as_the_network_says() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "-o", "com.docker.network.driver.mtu=1400", "narrow"]);
    assert_eq!(sh(&site.kist, "--network narrow", "cat /sys/class/net/eth0/mtu"), "1400");
    assert_eq!(sh(&site.kist, "", "ls /sys/class/net; cat /sys/class/net/eth0/mtu"), "eth0\nlo\n1500");
    site.kist.ok(&["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart"]);
    site.serve("web", "--network apart");
    site.idle("client", "--network apart");
    site.wget_fails("client", &site.address("web"));
}

#[test]
fn many_networks_at_once_are_many_interfaces() {
    let site = Site::new();
    for net in ["one", "two"] {
        site.kist.ok(&["network", "create", net]);
    }
    site.serve("web", "--network one --network two -p 8080:80");
    site.idle("in-two", "--network two");
    assert_eq!(site.exec("web", "ls /sys/class/net; ip route | grep -c default"), "eth0\neth1\nlo\n1");
    assert_eq!(site.wget("in-two", "web"), "web");
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
}
