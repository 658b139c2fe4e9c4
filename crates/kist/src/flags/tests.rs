//! The compatibility ledger: what each flag of `docker run` changes in the bundle that the kernel is asked for, and in what is recorded
//! of networks.
//!
//! A row shows the lines of the bundle (one for each leaf of its JSON) that differ from those of `run busybox`: `-` before, `+` after.

#![expect(clippy::too_many_lines, reason = "tables, a row a flag")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::Host;
use engine::bundle::{self, Facts, Sources};
use engine::container::create;
use engine::network::attach::Wanted;
use engine::volume::Source;
use expect_test::{Expect, expect};
use serde_json::Value;
use spec::bundle::{IdMap, IdMaps};
use spec::capability::CapabilitySet;
use spec::digest::{Digest, ImageId};
use spec::id::ContainerId;
use spec::image::{ImageConfig, RunConfig};
use spec::resources::DEFAULT_DEVICES;
use spec::time::Time;
use store::Image;

use crate::cli::Cli;
use crate::commands::run::RUN;
use crate::flags::container::request;

fn image() -> Image {
    let config = RunConfig {
        cmd: Some(vec!["sh".into()]),
        env: vec!["PATH=/bin".into(), "LANG=C".into()],
        ..RunConfig::default()
    };
    Image {
        id: ImageId(Digest::sha256(b"image")),
        config: ImageConfig { config, os: "linux".into(), architecture: "amd64".into(), ..ImageConfig::default() },
        config_bytes: Vec::new(),
        manifest: None,
        chains: Vec::new(),
        size_bytes: 0,
        loaded_at: Time::from_ns(0),
    }
}

fn facts() -> Facts {
    let map = vec![IdMap { container: 0, host: 100_000, size: 65_536 }];
    Facts {
        apparmor: Some("kist-default".into()),
        capabilities: CapabilitySet::ALL,
        id_maps: IdMaps { uids: map.clone(), gids: map },
        devices: Vec::new(),
        device_rules: DEFAULT_DEVICES.to_vec(),
        etc: vec![("/etc/hosts".into(), "/run/hosts".into())],
        sources: Sources::default(),
    }
}

/// The bundle's leaves, or the line with which the flags are refused.
fn bundle_of(flags: &[&str], words: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let home = testkit::Root::new();
    let host = Host::open(&home.join("root"), &home.join("run"), &home.join("config")).unwrap();
    let cli = Cli::for_tests(&[("HERE", "there")], "/cwd");
    let typed: Vec<String> = flags.iter().chain(&["busybox"]).chain(words).map(|word| (*word).to_owned()).collect();
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let args = RUN.parse(&typed).map_err(|report| first_line(report.text))?.expect("no help was asked for");
    let request = request(&cli, &host, &RUN, &args).map_err(|report| first_line(report.text))?;
    create::check(&request).map_err(|error| error.to_string())?;
    let mut settings = request.settings.clone();
    settings.resources.fill_defaults();
    let id = ContainerId::from_bytes([0xab; 32]);
    let wanted: Vec<String> = request.networks.iter().map(show_wanted).collect();
    let config = create::config(&host, &image(), request, id).map_err(|error| error.to_string())?;
    let volumes = config.volumes_used().map(|(name, _)| (name.clone(), Source::Own(volume_place(name.as_str()))));
    let facts = Facts { sources: Sources { volumes: volumes.collect(), ..Sources::default() }, ..facts() };
    let bundle = bundle::new(&config, &settings, &facts).map_err(|error| error.to_string())?;
    let mut lines = BTreeMap::new();
    leaves("", &serde_json::to_value(bundle).unwrap(), &mut lines);
    let dns = [config.host.dns, config.host.dns_search, config.host.dns_options].concat();
    let recorded = serde_json::json!({
        "mode": config.host.network, "on": wanted, "publish": config.host.publish, "publish_all": config.host.publish_all,
        "egress": config.host.egress, "exposed": config.exposed_ports, "hosts": config.host.extra_hosts,
        "dns": dns,
    });
    leaves("(networks)", &recorded, &mut lines);
    // The one thing in it that depends on the machine.
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if lines.remove(&format!(".process.env[HOSTNAME={machine}]")).is_some() {
        lines.insert(".process.env[HOSTNAME=MACHINE]".into(), String::new());
    }
    if lines.get(".hostname") == Some(&format!("{machine:?}")) {
        lines.insert(".hostname".into(), "\"MACHINE\"".into());
    }
    Ok(lines)
}

/// A name that nobody gave is another one each time.
fn volume_place(name: &str) -> PathBuf {
    Path::new("/volumes").join(if name.len() == 64 { "ANONYMOUS" } else { name })
}

fn show_wanted(one: &Wanted) -> String {
    let Wanted { network, ipv4, ipv6, mac, aliases, links, driver_options, gateway_priority } = one;
    let mut text = network.clone();
    text.extend(ipv4.map(|address| format!(" {address}")));
    text.extend(ipv6.map(|address| format!(" {address}")));
    text.extend(mac.map(|address| format!(" {address}")));
    text.extend(aliases.iter().map(|alias| format!(" alias={alias}")));
    text.extend(links.iter().map(|link| format!(" link={}:{}", link.container, link.alias)));
    text.extend(driver_options.iter().map(|(key, value)| format!(" {key}={value}")));
    text.extend((*gateway_priority != 0).then(|| format!(" priority={gateway_priority}")));
    text
}

fn leaves(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(&format!("{path}.{key}"), value, lines);
            }
        }
        // An element of a list is known by itself, not by its place.
        Value::Array(list) if !list.is_empty() => {
            for one in list {
                let name = one["target"].as_str().or(one["path"].as_str()).or(one.as_str());
                let (name, value) = (
                    name.map_or_else(|| one.to_string(), str::to_owned),
                    if one.is_object() { one.to_string() } else { String::new() },
                );
                lines.insert(format!("{path}[{name}]"), if value == name { String::new() } else { value });
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            lines.insert(path.to_owned(), value.to_string());
        }
    }
}

#[track_caller]
fn check(flags: &str, expected: Expect) {
    check_words(flags, "", expected);
}

#[track_caller]
fn check_words(flags: &str, words: &str, expected: Expect) {
    let flags: Vec<&str> = flags.split(' ').filter(|word| !word.is_empty()).collect();
    let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    let actual = match bundle_of(&flags, &words) {
        Err(line) => line,
        Ok(lines) => {
            let plain = bundle_of(&[], &[]).unwrap();
            let mut text = String::new();
            for key in plain.keys().chain(lines.keys()).collect::<std::collections::BTreeSet<_>>() {
                if plain.get(key) != lines.get(key) {
                    for (sign, value) in [("-", plain.get(key)), ("+", lines.get(key))] {
                        if let Some(value) = value {
                            text.push_str(format!("{sign}{key} {value}").trim_end());
                            text.push('\n');
                        }
                    }
                }
            }
            text
        }
    };
    expected.assert_eq(actual.trim_end());
}

#[test]
fn without_flags() {
    let text: String = bundle_of(&[], &[])
        .unwrap()
        .into_iter()
        .map(|(key, value)| format!("{} {value}\n", key))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    expect![[r#"
        (networks).dns []
        (networks).egress null
        (networks).exposed []
        (networks).hosts []
        (networks).mode.networks "bridge"
        (networks).on[bridge]
        (networks).publish []
        (networks).publish_all false
        .cgroup.driver "auto"
        .devices []
        .hostname "abababababab"
        .id "abababababababababababababababababababababababababababababababab"
        .init false
        .masked_paths[/proc/acpi]
        .masked_paths[/proc/asound]
        .masked_paths[/proc/interrupts]
        .masked_paths[/proc/kcore]
        .masked_paths[/proc/keys]
        .masked_paths[/proc/latency_stats]
        .masked_paths[/proc/sched_debug]
        .masked_paths[/proc/scsi]
        .masked_paths[/proc/timer_list]
        .masked_paths[/proc/timer_stats]
        .masked_paths[/sys/devices/virtual/powercap]
        .masked_paths[/sys/firmware]
        .mounts[/dev/mqueue] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"mqueue","options":[],"source":"mqueue"}},"target":"/dev/mqueue"}
        .mounts[/dev/pts] {"attributes":{"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"devpts","options":[["newinstance",null],["ptmxmode","0666"],["mode","0620"],["gid","5"]],"source":"devpts"}},"target":"/dev/pts"}
        .mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","67108864"]],"source":"shm"}},"target":"/dev/shm"}
        .mounts[/dev] {"attributes":{"nosuid":true,"strictatime":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","755"],["size","65536k"]],"source":"tmpfs"}},"target":"/dev"}
        .mounts[/etc/hosts] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/run/hosts"}},"propagation":"rprivate","target":"/etc/hosts"}
        .mounts[/proc] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"proc","options":[],"source":"proc"}},"target":"/proc"}
        .mounts[/sys/fs/cgroup] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":"cgroup","target":"/sys/fs/cgroup"}
        .mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
        .namespaces.cgroup "private"
        .namespaces.ipc "private"
        .namespaces.network "private"
        .namespaces.pid "private"
        .namespaces.user "host"
        .namespaces.uts "private"
        .networks.dns []
        .networks.dns_options []
        .networks.dns_search []
        .networks.publish_ip null
        .networks.respect_input false
        .process.apparmor "kist-default"
        .process.args[sh]
        .process.capabilities[CAP_AUDIT_WRITE]
        .process.capabilities[CAP_CHOWN]
        .process.capabilities[CAP_DAC_OVERRIDE]
        .process.capabilities[CAP_FOWNER]
        .process.capabilities[CAP_FSETID]
        .process.capabilities[CAP_KILL]
        .process.capabilities[CAP_MKNOD]
        .process.capabilities[CAP_NET_BIND_SERVICE]
        .process.capabilities[CAP_NET_RAW]
        .process.capabilities[CAP_SETFCAP]
        .process.capabilities[CAP_SETGID]
        .process.capabilities[CAP_SETPCAP]
        .process.capabilities[CAP_SETUID]
        .process.capabilities[CAP_SYS_CHROOT]
        .process.cwd "/"
        .process.env[HOSTNAME=abababababab]
        .process.env[LANG=C]
        .process.env[PATH=/bin]
        .process.group_add []
        .process.no_new_privileges false
        .process.oom_score_adj 0
        .process.rlimits []
        .process.terminal false
        .process.user ""
        .readonly_paths[/proc/bus]
        .readonly_paths[/proc/fs]
        .readonly_paths[/proc/irq]
        .readonly_paths[/proc/sys]
        .readonly_paths[/proc/sysrq-trigger]
        .readonly_rootfs false
        .resources.devices[{"access":"m","allow":true,"type":"b"}]
        .resources.devices[{"access":"m","allow":true,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":false,"type":"a"}]
        .resources.devices[{"access":"rwm","allow":true,"major":1,"minor":3,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":1,"minor":5,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":1,"minor":7,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":1,"minor":8,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":1,"minor":9,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":10,"minor":200,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":136,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":5,"minor":0,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":5,"minor":1,"type":"c"}]
        .resources.devices[{"access":"rwm","allow":true,"major":5,"minor":2,"type":"c"}]
        .rootfs_propagation "rprivate"
        .seccomp "default"
        .sysctls {}
    "#]].assert_eq(&text);
}

#[test]
fn process() {
    check(
        "-e A=1 -e B=2",
        expect![[r#"
        +.process.env[A=1]
        +.process.env[B=2]"#]],
    );
    check(
        "-e LANG=de",
        expect![[r#"
        -.process.env[LANG=C]
        +.process.env[LANG=de]"#]],
    );
    check("-e HERE", expect!["+.process.env[HERE=there]"]);
    check("-e NOWHERE", expect![[""]]);
    check("-e LANG", expect!["-.process.env[LANG=C]"]);
    check("-e =x", expect![[r#"invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x"#]]);
    check(
        "-w /tmp",
        expect![[r#"
        -.process.cwd "/"
        +.process.cwd "/tmp""#]],
    );
    check("-w tmp", expect!["the working directory 'tmp' is invalid, it needs to be an absolute path"]);
    check(
        "-u 1000",
        expect![[r#"
        -.process.user ""
        +.process.user "1000""#]],
    );
    check(
        "-u 1000:100",
        expect![[r#"
        -.process.user ""
        +.process.user "1000:100""#]],
    );
    check(
        "-u nobody",
        expect![[r#"
        -.process.user ""
        +.process.user "nobody""#]],
    );
    check(
        "--group-add 5 --group-add wheel",
        expect![[r#"
        -.process.group_add []
        +.process.group_add[5]
        +.process.group_add[wheel]"#]],
    );
    check(
        "-t",
        expect![[r#"
        +.process.env[TERM=xterm]
        -.process.terminal false
        +.process.terminal true"#]],
    );
    check("-i", expect![[""]]);
    check(
        "-it",
        expect![[r#"
        +.process.env[TERM=xterm]
        -.process.terminal false
        +.process.terminal true"#]],
    );
    check(
        "-h web",
        expect![[r#"
        -.hostname "abababababab"
        +.hostname "web"
        -.process.env[HOSTNAME=abababababab]
        +.process.env[HOSTNAME=web]"#]],
    );
    check(
        "--hostname web --domainname example.org",
        expect![[r#"
        +.domainname "example.org"
        -.hostname "abababababab"
        +.hostname "web"
        -.process.env[HOSTNAME=abababababab]
        +.process.env[HOSTNAME=web]"#]],
    );
    check(
        "--entrypoint /bin/echo",
        expect![[r#"
        +.process.args[/bin/echo]
        -.process.args[sh]"#]],
    );
    check("--entrypoint=", expect!["no command specified"]);
    check(
        "--init",
        expect![[r#"
        -.init false
        +.init true"#]],
    );
    check(
        "--oom-score-adj 500",
        expect![[r#"
        -.process.oom_score_adj 0
        +.process.oom_score_adj 500"#]],
    );
    check("--oom-score-adj 1001", expect!["Invalid value 1001, range for oom score adj is [-1000, 1000]"]);
    check(
        "--ulimit nofile=1024",
        expect![[r#"
        -.process.rlimits []
        +.process.rlimits[{"hard":1024,"name":"nofile","soft":1024}]"#]],
    );
    check(
        "--ulimit nofile=1024:2048",
        expect![[r#"
        -.process.rlimits []
        +.process.rlimits[{"hard":2048,"name":"nofile","soft":1024}]"#]],
    );
    check(
        "--ulimit core=-1",
        expect![[r#"
        -.process.rlimits []
        +.process.rlimits[{"hard":18446744073709551615,"name":"core","soft":18446744073709551615}]"#]],
    );
    check(
        "--ulimit nofile=2:1",
        expect![[
            r#"invalid argument "nofile=2:1" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 2 > 1"#
        ]],
    );
    check("--ulimit what=1", expect![[r#"invalid argument "what=1" for "--ulimit" flag: invalid ulimit type: what"#]]);
    check("--no-healthcheck", expect![[""]]);
    check("--stop-signal NOPE", expect![[r#"invalid argument "NOPE" for "--stop-signal" flag: Invalid signal: NOPE"#]]);
}

#[test]
fn capabilities_and_security() {
    check("--cap-add NET_ADMIN", expect!["+.process.capabilities[CAP_NET_ADMIN]"]);
    check("--cap-add net_admin", expect!["+.process.capabilities[CAP_NET_ADMIN]"]);
    check("--cap-add CAP_SYS_ADMIN", expect!["+.process.capabilities[CAP_SYS_ADMIN]"]);
    check(
        "--cap-add ALL",
        expect![[r#"
        +.process.capabilities[CAP_AUDIT_CONTROL]
        +.process.capabilities[CAP_AUDIT_READ]
        +.process.capabilities[CAP_BLOCK_SUSPEND]
        +.process.capabilities[CAP_BPF]
        +.process.capabilities[CAP_CHECKPOINT_RESTORE]
        +.process.capabilities[CAP_DAC_READ_SEARCH]
        +.process.capabilities[CAP_IPC_LOCK]
        +.process.capabilities[CAP_IPC_OWNER]
        +.process.capabilities[CAP_LEASE]
        +.process.capabilities[CAP_LINUX_IMMUTABLE]
        +.process.capabilities[CAP_MAC_ADMIN]
        +.process.capabilities[CAP_MAC_OVERRIDE]
        +.process.capabilities[CAP_NET_ADMIN]
        +.process.capabilities[CAP_NET_BROADCAST]
        +.process.capabilities[CAP_PERFMON]
        +.process.capabilities[CAP_SYSLOG]
        +.process.capabilities[CAP_SYS_ADMIN]
        +.process.capabilities[CAP_SYS_BOOT]
        +.process.capabilities[CAP_SYS_MODULE]
        +.process.capabilities[CAP_SYS_NICE]
        +.process.capabilities[CAP_SYS_PACCT]
        +.process.capabilities[CAP_SYS_PTRACE]
        +.process.capabilities[CAP_SYS_RAWIO]
        +.process.capabilities[CAP_SYS_RESOURCE]
        +.process.capabilities[CAP_SYS_TIME]
        +.process.capabilities[CAP_SYS_TTY_CONFIG]
        +.process.capabilities[CAP_WAKE_ALARM]"#]],
    );
    check(
        "--cap-drop ALL",
        expect![[r#"
        +.process.capabilities []
        -.process.capabilities[CAP_AUDIT_WRITE]
        -.process.capabilities[CAP_CHOWN]
        -.process.capabilities[CAP_DAC_OVERRIDE]
        -.process.capabilities[CAP_FOWNER]
        -.process.capabilities[CAP_FSETID]
        -.process.capabilities[CAP_KILL]
        -.process.capabilities[CAP_MKNOD]
        -.process.capabilities[CAP_NET_BIND_SERVICE]
        -.process.capabilities[CAP_NET_RAW]
        -.process.capabilities[CAP_SETFCAP]
        -.process.capabilities[CAP_SETGID]
        -.process.capabilities[CAP_SETPCAP]
        -.process.capabilities[CAP_SETUID]
        -.process.capabilities[CAP_SYS_CHROOT]"#]],
    );
    check(
        "--cap-drop ALL --cap-add CHOWN",
        expect![[r#"
        -.process.capabilities[CAP_AUDIT_WRITE]
        -.process.capabilities[CAP_DAC_OVERRIDE]
        -.process.capabilities[CAP_FOWNER]
        -.process.capabilities[CAP_FSETID]
        -.process.capabilities[CAP_KILL]
        -.process.capabilities[CAP_MKNOD]
        -.process.capabilities[CAP_NET_BIND_SERVICE]
        -.process.capabilities[CAP_NET_RAW]
        -.process.capabilities[CAP_SETFCAP]
        -.process.capabilities[CAP_SETGID]
        -.process.capabilities[CAP_SETPCAP]
        -.process.capabilities[CAP_SETUID]
        -.process.capabilities[CAP_SYS_CHROOT]"#]],
    );
    check(
        "--cap-add ALL --cap-drop SYS_ADMIN",
        expect![[r#"
        +.process.capabilities[CAP_AUDIT_CONTROL]
        +.process.capabilities[CAP_AUDIT_READ]
        +.process.capabilities[CAP_BLOCK_SUSPEND]
        +.process.capabilities[CAP_BPF]
        +.process.capabilities[CAP_CHECKPOINT_RESTORE]
        +.process.capabilities[CAP_DAC_READ_SEARCH]
        +.process.capabilities[CAP_IPC_LOCK]
        +.process.capabilities[CAP_IPC_OWNER]
        +.process.capabilities[CAP_LEASE]
        +.process.capabilities[CAP_LINUX_IMMUTABLE]
        +.process.capabilities[CAP_MAC_ADMIN]
        +.process.capabilities[CAP_MAC_OVERRIDE]
        +.process.capabilities[CAP_NET_ADMIN]
        +.process.capabilities[CAP_NET_BROADCAST]
        +.process.capabilities[CAP_PERFMON]
        +.process.capabilities[CAP_SYSLOG]
        +.process.capabilities[CAP_SYS_BOOT]
        +.process.capabilities[CAP_SYS_MODULE]
        +.process.capabilities[CAP_SYS_NICE]
        +.process.capabilities[CAP_SYS_PACCT]
        +.process.capabilities[CAP_SYS_PTRACE]
        +.process.capabilities[CAP_SYS_RAWIO]
        +.process.capabilities[CAP_SYS_RESOURCE]
        +.process.capabilities[CAP_SYS_TIME]
        +.process.capabilities[CAP_SYS_TTY_CONFIG]
        +.process.capabilities[CAP_WAKE_ALARM]"#]],
    );
    check("--cap-drop NET_RAW", expect!["-.process.capabilities[CAP_NET_RAW]"]);
    check("--cap-add NOPE", expect![[r#"invalid CapAdd: unknown capability: "CAP_NOPE""#]]);
    check(
        "--privileged",
        expect![[r#"
        +.masked_paths []
        -.masked_paths[/proc/acpi]
        -.masked_paths[/proc/asound]
        -.masked_paths[/proc/interrupts]
        -.masked_paths[/proc/kcore]
        -.masked_paths[/proc/keys]
        -.masked_paths[/proc/latency_stats]
        -.masked_paths[/proc/sched_debug]
        -.masked_paths[/proc/scsi]
        -.masked_paths[/proc/timer_list]
        -.masked_paths[/proc/timer_stats]
        -.masked_paths[/sys/devices/virtual/powercap]
        -.masked_paths[/sys/firmware]
        -.mounts[/sys/fs/cgroup] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":"cgroup","target":"/sys/fs/cgroup"}
        +.mounts[/sys/fs/cgroup] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":"cgroup","target":"/sys/fs/cgroup"}
        -.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
        +.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
        -.namespaces.cgroup "private"
        +.namespaces.cgroup "host"
        -.process.apparmor "kist-default"
        +.process.capabilities[CAP_AUDIT_CONTROL]
        +.process.capabilities[CAP_AUDIT_READ]
        +.process.capabilities[CAP_BLOCK_SUSPEND]
        +.process.capabilities[CAP_BPF]
        +.process.capabilities[CAP_CHECKPOINT_RESTORE]
        +.process.capabilities[CAP_DAC_READ_SEARCH]
        +.process.capabilities[CAP_IPC_LOCK]
        +.process.capabilities[CAP_IPC_OWNER]
        +.process.capabilities[CAP_LEASE]
        +.process.capabilities[CAP_LINUX_IMMUTABLE]
        +.process.capabilities[CAP_MAC_ADMIN]
        +.process.capabilities[CAP_MAC_OVERRIDE]
        +.process.capabilities[CAP_NET_ADMIN]
        +.process.capabilities[CAP_NET_BROADCAST]
        +.process.capabilities[CAP_PERFMON]
        +.process.capabilities[CAP_SYSLOG]
        +.process.capabilities[CAP_SYS_ADMIN]
        +.process.capabilities[CAP_SYS_BOOT]
        +.process.capabilities[CAP_SYS_MODULE]
        +.process.capabilities[CAP_SYS_NICE]
        +.process.capabilities[CAP_SYS_PACCT]
        +.process.capabilities[CAP_SYS_PTRACE]
        +.process.capabilities[CAP_SYS_RAWIO]
        +.process.capabilities[CAP_SYS_RESOURCE]
        +.process.capabilities[CAP_SYS_TIME]
        +.process.capabilities[CAP_SYS_TTY_CONFIG]
        +.process.capabilities[CAP_WAKE_ALARM]
        +.readonly_paths []
        -.readonly_paths[/proc/bus]
        -.readonly_paths[/proc/fs]
        -.readonly_paths[/proc/irq]
        -.readonly_paths[/proc/sys]
        -.readonly_paths[/proc/sysrq-trigger]
        -.resources.devices[{"access":"m","allow":true,"type":"b"}]
        -.resources.devices[{"access":"m","allow":true,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":false,"type":"a"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":3,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":5,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":7,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":8,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":9,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":10,"minor":200,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":136,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":0,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":1,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":2,"type":"c"}]
        +.resources.devices[{"access":"rwm","allow":true,"type":"a"}]
        -.seccomp "default"
        +.seccomp "unconfined""#]],
    );
    check(
        "--privileged --cap-drop ALL",
        expect![[r#"
        +.masked_paths []
        -.masked_paths[/proc/acpi]
        -.masked_paths[/proc/asound]
        -.masked_paths[/proc/interrupts]
        -.masked_paths[/proc/kcore]
        -.masked_paths[/proc/keys]
        -.masked_paths[/proc/latency_stats]
        -.masked_paths[/proc/sched_debug]
        -.masked_paths[/proc/scsi]
        -.masked_paths[/proc/timer_list]
        -.masked_paths[/proc/timer_stats]
        -.masked_paths[/sys/devices/virtual/powercap]
        -.masked_paths[/sys/firmware]
        -.mounts[/sys/fs/cgroup] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":"cgroup","target":"/sys/fs/cgroup"}
        +.mounts[/sys/fs/cgroup] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":"cgroup","target":"/sys/fs/cgroup"}
        -.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
        +.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
        -.namespaces.cgroup "private"
        +.namespaces.cgroup "host"
        -.process.apparmor "kist-default"
        +.process.capabilities[CAP_AUDIT_CONTROL]
        +.process.capabilities[CAP_AUDIT_READ]
        +.process.capabilities[CAP_BLOCK_SUSPEND]
        +.process.capabilities[CAP_BPF]
        +.process.capabilities[CAP_CHECKPOINT_RESTORE]
        +.process.capabilities[CAP_DAC_READ_SEARCH]
        +.process.capabilities[CAP_IPC_LOCK]
        +.process.capabilities[CAP_IPC_OWNER]
        +.process.capabilities[CAP_LEASE]
        +.process.capabilities[CAP_LINUX_IMMUTABLE]
        +.process.capabilities[CAP_MAC_ADMIN]
        +.process.capabilities[CAP_MAC_OVERRIDE]
        +.process.capabilities[CAP_NET_ADMIN]
        +.process.capabilities[CAP_NET_BROADCAST]
        +.process.capabilities[CAP_PERFMON]
        +.process.capabilities[CAP_SYSLOG]
        +.process.capabilities[CAP_SYS_ADMIN]
        +.process.capabilities[CAP_SYS_BOOT]
        +.process.capabilities[CAP_SYS_MODULE]
        +.process.capabilities[CAP_SYS_NICE]
        +.process.capabilities[CAP_SYS_PACCT]
        +.process.capabilities[CAP_SYS_PTRACE]
        +.process.capabilities[CAP_SYS_RAWIO]
        +.process.capabilities[CAP_SYS_RESOURCE]
        +.process.capabilities[CAP_SYS_TIME]
        +.process.capabilities[CAP_SYS_TTY_CONFIG]
        +.process.capabilities[CAP_WAKE_ALARM]
        +.readonly_paths []
        -.readonly_paths[/proc/bus]
        -.readonly_paths[/proc/fs]
        -.readonly_paths[/proc/irq]
        -.readonly_paths[/proc/sys]
        -.readonly_paths[/proc/sysrq-trigger]
        -.resources.devices[{"access":"m","allow":true,"type":"b"}]
        -.resources.devices[{"access":"m","allow":true,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":false,"type":"a"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":3,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":5,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":7,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":8,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":1,"minor":9,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":10,"minor":200,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":136,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":0,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":1,"type":"c"}]
        -.resources.devices[{"access":"rwm","allow":true,"major":5,"minor":2,"type":"c"}]
        +.resources.devices[{"access":"rwm","allow":true,"type":"a"}]
        -.seccomp "default"
        +.seccomp "unconfined""#]],
    );
    check(
        "--security-opt no-new-privileges",
        expect![[r#"
        -.process.no_new_privileges false
        +.process.no_new_privileges true"#]],
    );
    check(
        "--security-opt no-new-privileges:true",
        expect![[r#"
        -.process.no_new_privileges false
        +.process.no_new_privileges true"#]],
    );
    check("--security-opt no-new-privileges=false", expect![[""]]);
    check(
        "--security-opt seccomp=unconfined",
        expect![[r#"
        -.seccomp "default"
        +.seccomp "unconfined""#]],
    );
    check(
        "--security-opt seccomp=/nonexistent",
        expect!["opening seccomp profile (/nonexistent) failed: open /nonexistent: no such file or directory"],
    );
    check("--security-opt apparmor=unconfined", expect![[r#"-.process.apparmor "kist-default""#]]);
    check(
        "--security-opt apparmor=mine",
        expect![[r#"
        -.process.apparmor "kist-default"
        +.process.apparmor "mine""#]],
    );
    check(
        "--security-opt systempaths=unconfined",
        expect![[r#"
        +.masked_paths []
        -.masked_paths[/proc/acpi]
        -.masked_paths[/proc/asound]
        -.masked_paths[/proc/interrupts]
        -.masked_paths[/proc/kcore]
        -.masked_paths[/proc/keys]
        -.masked_paths[/proc/latency_stats]
        -.masked_paths[/proc/sched_debug]
        -.masked_paths[/proc/scsi]
        -.masked_paths[/proc/timer_list]
        -.masked_paths[/proc/timer_stats]
        -.masked_paths[/sys/devices/virtual/powercap]
        -.masked_paths[/sys/firmware]
        +.readonly_paths []
        -.readonly_paths[/proc/bus]
        -.readonly_paths[/proc/fs]
        -.readonly_paths[/proc/irq]
        -.readonly_paths[/proc/sys]
        -.readonly_paths[/proc/sysrq-trigger]"#]],
    );
    check("--security-opt label=disable", expect![[""]]);
    check("--security-opt nope", expect![[r#"invalid --security-opt: "nope""#]]);
    check(
        "--read-only",
        expect![[r#"
        -.readonly_rootfs false
        +.readonly_rootfs true"#]],
    );
}

#[test]
fn namespaces() {
    check(
        "--pid host",
        expect![[r#"
        -.namespaces.pid "private"
        +.namespaces.pid "host""#]],
    );
    check("--pid nope", expect!["--pid: invalid PID mode"]);
    check(
        "--ipc host",
        expect![[r#"
            -.mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","67108864"]],"source":"shm"}},"target":"/dev/shm"}
            +.mounts[/dev/shm] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/dev/shm"}},"propagation":"rprivate","target":"/dev/shm"}
            -.namespaces.ipc "private"
            +.namespaces.ipc "host""#]],
    );
    check("--ipc private", expect![[""]]);
    check("--ipc shareable", expect![[""]]);
    check("--ipc nope", expect!["--ipc: invalid IPC mode"]);
    check(
        "--uts host",
        expect![[r#"
        -.hostname "abababababab"
        -.namespaces.uts "private"
        +.namespaces.uts "host"
        +.process.env[HOSTNAME=MACHINE]
        -.process.env[HOSTNAME=abababababab]"#]],
    );
    check("--uts host -h x", expect!["conflicting options: hostname and the UTS mode"]);
    check("--uts container:x", expect!["--uts: invalid UTS mode"]);
    check(
        "--cgroupns host",
        expect![[r#"
        -.namespaces.cgroup "private"
        +.namespaces.cgroup "host""#]],
    );
    check("--cgroupns private", expect![[""]]);
    check("--userns host", expect![[""]]);
    check(
        "--userns private",
        expect![[r#"
        +.namespaces.id_maps.gids[{"container":0,"host":100000,"size":65536}]
        +.namespaces.id_maps.uids[{"container":0,"host":100000,"size":65536}]
        -.namespaces.user "host"
        +.namespaces.user "private""#]],
    );
    check(
        "--userns private --privileged",
        expect![
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode"
        ],
    );
    check(
        "--userns private --network host",
        expect![[r#"
            +(networks).mode "host"
            -(networks).mode.networks "bridge"
            -(networks).on[bridge]
            +(networks).on[host]
            -.hostname "abababababab"
            +.hostname "MACHINE"
            -.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"filesystem":{"fstype":"sysfs","options":[],"source":"sysfs"}},"target":"/sys"}
            +.mounts[/sys] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"bind":{"recursive":true,"source":"/sys"}},"propagation":"rprivate","target":"/sys"}
            +.namespaces.id_maps.gids[{"container":0,"host":100000,"size":65536}]
            +.namespaces.id_maps.uids[{"container":0,"host":100000,"size":65536}]
            -.namespaces.network "private"
            +.namespaces.network "host"
            -.namespaces.user "host"
            +.namespaces.user "private"
            +.process.env[HOSTNAME=MACHINE]
            -.process.env[HOSTNAME=abababababab]"#]],
    );
    check(
        "--network none",
        expect![[r#"
        +(networks).mode "none"
        -(networks).mode.networks "bridge"
        -(networks).on[bridge]
        +(networks).on[none]"#]],
    );
    check(
        "--network host",
        expect![[r#"
            +(networks).mode "host"
            -(networks).mode.networks "bridge"
            -(networks).on[bridge]
            +(networks).on[host]
            -.hostname "abababababab"
            +.hostname "MACHINE"
            -.namespaces.network "private"
            +.namespaces.network "host"
            +.process.env[HOSTNAME=MACHINE]
            -.process.env[HOSTNAME=abababababab]"#]],
    );
    check("--network bridge", expect![[""]]);
    check(
        "--network mine",
        expect![[r#"
            -(networks).mode.networks "bridge"
            +(networks).mode.networks "mine"
            -(networks).on[bridge]
            +(networks).on[mine]"#]],
    );
    check("--network container:nope", expect!["Error response from daemon: No such container: nope"]);
    check(
        "--net host",
        expect![[r#"
            +(networks).mode "host"
            -(networks).mode.networks "bridge"
            -(networks).on[bridge]
            +(networks).on[host]
            -.hostname "abababababab"
            +.hostname "MACHINE"
            -.namespaces.network "private"
            +.namespaces.network "host"
            +.process.env[HOSTNAME=MACHINE]
            -.process.env[HOSTNAME=abababababab]"#]],
    );
    check(
        "--timens monotonic=100,boottime=200",
        expect![[r#"
        +.namespaces.time.boottime_s 200
        +.namespaces.time.monotonic_s 100"#]],
    );
    check(
        "--timens x=1",
        expect![[r#"invalid argument "x=1" for "--timens" flag: x=1 is not monotonic=SECONDS or boottime=SECONDS"#]],
    );
    check(
        "--sysctl net.ipv4.ip_forward=1",
        expect![[r#"
        -.sysctls {}
        +.sysctls.net.ipv4.ip_forward "1""#]],
    );
}

#[test]
fn limits() {
    check(
        "-m 64m",
        expect![[r#"
        +.resources.memory_bytes 67108864
        +.resources.memory_swap_bytes 134217728"#]],
    );
    check(
        "-m 64m --memory-swap 128m",
        expect![[r#"
        +.resources.memory_bytes 67108864
        +.resources.memory_swap_bytes 134217728"#]],
    );
    check(
        "-m 64m --memory-swap -1",
        expect![[r#"
        +.resources.memory_bytes 67108864
        +.resources.memory_swap_bytes -1"#]],
    );
    check(
        "--memory-swap 64m",
        expect!["You should always set the Memory limit when using Memoryswap limit, see usage"],
    );
    check("-m 1m", expect!["Minimum memory limit allowed is 6MB"]);
    check(
        "-m 64m --memory-swap 32m",
        expect!["Minimum memoryswap limit should be larger than memory limit, see usage"],
    );
    check("--memory-reservation 32m", expect!["+.resources.memory_reservation_bytes 33554432"]);
    check(
        "-m 32m --memory-reservation 64m",
        expect!["Minimum memory limit can not be less than memory reservation limit, see usage"],
    );
    check("--memory-swappiness 10", expect!["+.resources.memory_swappiness 10"]);
    check("--memory-swappiness 101", expect!["Invalid value: 101, valid memory swappiness range is 0-100"]);
    check("--oom-kill-disable", expect!["+.resources.oom_kill_disable true"]);
    check("--cpus 1.5", expect!["+.resources.nano_cpus 1500000000"]);
    check("--cpus .5", expect!["+.resources.nano_cpus 500000000"]);
    check("--cpus x", expect![[r#"invalid argument "x" for "--cpus" flag: Failed to parse x as a rational number"#]]);
    check("--cpus 1.5 --cpu-quota 1000", expect!["Conflicting options: Nano CPUs and CPU Quota cannot both be set"]);
    check("--cpus 1.5 --cpu-period 1000", expect!["Conflicting options: Nano CPUs and CPU Period cannot both be set"]);
    check("--cpu-shares 512", expect!["+.resources.cpu_shares 512"]);
    check("-c 512", expect!["+.resources.cpu_shares 512"]);
    check(
        "--cpu-quota 50000 --cpu-period 100000",
        expect![[r#"
        +.resources.cpu_period_us 100000
        +.resources.cpu_quota_us 50000"#]],
    );
    check("--cpu-quota 10", expect!["CPU cfs quota can not be less than 1ms (i.e. 1000)"]);
    check(
        "--cpu-period 10",
        expect!["CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
    );
    check("--cpuset-cpus 0", expect![[r#"+.resources.cpuset_cpus "0""#]]);
    check("--cpuset-cpus 0-x", expect!["Invalid value 0-x for cpuset cpus"]);
    check("--cpuset-mems 0", expect![[r#"+.resources.cpuset_mems "0""#]]);
    check("--pids-limit 10", expect!["+.resources.pids_limit 10"]);
    check("--pids-limit -1", expect!["+.resources.pids_limit -1"]);
    check("--blkio-weight 300", expect!["+.resources.blkio_weight 300"]);
    check("--blkio-weight 5", expect!["Range of blkio weight is from 10 to 1000"]);
    check(
        "--blkio-weight-device /dev/null:200",
        expect![[r#"+.resources.blkio_weight_device[{"device":"/dev/null","weight":200}]"#]],
    );
    check(
        "--blkio-weight-device null:200",
        expect![[
            r#"invalid argument "null:200" for "--blkio-weight-device" flag: bad format for device path: null:200"#
        ]],
    );
    check(
        "--device-read-bps /dev/null:1mb",
        expect![[r#"+.resources.device_read_bps[{"device":"/dev/null","rate":1048576}]"#]],
    );
    check(
        "--device-write-bps /dev/null:1k",
        expect![[r#"+.resources.device_write_bps[{"device":"/dev/null","rate":1024}]"#]],
    );
    check(
        "--device-read-iops /dev/null:100",
        expect![[r#"+.resources.device_read_iops[{"device":"/dev/null","rate":100}]"#]],
    );
    check(
        "--device-write-iops /dev/null:x",
        expect![[
            r#"invalid argument "/dev/null:x" for "--device-write-iops" flag: invalid rate for device: /dev/null:x. The correct format is <device-path>:<number>. Number must be a positive integer"#
        ]],
    );
    check(
        "--shm-size 128m",
        expect![[r#"
        -.mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","67108864"]],"source":"shm"}},"target":"/dev/shm"}
        +.mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","134217728"]],"source":"shm"}},"target":"/dev/shm"}"#]],
    );
    check("--shm-size x", expect![[r#"invalid argument "x" for "--shm-size" flag: invalid size: 'x'"#]]);
    check("--cgroup-parent /mine", expect![[r#"+.cgroup.parent "/mine""#]]);
}

#[test]
fn mounts() {
    check(
        "-v /src:/dst",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v /src:/dst:ro",
        expect![[
            r#"+.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v /src:/dst:rw,z",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v src:/dst",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v src:/dst:ro",
        expect![[
            r#"+.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v src:/dst:rshared",
        expect![[
            r#"Error response from daemon: invalid volume specification: 'src:/dst:rshared': invalid mount config for type "volume": field BindOptions must not be specified"#
        ]],
    );
    check(
        "-v /src:/dst:nocopy",
        expect![[
            r#"Error response from daemon: invalid volume specification: '/src:/dst:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified"#
        ]],
    );
    check(
        "-v src/below:/dst",
        expect![[
            r#"Error response from daemon: create src/below: "src/below" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path"#
        ]],
    );
    check(
        "-v s:/dst",
        expect![
            "Error response from daemon: create s: volume name is too short, names should be at least two alphanumeric characters"
        ],
    );
    check(
        "-v /anon",
        expect![[
            r#"+.mounts[/anon] {"attributes":{},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/ANONYMOUS"}},"propagation":"rprivate","target":"/anon"}"#
        ]],
    );
    check("-v /anon:ro", expect!["Error response from daemon: invalid volume specification: '/anon:ro'"]);
    check(
        "-v /anon --tmpfs /anon",
        expect![[
            r#"+.mounts[/anon] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[],"source":"tmpfs"}},"target":"/anon"}"#
        ]],
    );
    check("-v v1:/dst --tmpfs /dst", expect!["Duplicate mount point: /dst"]);
    check(
        "--mount src=v1,dst=/dst,ro",
        expect![[
            r#"+.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/v1"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=volume,src=v1,dst=/dst,volume-subpath=a/b",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"beneath":"a/b","owners":"mapped","recursive":true,"source":"/volumes/v1"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=volume,src=v1,dst=/dst,volume-subpath=../b",
        expect![[
            r#"Error response from daemon: invalid mount config for type "volume": subpath must be a relative path within the volume"#
        ]],
    );
    check(
        "--mount type=volume,dst=/dst,volume-subpath=b",
        expect![[
            r#"Error response from daemon: invalid mount config for type "volume": must not set Subpath when using anonymous volumes"#
        ]],
    );
    check(
        "--mount type=volume,dst=/dst,consistency=cached",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/ANONYMOUS"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=volume,src=v1,dst=/dst,bind-propagation=slave",
        expect![[
            r#"invalid argument "type=volume,src=v1,dst=/dst,bind-propagation=slave" for "--mount" flag: cannot mix 'bind-*' options with mount type 'volume'"#
        ]],
    );
    check("--mount type=image,src=nope,dst=/dst", expect!["Error response from daemon: No such image: nope:latest"]);
    check(
        "--mount type=image,dst=/dst",
        expect![[
            r#"Error response from daemon: invalid mount config for type "image": field Source must not be empty"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/dst,bind-recursive=writable",
        expect![[
            r#"invalid argument "type=bind,src=/tmp,dst=/dst,bind-recursive=writable" for "--mount" flag: option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"#
        ]],
    );
    check(
        "--mount type=bind,src=tmp,dst=/dst",
        expect![[
            r#"Error response from daemon: invalid mount config for type "bind": invalid mount path: 'tmp' mount path must be absolute"#
        ]],
    );
    check(
        "--mount type=bind,src=/nonexistent,dst=/dst,bind-create-src",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/nonexistent"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/",
        expect![[
            r#"Error response from daemon: invalid mount config for type "bind": invalid specification: destination can't be '/'"#
        ]],
    );
    check(
        "--volume-driver local -v v1:/dst",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"owners":"mapped","recursive":true,"source":"/volumes/v1"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check("--volumes-from x:rshared", expect!["invalid mode: rshared"]);
    check(
        "-v ./src:/dst",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/cwd/src"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "-v /src:/dst:rshared",
        expect![[r#"
        +.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rshared","target":"/dst"}
        -.rootfs_propagation "rprivate"
        +.rootfs_propagation "rshared""#]],
    );
    check(
        "-v /src:/dst:ro,rslave",
        expect![[r#"
        +.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rslave","target":"/dst"}
        -.rootfs_propagation "rprivate"
        +.rootfs_propagation "rslave""#]],
    );
    check(
        "-v /src:/dst:nope",
        expect!["Error response from daemon: invalid volume specification: '/src:/dst:nope': invalid mode: nope"],
    );
    check(
        "-v /src:/",
        expect![[
            r#"Error response from daemon: invalid volume specification: '/src:/': invalid mount config for type "bind": invalid specification: destination can't be '/'"#
        ]],
    );
    check(
        "-v /src:dst",
        expect![[
            r#"Error response from daemon: invalid volume specification: '/src:dst': invalid mount config for type "bind": invalid mount path: 'dst' mount path must be absolute"#
        ]],
    );
    check("-v /a:/x -v /b:/x", expect!["Duplicate mount point: /x"]);
    check("-v /a:/x -v /b:/x/", expect!["Duplicate mount point: /x"]);
    check(
        "-v /a:/x/y -v /b:/x",
        expect![[r#"
        +.mounts[/x/y] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/a"}},"propagation":"rprivate","target":"/x/y"}
        +.mounts[/x] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/b"}},"propagation":"rprivate","target":"/x"}"#]],
    );
    check(
        "-v /src:/proc",
        expect![[r#"
        -.mounts[/proc] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"proc","options":[],"source":"proc"}},"target":"/proc"}
        +.mounts[/proc] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/proc"}"#]],
    );
    check(
        "-v /src:/dev",
        expect![[r#"
        -.mounts[/dev/mqueue] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"mqueue","options":[],"source":"mqueue"}},"target":"/dev/mqueue"}
        -.mounts[/dev/pts] {"attributes":{"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"devpts","options":[["newinstance",null],["ptmxmode","0666"],["mode","0620"],["gid","5"]],"source":"devpts"}},"target":"/dev/pts"}
        -.mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","67108864"]],"source":"shm"}},"target":"/dev/shm"}
        -.mounts[/dev] {"attributes":{"nosuid":true,"strictatime":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","755"],["size","65536k"]],"source":"tmpfs"}},"target":"/dev"}
        +.mounts[/dev] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/dev"}"#]],
    );
    check(
        "-v /src:/etc/hosts",
        expect![[r#"
        -.mounts[/etc/hosts] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/run/hosts"}},"propagation":"rprivate","target":"/etc/hosts"}
        +.mounts[/etc/hosts] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/etc/hosts"}"#]],
    );
    check(
        "-v /src:/dev/shm",
        expect![[r#"
        -.mounts[/dev/shm] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["mode","1777"],["size","67108864"]],"source":"shm"}},"target":"/dev/shm"}
        +.mounts[/dev/shm] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/src"}},"propagation":"rprivate","target":"/dev/shm"}"#]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/dst",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":true,"source":"/tmp"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/dst,readonly",
        expect![[
            r#"+.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"recursive":true,"source":"/tmp"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/dst,ro,bind-recursive=readonly,bind-propagation=rprivate",
        expect![[
            r#"+.mounts[/dst] {"attributes":{"readonly":true,"readonly_below":true},"kind":{"bind":{"recursive":true,"source":"/tmp"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp,dst=/dst,bind-recursive=disabled",
        expect![[
            r#"+.mounts[/dst] {"attributes":{},"kind":{"bind":{"recursive":false,"source":"/tmp"}},"propagation":"rprivate","target":"/dst"}"#
        ]],
    );
    check(
        "--mount type=bind,src=/nonexistent,dst=/dst",
        expect![[r#"invalid mount config for type "bind": bind source path does not exist: /nonexistent"#]],
    );
    check(
        "--mount type=bind,dst=/dst",
        expect![[
            r#"Error response from daemon: invalid mount config for type "bind": field Source must not be empty"#
        ]],
    );
    check(
        "--mount type=bind,src=/tmp",
        expect![[
            r#"Error response from daemon: invalid mount config for type "bind": field Target must not be empty"#
        ]],
    );
    check(
        "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
        expect![[
            r#"+.mounts[/t] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["size","1048576"],["mode","1770"]],"source":"tmpfs"}},"target":"/t"}"#
        ]],
    );
    check(
        "--mount type=tmpfs,src=/a,dst=/t",
        expect![[
            r#"Error response from daemon: invalid mount config for type "tmpfs": field Source must not be specified"#
        ]],
    );
    check(
        "--mount type=nope,dst=/t",
        expect![[r#"Error response from daemon: invalid mount config for type "nope": mount type unknown"#]],
    );
    check(
        "--mount nope",
        expect![[r#"invalid argument "nope" for "--mount" flag: invalid field 'nope' must be a key=value pair"#]],
    );
    check(
        "--tmpfs /t",
        expect![[
            r#"+.mounts[/t] {"attributes":{"nodev":true,"noexec":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[],"source":"tmpfs"}},"target":"/t"}"#
        ]],
    );
    check(
        "--tmpfs /t:size=64m,exec,uid=5",
        expect![[
            r#"+.mounts[/t] {"attributes":{"nodev":true,"nosuid":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[["size","64m"],["uid","5"]],"source":"tmpfs"}},"target":"/t"}"#
        ]],
    );
    check("--tmpfs /t:nope", expect![[r#"invalid tmpfs option ["nope"]"#]]);
    check("--tmpfs t", expect!["invalid mount path: 't' mount path must be absolute"]);
    check(
        "--tmpfs /run:ro",
        expect![[
            r#"+.mounts[/run] {"attributes":{"nodev":true,"noexec":true,"nosuid":true,"readonly":true},"kind":{"filesystem":{"fstype":"tmpfs","options":[],"source":"tmpfs"}},"target":"/run"}"#
        ]],
    );
}

#[test]
fn devices() {
    check("--device /dev/null", expect![[""]]);
    check("--device /dev/null:/dev/x", expect![[""]]);
    check("--device /dev/null:/dev/x:r", expect![[""]]);
    check(
        "--device /dev/null:x",
        expect![[r#"invalid argument "/dev/null:x" for "--device" flag: x is not an absolute path"#]],
    );
    check(
        "--device /dev/null:/dev/x:q",
        expect![[
            r#"invalid argument "/dev/null:/dev/x:q" for "--device" flag: invalid device specification: /dev/null:/dev/x:q"#
        ]],
    );
    check("--device-cgroup-rule nope", expect![[""]]);
}

#[test]
fn ports() {
    check(
        "-p 8080:80",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/tcp]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":[8080,8080],"port":"80/tcp"}]"#]],
    );
    check(
        "-p 80",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/tcp]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":null,"port":"80/tcp"}]"#]],
    );
    check(
        "-p 127.0.0.1:8080:80/udp -p 8080:80/udp",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/udp]
        -(networks).publish []
        +(networks).publish[{"host_ip":"127.0.0.1","host_ports":[8080,8080],"port":"80/udp"}]
        +(networks).publish[{"host_ip":null,"host_ports":[8080,8080],"port":"80/udp"}]"#]],
    );
    check(
        "-p 9000-9001:80-81",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/tcp]
        +(networks).exposed[81/tcp]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":[9000,9000],"port":"80/tcp"}]
        +(networks).publish[{"host_ip":null,"host_ports":[9001,9001],"port":"81/tcp"}]"#]],
    );
    check("-p x", expect!["invalid containerPort: x"]);
    check(
        "-P",
        expect![[r#"
        -(networks).publish_all false
        +(networks).publish_all true"#]],
    );
    check(
        "--expose 90-91 --expose 90/udp -p 90",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[90/tcp]
        +(networks).exposed[90/udp]
        +(networks).exposed[91/tcp]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":null,"port":"90/tcp"}]"#]],
    );
    check(
        "--expose x",
        expect![[r#"invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax"#]],
    );
    check(
        "-p 80:80 --network host",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/tcp]
        +(networks).mode "host"
        -(networks).mode.networks "bridge"
        -(networks).on[bridge]
        +(networks).on[host]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":[80,80],"port":"80/tcp"}]
        -.hostname "abababababab"
        +.hostname "MACHINE"
        -.namespaces.network "private"
        +.namespaces.network "host"
        +.process.env[HOSTNAME=MACHINE]
        -.process.env[HOSTNAME=abababababab]"#]],
    );
    check(
        "-p 80 --network none",
        expect![[r#"
        -(networks).exposed []
        +(networks).exposed[80/tcp]
        +(networks).mode "none"
        -(networks).mode.networks "bridge"
        -(networks).on[bridge]
        +(networks).on[none]
        -(networks).publish []
        +(networks).publish[{"host_ip":null,"host_ports":null,"port":"80/tcp"}]"#]],
    );
}

#[test]
fn networks() {
    check(
        "--network net",
        expect![[r#"
        -(networks).mode.networks "bridge"
        +(networks).mode.networks "net"
        -(networks).on[bridge]
        +(networks).on[net]"#]],
    );
    check(
        "--net net",
        expect![[r#"
        -(networks).mode.networks "bridge"
        +(networks).mode.networks "net"
        -(networks).on[bridge]
        +(networks).on[net]"#]],
    );
    check(
        "--network net --network other",
        expect![[r#"
        -(networks).mode.networks "bridge"
        +(networks).mode.networks "net"
        -(networks).on[bridge]
        +(networks).on[net]
        +(networks).on[other]"#]],
    );
    check(
        "--network name=net,alias=a,ip=10.1.2.3,driver-opt=com.docker.network.endpoint.ifname=x0,gw-priority=7 --network other",
        expect![[r#"
            -(networks).mode.networks "bridge"
            +(networks).mode.networks "net"
            -(networks).on[bridge]
            +(networks).on[net 10.1.2.3 alias=a com.docker.network.endpoint.ifname=x0 priority=7]
            +(networks).on[other]"#]],
    );
    check(
        "--network net --network-alias a --net-alias b",
        expect![[r#"
            -(networks).mode.networks "bridge"
            +(networks).mode.networks "net"
            -(networks).on[bridge]
            +(networks).on[net alias=a alias=b]"#]],
    );
    check(
        "--network net --ip 10.1.2.3 --ip6 fd00::5 --mac-address 02:42:0a:01:02:03",
        expect![[r#"
        -(networks).mode.networks "bridge"
        +(networks).mode.networks "net"
        -(networks).on[bridge]
        +(networks).on[net 10.1.2.3 fd00::5 02:42:0a:01:02:03]"#]],
    );
    check(
        "--network net --ip x",
        expect!["Error response from daemon: invalid config for network net: invalid endpoint settings:"],
    );
    check(
        "--network net --ip 0.0.0.0",
        expect!["Error response from daemon: invalid config for network net: invalid endpoint settings:"],
    );
    check(
        "--network net --ip6 10.1.2.3",
        expect!["Error response from daemon: invalid config for network net: invalid endpoint settings:"],
    );
    check("--network net --mac-address x", expect!["x is not a valid mac address"]);
    check(
        "--ip 10.1.2.3",
        expect![[r#"
        invalid config for network bridge: invalid endpoint settings:
        user specified IP address is supported on user defined networks only"#]],
    );
    check(
        "--network host --ip 10.1.2.3",
        expect![[r#"
        invalid config for network host: invalid endpoint settings:
        user specified IP address is supported on user defined networks only"#]],
    );
    check("--network-alias a", expect!["network-scoped aliases are only supported for user-defined networks"]);
    check(
        "--network bridge --network-alias a",
        expect!["network-scoped aliases are only supported for user-defined networks"],
    );
    check("--network net --network net", expect![[r#"network "net" is specified multiple times"#]]);
    check(
        "--network net --network host",
        expect!["conflicting options: cannot attach both user-defined and non-user-defined network-modes"],
    );
    check(
        "--network bridge --network net",
        expect!["conflicting options: cannot attach both user-defined and non-user-defined network-modes"],
    );
    check(
        "--network bridge --network none",
        expect!["container cannot be connected to multiple networks with one of the networks in private (none) mode"],
    );
    check(
        "--network bridge --network host",
        expect![
            "container sharing network namespace with another container or host cannot be connected to any other network"
        ],
    );
    check("--network default --network default", expect![[r#"network "default" is specified multiple times"#]]);
    check("--network=", expect!["no name set for network"]);
    check(
        "--network name=net,alias=a --network-alias b",
        expect!["conflicting options: cannot specify both --network-alias and per-network alias"],
    );
    check(
        "--network name=net,ip=10.1.2.3 --ip 10.1.2.4",
        expect!["conflicting options: cannot specify both --ip and per-network IPv4 address"],
    );
    check(
        "--network name=net,ip6=fd00::1 --ip6 fd00::2",
        expect!["conflicting options: cannot specify both --ip6 and per-network IPv6 address"],
    );
    check(
        "--network name=net,mac-address=02:42:0a:01:02:03 --mac-address 02:42:0a:01:02:04",
        expect!["conflicting options: cannot specify both --mac-address and per-network MAC address"],
    );
    check(
        "--network name=net,what=b",
        expect![[r#"invalid argument "name=net,what=b" for "--network" flag: invalid field key what"#]],
    );
    check(
        "--network host --mac-address 02:42:0a:01:02:03",
        expect!["Error response from daemon: conflicting options: mac-address and the network mode"],
    );
    check(
        "--network host --link db",
        expect![
            "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
        ],
    );
    check(
        "--link db:data",
        expect![[r#"
        +(networks).on[bridge link=db:data]
        -(networks).on[bridge]"#]],
    );
    check(
        "--network net --link db",
        expect![[r#"
        -(networks).mode.networks "bridge"
        +(networks).mode.networks "net"
        -(networks).on[bridge]
        +(networks).on[net link=db:db]"#]],
    );
    check("--link a:b:c", expect![[r#"invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c"#]]);
    check("--link=", expect![[r#"invalid argument "" for "--link" flag: empty string specified for links"#]]);
    check(
        "--egress none",
        expect![[r#"
        -(networks).egress null
        +(networks).egress.names []
        +(networks).egress.subnets []"#]],
    );
    check(
        "--egress allow=10.0.0.0/8,Example.org",
        expect![[r#"
        -(networks).egress null
        +(networks).egress.names[example.org]
        +(networks).egress.subnets[10.0.0.0/8]"#]],
    );
    check(
        "--egress some",
        expect![[
            r#"invalid argument "some" for "--egress" flag: must be "none" or "allow=" and a list of addresses, ranges and names"#
        ]],
    );
    check("--egress none --network host", expect!["conflicting options: egress policy and the network mode"]);
    check(
        "--network container:",
        expect!["Error response from daemon: invalid network mode: invalid container format container:<name|id>"],
    );
    check(
        "--dns 10.0.0.53 --dns-search lan --dns-opt ndots:1",
        expect![[r#"
        -(networks).dns []
        +(networks).dns[10.0.0.53]
        +(networks).dns[lan]
        +(networks).dns[ndots:1]"#]],
    );
    check(
        "--dns-search .",
        expect![[r#"
        -(networks).dns []
        +(networks).dns[.]"#]],
    );
    check("--dns-search -x", expect![[r#"invalid argument "-x" for "--dns-search" flag: -x is not a valid domain"#]]);
    check(
        "--add-host a:host-gateway",
        expect![[r#"
        -(networks).hosts []
        +(networks).hosts[a:host-gateway]"#]],
    );
    check(
        "--add-host a=[fd00::1]",
        expect![[r#"
        -(networks).hosts []
        +(networks).hosts[a:fd00::1]"#]],
    );
    check(
        "--add-host a=fd00::1",
        expect![[r#"
        -(networks).hosts []
        +(networks).hosts[a:fd00::1]"#]],
    );
    check(
        "--add-host a:b=10.0.0.1",
        expect![[r#"invalid argument "a:b=10.0.0.1" for "--add-host" flag: bad format for add-host: "a:b=10.0.0.1""#]],
    );
}

#[test]
fn refused_or_not_yet() {
    check("--link-local-ip 169.254.1.1", expect!["--link-local-ip is not there yet in kist"]);
    check("--gpus all", expect!["--gpus is not there yet in kist"]);
    check("--volumes-from x", expect!["No such container: x"]);
    check("--restart always --rm", expect!["conflicting options: cannot specify both --restart and --rm"]);
    check(
        "--restart sometimes",
        expect![[
            r#"invalid argument "sometimes" for "--restart" flag: invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"#
        ]],
    );
    check(
        "--restart on-failure:x",
        expect![[r#"invalid argument "on-failure:x" for "--restart" flag: maximum retry count must be an integer"#]],
    );
    check(
        "--log-driver syslog",
        expect![[r#"logging driver "syslog" is not there yet in kist: there are json-file and none"#]],
    );
    check("--log-opt max-size=x", expect![[r#"invalid value for log-opt max-size: "x""#]]);
    check("--log-opt nope=1", expect!["unknown log opt 'nope' for json-file log driver"]);
    check("--runtime nope", expect!["unknown or invalid runtime name: nope"]);
    check("--health-interval 1us", expect!["--health-interval cannot be less than 1ms"]);
    check("--health-cmd x --no-healthcheck", expect!["--no-healthcheck conflicts with --health-* options"]);
    check(
        "--stop-timeout x",
        expect![[r#"invalid argument "x" for "--stop-timeout" flag: strconv.ParseInt: parsing "x": invalid syntax"#]],
    );
    check(
        "--dns nope",
        expect![[r#"invalid argument "nope" for "--dns" flag: IP address is not correctly formatted: nope"#]],
    );
    check(
        "--add-host nope",
        expect![[r#"invalid argument "nope" for "--add-host" flag: bad format for add-host: "nope""#]],
    );
    check(
        "--add-host a:b",
        expect![[r#"invalid argument "a:b" for "--add-host" flag: invalid IP address in add-host: "b""#]],
    );
    check(
        "-a nope",
        expect![[r#"invalid argument "nope" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR"#]],
    );
    check(
        "--tty=maybe",
        expect![[
            r#"invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#
        ]],
    );
    check("--nope", expect!["unknown flag: --nope"]);
    check("-Z", expect!["unknown shorthand flag: 'Z' in -Z"]);
    check("--name", expect!["kist: 'kist run' requires at least 1 argument"]);
    check(
        "--pids-limit many",
        expect![[
            r#"invalid argument "many" for "--pids-limit" flag: strconv.ParseInt: parsing "many": invalid syntax"#
        ]],
    );
}

#[test]
fn words_behind_the_image() {
    check_words(
        "",
        "echo -e hi",
        expect![[r#"
        +.process.args[-e]
        +.process.args[echo]
        +.process.args[hi]
        -.process.args[sh]"#]],
    );
    check_words(
        "--entrypoint /e",
        "-a b",
        expect![[r#"
        +.process.args[-a]
        +.process.args[/e]
        +.process.args[b]
        -.process.args[sh]"#]],
    );
    check_words(
        "--rm=false -i=true",
        "x",
        expect![[r#"
        -.process.args[sh]
        +.process.args[x]"#]],
    );
    check_words(
        "-m64m -e=A=1 -w/tmp -uroot",
        "-m 1",
        expect![[r#"
        +.process.args[-m]
        +.process.args[1]
        -.process.args[sh]
        -.process.cwd "/"
        +.process.cwd "/tmp"
        +.process.env[A=1]
        -.process.user ""
        +.process.user "root"
        +.resources.memory_bytes 67108864
        +.resources.memory_swap_bytes 134217728"#]],
    );
    check_words(
        "-itm 64m --name=x --",
        "x",
        expect![[r#"
        -.process.args[sh]
        +.process.args[x]
        +.process.env[TERM=xterm]
        -.process.terminal false
        +.process.terminal true
        +.resources.memory_bytes 67108864
        +.resources.memory_swap_bytes 134217728"#]],
    );
}
