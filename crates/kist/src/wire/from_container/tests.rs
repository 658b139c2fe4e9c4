//! A container of many options, through its states.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::container::View;
use engine::network::attach::Link;
use engine::network::places::Place;
use engine::system::facts::CgroupVersion;
use expect_test::{Expect, expect};
use monitor::health::{Health, Verdict};
use monitor::status::{Life, State, Status};
use spec::id::{EndpointId, NetworkId};
use spec::network::{Attachment, Endpoint, Publish, Published};
use spec::time::Time;

use super::super::container::GraphDriver;
use super::super::go::Map;
use super::{Surroundings, inspect};
use crate::template::Template;

const CONFIG: &str = r#"{
    "id": "0ef19c99aae8a06c3bd2c3e29a0395591f5bbd07bd5bd5a14d59725d202ede76",
    "created": "2026-11-24T01:46:34.081169978Z",
    "image": "sha256:9040c6534c8877cb6ea76836d6b25823765d5ff574fdc8d3774bdd8400950cd5",
    "image_name": "busybox", "platform": {"os": "linux", "architecture": "amd64"},
    "entrypoint": null, "cmd": ["sh", "-c", "true"], "env": ["A=1"], "working_dir": "/srv", "user": "app", "tty": false,
    "open_stdin": false, "stdin_once": false, "attach": {"stdin": false, "stdout": true, "stderr": true},
    "hostname": "0ef19c99aae8", "domainname": "", "labels": {"app": "web"}, "exposed_ports": ["80/tcp"], "volumes": ["/v"],
    "stop_signal": "SIGINT", "stop_timeout_s": 5, "healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000},
    "host": {
        "mounts": [
            {"target": "/a", "readonly": true, "asked": {"short": "ro,rslave"},
             "kind": {"type": "bind", "source": "/src", "missing": "create", "propagation": "rslave", "submounts": "recursive"}},
            {"target": "/b", "readonly": false,
             "kind": {"type": "bind", "source": "/src", "missing": "fail", "propagation": "rprivate", "submounts": "none"}},
            {"target": "/c", "readonly": false, "kind": {"type": "tmpfs", "options": ["size=1m", "exec"]}},
            {"target": "/d", "readonly": true, "kind": {"type": "tmpfs", "size_bytes": 4096, "mode": 448}},
            {"target": "/e", "readonly": true, "asked": {"short": "ro,nocopy"},
             "kind": {"type": "volume", "name": "data", "naming": "given", "copy": "no"}},
            {"target": "/f", "readonly": false, "asked": "target",
             "kind": {"type": "volume", "name": "0123", "naming": "anonymous", "copy": "fill"}},
            {"target": "/g", "readonly": false, "kind": {"type": "volume", "name": "data", "naming": "given", "copy": "no",
             "subpath": "sub", "recipe": {"driver": "local", "options": {"type": "tmpfs"}, "labels": {"l": "m"}}}},
            {"target": "/h", "readonly": false, "asked": "from",
             "kind": {"type": "volume", "name": "0456", "naming": "anonymous", "copy": "no"}},
            {"target": "/i", "readonly": true, "kind": {"type": "image", "name": "busybox:1", "subpath": "etc",
             "image": "sha256:9040c6534c8877cb6ea76836d6b25823765d5ff574fdc8d3774bdd8400950cd5"}}
        ], "volumes_from": ["other:ro"], "volume_driver": "local",
        "network": "none", "pid": "private", "ipc": "private", "uts": "private", "cgroupns": "default", "userns": "host",
        "time": null, "privileged": false, "cap_add": ["NET_ADMIN"], "cap_drop": [],
        "security": {"no_new_privileges": true, "seccomp": "unconfined", "apparmor": null, "systempaths_unconfined": false},
        "devices": [{"host": "/dev/fuse", "container": "/dev/fuse", "access": "rwm"}], "device_rules": [], "sysctls": {},
        "readonly_rootfs": false, "init": true, "shm_size_bytes": 67108864,
        "ulimits": [{"name": "nofile", "soft": 1024, "hard": 18446744073709551615}], "oom_score_adj": 0, "group_add": [],
        "extra_hosts": [], "dns": [], "dns_search": [], "dns_options": [],
        "log": {"driver": "json-file", "max_size_bytes": 20971520, "max_files": 5}, "auto_remove": false, "cgroup_parent": null,
        "cidfile": null, "annotations": {}
    }
}"#;

const SETTINGS: &str = r#"{"restart": {"on-failure": 3}, "resources": {"memory_bytes": 67108864, "pids_limit": -1}}"#;

fn view(status: Status) -> View {
    View {
        config: serde_json::from_str(CONFIG).unwrap(),
        name: "web".into(),
        state: State {
            status,
            restarts: 0,
            health: None,
            execs: Vec::new(),
            endpoints: Vec::new(),
            published: Vec::new(),
        },
    }
}

fn place(name: &str) -> Place {
    let attachment = Attachment {
        network: NetworkId::from_bytes([0xcd; 32]),
        ipv4: None,
        ipv6: None,
        mac: None,
        aliases: Vec::new(),
        links: Vec::new(),
        driver_options: BTreeMap::new(),
        gateway_priority: 0,
    };
    Place { name: name.into(), attachment, links: Vec::new(), endpoint: None }
}

fn around() -> Surroundings {
    Surroundings {
        settings: serde_json::from_str(SETTINGS).unwrap(),
        places: vec![place("none")],
        cgroups: CgroupVersion::V2,
        dir: PathBuf::from("/var/lib/kist/containers/ID"),
        volumes: PathBuf::from("/var/lib/kist/volumes"),
        graph: GraphDriver { data: Map(None), name: "overlay2".into() },
        sizes: None,
    }
}

fn check(view: &View, template: &str, expected: Expect) {
    expected.assert_eq(&Template::parse(template).unwrap().render_typed(&inspect(view, around())).unwrap());
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn life() -> Life {
    Life { pid: 42, start_time: 7, since: at("2026-11-24T01:46:35Z") }
}

fn exit(code: i32) -> monitor::Exit {
    monitor::Exit {
        code,
        signal: None,
        oom_killed: true,
        error: String::new(),
        started: Some(at("2026-11-24T01:46:35Z")),
        finished: at("2026-11-24T01:46:36Z"),
        restarts: 0,
        by_user: false,
    }
}

#[test]
fn states_are_dockers() {
    check(
        &view(Status::Created),
        "{{json .State}}",
        expect![[
            r#"{"Status":"created","Running":false,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":0,"ExitCode":0,"Error":"","StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"}"#
        ]],
    );
    check(
        &view(Status::Running(life())),
        "{{json .State}}",
        expect![[
            r#"{"Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":42,"ExitCode":0,"Error":"","StartedAt":"2026-11-24T01:46:35Z","FinishedAt":"0001-01-01T00:00:00Z"}"#
        ]],
    );
    check(
        &view(Status::Paused(life())),
        "{{json .State}}",
        expect![[
            r#"{"Status":"paused","Running":true,"Paused":true,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":42,"ExitCode":0,"Error":"","StartedAt":"2026-11-24T01:46:35Z","FinishedAt":"0001-01-01T00:00:00Z"}"#
        ]],
    );
    let restarting = Status::Restarting { due: at("2026-11-24T01:46:37Z"), last: exit(1) };
    check(
        &view(restarting),
        "{{json .State}}",
        expect![[
            r#"{"Status":"restarting","Running":true,"Paused":false,"Restarting":true,"OOMKilled":true,"Dead":false,"Pid":0,"ExitCode":1,"Error":"","StartedAt":"2026-11-24T01:46:35Z","FinishedAt":"2026-11-24T01:46:36Z"}"#
        ]],
    );
    check(
        &view(Status::Exited(exit(137))),
        "{{json .State}}",
        expect![[
            r#"{"Status":"exited","Running":false,"Paused":false,"Restarting":false,"OOMKilled":true,"Dead":false,"Pid":0,"ExitCode":137,"Error":"","StartedAt":"2026-11-24T01:46:35Z","FinishedAt":"2026-11-24T01:46:36Z"}"#
        ]],
    );
}

#[test]
fn health_is_shown() {
    let mut view = view(Status::Running(life()));
    view.state.health = Some(Health {
        verdict: Verdict::Unhealthy,
        failing_streak: 2,
        log: vec![monitor::health::Check {
            start: at("2026-11-24T01:46:35Z"),
            end: at("2026-11-24T01:46:36Z"),
            code: 1,
            output: "no\n".into(),
        }],
    });
    check(
        &view,
        "{{.State.Health.Status}} {{json .State.Health}}",
        expect![[
            r#"unhealthy {"Status":"unhealthy","FailingStreak":2,"Log":[{"Start":"2026-11-24T01:46:35Z","End":"2026-11-24T01:46:36Z","ExitCode":1,"Output":"no\n"}]}"#
        ]],
    );
}

#[test]
fn mounts_are_as_they_were_asked_for() {
    let view = view(Status::Created);
    check(
        &view,
        "{{json .HostConfig.Binds}} {{json .HostConfig.Tmpfs}} {{json .HostConfig.VolumesFrom}} {{.HostConfig.VolumeDriver}}",
        expect![[r#"["/src:/a:ro,rslave","data:/e:ro,nocopy"] {"/c":"size=1m,exec"} ["other:ro"] local"#]],
    );
    check(
        &view,
        "{{json .HostConfig.Mounts}}",
        expect![[
            r#"[{"Type":"bind","Source":"/src","Target":"/b","BindOptions":{"NonRecursive":true}},{"Type":"tmpfs","Target":"/d","ReadOnly":true,"TmpfsOptions":{"SizeBytes":4096,"Mode":448}},{"Type":"volume","Source":"data","Target":"/g","VolumeOptions":{"NoCopy":true,"Labels":{"l":"m"},"Subpath":"sub","DriverConfig":{"Name":"local","Options":{"type":"tmpfs"}}}},{"Type":"image","Source":"busybox:1","Target":"/i","ImageOptions":{"Subpath":"etc"}}]"#
        ]],
    );
    check(
        &view,
        "{{json .Mounts}}",
        expect![[
            r#"[{"Type":"bind","Source":"/src","Destination":"/a","Mode":"ro,rslave","RW":false,"Propagation":"rslave"},{"Type":"bind","Source":"/src","Destination":"/b","Mode":"","RW":true,"Propagation":"rprivate"},{"Type":"tmpfs","Source":"","Destination":"/d","Mode":"","RW":false,"Propagation":""},{"Type":"volume","Name":"data","Source":"/var/lib/kist/volumes/data/_data","Destination":"/e","Driver":"local","Mode":"ro,nocopy","RW":false,"Propagation":""},{"Type":"volume","Name":"0123","Source":"/var/lib/kist/volumes/0123/_data","Destination":"/f","Driver":"local","Mode":"","RW":true,"Propagation":""},{"Type":"volume","Name":"data","Source":"/var/lib/kist/volumes/data/_data","Destination":"/g","Driver":"local","Mode":"z","RW":true,"Propagation":""},{"Type":"volume","Name":"0456","Source":"/var/lib/kist/volumes/0456/_data","Destination":"/h","Driver":"local","Mode":"","RW":true,"Propagation":""},{"Type":"image","Name":"busybox:1","Source":"","Destination":"/i","Mode":"","RW":false,"Propagation":"rprivate"}]"#
        ]],
    );
}

#[test]
fn the_rest_is_dockers() {
    let view = view(Status::Running(life()));
    check(
        &view,
        "{{.Path}} {{.Args}} {{.Name}} {{.HostsPath}} {{.LogPath}} {{.NetworkSettings.SandboxKey}}",
        expect!["sh [-c true] /web /var/lib/kist/containers/ID/hosts /var/lib/kist/containers/ID/log /proc/42/ns/net"],
    );
    check(
        &view,
        "{{json .Config}}",
        expect![[
            r#"{"Hostname":"0ef19c99aae8","Domainname":"","User":"app","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=1"],"Cmd":["sh","-c","true"],"Healthcheck":{"Test":["CMD","true"],"Interval":1000000000},"Image":"busybox","Volumes":{"/v":{}},"WorkingDir":"/srv","Entrypoint":null,"OnBuild":null,"Labels":{"app":"web"},"StopSignal":"SIGINT","StopTimeout":5}"#
        ]],
    );
    check(
        &view,
        "{{.HostConfig.NetworkMode}} {{.HostConfig.CgroupnsMode}} {{json .HostConfig.RestartPolicy}} {{json .HostConfig.SecurityOpt}} \
         {{json .HostConfig.Ulimits}} {{.HostConfig.PidsLimit}} {{.HostConfig.OomKillDisable}} {{.HostConfig.Init}}",
        expect![[
            r#"none private {"Name":"on-failure","MaximumRetryCount":3} ["no-new-privileges","seccomp=unconfined"] [{"Name":"nofile","Hard":-1,"Soft":1024}] <nil> <nil> true"#
        ]],
    );
    check(&view, "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{end}}", expect!["none"]);
}

/// `web` on the default network and on one of its user's, with ports.
fn networked() -> (View, Surroundings) {
    let mut view = view(Status::Running(Life { pid: 42, start_time: 9, since: Time::from_ns(1) }));
    let mut on_default = place("bridge");
    on_default.links = vec![Link { container: "db".into(), alias: "data".into() }];
    let mut on_own = place("net");
    on_own.attachment = Attachment {
        network: NetworkId::from_bytes([0xef; 32]),
        ipv4: Some([10, 1, 2, 3].into()),
        mac: Some("02:42:0a:01:02:03".parse().unwrap()),
        aliases: vec!["www".into()],
        driver_options: BTreeMap::from([("a".into(), "b".into())]),
        gateway_priority: 7,
        ..on_own.attachment
    };
    on_own.links = vec![Link { container: "db".into(), alias: "data".into() }];
    let endpoint = |place: &Place, interface: &str, v4: [u8; 4], byte: u8| Endpoint {
        id: EndpointId::from_bytes([byte; 32]),
        network: place.attachment.network.clone(),
        interface: interface.into(),
        peer: Some("veth0".into()),
        mac: spec::address::Mac([2, 0x42, v4[0], v4[1], v4[2], v4[3]]),
        ipv4: Some((v4.into(), 24)),
        ipv6: Some(("fd00::3".parse().unwrap(), 64)),
        gateway4: Some([v4[0], v4[1], v4[2], 1].into()),
        gateway6: None,
        names: Vec::new(),
    };
    let has = [endpoint(&on_default, "eth0", [172, 17, 0, 2], 1), endpoint(&on_own, "eth1", [10, 1, 2, 3], 2)];
    (on_default.endpoint, on_own.endpoint) = (Some(has[0].clone()), Some(has[1].clone()));
    view.state.endpoints = has.to_vec();
    let port = |text: &str| text.parse().unwrap();
    let published =
        |text: &str, ip: &str| Published { port: port(text), host_ip: ip.parse().unwrap(), host_port: 8080 };
    view.state.published =
        vec![published("80/tcp", "0.0.0.0"), published("80/tcp", "::"), published("53/udp", "127.0.0.1")];
    view.config.host.publish = vec![
        Publish { port: port("80/tcp"), host_ip: None, host_ports: Some((8080, 8090)) },
        Publish { port: port("80/tcp"), host_ip: Some([127, 0, 0, 1].into()), host_ports: None },
        Publish { port: port("53/udp"), host_ip: None, host_ports: Some((53, 53)) },
    ];
    view.config.exposed_ports = vec!["443/tcp".into(), "53/udp".into(), "80/tcp".into()];
    (view, Surroundings { places: vec![on_default, on_own], ..around() })
}

#[test]
fn networks_and_ports_are_dockers() {
    let check = |template: &str, expected: Expect| {
        let (view, around) = networked();
        let text = Template::parse(template).unwrap().render_typed(&inspect(&view, around)).unwrap();
        expected.assert_eq(&text);
    };
    check(
        "{{json .HostConfig.PortBindings}} {{json .HostConfig.Links}} {{.HostConfig.PublishAllPorts}}",
        expect![[
            r#"{"53/udp":[{"HostIp":"","HostPort":"53"}],"80/tcp":[{"HostIp":"","HostPort":"8080-8090"},{"HostIp":"127.0.0.1","HostPort":""}]} ["/db:/web/data"] false"#
        ]],
    );
    check(
        "{{json .Config.ExposedPorts}} {{json .Config.MacAddress}}",
        expect![[r#"{"443/tcp":{},"53/udp":{},"80/tcp":{}} """#]],
    );
    check(
        "{{json .NetworkSettings.Ports}}",
        expect![[
            r#"{"443/tcp":null,"53/udp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]}"#
        ]],
    );
    check(
        "{{json .NetworkSettings.Networks.bridge}}",
        expect![[
            r#"{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"02:42:ac:11:00:02","DriverOpts":null,"GwPriority":0,"NetworkID":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","EndpointID":"0101010101010101010101010101010101010101010101010101010101010101","Gateway":"172.17.0.1","IPAddress":"172.17.0.2","IPPrefixLen":24,"IPv6Gateway":"","GlobalIPv6Address":"fd00::3","GlobalIPv6PrefixLen":64,"DNSNames":null}"#
        ]],
    );
    check(
        "{{json .NetworkSettings.Networks.net}}",
        expect![[
            r#"{"IPAMConfig":{"IPv4Address":"10.1.2.3"},"Links":["db:data"],"Aliases":["www"],"MacAddress":"02:42:0a:01:02:03","DriverOpts":{"a":"b"},"GwPriority":7,"NetworkID":"efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef","EndpointID":"0202020202020202020202020202020202020202020202020202020202020202","Gateway":"10.1.2.1","IPAddress":"10.1.2.3","IPPrefixLen":24,"IPv6Gateway":"","GlobalIPv6Address":"fd00::3","GlobalIPv6PrefixLen":64,"DNSNames":["web","www","0ef19c99aae8"]}"#
        ]],
    );
    check(
        "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}} {{.NetworkSettings.MacAddress}}",
        expect!["172.17.0.2 172.17.0.1 02:42:ac:11:00:02"],
    );
}

#[test]
fn what_does_not_run_has_no_ports() {
    let (mut view, mut around) = networked();
    view.state.status = Status::Created;
    view.state.endpoints.clear();
    view.state.published.clear();
    around.places.iter_mut().for_each(|place| place.endpoint = None);
    let settings = inspect(&view, around).network_settings;
    expect![[r#"{"Bridge":"","SandboxID":"","SandboxKey":"","Ports":{},"HairpinMode":false,"LinkLocalIPv6Address":"","LinkLocalIPv6PrefixLen":0,"SecondaryIPAddresses":null,"SecondaryIPv6Addresses":null,"EndpointID":"","Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","MacAddress":"","Networks":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null},"net":{"IPAMConfig":{"IPv4Address":"10.1.2.3"},"Links":["db:data"],"Aliases":["www"],"MacAddress":"","DriverOpts":{"a":"b"},"GwPriority":7,"NetworkID":"efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":["web","www","0ef19c99aae8"]}}}"#]].assert_eq(&serde_json::to_string(&settings).unwrap());
}

#[test]
fn the_ports_of_a_row_are_those_of_now() {
    let (view, _) = networked();
    expect!["443/tcp, 127.0.0.1:8080->53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"]
        .assert_eq(&super::super::container_row::ports_text(&super::networks::row_ports(&view)));
}
