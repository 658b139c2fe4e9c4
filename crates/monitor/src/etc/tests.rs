use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use spec::container::{HostConfig, LogConfig, LogDriver, NamespaceMode, Security, Streams};
use spec::id::{ContainerId, EndpointId, NetworkId};

use super::*;

fn config(network: NetworkMode, change: impl FnOnce(&mut Config)) -> Config {
    let host = HostConfig {
        mounts: Vec::new(),
        volumes_from: Vec::new(),
        volume_driver: String::new(),
        network,
        publish: Vec::new(),
        publish_all: false,
        egress: None,
        pid: NamespaceMode::Private,
        ipc: NamespaceMode::Private,
        uts: NamespaceMode::Private,
        cgroupns: NamespaceMode::Private,
        userns: NamespaceMode::Host,
        time: None,
        privileged: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        security: Security::default(),
        devices: Vec::new(),
        device_rules: Vec::new(),
        sysctls: BTreeMap::new(),
        readonly_rootfs: false,
        init: false,
        shm_size_bytes: 0,
        ulimits: Vec::new(),
        oom_score_adj: 0,
        group_add: Vec::new(),
        extra_hosts: Vec::new(),
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        log: LogConfig { driver: LogDriver::None, max_size_bytes: 0, max_files: 1 },
        auto_remove: false,
        cgroup_parent: None,
        cidfile: None,
        annotations: BTreeMap::new(),
    };
    let mut config = Config {
        name: String::new(),
        id: ContainerId::from_bytes([0xab; 32]),
        created: spec::time::Time::from_ns(0),
        image: serde_json::from_value(format!("sha256:{}", "0".repeat(64)).into()).unwrap(),
        image_name: "busybox".into(),
        platform: spec::platform::Platform::host(),
        entrypoint: None,
        cmd: None,
        env: Vec::new(),
        working_dir: String::new(),
        user: String::new(),
        tty: false,
        open_stdin: false,
        stdin_once: false,
        attach: Streams::default(),
        hostname: "web".into(),
        domainname: String::new(),
        labels: BTreeMap::new(),
        exposed_ports: Vec::new(),
        volumes: Vec::new(),
        stop_signal: None,
        stop_timeout_s: None,
        healthcheck: None,
        host,
    };
    change(&mut config);
    config
}

fn on_networks() -> NetworkMode {
    NetworkMode::Networks("bridge".into())
}

fn endpoint(ipv4: &str, ipv6: Option<&str>) -> Endpoint {
    Endpoint {
        id: EndpointId::from_bytes([1; 32]),
        network: NetworkId::from_bytes([2; 32]),
        interface: "eth0".into(),
        peer: None,
        mac: "02:42:ac:11:00:02".parse().unwrap(),
        ipv4: Some((ipv4.parse().unwrap(), 16)),
        ipv6: ipv6.map(|address| (address.parse().unwrap(), 64)),
        gateway4: None,
        gateway6: None,
        names: Vec::new(),
    }
}

fn check_hosts(config: &Config, endpoints: &[Endpoint], links: &[Line], expected: Expect) {
    let gateways = ["172.17.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    let defaults = Defaults::default();
    let facts = Facts { endpoints, links, gateways: &gateways, asks: Asks::Servers, defaults: &defaults };
    expected.assert_eq(&hosts(config, &facts, || "the host's own\n".into()));
}

#[test]
fn hosts_has_the_containers_own_lines_last() {
    check_hosts(
        &config(on_networks(), |_| ()),
        &[endpoint("172.17.0.2", Some("fd00::2")), endpoint("10.0.0.2", None)],
        &[],
        expect![[r"
            127.0.0.1	localhost
            ::1	localhost ip6-localhost ip6-loopback
            fe00::	ip6-localnet
            ff00::	ip6-mcastprefix
            ff02::1	ip6-allnodes
            ff02::2	ip6-allrouters
            172.17.0.2	web
            fd00::2	web
            10.0.0.2	web
        "]],
    );
}

#[test]
fn hosts_has_what_the_user_adds_and_links() {
    let config = config(on_networks(), |config| {
        config.hostname = "web.example.org".into();
        config.host.extra_hosts =
            ["db:10.0.0.9", "six:[fd00::9]", "seven:fd00::a", "up:host-gateway"].map(String::from).into();
        config.host.sysctls.insert("net.ipv6.conf.all.disable_ipv6".into(), "1".into());
    });
    let link = Line { address: "172.17.0.3".into(), names: "alias 0123456789ab db".into() };
    check_hosts(
        &config,
        &[endpoint("172.17.0.2", None)],
        &[link],
        expect![[r"
            127.0.0.1	localhost
            10.0.0.9	db
            fd00::9	six
            fd00::a	seven
            172.17.0.1	up
            fd00::1	up
            172.17.0.3	alias 0123456789ab db
            172.17.0.2	web.example.org web
        "]],
    );
}

#[test]
fn a_domain_name_makes_a_full_name() {
    let config = config(on_networks(), |config| config.domainname = "example.org".into());
    let lines = own_lines(&config, &endpoint("172.17.0.2", None));
    assert_eq!(lines, [Line { address: "172.17.0.2".into(), names: "web.example.org web".into() }]);
}

#[test]
fn the_hosts_network_comes_with_the_hosts_names_unless_the_user_adds_some() {
    check_hosts(
        &config(NetworkMode::Host, |_| ()),
        &[],
        &[],
        expect![[r"
        the host's own
    "]],
    );
    let with = config(NetworkMode::Host, |config| config.host.extra_hosts = vec!["db:10.0.0.9".into()]);
    check_hosts(
        &with,
        &[],
        &[],
        expect![[r"
        127.0.0.1	localhost
        ::1	localhost ip6-localhost ip6-loopback
        fe00::	ip6-localnet
        ff00::	ip6-mcastprefix
        ff02::1	ip6-allnodes
        ff02::2	ip6-allrouters
        10.0.0.9	db
    "]],
    );
}

/// The host's file, `--dns*` flags, whom it asks: the text, in one line.
#[test]
fn resolv_conf_is_dockers() {
    let plain = "# of the host\nnameserver 10.0.0.53\nnameserver 127.0.0.53\nsearch lan corp\noptions edns0 trust-ad\n";
    let local = "nameserver 127.0.0.53\nnameserver ::1\noptions edns0\noptions timeout:1\nsearch a\nsearch b\n";
    let flags: &[(&str, &[&str])] = &[("servers", &["9.9.9.9", "fd00::53"]), ("search", &["x", "y"]), ("none", &["."])];
    let mut table = String::new();
    let mut row = |what: &str, of_host: &str, asks: Asks, defaults: &Defaults, config: &Config| {
        let facts = Facts { endpoints: &[], links: &[], gateways: &[], asks, defaults };
        let text = resolv_conf(config, &facts, of_host);
        let servers = if has_servers(config, defaults, of_host) { "" } else { " (no servers)" };
        writeln!(table, "{what}{servers}: {}", text.trim_end().replace('\n', " | ")).unwrap();
    };
    let own = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let none = Defaults::default();
    let bare = config(on_networks(), |_| ());
    for (host, text) in [("plain", plain), ("local", local), ("empty", "")] {
        row(&format!("{host}, bridge"), text, Asks::Servers, &none, &bare);
        row(&format!("{host}, user network"), text, Asks::Resolver, &none, &bare);
        row(&format!("{host}, host"), text, Asks::Servers, &none, &config(NetworkMode::Host, |_| ()));
        row(&format!("{host}, none"), text, Asks::Servers, &none, &config(NetworkMode::None, |_| ()));
        let dns = config(on_networks(), |config| config.host.dns = own(flags[0].1));
        row(&format!("{host}, bridge, --dns"), text, Asks::Servers, &none, &dns);
        row(&format!("{host}, user network, --dns"), text, Asks::Resolver, &none, &dns);
    }
    let search = config(on_networks(), |config| config.host.dns_search = own(flags[1].1));
    row("--dns-search", plain, Asks::Resolver, &none, &search);
    let no_search = config(on_networks(), |config| config.host.dns_search = own(flags[2].1));
    row("--dns-search .", plain, Asks::Resolver, &none, &no_search);
    let options = config(on_networks(), |config| config.host.dns_options = own(&["ndots:2", "rotate"]));
    row("--dns-option", plain, Asks::Resolver, &none, &options);
    let all = Defaults { dns: own(&["1.1.1.1"]), dns_search: own(&["s"]), dns_options: own(&["rotate"]), ..none };
    row("engine.json", plain, Asks::Servers, &all, &bare);
    row("engine.json, --dns-search", plain, Asks::Servers, &all, &search);
    expect![[r#"
        plain, bridge: nameserver 10.0.0.53 | search lan corp | options edns0 trust-ad
        plain, user network: nameserver 127.0.0.11 | search lan corp | options edns0 trust-ad ndots:0
        plain, host: # of the host | nameserver 10.0.0.53 | nameserver 127.0.0.53 | search lan corp | options edns0 trust-ad
        plain, none: nameserver 10.0.0.53 | search lan corp | options edns0 trust-ad
        plain, bridge, --dns: nameserver 9.9.9.9 | nameserver fd00::53 | search lan corp | options edns0 trust-ad
        plain, user network, --dns: nameserver 127.0.0.11 | search lan corp | options edns0 trust-ad ndots:0
        local, bridge (no servers): search b | options edns0 timeout:1
        local, user network (no servers): nameserver 127.0.0.11 | search b | options edns0 timeout:1 ndots:0
        local, host: nameserver 127.0.0.53 | nameserver ::1 | options edns0 | options timeout:1 | search a | search b
        local, none (no servers): search b | options edns0 timeout:1
        local, bridge, --dns: nameserver 9.9.9.9 | nameserver fd00::53 | search b | options edns0 timeout:1
        local, user network, --dns: nameserver 127.0.0.11 | search b | options edns0 timeout:1 ndots:0
        empty, bridge (no servers): 
        empty, user network (no servers): nameserver 127.0.0.11 | options ndots:0
        empty, host (no servers): 
        empty, none (no servers): 
        empty, bridge, --dns: nameserver 9.9.9.9 | nameserver fd00::53
        empty, user network, --dns: nameserver 127.0.0.11 | options ndots:0
        --dns-search: nameserver 127.0.0.11 | search x y | options edns0 trust-ad ndots:0
        --dns-search .: nameserver 127.0.0.11 | options edns0 trust-ad ndots:0
        --dns-option: nameserver 127.0.0.11 | search lan corp | options ndots:2 rotate
        engine.json: nameserver 1.1.1.1 | search s | options rotate
        engine.json, --dns-search: nameserver 1.1.1.1 | search x y | options rotate
    "#]]
    .assert_eq(&table);
}

#[test]
fn files_follow_networks_in_place_and_keep_what_the_container_wrote() {
    let root = testkit::Root::new();
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let config = config(on_networks(), |config| config.host.dns = vec!["10.0.0.53".into()]);
    let dir = home.container(&config.id);
    std::fs::create_dir(&dir).unwrap();
    let defaults = Defaults::default();
    let (one, two) = (endpoint("172.17.0.2", None), endpoint("10.0.0.2", None));
    let facts =
        |asks| Facts { endpoints: std::slice::from_ref(&one), links: &[], gateways: &[], asks, defaults: &defaults };
    let written =
        write(&home.container(&config.id), &config, &facts(Asks::Servers), Root { uid: 100_000, gid: 100_001 })
            .unwrap();
    let inode = || rustix::fs::stat(dir.join("hosts")).unwrap().st_ino;
    let (before, text) = (inode(), |name: &str| std::fs::read_to_string(dir.join(name)).unwrap());
    assert_eq!(text("hostname"), "web\n");
    let about = rustix::fs::stat(dir.join("hosts")).unwrap();
    assert_eq!((about.st_uid, about.st_gid, about.st_mode & 0o777), (100_000, 100_001, 0o644));

    OpenOptions::new().append(true).open(dir.join("hosts")).unwrap().write_all(b"1.1.1.1 mine").unwrap();
    let (one, two) = (own_lines(&config, &one), own_lines(&config, &two));
    let written = follow(&home.container(&config.id), &config, &facts(Asks::Resolver), written, (&[], &two)).unwrap();
    assert!(text("hosts").ends_with("172.17.0.2\tweb\n1.1.1.1 mine\n10.0.0.2\tweb\n"), "{}", text("hosts"));
    assert_eq!(text("resolv.conf"), "nameserver 127.0.0.11\noptions ndots:0\n");

    OpenOptions::new().append(true).open(dir.join("resolv.conf")).unwrap().write_all(b"# mine\n").unwrap();
    follow(&home.container(&config.id), &config, &facts(Asks::Servers), written, (&one, &[])).unwrap();
    assert!(text("hosts").ends_with("ip6-allrouters\n1.1.1.1 mine\n10.0.0.2\tweb\n"), "{}", text("hosts"));
    assert_eq!(text("resolv.conf"), "nameserver 127.0.0.11\noptions ndots:0\n# mine\n");
    assert_eq!(inode(), before, "it is bound into the container");
}

#[test]
fn a_container_in_anothers_network_has_the_others_files() {
    let root = testkit::Root::new();
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let other = ContainerId::from_bytes([0xcd; 32]);
    let joined = config(NetworkMode::Container(other.clone()), |_| ());
    let sources: Vec<_> = files(&home, &joined).into_iter().map(|(_, source)| source).collect();
    assert_eq!(sources, ["hosts", "hostname", "resolv.conf"].map(|name| home.container(&other).join(name)));
}
