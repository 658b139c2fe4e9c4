//! One container in full: the JSON is what the docker command reads, and the templates' tests print over it.

#![expect(clippy::too_many_lines, reason = "a container in full")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use expect_test::{Expect, expect};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::container::{
    Config, ContainerInspect, Endpoint, GraphDriver, MountPoint, NetworkSettings, PortBinding, State,
};
use super::container_row::{self, ContainerRow, Port, Reader, RowMount, Width, ports_text};
use super::go::{Empty, List, Map};
use super::host_config::{HostConfig, LogConfig, RestartPolicy};
use super::image_row::{self, HistoryRow, ImageRow, Numbers};
use super::json;
use super::phase::{Health, Phase};
use crate::template::{Listing, Row};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn list(items: &[&str]) -> List<String> {
    List(Some(items.iter().map(|item| (*item).to_owned()).collect()))
}

fn map<V>(entries: impl IntoIterator<Item = (&'static str, V)>) -> Map<V> {
    Map(Some(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

fn binding(ip: &str, port: &str) -> PortBinding {
    PortBinding { host_ip: ip.to_owned(), host_port: port.to_owned() }
}

fn host_config() -> HostConfig {
    let none = || List(None);
    HostConfig {
        binds: none(),
        container_id_file: String::new(),
        log_config: LogConfig { kind: "json-file".to_owned(), config: Map(Some(BTreeMap::new())) },
        network_mode: "bridge".to_owned(),
        port_bindings: map([("80/tcp", List(Some(vec![binding("", "8080")])))]),
        restart_policy: RestartPolicy { name: "no".to_owned(), maximum_retry_count: 0 },
        auto_remove: false,
        volume_driver: String::new(),
        volumes_from: none(),
        console_size: [24, 80],
        annotations: Map(None),
        cap_add: list(&["NET_ADMIN", "SYS_TIME"]),
        cap_drop: none(),
        cgroupns_mode: "private".to_owned(),
        dns: list(&[]),
        dns_options: list(&[]),
        dns_search: list(&[]),
        extra_hosts: none(),
        group_add: none(),
        ipc_mode: "private".to_owned(),
        cgroup: String::new(),
        links: none(),
        oom_score_adj: 0,
        pid_mode: String::new(),
        privileged: false,
        publish_all_ports: false,
        readonly_rootfs: false,
        security_opt: none(),
        storage_opt: Map(None),
        tmpfs: Map(None),
        uts_mode: String::new(),
        userns_mode: String::new(),
        shm_size: 67_108_864,
        sysctls: Map(None),
        runtime: "runc".to_owned(),
        isolation: String::new(),
        cpu_shares: 512,
        memory: 1 << 30,
        nano_cpus: 0,
        cgroup_parent: String::new(),
        blkio_weight: 0,
        blkio_weight_device: List(Some(vec![])),
        blkio_device_read_bps: List(Some(vec![])),
        blkio_device_write_bps: List(Some(vec![])),
        blkio_device_read_iops: List(Some(vec![])),
        blkio_device_write_iops: List(Some(vec![])),
        cpu_period: 0,
        cpu_quota: 0,
        cpu_realtime_period: 0,
        cpu_realtime_runtime: 0,
        cpuset_cpus: String::new(),
        cpuset_mems: String::new(),
        devices: List(Some(vec![])),
        device_cgroup_rules: none(),
        device_requests: List(None),
        kernel_memory: 0,
        kernel_memory_tcp: 0,
        memory_reservation: 0,
        memory_swap: 2 << 30,
        memory_swappiness: None,
        oom_kill_disable: None,
        pids_limit: None,
        ulimits: List(None),
        cpu_count: 0,
        cpu_percent: 0,
        io_maximum_iops: 0,
        io_maximum_bandwidth: 0,
        mounts: List(None),
        masked_paths: list(&["/proc/kcore"]),
        readonly_paths: list(&["/proc/sys"]),
        init: None,
        egress: None,
    }
}

fn config() -> Config {
    Config {
        hostname: "0123456789ab".to_owned(),
        domainname: String::new(),
        user: String::new(),
        attach_stdin: false,
        attach_stdout: true,
        attach_stderr: true,
        exposed_ports: map([("80/tcp", Empty {})]),
        tty: false,
        open_stdin: false,
        stdin_once: false,
        env: list(&["A=1", "B=2 <x>"]),
        cmd: list(&["nginx", "-g", "daemon off;"]),
        healthcheck: None,
        args_escaped: false,
        image: "nginx".to_owned(),
        volumes: Map(None),
        working_dir: String::new(),
        entrypoint: List(None),
        network_disabled: false,
        mac_address: String::new(),
        on_build: List(None),
        labels: map([("a", "1".to_owned()), ("b", "2".to_owned()), ("com.x/y", "z".to_owned())]),
        stop_signal: String::new(),
        stop_timeout: None,
        shell: List(None),
    }
}

fn network_settings() -> NetworkSettings {
    let endpoint = Endpoint {
        ipam_config: None,
        links: List(None),
        aliases: List(None),
        mac_address: "02:42:ac:11:00:02".to_owned(),
        driver_opts: Map(None),
        gw_priority: 0,
        network_id: "n1".to_owned(),
        endpoint_id: "e1".to_owned(),
        gateway: "172.17.0.1".to_owned(),
        ip_address: "172.17.0.2".to_owned(),
        ip_prefix_len: 16,
        ipv6_gateway: String::new(),
        global_ipv6_address: String::new(),
        global_ipv6_prefix_len: 0,
        dns_names: List(None),
    };
    NetworkSettings {
        bridge: String::new(),
        sandbox_id: "s1".to_owned(),
        sandbox_key: "/run/netns/s1".to_owned(),
        ports: map([
            ("443/tcp", List(None)),
            ("80/tcp", List(Some(vec![binding("0.0.0.0", "8080"), binding("::", "8080")]))),
        ]),
        hairpin_mode: false,
        link_local_ipv6_address: String::new(),
        link_local_ipv6_prefix_len: 0,
        secondary_ip_addresses: List(None),
        secondary_ipv6_addresses: List(None),
        endpoint_id: "e1".to_owned(),
        gateway: "172.17.0.1".to_owned(),
        global_ipv6_address: String::new(),
        global_ipv6_prefix_len: 0,
        ip_address: "172.17.0.2".to_owned(),
        ip_prefix_len: 16,
        ipv6_gateway: String::new(),
        mac_address: "02:42:ac:11:00:02".to_owned(),
        networks: BTreeMap::from([("bridge".to_owned(), endpoint)]),
    }
}

/// A container that serves the web.
pub(crate) fn web() -> ContainerInspect {
    ContainerInspect {
        id: ID.to_owned(),
        created: "2024-01-02T03:04:05.5Z".to_owned(),
        path: "nginx".to_owned(),
        args: list(&["-g", "daemon off;"]),
        state: State {
            status: "running".to_owned(),
            running: true,
            paused: false,
            restarting: false,
            oom_killed: false,
            dead: false,
            pid: 42,
            exit_code: 0,
            error: String::new(),
            started_at: "2024-01-02T03:04:06Z".to_owned(),
            finished_at: super::go::time(None),
            health: None,
        },
        image: "sha256:abc".to_owned(),
        resolv_conf_path: String::new(),
        hostname_path: String::new(),
        hosts_path: String::new(),
        log_path: String::new(),
        name: "/web".to_owned(),
        restart_count: 3,
        driver: "overlay2".to_owned(),
        platform: "linux".to_owned(),
        mount_label: String::new(),
        process_label: String::new(),
        app_armor_profile: String::new(),
        exec_ids: List(None),
        host_config: host_config(),
        graph_driver: GraphDriver { data: map([("LowerDir", "/l".to_owned())]), name: "overlay2".to_owned() },
        size_rw: None,
        size_root_fs: None,
        mounts: vec![MountPoint {
            kind: "bind".to_owned(),
            name: String::new(),
            source: "/src".to_owned(),
            destination: "/dst".to_owned(),
            driver: String::new(),
            mode: "ro".to_owned(),
            rw: false,
            propagation: "rprivate".to_owned(),
        }],
        config: config(),
        network_settings: network_settings(),
        image_manifest_descriptor: None,
    }
}

fn reader(width: Width) -> Reader {
    Reader { now: Timestamp::from_second(1_700_000_300).unwrap(), zone: TimeZone::UTC, width }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn port(published: Option<(&str, u16)>, private: u16, protocol: &'static str) -> Port {
    Port { published: published.map(|(ip, port)| (ip.parse::<IpAddr>().unwrap(), port)), private, protocol }
}

/// The same container in a list.
pub(crate) fn web_row(reader: &Reader) -> ContainerRow<'_> {
    ContainerRow {
        reader,
        id: ID.to_owned(),
        names: vec!["web".to_owned(), "db/alias".to_owned()],
        image: "docker.io/library/nginx:latest".to_owned(),
        image_id: "sha256:ffffffffffffffff".to_owned(),
        command: "/docker-entrypoint.sh nginx -g 'daemon off;'".to_owned(),
        created: at(1_577_836_800),
        phase: Phase::Running { since: at(1_700_000_100), health: Some(Health::Healthy) },
        ports: vec![
            port(Some(("0.0.0.0", 8080)), 80, "tcp"),
            port(Some(("::", 8080)), 80, "tcp"),
            port(None, 443, "tcp"),
            port(None, 444, "tcp"),
            port(Some(("0.0.0.0", 53)), 53, "udp"),
        ],
        size_rw: 2,
        size_root_fs: 21_512_345,
        labels: BTreeMap::from([("a".to_owned(), "1".to_owned()), ("com.x.my-label".to_owned(), "<v>".to_owned())]),
        mounts: vec![
            RowMount { name: "a-very-long-volume-name".to_owned(), is_local_volume: true },
            RowMount { name: "/src".to_owned(), is_local_volume: false },
        ],
        networks: vec!["bridge".to_owned()],
        platform: None,
    }
}

/// Reader of most tests.
pub(crate) fn short() -> Reader {
    reader(Width::Short)
}

#[test]
fn inspect_has_every_field_in_dockers_order() {
    expect![[r#"
        [
            {
                "Id": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "Created": "2024-01-02T03:04:05.5Z",
                "Path": "nginx",
                "Args": [
                    "-g",
                    "daemon off;"
                ],
                "State": {
                    "Status": "running",
                    "Running": true,
                    "Paused": false,
                    "Restarting": false,
                    "OOMKilled": false,
                    "Dead": false,
                    "Pid": 42,
                    "ExitCode": 0,
                    "Error": "",
                    "StartedAt": "2024-01-02T03:04:06Z",
                    "FinishedAt": "0001-01-01T00:00:00Z"
                },
                "Image": "sha256:abc",
                "ResolvConfPath": "",
                "HostnamePath": "",
                "HostsPath": "",
                "LogPath": "",
                "Name": "/web",
                "RestartCount": 3,
                "Driver": "overlay2",
                "Platform": "linux",
                "MountLabel": "",
                "ProcessLabel": "",
                "AppArmorProfile": "",
                "ExecIDs": null,
                "HostConfig": {
                    "Binds": null,
                    "ContainerIDFile": "",
                    "LogConfig": {
                        "Type": "json-file",
                        "Config": {}
                    },
                    "NetworkMode": "bridge",
                    "PortBindings": {
                        "80/tcp": [
                            {
                                "HostIp": "",
                                "HostPort": "8080"
                            }
                        ]
                    },
                    "RestartPolicy": {
                        "Name": "no",
                        "MaximumRetryCount": 0
                    },
                    "AutoRemove": false,
                    "VolumeDriver": "",
                    "VolumesFrom": null,
                    "ConsoleSize": [
                        24,
                        80
                    ],
                    "CapAdd": [
                        "NET_ADMIN",
                        "SYS_TIME"
                    ],
                    "CapDrop": null,
                    "CgroupnsMode": "private",
                    "Dns": [],
                    "DnsOptions": [],
                    "DnsSearch": [],
                    "ExtraHosts": null,
                    "GroupAdd": null,
                    "IpcMode": "private",
                    "Cgroup": "",
                    "Links": null,
                    "OomScoreAdj": 0,
                    "PidMode": "",
                    "Privileged": false,
                    "PublishAllPorts": false,
                    "ReadonlyRootfs": false,
                    "SecurityOpt": null,
                    "UTSMode": "",
                    "UsernsMode": "",
                    "ShmSize": 67108864,
                    "Runtime": "runc",
                    "Isolation": "",
                    "CpuShares": 512,
                    "Memory": 1073741824,
                    "NanoCpus": 0,
                    "CgroupParent": "",
                    "BlkioWeight": 0,
                    "BlkioWeightDevice": [],
                    "BlkioDeviceReadBps": [],
                    "BlkioDeviceWriteBps": [],
                    "BlkioDeviceReadIOps": [],
                    "BlkioDeviceWriteIOps": [],
                    "CpuPeriod": 0,
                    "CpuQuota": 0,
                    "CpuRealtimePeriod": 0,
                    "CpuRealtimeRuntime": 0,
                    "CpusetCpus": "",
                    "CpusetMems": "",
                    "Devices": [],
                    "DeviceCgroupRules": null,
                    "DeviceRequests": null,
                    "MemoryReservation": 0,
                    "MemorySwap": 2147483648,
                    "MemorySwappiness": null,
                    "OomKillDisable": null,
                    "PidsLimit": null,
                    "Ulimits": null,
                    "CpuCount": 0,
                    "CpuPercent": 0,
                    "IOMaximumIOps": 0,
                    "IOMaximumBandwidth": 0,
                    "MaskedPaths": [
                        "/proc/kcore"
                    ],
                    "ReadonlyPaths": [
                        "/proc/sys"
                    ]
                },
                "GraphDriver": {
                    "Data": {
                        "LowerDir": "/l"
                    },
                    "Name": "overlay2"
                },
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": "/src",
                        "Destination": "/dst",
                        "Mode": "ro",
                        "RW": false,
                        "Propagation": "rprivate"
                    }
                ],
                "Config": {
                    "Hostname": "0123456789ab",
                    "Domainname": "",
                    "User": "",
                    "AttachStdin": false,
                    "AttachStdout": true,
                    "AttachStderr": true,
                    "ExposedPorts": {
                        "80/tcp": {}
                    },
                    "Tty": false,
                    "OpenStdin": false,
                    "StdinOnce": false,
                    "Env": [
                        "A=1",
                        "B=2 <x>"
                    ],
                    "Cmd": [
                        "nginx",
                        "-g",
                        "daemon off;"
                    ],
                    "Image": "nginx",
                    "Volumes": null,
                    "WorkingDir": "",
                    "Entrypoint": null,
                    "OnBuild": null,
                    "Labels": {
                        "a": "1",
                        "b": "2",
                        "com.x/y": "z"
                    }
                },
                "NetworkSettings": {
                    "Bridge": "",
                    "SandboxID": "s1",
                    "SandboxKey": "/run/netns/s1",
                    "Ports": {
                        "443/tcp": null,
                        "80/tcp": [
                            {
                                "HostIp": "0.0.0.0",
                                "HostPort": "8080"
                            },
                            {
                                "HostIp": "::",
                                "HostPort": "8080"
                            }
                        ]
                    },
                    "HairpinMode": false,
                    "LinkLocalIPv6Address": "",
                    "LinkLocalIPv6PrefixLen": 0,
                    "SecondaryIPAddresses": null,
                    "SecondaryIPv6Addresses": null,
                    "EndpointID": "e1",
                    "Gateway": "172.17.0.1",
                    "GlobalIPv6Address": "",
                    "GlobalIPv6PrefixLen": 0,
                    "IPAddress": "172.17.0.2",
                    "IPPrefixLen": 16,
                    "IPv6Gateway": "",
                    "MacAddress": "02:42:ac:11:00:02",
                    "Networks": {
                        "bridge": {
                            "IPAMConfig": null,
                            "Links": null,
                            "Aliases": null,
                            "MacAddress": "02:42:ac:11:00:02",
                            "DriverOpts": null,
                            "GwPriority": 0,
                            "NetworkID": "n1",
                            "EndpointID": "e1",
                            "Gateway": "172.17.0.1",
                            "IPAddress": "172.17.0.2",
                            "IPPrefixLen": 16,
                            "IPv6Gateway": "",
                            "GlobalIPv6Address": "",
                            "GlobalIPv6PrefixLen": 0,
                            "DNSNames": null
                        }
                    }
                }
            }
        ]"#]]
    .assert_eq(&json::pretty(&[web()]).unwrap());
}

fn check_list(format: &str, columns: &'static [crate::template::Column], rows: &[&dyn Row], expected: Expect) {
    expected.assert_eq(&Listing::parse(format).unwrap().render(columns, rows).unwrap());
}

#[test]
fn ps_is_a_table() {
    let (short, full) = (reader(Width::Short), reader(Width::Full));
    let row = web_row(&short);
    check_list(
        container_row::TABLE_WITH_SIZE,
        container_row::COLUMNS,
        &[&row],
        expect![[r#"
        CONTAINER ID   IMAGE          COMMAND                  CREATED       STATUS                   PORTS                                                                      NAMES     SIZE
        0123456789ab   nginx:latest   "/docker-entrypoint.…"   3 years ago   Up 3 minutes (healthy)   0.0.0.0:53->53/udp, 443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp   web       2B (virtual 21.5MB)
    "#]],
    );
    check_list(
        container_row::TABLE,
        container_row::COLUMNS,
        &[&web_row(&full)],
        expect![[r#"
        CONTAINER ID                                                       IMAGE                            COMMAND                                          CREATED       STATUS                   PORTS                                                                      NAMES
        0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef   docker.io/library/nginx:latest   "/docker-entrypoint.sh nginx -g 'daemon off;'"   3 years ago   Up 3 minutes (healthy)   0.0.0.0:53->53/udp, 443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp   web,db/alias
    "#]],
    );
    check_list(
        container_row::RAW,
        container_row::COLUMNS,
        &[&row],
        expect![[r#"
        container_id: 0123456789ab
        image: nginx:latest
        command: "/docker-entrypoint.…"
        created_at: 2020-01-01 00:00:00 +0000 UTC
        state: running
        status: Up 3 minutes (healthy)
        names: web
        labels: a=1,com.x.my-label=<v>
        ports: 0.0.0.0:53->53/udp, 443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp

    "#]],
    );
    check_list(
        "json",
        container_row::COLUMNS,
        &[&row, &row],
        expect![[r#"
        {"Command":"\"/docker-entrypoint.…\"","CreatedAt":"2020-01-01 00:00:00 +0000 UTC","HealthStatus":"healthy","ID":"0123456789ab","Image":"nginx:latest","Labels":"a=1,com.x.my-label=\u003cv\u003e","LocalVolumes":"1","Mounts":"a-very-long-vo…,/src","Names":"web","Networks":"bridge","Platform":null,"Ports":"0.0.0.0:53-\u003e53/udp, 443-444/tcp, 0.0.0.0:8080-\u003e80/tcp, [::]:8080-\u003e80/tcp","RunningFor":"3 years ago","Size":"2B (virtual 21.5MB)","State":"running","Status":"Up 3 minutes (healthy)"}
        {"Command":"\"/docker-entrypoint.…\"","CreatedAt":"2020-01-01 00:00:00 +0000 UTC","HealthStatus":"healthy","ID":"0123456789ab","Image":"nginx:latest","Labels":"a=1,com.x.my-label=\u003cv\u003e","LocalVolumes":"1","Mounts":"a-very-long-vo…,/src","Names":"web","Networks":"bridge","Platform":null,"Ports":"0.0.0.0:53-\u003e53/udp, 443-444/tcp, 0.0.0.0:8080-\u003e80/tcp, [::]:8080-\u003e80/tcp","RunningFor":"3 years ago","Size":"2B (virtual 21.5MB)","State":"running","Status":"Up 3 minutes (healthy)"}
    "#]],
    );
    check_list(
        r#"table {{.Label "com.x.my-label"}}\t{{upper .Names}}\t{{.Platform}}"#,
        container_row::COLUMNS,
        &[&row],
        expect![[r#"
            my label   NAMES     PLATFORM
            <v>        WEB       <nil>
        "#]],
    );
    check_list(
        "table {{.Names}}\t{{.Nope}}",
        container_row::COLUMNS,
        &[],
        expect![[r#"
        NAMES     <no value>
    "#]],
    );
}

#[test]
fn images_and_history_are_tables() {
    let reader = short();
    let image = ImageRow {
        reader: &reader,
        id: "sha256:0123456789abcdef".to_owned(),
        repository: "nginx".to_owned(),
        tag: "latest".to_owned(),
        digest: "<none>".to_owned(),
        created: at(1_699_000_000),
        size: 192_000_000,
        shared_size: Some(92_000_000),
        containers: None,
    };
    check_list(
        image_row::TABLE,
        image_row::COLUMNS,
        &[&image],
        expect![[r#"
        REPOSITORY   TAG       IMAGE ID       CREATED       SIZE
        nginx        latest    0123456789ab   11 days ago   192MB
    "#]],
    );
    check_list(
        "json",
        image_row::COLUMNS,
        &[&image],
        expect![[r#"
        {"Containers":"N/A","CreatedAt":"2023-11-03 08:26:40 +0000 UTC","CreatedSince":"11 days ago","Digest":"\u003cnone\u003e","ID":"0123456789ab","Repository":"nginx","SharedSize":"92MB","Size":"192MB","Tag":"latest","UniqueSize":"100MB"}
    "#]],
    );
    let step = |numbers, created, id: &str| HistoryRow {
        reader: &reader,
        numbers,
        id: id.to_owned(),
        created: at(created),
        created_by: "/bin/sh -c #(nop)\tCMD [\"nginx\" \"-g\" \"daemon off;\"]".to_owned(),
        size: 1234,
        comment: "buildkit".to_owned(),
    };
    let rows = [step(Numbers::Human, 1_699_999_000, "sha256:0123456789abcdef"), step(Numbers::Human, 0, "<missing>")];
    check_list(
        image_row::HISTORY_TABLE,
        image_row::HISTORY_COLUMNS,
        &[&rows[0], &rows[1]],
        expect![[r#"
        IMAGE          CREATED          CREATED BY                                      SIZE      COMMENT
        0123456789ab   21 minutes ago   /bin/sh -c #(nop) CMD ["nginx" "-g" "daemon …   1.23kB    buildkit
        <missing>      N/A              /bin/sh -c #(nop) CMD ["nginx" "-g" "daemon …   1.23kB    buildkit
    "#]],
    );
    let exact = step(Numbers::Exact, 1_699_999_000, "<missing>");
    check_list(
        image_row::HISTORY_TABLE_EXACT,
        image_row::HISTORY_COLUMNS,
        &[&exact],
        expect![[r#"
        IMAGE       CREATED AT             CREATED BY                                      SIZE      COMMENT
        <missing>   2023-11-14T21:56:40Z   /bin/sh -c #(nop) CMD ["nginx" "-g" "daemon …   1234      buildkit
    "#]],
    );
}

#[test]
fn ports_are_ranges_where_they_touch() {
    let cases: &[&[Port]] = &[
        &[],
        &[port(None, 82, "tcp"), port(None, 80, "tcp"), port(None, 81, "tcp")],
        &[port(None, 80, "tcp"), port(None, 82, "tcp"), port(None, 80, "udp")],
        &[port(Some(("0.0.0.0", 80)), 80, "tcp"), port(Some(("0.0.0.0", 81)), 81, "tcp"), port(None, 82, "tcp")],
        &[port(Some(("::", 80)), 80, "tcp"), port(Some(("0.0.0.0", 9000)), 80, "tcp"), port(None, 65535, "tcp")],
    ];
    expect![[r#"

        80-82/tcp
        80/tcp, 82/tcp, 80/udp
        0.0.0.0:80-81->80-81/tcp, 82/tcp
        [::]:80->80/tcp, 65535/tcp, 0.0.0.0:9000->80/tcp
    "#]]
    .assert_eq(&cases.iter().map(|ports| ports_text(ports) + "\n").collect::<String>());
}

#[test]
fn phases_read_as_in_docker() {
    let (now, then) = (at(1_700_000_000), at(1_699_992_800));
    let phases = [
        Phase::Created,
        Phase::Running { since: then, health: None },
        Phase::Running { since: then, health: Some(Health::Starting) },
        Phase::Running { since: then, health: Some(Health::Unhealthy) },
        Phase::Running { since: at(1_700_000_100), health: Some(Health::Healthy) },
        Phase::Paused { since: at(1_699_999_820) },
        Phase::Restarting { exit_code: 1, at: at(1_699_999_995) },
        Phase::Removing,
        Phase::Exited { exit_code: 137, at: then },
    ];
    expect![[r#"
        created: Created
        running: Up 2 hours
        running: Up 2 hours (health: starting)
        running: Up 2 hours (unhealthy)
        running: Up Less than a second (healthy)
        paused: Up 3 minutes (Paused)
        restarting: Restarting (1) 5 seconds ago
        removing: Removal In Progress
        exited: Exited (137) 2 hours ago
    "#]]
    .assert_eq(&phases.map(|phase| format!("{}: {}\n", phase.state(), phase.status(now))).concat());
}
