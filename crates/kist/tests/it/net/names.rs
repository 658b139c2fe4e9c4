//! What containers call each other, the host and the world; `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

use expect_test::expect;

use super::{OUTSIDE, Site};

/// The addresses a name has. The whole name: busybox would ask for it with the search list first.
#[track_caller]
fn addresses(site: &Site, container: &str, name: &str) -> BTreeSet<String> {
    let said = site.exec(container, &format!("nslookup -type=a {}.", name.trim_end_matches('.')));
    // The first block is the server's own.
    let (_, answers) = said.split_once("\n\n").unwrap_or(("", &said));
    answers.lines().filter_map(|line| line.strip_prefix("Address: ")).map(|a| a.trim().to_owned()).collect()
}

#[track_caller]
fn unknown(site: &Site, container: &str, name: &str) {
    let out = site.try_exec(container, &format!("nslookup -type=a {name}."));
    assert!(out.code != 0 && out.stdout.contains("NXDOMAIN"), "{name}: {out:?}");
}

/// The world's name server, on the other computer. It knows one name, and what it was asked.
struct World {
    site: Site,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The name it knows, and what that means.
const KNOWN: &str = "world.example.com";
const KNOWN_ADDRESS: [u8; 4] = [203, 0, 113, 5];
/// The name that ends it.
const STOP: &str = "stop.test";

impl World {
    /// A site whose host asks it.
    fn new() -> World {
        let site = Site::new();
        site.host.resolv_conf(&format!("nameserver {OUTSIDE}\nsearch example.com\noptions timeout:3\n"));
        let socket = site.outside.inside(|| UdpSocket::bind(format!("{OUTSIDE}:53")).unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((n, from)) = socket.recv_from(&mut query) {
                let (name, answer) = answer(&query[..n]);
                if name == STOP {
                    return;
                }
                log.lock().unwrap().push(name);
                let _ = socket.send_to(&answer, from);
            }
        });
        World { site, asked }
    }
}

impl std::ops::Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Its socket would be one that is left.
        let socket = self.outside.inside(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        let query = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x04stop\x04test\0\0\x01\0\x01";
        self.outside.inside(|| socket.send_to(query, format!("{OUTSIDE}:53")).unwrap());
    }
}

/// The name that is asked for, and the answer.
fn answer(query: &[u8]) -> (String, Vec<u8>) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let name = labels.join(".");
    let answers = u8::from(name == KNOWN && query[at + 2] == 1);
    let mut answer = query[..at + 5].to_vec();
    // A response; recursion is to be had; no error (0) or no such name (3).
    (answer[2], answer[3]) = (0x81, if name == KNOWN { 0x80 } else { 0x83 });
    answer[6..12].copy_from_slice(&[0, answers, 0, 0, 0, 0]);
    if answers == 1 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(KNOWN_ADDRESS);
    }
    (name, answer)
}

#[test]
fn containers_of_a_users_network_find_each_other() {
    let site = World::new();
    site.kist.ok(&["network", "create", "net"]);
    let id = site.serve("web", "--network net --network-alias www --network-alias shop -h shown");
    site.idle("client", "--network net");
    let address = site.address("web");
    for name in ["web", "www", "shop", &id[..12], "WEB", "web."] {
        assert_eq!(addresses(&site, "client", name), [address.clone()].into(), "{name}");
        assert_eq!(site.wget("client", name.trim_end_matches('.')), "web", "{name}");
    }
    unknown(&site, "client", "nobody");
    assert_eq!(site.wget("web", "web"), "web", "itself");
    site.kist.ok(&["rename", "web", "renamed"]);
    assert_eq!(site.wget("client", "renamed"), "web");
    site.kist.ok(&["stop", "-t", "0", "renamed"]);
    unknown(&site, "client", "renamed");
}

#[test]
fn the_default_network_has_no_names() {
    let site = Site::new();
    site.serve("web", "");
    site.idle("client", "");
    assert_eq!(site.wget("client", &site.address("web")), "web");
    assert_ne!(site.try_exec("client", "timeout 2 wget -qO- http://web/").code, 0);
}

#[test]
fn an_alias_of_several_is_all_of_them_by_turns() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    for name in ["aa", "bb", "cc"] {
        site.serve(name, "--network net --network-alias web");
    }
    site.idle("client", "--network net");
    let all: BTreeSet<_> = ["aa", "bb", "cc"].map(|name| site.address(name)).into();
    assert_eq!(addresses(&site, "client", "web"), all);
    let served: BTreeSet<_> = (0..40).map(|_| site.wget("client", "web")).collect();
    assert_eq!(served, ["aa", "bb", "cc"].map(str::to_owned).into());
    site.kist.ok(&["rm", "-f", "bb"]);
    assert_eq!(addresses(&site, "client", "web").len(), 2);
}

#[test]
fn names_and_addresses_of_two_networks_stay_apart() {
    let site = World::new();
    for net in ["one", "two"] {
        site.kist.ok(&["network", "create", net]);
        site.idle(&format!("in-{net}"), &format!("--network {net}"));
    }
    site.serve("web", "--network one");
    unknown(&site, "in-two", "web");
    site.wget_fails("in-two", &site.address("web"));
    site.kist.ok(&["network", "connect", "--alias", "www", "two", "web"]);
    assert_eq!(site.wget("in-two", "web"), "web");
    assert_eq!(site.wget("in-two", "www"), "web");
    unknown(&site, "in-one", "www");
    site.kist.ok(&["network", "disconnect", "one", "web"]);
    unknown(&site, "in-one", "web");
    assert_eq!(site.wget("in-two", "web"), "web");
}

#[test]
fn an_address_is_a_name_too() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.idle("web", "--network net");
    site.idle("client", "--network net");
    let said = site.exec("client", &format!("nslookup {}", site.address("web")));
    assert!(said.contains("name = web.net"), "{said}");
}

#[test]
fn other_names_are_asked_of_the_hosts_servers() {
    let site = World::new();
    site.kist.ok(&["network", "create", "net"]);
    for flags in ["--network net", "--network bridge", "--network host"] {
        let said = crate::sh(&site.kist, flags, "nslookup -type=a world.example.com.; cat /etc/resolv.conf");
        assert!(said.contains("Address: 203.0.113.5"), "{flags}: {said}");
        assert!(said.contains("search example.com"), "{flags}: {said}");
        assert_eq!(said.contains("nameserver 127.0.0.11"), flags == "--network net", "{flags}: {said}");
    }
    site.idle("web", "--network net");
    let before = site.asked.lock().unwrap().len();
    assert_eq!(addresses(&site, "web", "web").len(), 1);
    assert_eq!(site.asked.lock().unwrap().len(), before, "names of containers stay in the house");
    let out = site.try_exec("web", "nslookup -type=a absent.example.com.");
    assert!(out.stdout.contains("NXDOMAIN"), "{out:?}");
}

#[test]
fn dns_flags_are_heeded() {
    let site = World::new();
    site.host.resolv_conf("nameserver 192.0.2.99\n");
    let flags = format!("--dns {OUTSIDE} --dns-search corp.test --dns-option ndots:2 --dns-option rotate");
    let said =
        crate::sh(&site.kist, &flags, "grep -v '^#' /etc/resolv.conf | grep .; nslookup -type=a world.example.com.");
    let (file, answer) = said.split_at(said.find("Server").unwrap());
    assert_eq!(file, format!("nameserver {OUTSIDE}\nsearch corp.test\noptions ndots:2 rotate\n"));
    assert!(answer.contains("203.0.113.5"), "{answer}");
    site.kist.ok(&["network", "create", "net"]);
    let said = crate::sh(
        &site.kist,
        &format!("--network net {flags}"),
        "grep -v '^#' /etc/resolv.conf | grep .; nslookup -type=a world.example.com.",
    );
    assert!(said.starts_with("nameserver 127.0.0.11\nsearch corp.test\noptions ndots:2 rotate\n"), "{said}");
    assert!(said.contains("203.0.113.5"), "{said}");
    assert_eq!(crate::sh(&site.kist, "--dns-search .", "grep -c search /etc/resolv.conf || true"), "0");
}

#[test]
fn hosts_has_the_container_and_what_was_added() {
    let site = Site::new();
    let said =
        crate::sh(&site.kist, "--name box -h web --add-host db:10.1.2.3 --add-host six=2001:db8::7", "cat /etc/hosts");
    expect![[r#"
        127.0.0.1	localhost
        ::1	localhost ip6-localhost ip6-loopback
        fe00::	ip6-localnet
        ff00::	ip6-mcastprefix
        ff02::1	ip6-allnodes
        ff02::2	ip6-allrouters
        10.1.2.3	db
        2001:db8::7	six
        172.17.0.2	web"#]]
    .assert_eq(&said);
    let id = site.idle("plain", "--domainname example.com -h web");
    assert_eq!(site.exec("plain", "hostname; cat /etc/hostname"), "web\nweb");
    assert_eq!(site.exec("plain", "grep 172.17 /etc/hosts"), "172.17.0.2\tweb.example.com web");
    assert_ne!(id, "");
    let id = site.idle("own", "");
    assert_eq!(site.exec("own", "hostname; cat /etc/hostname"), format!("{0}\n{0}", &id[..12]));
}

#[test]
fn the_host_has_a_name_when_asked_for() {
    let site = Site::new();
    let listener = site.host.inside(|| std::net::TcpListener::bind("0.0.0.0:7000").unwrap());
    let accept = std::thread::spawn(move || {
        use std::io::Write as _;
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"host\n").unwrap();
        }
    });
    site.kist.ok(&["network", "create", "net"]);
    for flags in ["", "--network net"] {
        let flags = format!("--add-host host.docker.internal:host-gateway {flags}");
        let said =
            crate::sh(&site.kist, &flags, "nc -w 3 host.docker.internal 7000; grep host.docker.internal /etc/hosts");
        // The gateway of the default network, or where there is none yet, the container's.
        let line = said.strip_prefix("host\n").unwrap_or_else(|| panic!("{said}"));
        assert!(["172.17.0.1", "172.18.0.1"].contains(&line.split('\t').next().unwrap()), "{said}");
    }
    accept.join().unwrap();
}

#[test]
fn a_link_is_a_name_on_the_default_network() {
    let site = Site::new();
    let id = site.serve("web", "");
    site.idle("client", "--link web:www");
    assert_eq!(site.wget("client", "www"), "web");
    assert_eq!(site.wget("client", "web"), "web");
    assert_eq!(site.exec("client", "grep www /etc/hosts"), format!("{}\twww {} web", site.address("web"), &id[..12]));
    refused(&site, "--link nobody:x", "could not get container for nobody");
}

#[track_caller]
fn refused(site: &Site, flags: &str, text: &str) {
    super::refused(&crate::try_sh(&site.kist, flags, "true"), 125, text);
}

#[test]
fn what_was_changed_inside_stays_until_the_next_start() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.idle("box", "--network net");
    site.exec("box", "echo 10.9.9.9 mine >>/etc/hosts");
    site.kist.ok(&["network", "create", "more"]);
    site.kist.ok(&["network", "connect", "more", "box"]);
    assert_eq!(site.exec("box", "grep -c mine /etc/hosts"), "1");
    let lines =
        site.exec("box", &format!("grep -c {} /etc/hosts", &crate::inspect(&site.kist, "box", "{{.Id}}")[..12]));
    assert_eq!(lines, "2", "one for each network");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let site = Site::new();
    refused(&site, "--add-host x", r#"bad format for add-host: "x""#);
    refused(&site, "--add-host x:nonsense", r#"invalid IP address in add-host: "nonsense""#);
    refused(&site, "--dns nonsense", "IP address is not correctly formatted: nonsense");
    refused(&site, "--network-alias www", "network-scoped aliases are only supported for user-defined networks");
}

#[test]
fn a_container_may_serve_names_itself() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    crate::background(&site.kist, "--name own --network net", "exec nc -ll -p 53 -e true");
    let listening = || site.exec("own", "netstat -ltn | grep -cE '(0.0.0.0|::):53 ' || true") == "1";
    site.kist.wait_until("its own server listens", |_| listening());
    let said = site.exec("own", "nslookup -type=a own");
    assert!(said.contains("Address: 172."), "{said}");
}

#[test]
fn names_that_a_policy_does_not_allow_are_refused_and_written_down() {
    let site = Site::new();
    let id = site.idle("policed", "--egress allow=good.example.org");
    let said = site.exec("policed", "cat /etc/resolv.conf; nslookup -type=a bad.example.org. || true");
    assert!(said.starts_with("nameserver 127.0.0.11\n") && said.contains("REFUSED"), "{said}");
    let notes = site.kist.root().join("containers").join(&id).join("network.log");
    let notes = std::fs::read_to_string(notes).unwrap();
    assert!(notes.contains(r#""name":"bad.example.org","kind":1,"verdict":"refused""#), "{notes}");
}

#[test]
fn a_container_with_users_of_its_own_is_on_networks_too() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "net"]);
    site.serve("web", "--network net");
    let said = crate::sh(
        &site.kist,
        "--network net --userns private",
        "cat /proc/self/uid_map | tr -s ' ' | cut -d ' ' -f 3; wget -qO- http://web/; echo 10.0.0.1 x >>/etc/hosts; grep -c x /etc/hosts",
    );
    assert!(said.starts_with("100000") && said.ends_with("web\n2"), "{said}");
}
