//! `kist info`.

use std::collections::BTreeMap;

use engine::system::facts::CgroupVersion;
use engine::system::facts::{self, Facts};
use jiff::Timestamp;
use registry::client::ProxySettings;
use serde::Serialize;

use super::listing::{self, OBJECT_FORMAT};
use super::version;
use crate::cli::{Cli, say};
use crate::report::Report;
use crate::template::Template;
use crate::units::bytes_size;
use crate::verb::{Args, Takes, Verb, Words, short};
use crate::wire::go::List;

/// `kist info`.
pub(crate) static INFO: Verb = Verb {
    name: "info",
    aliases: &["system info"],
    usage: "[OPTIONS]",
    about: "Display system-wide information",
    words: Words::None,
    flags: &[&[short('f', "format", Takes::One("string"), OBJECT_FORMAT)]],
    run,
};

/// Docker's names for what there is to say.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    containers: usize,
    containers_running: usize,
    containers_paused: usize,
    containers_stopped: usize,
    images: usize,
    driver: String,
    driver_status: Vec<[String; 2]>,
    plugins: Plugins,
    memory_limit: bool,
    swap_limit: bool,
    cpu_cfs_period: bool,
    cpu_cfs_quota: bool,
    #[serde(rename = "CPUShares")]
    cpu_shares: bool,
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    pids_limit: bool,
    #[serde(rename = "IPv4Forwarding")]
    ipv4_forwarding: bool,
    debug: bool,
    oom_kill_disable: bool,
    system_time: String,
    logging_driver: String,
    cgroup_driver: String,
    cgroup_version: String,
    kernel_version: String,
    operating_system: String,
    #[serde(rename = "OSVersion")]
    os_version: String,
    #[serde(rename = "OSType")]
    os_type: String,
    architecture: String,
    index_server_address: String,
    #[serde(rename = "NCPU")]
    cpus: usize,
    mem_total: u64,
    docker_root_dir: String,
    http_proxy: String,
    https_proxy: String,
    no_proxy: String,
    name: String,
    labels: Vec<String>,
    experimental_build: bool,
    server_version: String,
    runtimes: BTreeMap<String, Runtime>,
    default_runtime: String,
    swarm: Swarm,
    live_restore_enabled: bool,
    isolation: String,
    init_binary: String,
    security_options: Vec<String>,
    warnings: List<String>,
    client_info: ClientInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClientInfo {
    debug: bool,
    context: String,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Plugins {
    volume: Vec<String>,
    network: Vec<String>,
    log: Vec<String>,
}

#[derive(Serialize)]
struct Runtime {
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Swarm {
    local_node_state: String,
}

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let host = cli.host()?;
    let around = Around {
        root: host.home.root().display().to_string(),
        now: Timestamp::now().to_string(),
        proxy: cli.registries().proxy,
    };
    let info = info(facts::gather(&host)?, around);
    match args.text("format") {
        None => say(&text(&info)),
        Some(format) => {
            let format = if format == "json" { "{{json .}}" } else { format };
            let template = Template::parse(format).map_err(listing::refused)?;
            say(&format!("{}\n", template.render_typed(&info).map_err(listing::refused)?));
        }
    }
    Ok(0)
}

/// What is not of the machine.
struct Around {
    root: String,
    now: String,
    /// How registries are reached.
    proxy: ProxySettings,
}

fn info(facts: Facts, around: Around) -> Info {
    let controls = |name: &str| facts.controllers.contains(name);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut security_options = Vec::new();
    security_options.extend(facts.apparmor.then(|| "name=apparmor".to_owned()));
    security_options.push("name=seccomp,profile=builtin".to_owned());
    security_options.extend(facts.rootless.then(|| "name=rootless".to_owned()));
    security_options.extend((facts.cgroups == CgroupVersion::V2).then(|| "name=cgroupns".to_owned()));
    Info {
        containers: facts.running + facts.paused + facts.stopped,
        containers_running: facts.running,
        containers_paused: facts.paused,
        containers_stopped: facts.stopped,
        images: facts.images,
        driver: "overlay2".to_owned(),
        driver_status: [("Backing Filesystem", facts.backing), ("Supports d_type", "true"), ("userxattr", "false")]
            .map(|(name, value)| [name, value].map(str::to_owned))
            .into(),
        memory_limit: controls("memory"),
        swap_limit: facts.swap_limit,
        cpu_cfs_period: controls("cpu"),
        cpu_cfs_quota: controls("cpu"),
        cpu_shares: controls("cpu"),
        cpu_set: controls("cpuset"),
        pids_limit: controls("pids"),
        ipv4_forwarding: facts.ipv4_forwarding,
        debug: false,
        // Only v1 can do without the killer.
        oom_kill_disable: controls("memory") && facts.cgroups == CgroupVersion::V1,
        system_time: around.now,
        plugins: Plugins {
            volume: words(&["local"]),
            network: words(&["bridge", "host", "ipvlan", "macvlan", "null"]),
            log: words(&["json-file", "none"]),
        },
        logging_driver: "json-file".to_owned(),
        cgroup_driver: facts.cgroup_driver.to_owned(),
        cgroup_version: match facts.cgroups {
            CgroupVersion::V1 => "1".to_owned(),
            CgroupVersion::V2 => "2".to_owned(),
        },
        kernel_version: facts.kernel,
        operating_system: facts.operating_system,
        os_version: facts.os_version,
        os_type: "linux".to_owned(),
        architecture: facts.machine,
        index_server_address: "https://index.docker.io/v1/".to_owned(),
        cpus: facts.cpus,
        mem_total: facts.memory,
        docker_root_dir: around.root,
        http_proxy: around.proxy.http,
        https_proxy: around.proxy.https,
        no_proxy: around.proxy.no_proxy,
        name: facts.name,
        labels: Vec::new(),
        experimental_build: false,
        server_version: version::NUMBER.to_owned(),
        // Docker's name for what starts a process; here it is kist itself.
        runtimes: BTreeMap::from([("runc".to_owned(), Runtime { path: "kist".to_owned() })]),
        default_runtime: "runc".to_owned(),
        swarm: Swarm { local_node_state: "inactive".to_owned() },
        // Containers never notice that a command or an upgrade of kist comes and goes.
        live_restore_enabled: true,
        isolation: String::new(),
        // It is the executable itself (`--init`).
        init_binary: "kist".to_owned(),
        security_options,
        warnings: List(None),
        client_info: ClientInfo { debug: false, context: "default".to_owned(), version: version::NUMBER.to_owned() },
    }
}

fn text(info: &Info) -> String {
    let mut security = String::new();
    for option in &info.security_options {
        let mut parts = option.split(',');
        let name = parts.next().unwrap_or_default().trim_start_matches("name=");
        security.push_str(&format!("  {name}\n"));
        parts
            .filter_map(|part| part.strip_prefix("profile="))
            .for_each(|profile| security.push_str(&format!("   Profile: {profile}\n")));
    }
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let memory = bytes_size(info.mem_total as f64);
    let Info { containers, containers_running, containers_paused, containers_stopped, images, .. } = info;
    let driver_status: String = info.driver_status.iter().map(|[name, value]| format!("  {name}: {value}\n")).collect();
    let log = info.plugins.log.join(" ");
    let volume = info.plugins.volume.join(" ");
    let network = info.plugins.network.join(" ");
    let Info { server_version, driver, logging_driver, cgroup_driver, cgroup_version, default_runtime, .. } = info;
    let Info { kernel_version, operating_system, os_type, architecture, cpus, name, docker_root_dir, .. } = info;
    format!(
        "Client:\n Version:    {server_version}\n Context:    default\n Debug Mode: false\n\nServer:\n \
         Containers: {containers}\n  Running: {containers_running}\n  Paused: {containers_paused}\n  Stopped: {containers_stopped}\n \
         Images: {images}\n Server Version: {server_version}\n Storage Driver: {driver}\n{driver_status} \
         Logging Driver: {logging_driver}\n Cgroup Driver: {cgroup_driver}\n Cgroup Version: {cgroup_version}\n Plugins:\n  Volume: {volume}\n  Network: {network}\n  Log: {log}\n Swarm: inactive\n \
         Runtimes: {default_runtime}\n Default Runtime: {default_runtime}\n Security Options:\n{security} \
         Kernel Version: {kernel_version}\n Operating System: {operating_system}\n OSType: {os_type}\n \
         Architecture: {architecture}\n CPUs: {cpus}\n Total Memory: {memory}\n Name: {name}\n \
         Docker Root Dir: {docker_root_dir}\n Debug Mode: false\n Live Restore Enabled: true\n"
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_scripts_grep_is_there() {
        let facts = Facts {
            running: 1,
            paused: 0,
            stopped: 2,
            images: 3,
            cgroups: CgroupVersion::V2,
            cgroup_driver: "systemd",
            controllers: ["cpu", "memory"].map(str::to_owned).into(),
            swap_limit: true,
            ipv4_forwarding: false,
            backing: "extfs",
            os_version: "12".into(),
            kernel: "6.18.0".into(),
            machine: "x86_64".into(),
            name: "box".into(),
            operating_system: "Debian GNU/Linux 12 (bookworm)".into(),
            cpus: 2,
            memory: 8 << 30,
            apparmor: true,
            rootless: false,
        };
        let proxy = ProxySettings { http: String::new(), https: String::new(), no_proxy: String::new() };
        let around = Around { root: "/var/lib/kist".into(), now: String::new(), proxy };
        expect![[r#"
            Client:
             Version:    VERSION
             Context:    default
             Debug Mode: false

            Server:
             Containers: 3
              Running: 1
              Paused: 0
              Stopped: 2
             Images: 3
             Server Version: VERSION
             Storage Driver: overlay2
              Backing Filesystem: extfs
              Supports d_type: true
              userxattr: false
             Logging Driver: json-file
             Cgroup Driver: systemd
             Cgroup Version: 2
             Plugins:
              Volume: local
              Network: bridge host ipvlan macvlan null
              Log: json-file none
             Swarm: inactive
             Runtimes: runc
             Default Runtime: runc
             Security Options:
              apparmor
              seccomp
               Profile: builtin
              cgroupns
             Kernel Version: 6.18.0
             Operating System: Debian GNU/Linux 12 (bookworm)
             OSType: linux
             Architecture: x86_64
             CPUs: 2
             Total Memory: 8GiB
             Name: box
             Docker Root Dir: /var/lib/kist
             Debug Mode: false
             Live Restore Enabled: true
        "#]]
        .assert_eq(&text(&info(facts, around)).replace(version::NUMBER, "VERSION"));
    }
}
