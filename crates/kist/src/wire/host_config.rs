//! `HostConfig` of `docker container inspect`, API 1.51: what ties a container to its host.

use serde::Serialize;

use super::container::PortBinding;
use super::go::{List, Map, is_zero};
use super::network::Policy;

/// Every field, in Docker's order; the numbers of `Resources` stand in their place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HostConfig {
    /// `src:dst:ro,z`.
    #[serde(rename = "Binds")]
    pub(crate) binds: List<String>,
    /// Where the id was written.
    #[serde(rename = "ContainerIDFile")]
    pub(crate) container_id_file: String,
    /// Log driver.
    #[serde(rename = "LogConfig")]
    pub(crate) log_config: LogConfig,
    /// `bridge`, `host`, `none`, `container:x` or a network.
    #[serde(rename = "NetworkMode")]
    pub(crate) network_mode: String,
    /// As asked for.
    #[serde(rename = "PortBindings")]
    pub(crate) port_bindings: Map<List<PortBinding>>,
    /// Restart policy.
    #[serde(rename = "RestartPolicy")]
    pub(crate) restart_policy: RestartPolicy,
    /// `--rm`.
    #[serde(rename = "AutoRemove")]
    pub(crate) auto_remove: bool,
    /// For anonymous volumes.
    #[serde(rename = "VolumeDriver")]
    pub(crate) volume_driver: String,
    /// Containers.
    #[serde(rename = "VolumesFrom")]
    pub(crate) volumes_from: List<String>,
    /// Height and width.
    #[serde(rename = "ConsoleSize")]
    pub(crate) console_size: [u32; 2],
    /// For the runtime.
    #[serde(rename = "Annotations", skip_serializing_if = "Map::is_empty")]
    pub(crate) annotations: Map<String>,
    /// Capabilities.
    #[serde(rename = "CapAdd")]
    pub(crate) cap_add: List<String>,
    /// Capabilities.
    #[serde(rename = "CapDrop")]
    pub(crate) cap_drop: List<String>,
    /// `private` or `host`.
    #[serde(rename = "CgroupnsMode")]
    pub(crate) cgroupns_mode: String,
    /// Servers.
    #[serde(rename = "Dns")]
    pub(crate) dns: List<String>,
    /// Options.
    #[serde(rename = "DnsOptions")]
    pub(crate) dns_options: List<String>,
    /// Domains.
    #[serde(rename = "DnsSearch")]
    pub(crate) dns_search: List<String>,
    /// `name:address`.
    #[serde(rename = "ExtraHosts")]
    pub(crate) extra_hosts: List<String>,
    /// Groups.
    #[serde(rename = "GroupAdd")]
    pub(crate) group_add: List<String>,
    /// `private`, `shareable`, `host`, ...
    #[serde(rename = "IpcMode")]
    pub(crate) ipc_mode: String,
    /// Cgroup to join.
    #[serde(rename = "Cgroup")]
    pub(crate) cgroup: String,
    /// Legacy links.
    #[serde(rename = "Links")]
    pub(crate) links: List<String>,
    /// -1000 to 1000.
    #[serde(rename = "OomScoreAdj")]
    pub(crate) oom_score_adj: i64,
    /// `host`, `container:x` or empty.
    #[serde(rename = "PidMode")]
    pub(crate) pid_mode: String,
    /// `--privileged`.
    #[serde(rename = "Privileged")]
    pub(crate) privileged: bool,
    /// `-P`.
    #[serde(rename = "PublishAllPorts")]
    pub(crate) publish_all_ports: bool,
    /// `--read-only`.
    #[serde(rename = "ReadonlyRootfs")]
    pub(crate) readonly_rootfs: bool,
    /// `--security-opt`.
    #[serde(rename = "SecurityOpt")]
    pub(crate) security_opt: List<String>,
    /// For the storage driver.
    #[serde(rename = "StorageOpt", skip_serializing_if = "Map::is_empty")]
    pub(crate) storage_opt: Map<String>,
    /// Path to options.
    #[serde(rename = "Tmpfs", skip_serializing_if = "Map::is_empty")]
    pub(crate) tmpfs: Map<String>,
    /// `host` or empty.
    #[serde(rename = "UTSMode")]
    pub(crate) uts_mode: String,
    /// `host` or empty.
    #[serde(rename = "UsernsMode")]
    pub(crate) userns_mode: String,
    /// Bytes.
    #[serde(rename = "ShmSize")]
    pub(crate) shm_size: i64,
    /// Kernel parameters.
    #[serde(rename = "Sysctls", skip_serializing_if = "Map::is_empty")]
    pub(crate) sysctls: Map<String>,
    /// OCI runtime.
    #[serde(rename = "Runtime", skip_serializing_if = "String::is_empty")]
    pub(crate) runtime: String,
    /// Windows only.
    #[serde(rename = "Isolation")]
    pub(crate) isolation: String,
    /// Weight.
    #[serde(rename = "CpuShares")]
    pub(crate) cpu_shares: i64,
    /// Bytes.
    #[serde(rename = "Memory")]
    pub(crate) memory: i64,
    /// Billionths of a processor.
    #[serde(rename = "NanoCpus")]
    pub(crate) nano_cpus: i64,
    /// Parent cgroup.
    #[serde(rename = "CgroupParent")]
    pub(crate) cgroup_parent: String,
    /// Weight.
    #[serde(rename = "BlkioWeight")]
    pub(crate) blkio_weight: u16,
    /// By device.
    #[serde(rename = "BlkioWeightDevice")]
    pub(crate) blkio_weight_device: List<WeightDevice>,
    /// Bytes a second.
    #[serde(rename = "BlkioDeviceReadBps")]
    pub(crate) blkio_device_read_bps: List<ThrottleDevice>,
    /// Bytes a second.
    #[serde(rename = "BlkioDeviceWriteBps")]
    pub(crate) blkio_device_write_bps: List<ThrottleDevice>,
    /// Operations a second.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub(crate) blkio_device_read_iops: List<ThrottleDevice>,
    /// Operations a second.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub(crate) blkio_device_write_iops: List<ThrottleDevice>,
    /// Microseconds.
    #[serde(rename = "CpuPeriod")]
    pub(crate) cpu_period: i64,
    /// Microseconds.
    #[serde(rename = "CpuQuota")]
    pub(crate) cpu_quota: i64,
    /// Microseconds.
    #[serde(rename = "CpuRealtimePeriod")]
    pub(crate) cpu_realtime_period: i64,
    /// Microseconds.
    #[serde(rename = "CpuRealtimeRuntime")]
    pub(crate) cpu_realtime_runtime: i64,
    /// `0-2`.
    #[serde(rename = "CpusetCpus")]
    pub(crate) cpuset_cpus: String,
    /// `0-2`.
    #[serde(rename = "CpusetMems")]
    pub(crate) cpuset_mems: String,
    /// Devices.
    #[serde(rename = "Devices")]
    pub(crate) devices: List<DeviceMapping>,
    /// `c 1:3 r`.
    #[serde(rename = "DeviceCgroupRules")]
    pub(crate) device_cgroup_rules: List<String>,
    /// GPUs and their kin.
    #[serde(rename = "DeviceRequests")]
    pub(crate) device_requests: List<DeviceRequest>,
    /// Deprecated.
    #[serde(rename = "KernelMemory", skip_serializing_if = "is_zero")]
    pub(crate) kernel_memory: i64,
    /// Deprecated.
    #[serde(rename = "KernelMemoryTCP", skip_serializing_if = "is_zero")]
    pub(crate) kernel_memory_tcp: i64,
    /// Bytes.
    #[serde(rename = "MemoryReservation")]
    pub(crate) memory_reservation: i64,
    /// Bytes with swap, -1 for no limit.
    #[serde(rename = "MemorySwap")]
    pub(crate) memory_swap: i64,
    /// 0 to 100.
    #[serde(rename = "MemorySwappiness")]
    pub(crate) memory_swappiness: Option<i64>,
    /// cgroup v1 only.
    #[serde(rename = "OomKillDisable")]
    pub(crate) oom_kill_disable: Option<bool>,
    /// Processes.
    #[serde(rename = "PidsLimit")]
    pub(crate) pids_limit: Option<i64>,
    /// Resource limits.
    #[serde(rename = "Ulimits")]
    pub(crate) ulimits: List<Ulimit>,
    /// Windows only.
    #[serde(rename = "CpuCount")]
    pub(crate) cpu_count: i64,
    /// Windows only.
    #[serde(rename = "CpuPercent")]
    pub(crate) cpu_percent: i64,
    /// Windows only.
    #[serde(rename = "IOMaximumIOps")]
    pub(crate) io_maximum_iops: u64,
    /// Windows only.
    #[serde(rename = "IOMaximumBandwidth")]
    pub(crate) io_maximum_bandwidth: u64,
    /// `--mount`.
    #[serde(rename = "Mounts", skip_serializing_if = "List::is_empty")]
    pub(crate) mounts: List<Mount>,
    /// Hidden; null when privileged.
    #[serde(rename = "MaskedPaths")]
    pub(crate) masked_paths: List<String>,
    /// Read only; null when privileged.
    #[serde(rename = "ReadonlyPaths")]
    pub(crate) readonly_paths: List<String>,
    /// `--init`.
    #[serde(rename = "Init", skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<bool>,
    /// `--egress`, which Docker does not have.
    #[serde(rename = "Egress", skip_serializing_if = "Option::is_none")]
    pub(crate) egress: Option<Policy>,
}

/// A log driver and its options.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LogConfig {
    /// The driver.
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    /// Its options.
    #[serde(rename = "Config")]
    pub(crate) config: Map<String>,
}

/// When to start again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RestartPolicy {
    /// `no`, `always`, `on-failure` or `unless-stopped`.
    #[serde(rename = "Name")]
    pub(crate) name: String,
    /// With `on-failure`.
    #[serde(rename = "MaximumRetryCount")]
    pub(crate) maximum_retry_count: i64,
}

/// A block device's weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WeightDevice {
    /// Device.
    #[serde(rename = "Path")]
    pub(crate) path: String,
    /// 10 to 1000.
    #[serde(rename = "Weight")]
    pub(crate) weight: u16,
}

/// A block device's limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ThrottleDevice {
    /// Device.
    #[serde(rename = "Path")]
    pub(crate) path: String,
    /// A second.
    #[serde(rename = "Rate")]
    pub(crate) rate: u64,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DeviceMapping {
    /// On the host.
    #[serde(rename = "PathOnHost")]
    pub(crate) path_on_host: String,
    /// In the container.
    #[serde(rename = "PathInContainer")]
    pub(crate) path_in_container: String,
    /// `rwm`.
    #[serde(rename = "CgroupPermissions")]
    pub(crate) cgroup_permissions: String,
}

/// Devices a driver chooses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DeviceRequest {
    /// The driver.
    #[serde(rename = "Driver")]
    pub(crate) driver: String,
    /// -1 for all.
    #[serde(rename = "Count")]
    pub(crate) count: i64,
    /// These devices.
    #[serde(rename = "DeviceIDs")]
    pub(crate) device_ids: List<String>,
    /// Any of these sets.
    #[serde(rename = "Capabilities")]
    pub(crate) capabilities: List<Vec<String>>,
    /// For the driver.
    #[serde(rename = "Options")]
    pub(crate) options: Map<String>,
}

/// A resource limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ulimit {
    /// `nofile`.
    #[serde(rename = "Name")]
    pub(crate) name: String,
    /// Hard limit.
    #[serde(rename = "Hard")]
    pub(crate) hard: i64,
    /// Soft limit.
    #[serde(rename = "Soft")]
    pub(crate) soft: i64,
}

/// One `--mount`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mount {
    /// bind, volume, tmpfs or image.
    #[serde(rename = "Type", skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    /// On the host, or a volume.
    #[serde(rename = "Source", skip_serializing_if = "String::is_empty")]
    pub(crate) source: String,
    /// In the container.
    #[serde(rename = "Target", skip_serializing_if = "String::is_empty")]
    pub(crate) target: String,
    /// Read only.
    #[serde(rename = "ReadOnly", skip_serializing_if = "is_zero")]
    pub(crate) read_only: bool,
    /// macOS only.
    #[serde(rename = "Consistency", skip_serializing_if = "String::is_empty")]
    pub(crate) consistency: String,
    /// Of a bind.
    #[serde(rename = "BindOptions", skip_serializing_if = "Option::is_none")]
    pub(crate) bind_options: Option<BindOptions>,
    /// Of a volume.
    #[serde(rename = "VolumeOptions", skip_serializing_if = "Option::is_none")]
    pub(crate) volume_options: Option<VolumeOptions>,
    /// Of an image.
    #[serde(rename = "ImageOptions", skip_serializing_if = "Option::is_none")]
    pub(crate) image_options: Option<ImageOptions>,
    /// Of a tmpfs.
    #[serde(rename = "TmpfsOptions", skip_serializing_if = "Option::is_none")]
    pub(crate) tmpfs_options: Option<TmpfsOptions>,
}

/// How to bind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BindOptions {
    /// `rprivate` and its kin.
    #[serde(rename = "Propagation", skip_serializing_if = "String::is_empty")]
    pub(crate) propagation: String,
    /// Without the mounts below.
    #[serde(rename = "NonRecursive", skip_serializing_if = "is_zero")]
    pub(crate) non_recursive: bool,
    /// Make the source.
    #[serde(rename = "CreateMountpoint", skip_serializing_if = "is_zero")]
    pub(crate) create_mountpoint: bool,
    /// Mounts below stay writable.
    #[serde(rename = "ReadOnlyNonRecursive", skip_serializing_if = "is_zero")]
    pub(crate) read_only_non_recursive: bool,
    /// Fail when they cannot be read only.
    #[serde(rename = "ReadOnlyForceRecursive", skip_serializing_if = "is_zero")]
    pub(crate) read_only_force_recursive: bool,
}

/// How to use a volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VolumeOptions {
    /// Do not fill it from the image.
    #[serde(rename = "NoCopy", skip_serializing_if = "is_zero")]
    pub(crate) no_copy: bool,
    /// Of a volume made here.
    #[serde(rename = "Labels", skip_serializing_if = "Map::is_empty")]
    pub(crate) labels: Map<String>,
    /// A directory within.
    #[serde(rename = "Subpath", skip_serializing_if = "String::is_empty")]
    pub(crate) subpath: String,
    /// Driver of a volume made here.
    #[serde(rename = "DriverConfig", skip_serializing_if = "Option::is_none")]
    pub(crate) driver_config: Option<VolumeDriver>,
}

/// A volume driver and its options.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VolumeDriver {
    /// The driver.
    #[serde(rename = "Name", skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// Its options.
    #[serde(rename = "Options", skip_serializing_if = "Map::is_empty")]
    pub(crate) options: Map<String>,
}

/// How to mount an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ImageOptions {
    /// A directory within.
    #[serde(rename = "Subpath", skip_serializing_if = "String::is_empty")]
    pub(crate) subpath: String,
}

/// How to make a tmpfs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TmpfsOptions {
    /// Bytes.
    #[serde(rename = "SizeBytes", skip_serializing_if = "is_zero")]
    pub(crate) size_bytes: i64,
    /// Permissions.
    #[serde(rename = "Mode", skip_serializing_if = "is_zero")]
    pub(crate) mode: u32,
    /// Further options.
    #[serde(rename = "Options", skip_serializing_if = "List::is_empty")]
    pub(crate) options: List<Vec<String>>,
}
