//! The bytes of the records, as containers on somebody's disk have them: what is here must be read, and written again as the same.
//! A change of these texts is a change of the format: raise its number, or give the new field a default.

use serde::Serialize;
use serde::de::DeserializeOwned;
use spec::bundle::{Bundle, CgroupDriver, Namespace, Seccomp};
use spec::container::{Config, LogDriver, NamespaceMode, NetworkMode, RestartPolicy, SeccompChoice, Settings};
use spec::mount::{MountKind, Propagation, Submounts};
use spec::volume::Volume;

use super::{Dir, Durability, Home, Record, fs, read, replace, write};

/// The text without the line breaks that make it readable here.
fn joined(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

fn check<R: Record>(record: &str) {
    let dir = Dir::new(R::FILE);
    let (path, text) = (dir.0.join(R::FILE), format!(r#"{{"format":{},"record":{}}}"#, R::FORMAT, joined(record)));
    replace(&path, text.as_bytes(), Durability::Volatile).unwrap();
    let record: R = read(&dir.0).unwrap().unwrap();
    write(&dir.0, &record, Durability::Volatile).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), text);
}

/// The words of an enum, each as it stands in a record.
fn check_words<T: Serialize + DeserializeOwned>(words: &[&str]) {
    for word in words {
        assert_eq!(serde_json::to_string(&serde_json::from_str::<T>(word).unwrap()).unwrap(), *word);
    }
}

const ID: &str = r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#;

const RESOURCES: &str = r#"{"memory_bytes":1,"memory_swap_bytes":2,"memory_reservation_bytes":3,"memory_swappiness":4,
    "oom_kill_disable":true,"cpu_shares":5,"cpu_quota_us":6,"cpu_period_us":7,"nano_cpus":8,"cpu_rt_period_us":9,
    "cpu_rt_runtime_us":10,"cpuset_cpus":"0-1","cpuset_mems":"0","pids_limit":11,"blkio_weight":12,
    "blkio_weight_device":[{"device":"/dev/sda","weight":13}],"device_read_bps":[{"device":"8:0","rate":14}],
    "device_write_bps":[{"device":"8:0","rate":15}],"device_read_iops":[{"device":"8:0","rate":16}],
    "device_write_iops":[{"device":"8:0","rate":17}],
    "devices":[{"allow":false,"type":"a","access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"r"},
    {"allow":true,"type":"b","major":8,"access":"wm"}]}"#;

#[test]
fn format_of_the_root() {
    let dir = Dir::new("golden-root");
    Home::open(&dir.0.join("root"), &dir.0.join("run")).unwrap();
    assert_eq!(fs::read_to_string(dir.0.join("root/format.json")).unwrap(), r#"{"format":1,"record":{}}"#);
}

#[test]
fn config() {
    check::<Config>(&format!(
        r#"{{"id":{ID},"name":"web","created":"2026-01-02T15:04:05.123456789Z",
        "image":"sha256:3ed1161d398743cd5eb907b5313fe85c0ab564ca42679b28414ca72433e41676","image_name":"busybox",
        "platform":{{"os":"linux","architecture":"arm","variant":"v7"}},"entrypoint":["/e"],"cmd":null,"env":["A=1"],
        "working_dir":"/w","user":"1:2","tty":true,"open_stdin":true,"stdin_once":true,
        "attach":{{"stdin":true,"stdout":true,"stderr":false}},"hostname":"h","domainname":"d","labels":{{"l":"m"}},
        "exposed_ports":["80/tcp"],"volumes":["/v"],"stop_signal":"SIGINT","stop_timeout_s":3,
        "healthcheck":{{"Test":["CMD","x"],"Interval":1,"Timeout":2,"StartPeriod":3,"StartInterval":4,"Retries":5}},
        "host":{{"mounts":[
        {{"target":"/x","readonly":true,"kind":{{"type":"bind","source":"/tmp","missing":"create","propagation":"rprivate",
        "submounts":"recursive"}}}},
        {{"target":"/y","readonly":false,"kind":{{"type":"bind","source":"/tmp","missing":"fail","propagation":"shared",
        "submounts":"none"}}}},
        {{"target":"/t","readonly":false,"kind":{{"type":"tmpfs","size_bytes":9,"mode":448,"options":["exec"]}}}},
        {{"target":"/v","readonly":true,"asked":{{"short":"ro"}},"kind":{{"type":"volume","name":"v1","naming":"given","copy":"no",
        "subpath":"s","recipe":{{"driver":"local","options":{{"type":"tmpfs"}},"labels":{{"l":"m"}}}}}}}},
        {{"target":"/w","readonly":false,"asked":"target","kind":{{"type":"volume","name":"v2","naming":"anonymous","copy":"fill"}}}},
        {{"target":"/i","readonly":true,"asked":"from","kind":{{"type":"image",
        "image":"sha256:3ed1161d398743cd5eb907b5313fe85c0ab564ca42679b28414ca72433e41676","name":"busybox","subpath":"etc"}}}}],
        "volumes_from":["c:ro"],"volume_driver":"local",
        "network":{{"networks":"bridge"}},"publish":[{{"port":"80/tcp","host_ip":"127.0.0.1","host_ports":[8080,8081]}}],
        "publish_all":true,"egress":{{"subnets":["10.0.0.0/8"],"names":["*.example.org"]}},"pid":"private","ipc":"private","uts":"private","cgroupns":"default","userns":"host",
        "time":{{"monotonic_s":1,"boottime_s":-1}},"privileged":false,"cap_add":["NET_ADMIN"],"cap_drop":["MKNOD"],
        "security":{{"no_new_privileges":true,"seccomp":"default","apparmor":"p","systempaths_unconfined":false}},
        "devices":[{{"host":"/dev/zero","container":"/dev/f","access":"r"}}],"device_rules":["c 1:3 rwm"],
        "sysctls":{{"net.ipv4.ip_forward":"1"}},"readonly_rootfs":true,"init":true,"shm_size_bytes":1048576,
        "ulimits":[{{"name":"nofile","soft":10,"hard":20}}],"oom_score_adj":7,"group_add":["5"],"extra_hosts":["a:1.2.3.4"],
        "dns":["1.1.1.1"],"dns_search":["s"],"dns_options":["o"],
        "log":{{"driver":"json-file","max_size_bytes":1048576,"max_files":3}},"auto_remove":false,"cgroup_parent":"/p",
        "cidfile":"/c","annotations":{{"a":"b"}}}}}}"#
    ));
    let container = format!(r#"{{"container":{ID}}}"#);
    check_words::<NetworkMode>(&[r#""host""#, r#""none""#, r#"{"networks":"n"}"#, &container]);
    check_words::<NamespaceMode>(&[r#""host""#, r#""private""#, r#""default""#, &container]);
    check_words::<SeccompChoice>(&[r#""default""#, r#""unconfined""#, r#"{"profile":"{}"}"#]);
    check_words::<LogDriver>(&[r#""json-file""#, r#""none""#]);
    check_words::<Submounts>(&[r#""recursive""#, r#""recursive-writable""#, r#""recursive-readonly""#, r#""none""#]);
}

#[test]
fn volume() {
    check::<Volume>(r#"{"created":"2026-01-02T15:04:05.123456789Z","labels":{"a":"b"},"options":{"type":"tmpfs"}}"#);
    check::<Volume>(r#"{"created":"2026-01-02T15:04:05.123456789Z","labels":null,"options":null}"#);
}

#[test]
fn settings() {
    check::<Settings>(&format!(r#"{{"restart":{{"on-failure":3}},"resources":{RESOURCES}}}"#));
    check::<Settings>(&format!(
        r#"{{"restart":"no","resources":{RESOURCES},"networks":[{{"network":{ID},"ipv4":"10.0.0.2","ipv6":null,"mac":null,
        "aliases":["a"],"links":["c:d"],"driver_options":{{"k":"v"}},"gateway_priority":1}}]}}"#
    ));
    check_words::<RestartPolicy>(&[r#""no""#, r#""always""#, r#""unless-stopped""#, r#"{"on-failure":0}"#]);
}

#[test]
fn bundle() {
    check::<Bundle>(&format!(
        r#"{{"id":{ID},"process":{{"args":["/hello"],"env":["A=1"],"cwd":"/","user":"u:g","group_add":["5"],"terminal":false,
        "capabilities":["CAP_CHOWN","CAP_KILL"],"no_new_privileges":true,"apparmor":"p",
        "rlimits":[{{"name":"nofile","soft":10,"hard":20}}],"oom_score_adj":7}},"hostname":"h","domainname":"d",
        "namespaces":{{"pid":"private","network":"private","ipc":"private","uts":"private","cgroup":"private","user":"private",
        "id_maps":{{"uids":[{{"container":0,"host":100000,"size":65536}}],"gids":[]}},
        "time":{{"monotonic_s":1,"boottime_s":2}}}},
        "readonly_rootfs":true,"rootfs_propagation":"rprivate","mounts":[
        {{"target":"/proc","kind":{{"filesystem":{{"fstype":"proc","source":"proc","options":[["hidepid","2"],["flag",null]]}}}},
        "attributes":{{"nosuid":true,"nodev":true,"noexec":true}}}},
        {{"target":"/x","kind":{{"bind":{{"source":"/tmp","recursive":true}}}},"attributes":{{"readonly":true,"readonly_below":true,
        "noatime":true,"strictatime":true,"nodiratime":true}},"propagation":"rslave"}},
        {{"target":"/sys/fs/cgroup","kind":"cgroup","attributes":{{}}}},
        {{"target":"/v","kind":{{"bind":{{"source":"/tmp","recursive":true,"beneath":"s","owners":"mapped"}}}},"attributes":{{}}}},
        {{"target":"/m","kind":{{"filesystem":{{"fstype":"tmpfs","source":"m","options":[],"volume":"v1"}}}},"attributes":{{}}}},
        {{"target":"/i","kind":{{"image":{{"layers":["sha256:3ed1161d398743cd5eb907b5313fe85c0ab564ca42679b28414ca72433e41676"],
        "beneath":"etc"}}}},"attributes":{{}}}}],
        "devices":[{{"path":"/dev/f","kind":"c","major":1,"minor":5,"mode":438,"uid":0,"gid":0}}],"masked_paths":["/proc/kcore"],
        "readonly_paths":["/proc/bus"],"sysctls":{{"net.ipv4.ip_forward":"1"}},"cgroup":{{"parent":"/p","driver":"auto"}},
        "resources":{RESOURCES},"seccomp":"default","init":true,
        "networks":{{"publish_ip":"127.0.0.1","dns":["10.0.0.53"],"dns_search":["s"],"dns_options":["o"],"respect_input":true}}}}"#
    ));
    let container = format!(r#"{{"container":{ID}}}"#);
    check_words::<Namespace>(&[r#""host""#, r#""private""#, r#"{"path":"/proc/1/ns/net"}"#, &container]);
    check_words::<CgroupDriver>(&[r#""auto""#, r#""cgroupfs""#, r#""systemd""#, r#""none""#]);
    check_words::<MountKind>(&[r#""cgroup""#, r#""sharedmemory""#]);
    check_words::<Propagation>(&[
        r#""private""#,
        r#""rprivate""#,
        r#""slave""#,
        r#""rslave""#,
        r#""shared""#,
        r#""rshared""#,
    ]);
    check_words::<Seccomp>(&[
        r#""unconfined""#,
        r#""default""#,
        r#"{"profile":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}}"#,
    ]);
}
