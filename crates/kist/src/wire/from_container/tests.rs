//! A container of many options, through its states.

use std::path::PathBuf;

use engine::container::View;
use engine::system::facts::CgroupVersion;
use expect_test::{Expect, expect};
use monitor::health::{Health, Verdict};
use monitor::status::{Life, State, Status};
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
        "network": "private", "pid": "private", "ipc": "private", "uts": "private", "cgroupns": "default", "userns": "host",
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
        state: State { status, restarts: 0, health: None, execs: Vec::new() },
    }
}

fn around() -> Surroundings {
    Surroundings {
        settings: serde_json::from_str(SETTINGS).unwrap(),
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
