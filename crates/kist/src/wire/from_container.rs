//! From the engine's words to `docker container inspect` and a row of `ps`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::bundle::{MASKED, READONLY};
use engine::container::View;
use engine::network::places::Place;
use engine::system::facts::CgroupVersion;
use jiff::Timestamp;
use monitor::health::Verdict;
use monitor::status::Status;
use spec::container::{HostConfig, LogDriver, NamespaceMode, NetworkMode, RestartPolicy, SeccompChoice, Settings};
use spec::resources::{BlockDevice, DeviceRate};
use spec::time::Time;

use super::container::{Config, ContainerInspect, GraphDriver, Health, HealthResult, Healthcheck, State};
use super::container_row::{ContainerRow, Reader};
use super::from_mount;
use super::go::{Empty, List, Map, time};
use super::host_config::{self as wire, LogConfig, ThrottleDevice, WeightDevice};
use super::network::Policy;
use super::phase::{self, Phase};

pub(crate) mod networks;

/// What inspect tells besides the record and the state.
pub(crate) struct Surroundings {
    /// What may change.
    pub(crate) settings: Settings,
    /// Its networks.
    pub(crate) places: Vec<Place>,
    /// How control groups are laid out: some defaults depend on it.
    pub(crate) cgroups: CgroupVersion,
    /// The container's directory.
    pub(crate) dir: PathBuf,
    /// Where all volumes lie.
    pub(crate) volumes: PathBuf,
    /// Its layers.
    pub(crate) graph: GraphDriver,
    /// Bytes it wrote, and these with its image's, where they were asked for.
    pub(crate) sizes: Option<(u64, u64)>,
}

/// A moment in jiff's words.
pub(crate) fn timestamp(time: Time) -> Timestamp {
    // Every 64-bit count of nanoseconds is within jiff's years.
    Timestamp::from_nanosecond(i128::from(time.ns())).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The whole answer.
pub(crate) fn inspect(view: &View, around: Surroundings) -> ContainerInspect {
    let config = &view.config;
    let mut words = config.args().cloned();
    let path = words.next().unwrap_or_default();
    let lives = view.state.status.life().is_some();
    let run_file = |name: &str| if lives { around.dir.join(name).display().to_string() } else { String::new() };
    let (size_rw, size_root_fs) =
        around.sizes.map_or((None, None), |(own, all)| (Some(signed(own)), Some(signed(all))));
    let execs: Vec<String> =
        view.state.execs.iter().filter(|exec| exec.ended.is_none()).map(|exec| exec.id.as_str().to_owned()).collect();
    ContainerInspect {
        id: config.id.to_string(),
        created: config.created.to_string(),
        path,
        args: List(Some(words.collect())),
        state: state(view),
        image: config.image.to_string(),
        resolv_conf_path: run_file("resolv.conf"),
        hostname_path: run_file("hostname"),
        hosts_path: run_file("hosts"),
        log_path: match config.host.log.driver {
            LogDriver::JsonFile => around.dir.join("log").display().to_string(),
            LogDriver::None => String::new(),
        },
        name: format!("/{}", view.name),
        restart_count: i64::from(view.state.restarts),
        driver: "overlay2".to_owned(),
        platform: config.platform.os.clone(),
        mount_label: String::new(),
        process_label: String::new(),
        app_armor_profile: config.host.security.apparmor.clone().unwrap_or_default(),
        exec_ids: List((!execs.is_empty()).then_some(execs)),
        host_config: wire::HostConfig {
            links: networks::legacy_links(view, &around.places),
            ..host_config(&config.host, &around.settings, around.cgroups)
        },
        graph_driver: around.graph,
        size_rw,
        size_root_fs,
        mounts: config.host.mounts.iter().filter_map(|mount| from_mount::mount_point(mount, &around.volumes)).collect(),
        config: Config { mac_address: networks::mac_address(&around.places), ..self::config(config) },
        network_settings: networks::network_settings(view, &around.places),
        image_manifest_descriptor: None,
    }
}

pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn state(view: &View) -> State {
    let state = &view.state;
    let life = state.status.life();
    let last = match &state.status {
        Status::Exited(exit) | Status::Restarting { last: exit, .. } => Some(exit),
        Status::Created | Status::Running(_) | Status::Paused(_) | Status::Removing => None,
    };
    let moment = |moment: Option<Time>| time(moment.map(timestamp));
    State {
        status: phase(view).state().to_owned(),
        running: life.is_some() || matches!(state.status, Status::Restarting { .. }),
        paused: matches!(state.status, Status::Paused(_)),
        restarting: matches!(state.status, Status::Restarting { .. }),
        oom_killed: last.is_some_and(|exit| exit.oom_killed),
        dead: false,
        pid: life.map_or(0, |life| i64::from(life.pid)),
        exit_code: last.map_or(0, |exit| i64::from(exit.code)),
        error: last.map(|exit| exit.error.clone()).unwrap_or_default(),
        started_at: moment(life.map(|life| life.since).or_else(|| last.and_then(|exit| exit.started))),
        finished_at: moment(last.map(|exit| exit.finished)),
        health: state.health.as_ref().map(|health| Health {
            status: verdict(health.verdict).as_str().to_owned(),
            failing_streak: i64::from(health.failing_streak),
            log: List(Some(
                health
                    .log
                    .iter()
                    .map(|check| HealthResult {
                        start: check.start.to_string(),
                        end: check.end.to_string(),
                        exit_code: i64::from(check.code),
                        output: check.output.clone(),
                    })
                    .collect(),
            )),
        }),
    }
}

/// What the health check says.
pub(crate) fn verdict(verdict: Verdict) -> phase::Health {
    match verdict {
        Verdict::Starting => phase::Health::Starting,
        Verdict::Healthy => phase::Health::Healthy,
        Verdict::Unhealthy => phase::Health::Unhealthy,
    }
}

/// Where a container is in its life.
pub(crate) fn phase(view: &View) -> Phase {
    match &view.state.status {
        Status::Created => Phase::Created,
        Status::Running(life) => Phase::Running {
            since: timestamp(life.since),
            health: view.state.health.as_ref().map(|health| verdict(health.verdict)),
        },
        Status::Paused(life) => Phase::Paused { since: timestamp(life.since) },
        Status::Restarting { last, .. } => Phase::Restarting { exit_code: last.code, at: timestamp(last.finished) },
        // As Docker has it: what failed to start the first time is still what it was.
        Status::Exited(exit) if exit.started.is_none() => Phase::Created,
        Status::Exited(exit) => Phase::Exited { exit_code: exit.code, at: timestamp(exit.finished) },
        Status::Removing => Phase::Removing,
    }
}

/// The COMMAND column: words with blanks are quoted, but for the first (moby `container/view.go`).
fn command_line(config: &spec::container::Config) -> String {
    let quoted =
        |(n, word): (usize, &String)| if n > 0 && word.contains(' ') { format!("'{word}'") } else { word.clone() };
    config.args().enumerate().map(quoted).collect::<Vec<_>>().join(" ")
}

fn config(config: &spec::container::Config) -> Config {
    let set = |names: &[String]| names.iter().map(|name| (name.clone(), Empty {})).collect::<BTreeMap<_, _>>();
    Config {
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        user: config.user.clone(),
        attach_stdin: config.attach.stdin,
        attach_stdout: config.attach.stdout,
        attach_stderr: config.attach.stderr,
        exposed_ports: Map(Some(set(&config.exposed_ports))),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: List(Some(config.env.clone())),
        cmd: List(config.cmd.clone()),
        healthcheck: config.healthcheck.as_ref().map(healthcheck),
        args_escaped: false,
        image: config.image_name.clone(),
        volumes: Map((!config.volumes.is_empty()).then(|| set(&config.volumes))),
        working_dir: config.working_dir.clone(),
        entrypoint: List(config.entrypoint.clone()),
        network_disabled: false,
        mac_address: String::new(),
        on_build: List(None),
        labels: Map(Some(config.labels.clone())),
        stop_signal: config.stop_signal.clone().unwrap_or_default(),
        stop_timeout: config.stop_timeout_s,
        shell: List(None),
    }
}

/// A health check's settings.
pub(crate) fn healthcheck(check: &spec::image::Healthcheck) -> Healthcheck {
    Healthcheck {
        test: List(Some(check.test.clone())),
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    }
}

/// A mode as inspect spells it; `private` is what the mode's own namespace is called there.
fn mode(mode: &NamespaceMode, private: &str, default: &str) -> String {
    match mode {
        NamespaceMode::Host => "host".to_owned(),
        NamespaceMode::Private => private.to_owned(),
        NamespaceMode::Default => default.to_owned(),
        NamespaceMode::Container(id) => format!("container:{id}"),
    }
}

#[expect(clippy::too_many_lines, reason = "one literal with every field there is")]
fn host_config(host: &HostConfig, settings: &Settings, cgroups: CgroupVersion) -> wire::HostConfig {
    let resources = &settings.resources;
    let number = |n: Option<i64>| n.unwrap_or(0);
    let given = |list: &[String]| List((!list.is_empty()).then(|| list.to_vec()));
    let all = |list: &[String]| List(Some(list.to_vec()));
    let open = host.privileged || host.security.systempaths_unconfined;
    let paths = |list: &[&str]| List((!open).then(|| list.iter().map(|path| (*path).to_owned()).collect()));
    let binds: Vec<String> = host.mounts.iter().filter_map(from_mount::bind).collect();
    let mounts: Vec<wire::Mount> = host.mounts.iter().filter_map(from_mount::mount).collect();
    let own_cgroups = if host.privileged { "host" } else { "private" };
    wire::HostConfig {
        binds: List((!binds.is_empty()).then_some(binds)),
        container_id_file: host.cidfile.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        log_config: log_config(host),
        network_mode: match &host.network {
            NetworkMode::Host => "host".to_owned(),
            NetworkMode::None => "none".to_owned(),
            NetworkMode::Networks(name) => name.clone(),
            NetworkMode::Container(id) => format!("container:{id}"),
        },
        port_bindings: networks::port_bindings(&host.publish),
        restart_policy: restart_policy(settings.restart),
        auto_remove: host.auto_remove,
        volume_driver: host.volume_driver.clone(),
        volumes_from: given(&host.volumes_from),
        console_size: [0, 0],
        annotations: Map(Some(host.annotations.clone())),
        cap_add: given(&host.cap_add),
        cap_drop: given(&host.cap_drop),
        cgroupns_mode: mode(&host.cgroupns, "private", own_cgroups),
        dns: all(&host.dns),
        dns_options: all(&host.dns_options),
        dns_search: all(&host.dns_search),
        extra_hosts: given(&host.extra_hosts),
        group_add: given(&host.group_add),
        ipc_mode: mode(&host.ipc, "private", "shareable"),
        cgroup: String::new(),
        links: List(None),
        oom_score_adj: i64::from(host.oom_score_adj),
        pid_mode: mode(&host.pid, "", ""),
        privileged: host.privileged,
        publish_all_ports: host.publish_all,
        readonly_rootfs: host.readonly_rootfs,
        security_opt: security_opt(host),
        storage_opt: Map(None),
        tmpfs: Map(Some(host.mounts.iter().filter_map(from_mount::tmpfs).collect())),
        uts_mode: mode(&host.uts, "", ""),
        userns_mode: match &host.userns {
            NamespaceMode::Host => String::new(),
            other @ (NamespaceMode::Private | NamespaceMode::Default | NamespaceMode::Container(_)) => {
                mode(other, "private", "")
            }
        },
        shm_size: signed(host.shm_size_bytes),
        sysctls: Map(Some(host.sysctls.clone())),
        runtime: "runc".to_owned(),
        isolation: String::new(),
        cpu_shares: number(resources.cpu_shares),
        memory: number(resources.memory_bytes),
        nano_cpus: number(resources.nano_cpus),
        cgroup_parent: host.cgroup_parent.clone().unwrap_or_default(),
        blkio_weight: resources.blkio_weight.unwrap_or(0),
        blkio_weight_device: List(Some(
            resources
                .blkio_weight_device
                .iter()
                .map(|weight| WeightDevice { path: device(&weight.device), weight: weight.weight })
                .collect(),
        )),
        blkio_device_read_bps: rates(&resources.device_read_bps),
        blkio_device_write_bps: rates(&resources.device_write_bps),
        blkio_device_read_iops: rates(&resources.device_read_iops),
        blkio_device_write_iops: rates(&resources.device_write_iops),
        cpu_period: number(resources.cpu_period_us),
        cpu_quota: number(resources.cpu_quota_us),
        cpu_realtime_period: number(resources.cpu_rt_period_us),
        cpu_realtime_runtime: number(resources.cpu_rt_runtime_us),
        cpuset_cpus: resources.cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: resources.cpuset_mems.clone().unwrap_or_default(),
        devices: List(Some(host.devices.iter().map(device_mapping).collect())),
        device_cgroup_rules: given(&host.device_rules),
        device_requests: List(None),
        kernel_memory: 0,
        kernel_memory_tcp: 0,
        memory_reservation: number(resources.memory_reservation_bytes),
        memory_swap: number(resources.memory_swap_bytes),
        memory_swappiness: resources.memory_swappiness,
        oom_kill_disable: resources.oom_kill_disable.or((cgroups == CgroupVersion::V1).then_some(false)),
        pids_limit: resources.pids_limit.filter(|limit| *limit > 0),
        ulimits: List(Some(host.ulimits.iter().map(ulimit).collect())),
        cpu_count: 0,
        cpu_percent: 0,
        io_maximum_iops: 0,
        io_maximum_bandwidth: 0,
        mounts: List((!mounts.is_empty()).then_some(mounts)),
        masked_paths: paths(MASKED),
        readonly_paths: paths(READONLY),
        init: host.init.then_some(true),
        egress: host.egress.as_ref().map(Policy::of),
    }
}

fn log_config(host: &HostConfig) -> LogConfig {
    match host.log.driver {
        LogDriver::None => LogConfig { kind: "none".to_owned(), config: Map(Some(BTreeMap::new())) },
        LogDriver::JsonFile => LogConfig {
            kind: "json-file".to_owned(),
            config: Map(Some(BTreeMap::from([
                ("max-file".to_owned(), host.log.max_files.to_string()),
                (
                    "max-size".to_owned(),
                    match host.log.max_size_bytes {
                        u64::MAX => "-1".to_owned(),
                        size => size.to_string(),
                    },
                ),
            ]))),
        },
    }
}

fn restart_policy(policy: RestartPolicy) -> wire::RestartPolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure(most) => ("on-failure", i64::from(most)),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    wire::RestartPolicy { name: name.to_owned(), maximum_retry_count: retries }
}

fn device(device: &BlockDevice) -> String {
    String::from(device.clone())
}

fn rates(rates: &[DeviceRate]) -> List<ThrottleDevice> {
    List(Some(rates.iter().map(|rate| ThrottleDevice { path: device(&rate.device), rate: rate.rate }).collect()))
}

fn device_mapping(mapping: &spec::container::DeviceMapping) -> wire::DeviceMapping {
    wire::DeviceMapping {
        path_on_host: mapping.host.display().to_string(),
        path_in_container: mapping.container.display().to_string(),
        cgroup_permissions: mapping.access.clone(),
    }
}

fn ulimit(limit: &spec::bundle::Rlimit) -> wire::Ulimit {
    // "unlimited" is -1 in Docker's words.
    wire::Ulimit { name: limit.name.clone(), hard: limit.hard.cast_signed(), soft: limit.soft.cast_signed() }
}

fn security_opt(host: &HostConfig) -> List<String> {
    let security = &host.security;
    let mut options = Vec::new();
    if security.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &security.seccomp {
        SeccompChoice::Default => {}
        SeccompChoice::Unconfined => options.push("seccomp=unconfined".to_owned()),
        SeccompChoice::Profile(text) => options.push(format!("seccomp={text}")),
    }
    options.extend(security.apparmor.iter().map(|profile| format!("apparmor={profile}")));
    if security.systempaths_unconfined {
        options.push("systempaths=unconfined".to_owned());
    }
    List((!options.is_empty()).then_some(options))
}

/// One line of `ps`; `sizes`: bytes it wrote, and these with its image's; `networks`: their names.
pub(crate) fn row<'a>(
    view: &View,
    sizes: Option<(u64, u64)>,
    networks: Vec<String>,
    reader: &'a Reader,
) -> ContainerRow<'a> {
    let config = &view.config;
    let mounts = config.host.mounts.iter().filter_map(from_mount::row_mount);
    let (size_rw, size_root_fs) = sizes.unwrap_or_default();
    ContainerRow {
        reader,
        id: config.id.to_string(),
        names: vec![view.name.clone()],
        image: config.image_name.clone(),
        image_id: config.image.to_string(),
        command: command_line(config),
        created: timestamp(config.created),
        phase: phase(view),
        ports: networks::row_ports(view),
        size_rw,
        size_root_fs,
        labels: config.labels.clone(),
        mounts: mounts.collect(),
        networks,
        platform: Some(config.platform.to_string()),
    }
}

#[cfg(test)]
mod tests;
