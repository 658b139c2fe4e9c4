//! The flags that `create` and `run` share, and the request they make.

use std::collections::BTreeMap;

use engine::Host;
use engine::container::create::{Create, Entrypoint};
use engine::container::find::find;
use spec::bundle::TimeOffsets;
use spec::container::{
    HostConfig, LogConfig, LogDriver, NamespaceMode, NetworkMode, RestartPolicy, SeccompChoice, Security, Settings,
    Streams,
};
use spec::image::Healthcheck;
use spec::resources::Resources;

use super::mount::{self, Volume};
use super::{network, values};
use crate::cli::Cli;
use crate::report::Report;
use crate::units;
use crate::verb::{Args, Flag, Takes, Verb, flag, short};

/// What both verbs take. What kist has no answer to yet is refused by [`not_yet`], never ignored.
pub(crate) const FLAGS: &[Flag] = &[
    flag("annotation", Takes::List("map"), "Add an annotation to the container"),
    short('a', "attach", Takes::List("list"), "Attach to STDIN, STDOUT or STDERR"),
    flag(
        "blkio-weight",
        Takes::One("uint16"),
        "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
    ),
    flag("blkio-weight-device", Takes::List("list"), "Block IO weight (relative device weight)"),
    flag("cap-add", Takes::List("list"), "Add Linux capabilities"),
    flag("cap-drop", Takes::List("list"), "Drop Linux capabilities"),
    flag("cgroup-parent", Takes::One("string"), "Optional parent cgroup for the container"),
    flag("cgroupns", Takes::One("string"), "Cgroup namespace to use (host|private)"),
    flag("cidfile", Takes::One("string"), "Write the container ID to the file"),
    flag("cpu-period", Takes::One("int"), "Limit CPU CFS (Completely Fair Scheduler) period"),
    flag("cpu-quota", Takes::One("int"), "Limit CPU CFS (Completely Fair Scheduler) quota"),
    flag("cpu-rt-period", Takes::One("int"), "Limit CPU real-time period in microseconds"),
    flag("cpu-rt-runtime", Takes::One("int"), "Limit CPU real-time runtime in microseconds"),
    short('c', "cpu-shares", Takes::One("int"), "CPU shares (relative weight)"),
    flag("cpus", Takes::One("decimal"), "Number of CPUs"),
    flag("cpuset-cpus", Takes::One("string"), "CPUs in which to allow execution (0-3, 0,1)"),
    flag("cpuset-mems", Takes::One("string"), "MEMs in which to allow execution (0-3, 0,1)"),
    flag("device", Takes::List("list"), "Add a host device to the container"),
    flag("device-cgroup-rule", Takes::List("list"), "Add a rule to the cgroup allowed devices list"),
    flag("device-read-bps", Takes::List("list"), "Limit read rate (bytes per second) from a device"),
    flag("device-read-iops", Takes::List("list"), "Limit read rate (IO per second) from a device"),
    flag("device-write-bps", Takes::List("list"), "Limit write rate (bytes per second) to a device"),
    flag("device-write-iops", Takes::List("list"), "Limit write rate (IO per second) to a device"),
    flag("disable-content-trust", Takes::SwitchOn, "Skip image verification"),
    flag("entrypoint", Takes::One("string"), "Overwrite the default ENTRYPOINT of the image"),
    short('e', "env", Takes::List("list"), "Set environment variables"),
    flag("env-file", Takes::List("list"), "Read in a file of environment variables"),
    flag("gpus", Takes::One("gpu-request"), "GPU devices to add to the container ('all' to pass all GPUs)"),
    flag("group-add", Takes::List("list"), "Add additional groups to join"),
    flag("health-cmd", Takes::One("string"), "Command to run to check health"),
    flag("health-interval", Takes::One("duration"), "Time between running the check (ms|s|m|h) (default 0s)"),
    flag("health-retries", Takes::One("int"), "Consecutive failures needed to report unhealthy"),
    flag(
        "health-start-interval",
        Takes::One("duration"),
        "Time between running the check during the start period (ms|s|m|h) (default 0s)",
    ),
    flag(
        "health-start-period",
        Takes::One("duration"),
        "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)",
    ),
    flag("health-timeout", Takes::One("duration"), "Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),
    flag("init", Takes::Switch, "Run an init inside the container that forwards signals and reaps processes"),
    short('i', "interactive", Takes::Switch, "Keep STDIN open even if not attached"),
    flag("ipc", Takes::One("string"), "IPC mode to use"),
    flag("isolation", Takes::One("string"), "Container isolation technology"),
    flag("kernel-memory", Takes::One("bytes"), "Kernel memory limit (no effect: the kernel has it no more)"),
    short('l', "label", Takes::List("list"), "Set meta data on a container"),
    flag("label-file", Takes::List("list"), "Read in a line delimited file of labels"),
    flag("log-driver", Takes::One("string"), "Logging driver for the container (json-file, none)"),
    flag("log-opt", Takes::List("list"), "Log driver options (max-size, max-file)"),
    short('m', "memory", Takes::One("bytes"), "Memory limit"),
    flag("memory-reservation", Takes::One("bytes"), "Memory soft limit"),
    flag("memory-swap", Takes::One("bytes"), "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    flag("memory-swappiness", Takes::One("int"), "Tune container memory swappiness (0 to 100) (default -1)"),
    flag("mount", Takes::List("mount"), "Attach a filesystem mount to the container"),
    flag("name", Takes::One("string"), "Assign a name to the container"),
    flag("no-healthcheck", Takes::Switch, "Disable any container-specified HEALTHCHECK"),
    flag("oom-kill-disable", Takes::Switch, "Disable OOM Killer"),
    flag("oom-score-adj", Takes::One("int"), "Tune host's OOM preferences (-1000 to 1000)"),
    flag("pid", Takes::One("string"), "PID namespace to use"),
    flag("pids-limit", Takes::One("int"), "Tune container pids limit (set -1 for unlimited)"),
    flag("platform", Takes::One("string"), "Set platform if server is multi-platform capable"),
    flag("privileged", Takes::Switch, "Give extended privileges to this container"),
    flag(
        "pull",
        Takes::One("string"),
        "Pull image before running (\"always\", \"missing\", \"never\") (default \"missing\")",
    ),
    short('q', "quiet", Takes::Switch, "Suppress the pull output"),
    flag("read-only", Takes::Switch, "Mount the container's root filesystem as read only"),
    flag("restart", Takes::One("string"), "Restart policy to apply when a container exits (default \"no\")"),
    flag("rm", Takes::Switch, "Automatically remove the container and its associated anonymous volumes when it exits"),
    flag("runtime", Takes::One("string"), "Runtime to use for this container"),
    flag("security-opt", Takes::List("list"), "Security Options"),
    flag("shm-size", Takes::One("bytes"), "Size of /dev/shm"),
    flag("stop-signal", Takes::One("string"), "Signal to stop the container"),
    flag("stop-timeout", Takes::One("int"), "Timeout (in seconds) to stop a container"),
    flag("storage-opt", Takes::List("list"), "Storage driver options for the container"),
    flag("sysctl", Takes::List("map"), "Sysctl options"),
    flag("timens", Takes::One("offsets"), "Private time namespace: monotonic=SECONDS,boottime=SECONDS"),
    flag("tmpfs", Takes::List("list"), "Mount a tmpfs directory"),
    short('t', "tty", Takes::Switch, "Allocate a pseudo-TTY"),
    flag("ulimit", Takes::List("ulimit"), "Ulimit options"),
    short('u', "user", Takes::One("string"), "Username or UID (format: <name|uid>[:<group|gid>])"),
    flag("userns", Takes::One("string"), "User namespace to use (host|private|container:NAME)"),
    flag("uts", Takes::One("string"), "UTS namespace to use"),
    short('v', "volume", Takes::List("list"), "Bind mount a volume"),
    flag("volume-driver", Takes::One("string"), "Optional volume driver for the container"),
    flag("volumes-from", Takes::List("list"), "Mount volumes from the specified container(s)"),
    short('w', "workdir", Takes::One("string"), "Working directory inside the container"),
];

/// What Docker has and kist has not: one clear line each.
const NOT_YET: &[&str] = &["gpus", "storage-opt"];

/// The request behind the flags and words of `create` and `run`.
pub(crate) fn request(cli: &Cli, host: &Host, verb: &Verb, args: &Args) -> Result<Create, Report> {
    for name in NOT_YET {
        if args.given(name) {
            return Err(Report::plain(format!("--{name} is not there yet in kist")));
        }
    }
    if let Some(runtime) = args.text("runtime").filter(|name| *name != "runc" && *name != "kist") {
        return Err(Report::plain(format!("unknown or invalid runtime name: {runtime}")));
    }
    if let Some(isolation) = args.text("isolation").filter(|name| !name.eq_ignore_ascii_case("default")) {
        let text = format!("invalid isolation ({isolation}): linux only supports 'default'");
        return Err(Report::plain(format!("Error response from daemon: {text}")));
    }
    let here = |name: &str| cli.variable(name);
    let lines = |long: &str| -> Result<Vec<String>, Report> {
        let files = args.list(long).into_iter().map(|path| values::file_lines(path, here).map_err(Report::plain));
        Ok(files.collect::<Result<Vec<_>, _>>()?.concat())
    };
    let mut env = lines("env-file")?;
    env.extend(args.parsed_list(verb, "env", |text| values::env(text, here))?);
    let mut labels = pairs(lines("label-file")?.iter().map(String::as_str));
    labels.extend(pairs(args.list("label").into_iter()));
    let [image, command @ ..] = args.words() else { return Err(Report::plain("no image")) };
    let tty = args.on("tty");
    let owned = |long: &str| args.text(long).map(str::to_owned);
    let (mounts, volumes) = mounts(cli, host, verb, args)?;
    let networking = network::networking(host, verb, args)?;
    let host = HostConfig {
        mounts,
        network: networking.mode,
        publish: networking.publish,
        egress: networking.egress,
        ..host_config(cli, host, verb, args)?
    };
    Ok(Create {
        name: owned("name"),
        image_name: image.clone(),
        entrypoint: match args.one("entrypoint") {
            None => Entrypoint::Inherit,
            Some("") => Entrypoint::Clear,
            Some(word) => Entrypoint::Words(vec![word.into()]),
        },
        cmd: command.to_vec(),
        env,
        working_dir: owned("workdir"),
        user: owned("user"),
        tty,
        open_stdin: args.on("interactive"),
        stdin_once: false,
        attach: attach(verb, args)?,
        hostname: owned("hostname"),
        domainname: owned("domainname"),
        labels,
        exposed_ports: networking.exposed,
        volumes,
        stop_signal: args.parsed(verb, "stop-signal", signal)?,
        stop_timeout_s: number(verb, args, "stop-timeout")?,
        healthcheck: health(verb, args)?,
        host,
        networks: networking.wanted,
        settings: Settings {
            restart: args.parsed(verb, "restart", values::restart)?.unwrap_or(RestartPolicy::No),
            resources: resources(verb, args)?,
            networks: Vec::new(),
        },
    })
}

fn signal(text: &str) -> Result<String, engine::Error> {
    engine::container::signal::parse(text).map(|_| text.to_owned())
}

fn pairs<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    lines
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn number<T: std::str::FromStr>(verb: &Verb, args: &Args, long: &str) -> Result<Option<T>, Report> {
    args.parsed(verb, long, |text| {
        text.parse().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })
}

fn attach(verb: &Verb, args: &Args) -> Result<Streams, Report> {
    let mut streams = Streams::default();
    for name in args.list("attach") {
        match name.to_ascii_lowercase().as_str() {
            "stdin" => streams.stdin = true,
            "stdout" => streams.stdout = true,
            "stderr" => streams.stderr = true,
            _ => return Err(verb.bad_value("attach", name, &"valid streams are STDIN, STDOUT and STDERR")),
        }
    }
    Ok(streams)
}

fn health(verb: &Verb, args: &Args) -> Result<Option<Healthcheck>, Report> {
    let duration = |long: &str| -> Result<i64, Report> {
        let nanos = args.parsed(verb, long, units::parse_duration)?.unwrap_or(0);
        match nanos {
            n if n < 0 => Err(Report::plain(format!("--{long} cannot be negative"))),
            1..1_000_000 => Err(Report::plain(format!("--{long} cannot be less than 1ms"))),
            n => Ok(n),
        }
    };
    let check = Healthcheck {
        test: args.text("health-cmd").map(|cmd| vec!["CMD-SHELL".into(), cmd.into()]).unwrap_or_default(),
        interval: duration("health-interval")?,
        timeout: duration("health-timeout")?,
        start_period: duration("health-start-period")?,
        start_interval: duration("health-start-interval")?,
        retries: number(verb, args, "health-retries")?.unwrap_or(0),
    };
    if args.on("no-healthcheck") {
        if check != Healthcheck::default() {
            return Err(Report::plain("--no-healthcheck conflicts with --health-* options"));
        }
        return Ok(Some(Healthcheck { test: vec!["NONE".into()], ..check }));
    }
    Ok((check != Healthcheck::default()).then_some(check))
}

type Mounts = (Vec<spec::mount::UserMount>, Vec<String>);

fn mounts(cli: &Cli, host: &Host, verb: &Verb, args: &Args) -> Result<Mounts, Report> {
    let cwd = cli.working_dir();
    let mut mounts = Vec::new();
    let mut anonymous = Vec::new();
    for text in args.list("volume") {
        match mount::volume(text, cwd).map_err(|refusal| refusal.report(verb, "volume", text))? {
            Volume::Mount(mount) => mounts.push(mount),
            Volume::Anonymous(path) => anonymous.push(path.to_string_lossy().into_owned()),
        }
    }
    for text in args.list("mount") {
        mounts.push(mount::mount(text, cwd, host).map_err(|refusal| refusal.report(verb, "mount", text))?);
    }
    for text in args.list("tmpfs") {
        mounts.push(mount::tmpfs(text).map_err(Report::plain)?);
    }
    Ok((mounts, anonymous))
}

fn host_config(cli: &Cli, host: &Host, verb: &Verb, args: &Args) -> Result<HostConfig, Report> {
    let texts = |long: &str| args.list(long).into_iter().map(str::to_owned).collect::<Vec<String>>();
    Ok(HostConfig {
        mounts: Vec::new(),
        volumes_from: texts("volumes-from"),
        volume_driver: args.text("volume-driver").unwrap_or_default().to_owned(),
        network: NetworkMode::None,
        publish: Vec::new(),
        publish_all: args.on("publish-all"),
        egress: None,
        pid: namespace(host, args, "pid", NamespaceMode::Private)?,
        ipc: namespace(host, args, "ipc", NamespaceMode::Private)?,
        uts: namespace(host, args, "uts", NamespaceMode::Private)?,
        cgroupns: namespace(host, args, "cgroupns", NamespaceMode::Default)?,
        userns: namespace(host, args, "userns", NamespaceMode::Host)?,
        time: args.parsed(verb, "timens", time_offsets)?,
        privileged: args.on("privileged"),
        cap_add: texts("cap-add"),
        cap_drop: texts("cap-drop"),
        security: security(args)?,
        devices: args.parsed_list(verb, "device", values::device)?,
        device_rules: texts("device-cgroup-rule"),
        sysctls: pairs(args.list("sysctl").into_iter()),
        readonly_rootfs: args.on("read-only"),
        init: args.on("init"),
        shm_size_bytes: args.parsed(verb, "shm-size", bytes)?.map_or(64 << 20, i64::cast_unsigned),
        ulimits: args.parsed_list(verb, "ulimit", values::ulimit)?,
        oom_score_adj: number(verb, args, "oom-score-adj")?.unwrap_or(0),
        group_add: texts("group-add"),
        extra_hosts: args.parsed_list(verb, "add-host", values::add_host)?,
        dns: args.parsed_list(verb, "dns", values::dns_server)?,
        dns_search: args.parsed_list(verb, "dns-search", values::dns_search)?,
        dns_options: [texts("dns-opt"), texts("dns-option")].concat(),
        log: log(args)?,
        auto_remove: args.on("rm"),
        cgroup_parent: args.text("cgroup-parent").map(str::to_owned),
        cidfile: args.text("cidfile").map(|path| cli.working_dir().join(path)),
        annotations: pairs(args.list("annotation").into_iter()),
    })
}

fn namespace(host: &Host, args: &Args, long: &str, unset: NamespaceMode) -> Result<NamespaceMode, Report> {
    let invalid = || Report::plain(format!("--{long}: invalid {} mode", long.to_ascii_uppercase()));
    Ok(match args.text(long) {
        None => unset,
        Some("host") => NamespaceMode::Host,
        Some("private") => NamespaceMode::Private,
        Some("shareable") if long == "ipc" => NamespaceMode::Default,
        Some(other) => match other.strip_prefix("container:") {
            Some(name) if !matches!(long, "uts" | "cgroupns") => NamespaceMode::Container(find(host, name)?),
            Some(_) | None => return Err(invalid()),
        },
    })
}

fn time_offsets(text: &str) -> Result<TimeOffsets, String> {
    let mut offsets = TimeOffsets::default();
    for field in text.split(',') {
        let refused = || format!("{field} is not monotonic=SECONDS or boottime=SECONDS");
        let (clock, seconds) = field.split_once('=').ok_or_else(refused)?;
        let seconds = seconds.parse().map_err(|_| refused())?;
        match clock {
            "monotonic" => offsets.monotonic_s = seconds,
            "boottime" => offsets.boottime_s = seconds,
            _ => return Err(refused()),
        }
    }
    Ok(offsets)
}

fn security(args: &Args) -> Result<Security, Report> {
    let mut security = Security::default();
    for option in args.list("security-opt") {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (key, value) {
            ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
            ("no-new-privileges", "false") => security.no_new_privileges = false,
            ("seccomp", "unconfined") => security.seccomp = SeccompChoice::Unconfined,
            ("seccomp", "builtin") => security.seccomp = SeccompChoice::Default,
            ("seccomp", path) => {
                let text = std::fs::read_to_string(path).map_err(|_| {
                    Report::plain(format!(
                        "opening seccomp profile ({path}) failed: open {path}: no such file or directory"
                    ))
                })?;
                security.seccomp = SeccompChoice::Profile(text);
            }
            ("apparmor", profile) => security.apparmor = Some(profile.into()),
            ("systempaths", "unconfined") => security.systempaths_unconfined = true,
            // SELinux is not among what kist supports; switching it off is what already holds.
            ("label", "disable") => {}
            _ => return Err(Report::plain(format!("invalid --security-opt: {option:?}"))),
        }
    }
    Ok(security)
}

/// Docker keeps everything by default and fills the disk; ours are capped.
const LOG_FILE_BYTES: u64 = 20 << 20;
const LOG_FILES: u32 = 5;

fn log(args: &Args) -> Result<LogConfig, Report> {
    let driver = match args.text("log-driver") {
        None | Some("json-file" | "local") => LogDriver::JsonFile,
        Some("none") => LogDriver::None,
        Some(other) => {
            return Err(Report::plain(format!(
                "logging driver {other:?} is not there yet in kist: there are json-file and none"
            )));
        }
    };
    let mut log = LogConfig { driver, max_size_bytes: LOG_FILE_BYTES, max_files: LOG_FILES };
    for option in args.list("log-opt") {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let bad = || Report::plain(format!("invalid value for log-opt {key}: {value:?}"));
        match key {
            "max-size" if value == "-1" => log.max_size_bytes = u64::MAX,
            "max-size" => {
                let size =
                    units::ram_in_bytes(value).ok().and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
                log.max_size_bytes = size.ok_or_else(bad)?;
            }
            "max-file" => log.max_files = value.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?,
            "compress" | "mode" | "max-buffer-size" | "labels" | "env" | "tag" | "labels-regex" | "env-regex" => {}
            _ => return Err(Report::plain(format!("unknown log opt '{key}' for json-file log driver"))),
        }
    }
    Ok(log)
}

pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    units::ram_in_bytes(text).map_err(|e| e.to_string())
}

fn resources(verb: &Verb, args: &Args) -> Result<Resources, Report> {
    Ok(Resources {
        memory_swappiness: number(verb, args, "memory-swappiness")?.filter(|n| *n != -1),
        oom_kill_disable: args.on("oom-kill-disable").then_some(true),
        blkio_weight_device: args.parsed_list(verb, "blkio-weight-device", values::device_weight)?,
        device_read_bps: args.parsed_list(verb, "device-read-bps", values::bytes_rate)?,
        device_write_bps: args.parsed_list(verb, "device-write-bps", values::bytes_rate)?,
        device_read_iops: args.parsed_list(verb, "device-read-iops", values::count_rate)?,
        device_write_iops: args.parsed_list(verb, "device-write-iops", values::count_rate)?,
        ..changeable_resources(verb, args)?
    })
}

/// The limits that `update` may change as well.
pub(crate) fn changeable_resources(verb: &Verb, args: &Args) -> Result<Resources, Report> {
    let memory = |long: &str| args.parsed(verb, long, bytes);
    let swap = args.parsed(verb, "memory-swap", |text| if text == "-1" { Ok(-1) } else { bytes(text) })?;
    Ok(Resources {
        memory_bytes: memory("memory")?,
        memory_swap_bytes: swap,
        memory_reservation_bytes: memory("memory-reservation")?,
        cpu_shares: number(verb, args, "cpu-shares")?,
        cpu_quota_us: number(verb, args, "cpu-quota")?,
        cpu_period_us: number(verb, args, "cpu-period")?,
        nano_cpus: args.parsed(verb, "cpus", values::nano_cpus)?,
        cpu_rt_period_us: number(verb, args, "cpu-rt-period")?,
        cpu_rt_runtime_us: number(verb, args, "cpu-rt-runtime")?,
        cpuset_cpus: args.text("cpuset-cpus").map(str::to_owned),
        cpuset_mems: args.text("cpuset-mems").map(str::to_owned),
        pids_limit: number(verb, args, "pids-limit")?,
        blkio_weight: number(verb, args, "blkio-weight")?,
        ..Resources::default()
    })
}
