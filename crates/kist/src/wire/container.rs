//! `docker container inspect`, API 1.51 (moby 28.5 `api/types/container`): every field, in Docker's order.

use std::collections::BTreeMap;

use serde::Serialize;

use super::go::{Empty, List, Map, is_zero};
use super::host_config::HostConfig;
use super::image::Descriptor;

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContainerInspect {
    pub(crate) id: String,
    pub(crate) created: String,
    pub(crate) path: String,
    pub(crate) args: List<String>,
    pub(crate) state: State,
    pub(crate) image: String,
    pub(crate) resolv_conf_path: String,
    pub(crate) hostname_path: String,
    pub(crate) hosts_path: String,
    pub(crate) log_path: String,
    pub(crate) name: String,
    pub(crate) restart_count: i64,
    pub(crate) driver: String,
    pub(crate) platform: String,
    pub(crate) mount_label: String,
    pub(crate) process_label: String,
    pub(crate) app_armor_profile: String,
    #[serde(rename = "ExecIDs")]
    pub(crate) exec_ids: List<String>,
    pub(crate) host_config: HostConfig,
    pub(crate) graph_driver: GraphDriver,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size_rw: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size_root_fs: Option<i64>,
    /// Never null.
    pub(crate) mounts: Vec<MountPoint>,
    pub(crate) config: Config,
    pub(crate) network_settings: NetworkSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image_manifest_descriptor: Option<Descriptor>,
}

/// Where the container is in its life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    /// created, running, paused, restarting, removing, exited or dead.
    #[serde(rename = "Status")]
    pub(crate) status: String,
    /// Also true while paused or restarting.
    #[serde(rename = "Running")]
    pub(crate) running: bool,
    /// Frozen.
    #[serde(rename = "Paused")]
    pub(crate) paused: bool,
    /// Waiting for its next start.
    #[serde(rename = "Restarting")]
    pub(crate) restarting: bool,
    /// Killed for want of memory.
    #[serde(rename = "OOMKilled")]
    pub(crate) oom_killed: bool,
    /// Its removal failed.
    #[serde(rename = "Dead")]
    pub(crate) dead: bool,
    /// 0 when not running.
    #[serde(rename = "Pid")]
    pub(crate) pid: i64,
    /// Of the last run.
    #[serde(rename = "ExitCode")]
    pub(crate) exit_code: i64,
    /// Why it could not start.
    #[serde(rename = "Error")]
    pub(crate) error: String,
    /// RFC 3339, the year 1 before the first start.
    #[serde(rename = "StartedAt")]
    pub(crate) started_at: String,
    /// RFC 3339, the year 1 before the first end.
    #[serde(rename = "FinishedAt")]
    pub(crate) finished_at: String,
    /// With a health check only.
    #[serde(rename = "Health", skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<Health>,
}

/// What the health check says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Health {
    /// starting, healthy or unhealthy.
    #[serde(rename = "Status")]
    pub(crate) status: String,
    /// Failures in a row.
    #[serde(rename = "FailingStreak")]
    pub(crate) failing_streak: i64,
    /// The last results, oldest first.
    #[serde(rename = "Log")]
    pub(crate) log: List<HealthResult>,
}

/// One run of the health check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HealthResult {
    /// RFC 3339.
    #[serde(rename = "Start")]
    pub(crate) start: String,
    /// RFC 3339.
    #[serde(rename = "End")]
    pub(crate) end: String,
    /// 0 healthy, 1 unhealthy.
    #[serde(rename = "ExitCode")]
    pub(crate) exit_code: i64,
    /// What it printed.
    #[serde(rename = "Output")]
    pub(crate) output: String,
}

/// Where the root filesystem comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GraphDriver {
    /// The driver's own words.
    #[serde(rename = "Data")]
    pub(crate) data: Map<String>,
    /// The driver.
    #[serde(rename = "Name")]
    pub(crate) name: String,
}

/// One mount as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MountPoint {
    /// bind, volume, tmpfs or image.
    #[serde(rename = "Type", skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    /// The volume's name.
    #[serde(rename = "Name", skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// On the host.
    #[serde(rename = "Source")]
    pub(crate) source: String,
    /// In the container.
    #[serde(rename = "Destination")]
    pub(crate) destination: String,
    /// The volume's driver.
    #[serde(rename = "Driver", skip_serializing_if = "String::is_empty")]
    pub(crate) driver: String,
    /// Options as written: `ro,z`.
    #[serde(rename = "Mode")]
    pub(crate) mode: String,
    /// Writable.
    #[serde(rename = "RW")]
    pub(crate) rw: bool,
    /// `rprivate`, or empty.
    #[serde(rename = "Propagation")]
    pub(crate) propagation: String,
}

/// What belongs to the container wherever it runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Config {
    /// Host name.
    #[serde(rename = "Hostname")]
    pub(crate) hostname: String,
    /// Domain name.
    #[serde(rename = "Domainname")]
    pub(crate) domainname: String,
    /// `uid[:gid]` or names.
    #[serde(rename = "User")]
    pub(crate) user: String,
    /// Attached at start.
    #[serde(rename = "AttachStdin")]
    pub(crate) attach_stdin: bool,
    /// Attached at start.
    #[serde(rename = "AttachStdout")]
    pub(crate) attach_stdout: bool,
    /// Attached at start.
    #[serde(rename = "AttachStderr")]
    pub(crate) attach_stderr: bool,
    /// `80/tcp`.
    #[serde(rename = "ExposedPorts", skip_serializing_if = "Map::is_empty")]
    pub(crate) exposed_ports: Map<Empty>,
    /// Has a terminal.
    #[serde(rename = "Tty")]
    pub(crate) tty: bool,
    /// Stdin stays open.
    #[serde(rename = "OpenStdin")]
    pub(crate) open_stdin: bool,
    /// Stdin ends with its first client.
    #[serde(rename = "StdinOnce")]
    pub(crate) stdin_once: bool,
    /// `KEY=value`.
    #[serde(rename = "Env")]
    pub(crate) env: List<String>,
    /// Command.
    #[serde(rename = "Cmd")]
    pub(crate) cmd: List<String>,
    /// Health check.
    #[serde(rename = "Healthcheck", skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Healthcheck>,
    /// Windows only.
    #[serde(rename = "ArgsEscaped", skip_serializing_if = "is_zero")]
    pub(crate) args_escaped: bool,
    /// As the user wrote it.
    #[serde(rename = "Image")]
    pub(crate) image: String,
    /// Anonymous volumes.
    #[serde(rename = "Volumes")]
    pub(crate) volumes: Map<Empty>,
    /// Working directory.
    #[serde(rename = "WorkingDir")]
    pub(crate) working_dir: String,
    /// Entry point.
    #[serde(rename = "Entrypoint")]
    pub(crate) entrypoint: List<String>,
    /// No network.
    #[serde(rename = "NetworkDisabled", skip_serializing_if = "is_zero")]
    pub(crate) network_disabled: bool,
    /// Before API 1.44.
    #[serde(rename = "MacAddress", skip_serializing_if = "String::is_empty")]
    pub(crate) mac_address: String,
    /// ONBUILD triggers.
    #[serde(rename = "OnBuild")]
    pub(crate) on_build: List<String>,
    /// Labels.
    #[serde(rename = "Labels")]
    pub(crate) labels: Map<String>,
    /// Signal that stops it.
    #[serde(rename = "StopSignal", skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
    /// Seconds to wait for it.
    #[serde(rename = "StopTimeout", skip_serializing_if = "Option::is_none")]
    pub(crate) stop_timeout: Option<i64>,
    /// SHELL.
    #[serde(rename = "Shell", skip_serializing_if = "List::is_empty")]
    pub(crate) shell: List<String>,
}

/// A health check's settings; times in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Healthcheck {
    /// `CMD …`, `CMD-SHELL …` or `NONE`.
    #[serde(rename = "Test", skip_serializing_if = "List::is_empty")]
    pub(crate) test: List<String>,
    /// Between probes.
    #[serde(rename = "Interval", skip_serializing_if = "is_zero")]
    pub(crate) interval: i64,
    /// Of one probe.
    #[serde(rename = "Timeout", skip_serializing_if = "is_zero")]
    pub(crate) timeout: i64,
    /// Grace after the start.
    #[serde(rename = "StartPeriod", skip_serializing_if = "is_zero")]
    pub(crate) start_period: i64,
    /// Between probes in the grace.
    #[serde(rename = "StartInterval", skip_serializing_if = "is_zero")]
    pub(crate) start_interval: i64,
    /// Failures that make it unhealthy.
    #[serde(rename = "Retries", skip_serializing_if = "is_zero")]
    pub(crate) retries: i64,
}

/// Its networks; the fields of the default bridge stand beside them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NetworkSettings {
    /// Deprecated.
    #[serde(rename = "Bridge")]
    pub(crate) bridge: String,
    /// The network namespace's name.
    #[serde(rename = "SandboxID")]
    pub(crate) sandbox_id: String,
    /// Its path.
    #[serde(rename = "SandboxKey")]
    pub(crate) sandbox_key: String,
    /// An exposed port that is not published is null.
    #[serde(rename = "Ports")]
    pub(crate) ports: Map<List<PortBinding>>,
    /// Deprecated.
    #[serde(rename = "HairpinMode")]
    pub(crate) hairpin_mode: bool,
    /// Deprecated.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub(crate) link_local_ipv6_address: String,
    /// Deprecated.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub(crate) link_local_ipv6_prefix_len: i64,
    /// Deprecated, null.
    #[serde(rename = "SecondaryIPAddresses")]
    pub(crate) secondary_ip_addresses: List<String>,
    /// Deprecated, null.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub(crate) secondary_ipv6_addresses: List<String>,
    /// On the bridge.
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
    /// On the bridge.
    #[serde(rename = "Gateway")]
    pub(crate) gateway: String,
    /// On the bridge.
    #[serde(rename = "GlobalIPv6Address")]
    pub(crate) global_ipv6_address: String,
    /// On the bridge.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub(crate) global_ipv6_prefix_len: i64,
    /// On the bridge.
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: String,
    /// On the bridge.
    #[serde(rename = "IPPrefixLen")]
    pub(crate) ip_prefix_len: i64,
    /// On the bridge.
    #[serde(rename = "IPv6Gateway")]
    pub(crate) ipv6_gateway: String,
    /// On the bridge.
    #[serde(rename = "MacAddress")]
    pub(crate) mac_address: String,
    /// By name; never null.
    #[serde(rename = "Networks")]
    pub(crate) networks: BTreeMap<String, Endpoint>,
}

/// Where a port is published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PortBinding {
    /// Address of the host.
    #[serde(rename = "HostIp")]
    pub(crate) host_ip: String,
    /// Port of the host.
    #[serde(rename = "HostPort")]
    pub(crate) host_port: String,
}

/// The container on one network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Endpoint {
    /// Addresses asked for.
    #[serde(rename = "IPAMConfig")]
    pub(crate) ipam_config: Option<EndpointIpam>,
    /// Legacy links.
    #[serde(rename = "Links")]
    pub(crate) links: List<String>,
    /// Further names the user gave.
    #[serde(rename = "Aliases")]
    pub(crate) aliases: List<String>,
    /// Its address.
    #[serde(rename = "MacAddress")]
    pub(crate) mac_address: String,
    /// Options for the driver.
    #[serde(rename = "DriverOpts")]
    pub(crate) driver_opts: Map<String>,
    /// Highest is the default gateway.
    #[serde(rename = "GwPriority")]
    pub(crate) gw_priority: i64,
    /// Network.
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    /// Endpoint.
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
    /// Gateway.
    #[serde(rename = "Gateway")]
    pub(crate) gateway: String,
    /// Address.
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: String,
    /// Its prefix.
    #[serde(rename = "IPPrefixLen")]
    pub(crate) ip_prefix_len: i64,
    /// Gateway.
    #[serde(rename = "IPv6Gateway")]
    pub(crate) ipv6_gateway: String,
    /// Address.
    #[serde(rename = "GlobalIPv6Address")]
    pub(crate) global_ipv6_address: String,
    /// Its prefix.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub(crate) global_ipv6_prefix_len: i64,
    /// All names, the first for reverse look-ups.
    #[serde(rename = "DNSNames")]
    pub(crate) dns_names: List<String>,
}

/// Addresses asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EndpointIpam {
    /// IPv4.
    #[serde(rename = "IPv4Address", skip_serializing_if = "String::is_empty")]
    pub(crate) ipv4_address: String,
    /// IPv6.
    #[serde(rename = "IPv6Address", skip_serializing_if = "String::is_empty")]
    pub(crate) ipv6_address: String,
    /// Link local.
    #[serde(rename = "LinkLocalIPs", skip_serializing_if = "List::is_empty")]
    pub(crate) link_local_ips: List<String>,
}
