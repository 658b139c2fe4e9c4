//! Linux capabilities: their names, sets of them, and what `--cap-add` and `--cap-drop` make of a set.
//!
//! A set is a `u64` as the kernel has it (bit = number of the capability); on disk and in documents it is a list of names.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes the enum and its table from one list, in the order of the kernel's numbers (`linux/capability.h`).
macro_rules! capabilities {
    ($($variant:ident $name:literal,)*) => {
        /// One capability. The discriminant is the kernel's number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Capability { $(#[doc = $name] $variant,)* }

        impl Capability {
            /// Every capability, by number.
            pub const EVERY: &[Capability] = &[$(Capability::$variant,)*];

            /// The name with its prefix: `CAP_NET_ADMIN`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Capability::$variant => $name,)* }
            }
        }
    };
}

capabilities! {
    Chown "CAP_CHOWN",
    DacOverride "CAP_DAC_OVERRIDE",
    DacReadSearch "CAP_DAC_READ_SEARCH",
    Fowner "CAP_FOWNER",
    Fsetid "CAP_FSETID",
    Kill "CAP_KILL",
    Setgid "CAP_SETGID",
    Setuid "CAP_SETUID",
    Setpcap "CAP_SETPCAP",
    LinuxImmutable "CAP_LINUX_IMMUTABLE",
    NetBindService "CAP_NET_BIND_SERVICE",
    NetBroadcast "CAP_NET_BROADCAST",
    NetAdmin "CAP_NET_ADMIN",
    NetRaw "CAP_NET_RAW",
    IpcLock "CAP_IPC_LOCK",
    IpcOwner "CAP_IPC_OWNER",
    SysModule "CAP_SYS_MODULE",
    SysRawio "CAP_SYS_RAWIO",
    SysChroot "CAP_SYS_CHROOT",
    SysPtrace "CAP_SYS_PTRACE",
    SysPacct "CAP_SYS_PACCT",
    SysAdmin "CAP_SYS_ADMIN",
    SysBoot "CAP_SYS_BOOT",
    SysNice "CAP_SYS_NICE",
    SysResource "CAP_SYS_RESOURCE",
    SysTime "CAP_SYS_TIME",
    SysTtyConfig "CAP_SYS_TTY_CONFIG",
    Mknod "CAP_MKNOD",
    Lease "CAP_LEASE",
    AuditWrite "CAP_AUDIT_WRITE",
    AuditControl "CAP_AUDIT_CONTROL",
    Setfcap "CAP_SETFCAP",
    MacOverride "CAP_MAC_OVERRIDE",
    MacAdmin "CAP_MAC_ADMIN",
    Syslog "CAP_SYSLOG",
    WakeAlarm "CAP_WAKE_ALARM",
    BlockSuspend "CAP_BLOCK_SUSPEND",
    AuditRead "CAP_AUDIT_READ",
    Perfmon "CAP_PERFMON",
    Bpf "CAP_BPF",
    CheckpointRestore "CAP_CHECKPOINT_RESTORE",
}

/// A name that is no capability; holds it as Docker's message shows it: upper case, with the prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability: {0:?}")]
pub struct UnknownCapability(pub String);

impl std::str::FromStr for Capability {
    type Err = UnknownCapability;

    /// Takes the name in any case, with or without `CAP_`.
    fn from_str(text: &str) -> Result<Capability, UnknownCapability> {
        let upper = text.to_ascii_uppercase();
        let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
        Capability::EVERY.iter().copied().find(|known| known.name() == full).ok_or(UnknownCapability(full))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of capabilities; bit n is the capability with number n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapabilitySet(u64);

/// What Docker gives a container that asked for nothing.
pub const DOCKER_DEFAULT: CapabilitySet = CapabilitySet::of(&[
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
]);

impl CapabilitySet {
    /// No capability.
    pub const EMPTY: CapabilitySet = CapabilitySet(0);

    /// Every capability this crate knows.
    pub const ALL: CapabilitySet = CapabilitySet::of(Capability::EVERY);

    /// The set of these.
    #[must_use]
    pub const fn of(members: &[Capability]) -> CapabilitySet {
        let mut bits = 0;
        let mut at = 0;
        while at < members.len() {
            bits |= 1 << members[at] as u8;
            at += 1;
        }
        CapabilitySet(bits)
    }

    /// The set with these bits; bits of capabilities we do not know are left out.
    #[must_use]
    pub const fn from_bits(bits: u64) -> CapabilitySet {
        CapabilitySet(bits & CapabilitySet::ALL.0)
    }

    /// The bits as capset(2) takes them.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `one` is in it.
    #[must_use]
    pub const fn contains(self, one: Capability) -> bool {
        self.0 & 1 << one as u8 != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 & other.0)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub const fn difference(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 & !other.0)
    }

    /// The members by number.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::EVERY.iter().copied().filter(move |one| self.contains(*one))
    }

    /// Applies `--cap-add` and `--cap-drop` as Docker does. `available` is what this host can give at all (the bounding set of the
    /// engine): `ALL` means that, and naming one beyond it is refused.
    ///
    /// ALL added: everything but what is dropped by name. Else ALL dropped: only what is added. Else the drops come off first and
    /// the adds go on, so that one named in both stays.
    pub fn with(self, changes: Changes<'_>, available: CapabilitySet) -> Result<CapabilitySet, ChangeError> {
        let drop = Named::parse(changes.drop, available).map_err(ChangeError::Drop)?;
        let add = Named::parse(changes.add, available).map_err(ChangeError::Add)?;
        Ok(match (add.all, drop.all) {
            (true, _) => available.difference(drop.set),
            (false, true) => add.set,
            (false, false) => self.difference(drop.set).union(add.set),
        })
    }
}

/// The lists of `--cap-add` and `--cap-drop` as typed.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// `--cap-add`.
    pub add: &'a [String],
    /// `--cap-drop`.
    pub drop: &'a [String],
}

/// A list that names a capability which cannot be had. The texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// In `--cap-add`.
    #[error("invalid CapAdd: {0}")]
    Add(CannotHave),
    /// In `--cap-drop`.
    #[error("invalid CapDrop: {0}")]
    Drop(CannotHave),
}

/// Why a named capability cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotHave {
    /// There is none of that name.
    #[error(transparent)]
    Unknown(#[from] UnknownCapability),
    /// It exists and is not in the bounding set.
    #[error("capability not supported by your kernel or not available in the current environment: \"{0}\"")]
    Unavailable(Capability),
}

/// One parsed list: `ALL`, if it was there, beside the ones named.
struct Named {
    all: bool,
    set: CapabilitySet,
}

impl Named {
    fn parse(list: &[String], available: CapabilitySet) -> Result<Named, CannotHave> {
        let mut named = Named { all: false, set: CapabilitySet::EMPTY };
        for text in list {
            if text.eq_ignore_ascii_case("ALL") {
                named.all = true;
                continue;
            }
            let one: Capability = text.parse()?;
            if !available.contains(one) {
                return Err(CannotHave::Unavailable(one));
            }
            named.set = named.set.union(CapabilitySet::of(&[one]));
        }
        Ok(named)
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(members: I) -> CapabilitySet {
        members.into_iter().fold(CapabilitySet::EMPTY, |set, one| set.union(CapabilitySet::of(&[one])))
    }
}

impl Serialize for CapabilitySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = self.iter().map(Capability::name).collect();
        names.sort_unstable();
        names.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CapabilitySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CapabilitySet, D::Error> {
        let names = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
        names.iter().map(|name| name.parse::<Capability>().map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(add: &[&str], drop: &[&str], expected: Expect) {
        let add: Vec<String> = add.iter().map(ToString::to_string).collect();
        let drop: Vec<String> = drop.iter().map(ToString::to_string).collect();
        // A host that cannot give CAP_SYS_RESOURCE.
        let available = CapabilitySet::ALL.difference(CapabilitySet::of(&[Capability::SysResource]));
        let shown = match DOCKER_DEFAULT.with(Changes { add: &add, drop: &drop }, available) {
            Ok(set) => {
                let gained = set.difference(DOCKER_DEFAULT);
                let lost = DOCKER_DEFAULT.difference(set);
                let list =
                    |set: CapabilitySet| set.iter().map(|one| one.name()[4..].to_owned()).collect::<Vec<_>>().join(" ");
                format!("{} +[{}] -[{}]", set.iter().count(), list(gained), list(lost))
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn docker_default_is_the_mask_every_docker_container_shows() {
        // `grep CapBnd /proc/1/status` in a plain docker container.
        assert_eq!(format!("{:016x}", DOCKER_DEFAULT.bits()), "00000000a80425fb");
        assert_eq!(format!("{:016x}", CapabilitySet::ALL.bits()), "000001ffffffffff");
    }

    #[test]
    fn adds_and_drops_follow_docker() {
        check(&[], &[], expect!["14 +[] -[]"]);
        check(&["NET_ADMIN", "cap_sys_ptrace"], &["chown"], expect!["15 +[NET_ADMIN SYS_PTRACE] -[CHOWN]"]);
        check(
            &["SYS_ADMIN"],
            &["all"],
            expect![
                "1 +[SYS_ADMIN] -[CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP]"
            ],
        );
        check(&["CHOWN"], &["CHOWN"], expect!["14 +[] -[]"]);
        check(
            &["ALL"],
            &["ALL", "CHOWN"],
            expect![
                "39 +[DAC_READ_SEARCH LINUX_IMMUTABLE NET_BROADCAST NET_ADMIN IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG LEASE AUDIT_CONTROL MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE] -[CHOWN]"
            ],
        );
        check(
            &[],
            &["ALL"],
            expect![
                "0 +[] -[CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP]"
            ],
        );
    }

    #[test]
    fn a_wrong_name_is_refused_in_docker_words() {
        check(&["net_admn"], &[], expect![[r#"invalid CapAdd: unknown capability: "CAP_NET_ADMN""#]]);
        check(&[], &["CAP_X"], expect![[r#"invalid CapDrop: unknown capability: "CAP_X""#]]);
        check(
            &["sys_resource"],
            &[],
            expect![[
                r#"invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE""#
            ]],
        );
    }

    #[test]
    fn a_set_is_a_sorted_list_of_names_on_disk() {
        let set = CapabilitySet::of(&[Capability::SysAdmin, Capability::Bpf, Capability::Kill]);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["CAP_BPF","CAP_KILL","CAP_SYS_ADMIN"]"#);
        assert_eq!(serde_json::from_str::<CapabilitySet>(&json).unwrap(), set);
        assert_eq!(serde_json::from_str::<CapabilitySet>("null").unwrap(), CapabilitySet::EMPTY);
        assert!(serde_json::from_str::<CapabilitySet>(r#"["CAP_NONE"]"#).is_err());
    }

    #[test]
    fn the_kernel_numbers_hold() {
        assert_eq!(Capability::Chown as u8, 0);
        assert_eq!(Capability::NetAdmin as u8, 12);
        assert_eq!(Capability::SysAdmin as u8, 21);
        assert_eq!(Capability::Syslog as u8, 34);
        assert_eq!(Capability::CheckpointRestore as u8, 40);
    }
}
