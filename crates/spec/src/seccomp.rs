//! Seccomp profiles as documents: Docker's JSON form and OCI's `linux.seccomp`, which is the same without conditions.
//!
//! Parsing is tolerant where Go is (unknown fields, `null` for an empty list) and says plainly what it cannot take. Turning a profile
//! into a program is the runtime's work.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A profile. Rules may be conditional on capabilities, kernel and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What happens to a call no rule speaks of.
    pub default_action: Action,
    /// The errno of `default_action` where that is ERRNO; EPERM when absent.
    #[serde(default, rename = "defaultErrnoRet", skip_serializing_if = "Option::is_none")]
    pub default_errno: Option<u32>,
    /// OCI: the architectures filtered, beside the native one.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Arch>,
    /// Docker: which architectures come with which native one.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub arch_map: Vec<ArchFamily>,
    /// Flags of seccomp(2). Absent is not empty: runc then asks for SPEC_ALLOW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Flag>>,
    /// The socket of a notify agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// The rules.
    #[serde(default, deserialize_with = "or_default")]
    pub syscalls: Vec<Rule>,
}

/// A native architecture and those its kernel also runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchFamily {
    /// The native one.
    pub architecture: Arch,
    /// The others.
    #[serde(default, deserialize_with = "or_default")]
    pub sub_architectures: Vec<Arch>,
}

/// One rule: these calls, with these arguments, under these conditions, meet this action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleAsWritten")]
pub struct Rule {
    /// Names of system calls. One that no architecture knows is ignored, as the kernel may be newer than we are.
    pub names: Vec<Cow<'static, str>>,
    /// What happens.
    pub action: Action,
    /// The errno of ERRNO (or the data of TRACE); EPERM when absent.
    #[serde(rename = "errnoRet", skip_serializing_if = "Option::is_none")]
    pub errno: Option<u32>,
    /// Conditions on arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
    /// The rule counts only where all of this holds.
    #[serde(skip_serializing_if = "Filter::is_empty")]
    pub includes: Filter,
    /// The rule does not count where any of this holds.
    #[serde(skip_serializing_if = "Filter::is_empty")]
    pub excludes: Filter,
}

/// [`Rule`] with the single `name` of old profiles.
#[derive(Deserialize)]
struct RuleAsWritten {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    names: Vec<String>,
    action: Action,
    #[serde(default, rename = "errnoRet")]
    errno: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    args: Vec<Arg>,
    #[serde(default, deserialize_with = "or_default")]
    includes: Filter,
    #[serde(default, deserialize_with = "or_default")]
    excludes: Filter,
}

impl TryFrom<RuleAsWritten> for Rule {
    type Error = &'static str;

    fn try_from(written: RuleAsWritten) -> Result<Rule, &'static str> {
        let mut names = written.names;
        if !written.name.is_empty() {
            if !names.is_empty() {
                return Err(
                    "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
                );
            }
            names.push(written.name);
        }
        Ok(Rule {
            names: names.into_iter().map(Cow::Owned).collect(),
            action: written.action,
            errno: written.errno,
            args: written.args,
            includes: written.includes,
            excludes: written.excludes,
        })
    }
}

/// When a rule counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Capabilities in the bounding set. Text, because a profile may name one that is newer than we are.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cow<'static, str>>,
    /// Native architectures, by Docker's names (`amd64`, `arm64`).
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<Cow<'static, str>>,
    /// The oldest kernel.
    #[serde(default, deserialize_with = "kernel_or_none", skip_serializing_if = "Option::is_none")]
    pub min_kernel: Option<KernelVersion>,
}

impl Filter {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

/// One condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    /// Which argument, 0 to 5.
    pub index: u32,
    /// What it is compared with; the mask of MASKED_EQ.
    pub value: u64,
    /// What the masked argument of MASKED_EQ must equal.
    #[serde(default)]
    pub value_two: u64,
    /// How.
    pub op: Op,
}

/// Writes an enum whose arms are words of a document, with its `Display`.
macro_rules! words {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $type { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$variant => $word,)* })
            }
        }
    };
}

words! {
    /// What the kernel does with a call.
    Action {
        /// Kills the thread.
        Kill "SCMP_ACT_KILL",
        /// Kills the process.
        KillProcess "SCMP_ACT_KILL_PROCESS",
        /// Kills the thread.
        KillThread "SCMP_ACT_KILL_THREAD",
        /// Sends SIGSYS.
        Trap "SCMP_ACT_TRAP",
        /// Fails with an errno.
        Errno "SCMP_ACT_ERRNO",
        /// Asks the tracer.
        Trace "SCMP_ACT_TRACE",
        /// Lets it through.
        Allow "SCMP_ACT_ALLOW",
        /// Lets it through and logs it.
        Log "SCMP_ACT_LOG",
        /// Asks an agent in user space.
        Notify "SCMP_ACT_NOTIFY",
    }
}

words! {
    /// How an argument is compared (unsigned).
    Op {
        /// Not equal.
        Ne "SCMP_CMP_NE",
        /// Less.
        Lt "SCMP_CMP_LT",
        /// Less or equal.
        Le "SCMP_CMP_LE",
        /// Equal.
        Eq "SCMP_CMP_EQ",
        /// Greater or equal.
        Ge "SCMP_CMP_GE",
        /// Greater.
        Gt "SCMP_CMP_GT",
        /// Equal under a mask.
        MaskedEq "SCMP_CMP_MASKED_EQ",
    }
}

words! {
    /// A flag of seccomp(2).
    Flag {
        /// The filter is for all threads. A container's first process has one.
        Tsync "SECCOMP_FILTER_FLAG_TSYNC",
        /// Denials are logged.
        Log "SECCOMP_FILTER_FLAG_LOG",
        /// Speculative store bypass stays as it is.
        SpecAllow "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        /// Waiting for an agent ends on fatal signals only.
        WaitKillableRecv "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

/// An architecture (strictly: an ABI).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// 32-bit pointers on 64-bit x86.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
    /// One that no kernel of ours ever runs. Kept as written.
    Foreign(String),
}

impl Arch {
    /// What this program was compiled for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Arch = Arch::X86_64;
    /// What this program was compiled for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Arch = Arch::Aarch64;

    /// The name in the `arches` of a condition.
    #[must_use]
    pub fn docker_name(&self) -> &str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::X86 => "x86",
            Arch::X32 => "x32",
            Arch::Aarch64 => "arm64",
            Arch::Arm => "arm",
            Arch::Foreign(name) => name,
        }
    }
}

impl Serialize for Arch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Arch::X86_64 => "SCMP_ARCH_X86_64",
            Arch::X86 => "SCMP_ARCH_X86",
            Arch::X32 => "SCMP_ARCH_X32",
            Arch::Aarch64 => "SCMP_ARCH_AARCH64",
            Arch::Arm => "SCMP_ARCH_ARM",
            Arch::Foreign(name) => name,
        })
    }
}

impl<'de> Deserialize<'de> for Arch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Arch, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(match name.as_str() {
            "SCMP_ARCH_X86_64" => Arch::X86_64,
            "SCMP_ARCH_X86" => Arch::X86,
            "SCMP_ARCH_X32" => Arch::X32,
            "SCMP_ARCH_AARCH64" => Arch::Aarch64,
            "SCMP_ARCH_ARM" => Arch::Arm,
            other if other.starts_with("SCMP_ARCH_") => Arch::Foreign(name),
            _ => return Err(serde::de::Error::custom(format_args!("unknown seccomp architecture {name:?}"))),
        })
    }
}

/// The first two numbers of a kernel release: all that Docker compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

impl KernelVersion {
    /// Reads a release as uname(2) gives it: `6.18.5-cloud`, `6.1-rc3`.
    #[must_use]
    pub fn of_release(release: &str) -> Option<KernelVersion> {
        let (kernel, rest) = release.split_once('.')?;
        let major = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(KernelVersion(kernel.parse().ok()?, major.parse().ok()?))
    }
}

impl Serialize for KernelVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{}", self.0, self.1))
    }
}

/// Strictly `<kernel>.<major>`, and an empty text is none, as in Docker.
fn kernel_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KernelVersion>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = text.split_once('.').and_then(|(kernel, major)| {
        Some((kernel.parse::<u8>().ok()?, major.parse::<u8>().ok()?)).filter(|both| *both != (0, 0))
    });
    match parsed {
        Some((kernel, major)) => Ok(Some(KernelVersion(kernel.into(), major.into()))),
        None => Err(serde::de::Error::custom(format_args!(
            "invalid kernel version: {text:?}, expected \"<kernel>.<major>\""
        ))),
    }
}

/// Go writes an empty list or object as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A profile that is none.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not JSON, or not of the form.
    #[error("Decoding seccomp profile failed")]
    Malformed(#[from] serde_json::Error),
    /// Docker refuses it too: which of them counts?
    #[error(
        "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'"
    )]
    TwoArchLists,
}

impl Profile {
    /// Reads a profile in either form.
    pub fn parse(json: &[u8]) -> Result<Profile, ProfileError> {
        let profile: Profile = serde_json::from_slice(json)?;
        if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
            return Err(ProfileError::TwoArchLists);
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check_refused(json: &str, expected: Expect) {
        let error = Profile::parse(json.as_bytes()).unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        expected.assert_eq(&format!("{error}{source}"));
    }

    #[test]
    fn docker_form_with_every_field_survives_a_round_trip() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
            "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X32"]},
                       {"architecture":"SCMP_ARCH_RISCV64","subArchitectures":null}],
            "flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/run/agent.sock","somethingNew":{"a":1},
            "syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW","args":null,"comment":"old form","includes":{},"excludes":null},
                        {"names":["clone","socket"],"action":"SCMP_ACT_TRACE","errnoRet":7,
                         "args":[{"index":1,"value":18446744073709551615,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}],
                         "includes":{"caps":["CAP_SYS_ADMIN"],"minKernel":"4.8"},"excludes":{"arches":["s390x"],"minKernel":""}}]}"#;
        let profile = Profile::parse(json.as_bytes()).unwrap();
        let again = serde_json::to_string(&profile).unwrap();
        expect![[r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X32"]},{"architecture":"SCMP_ARCH_RISCV64","subArchitectures":[]}],"flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/run/agent.sock","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"names":["clone","socket"],"action":"SCMP_ACT_TRACE","errnoRet":7,"args":[{"index":1,"value":18446744073709551615,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}],"includes":{"caps":["CAP_SYS_ADMIN"],"minKernel":"4.8"},"excludes":{"arches":["s390x"]}}]}"#]]
        .assert_eq(&again);
        assert_eq!(Profile::parse(again.as_bytes()).unwrap(), profile);
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        check_refused(
            r#"{"defaultAction":"SCMP_ACT_MAYBE"}"#,
            expect![
                "Decoding seccomp profile failed: unknown variant `SCMP_ACT_MAYBE`, expected one of `SCMP_ACT_KILL`, `SCMP_ACT_KILL_PROCESS`, `SCMP_ACT_KILL_THREAD`, `SCMP_ACT_TRAP`, `SCMP_ACT_ERRNO`, `SCMP_ACT_TRACE`, `SCMP_ACT_ALLOW`, `SCMP_ACT_LOG`, `SCMP_ACT_NOTIFY` at line 1 column 33"
            ],
        );
        check_refused(
            r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}"#,
            expect![
                "Decoding seccomp profile failed: both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names' at line 1 column 95"
            ],
        );
        check_refused(
            r#"{"defaultAction":"SCMP_ACT_LOG","architectures":["x86"]}"#,
            expect![[r#"Decoding seccomp profile failed: unknown seccomp architecture "x86" at line 1 column 55"#]],
        );
        check_refused(
            r#"{"defaultAction":"SCMP_ACT_LOG","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_ARM"}]}"#,
            expect![
                "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'"
            ],
        );
        check_refused(
            r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"name":"a","action":"SCMP_ACT_LOG","includes":{"minKernel":"4.8.1"}}]}"#,
            expect![[
                r#"Decoding seccomp profile failed: invalid kernel version: "4.8.1", expected "<kernel>.<major>" at line 1 column 112"#
            ]],
        );
    }

    #[test]
    fn a_release_is_read_by_its_first_two_numbers() {
        let read = |release| KernelVersion::of_release(release);
        assert_eq!(read("6.18.5-cloud-amd64"), Some(KernelVersion(6, 18)));
        assert_eq!(read("3.12-rc5"), Some(KernelVersion(3, 12)));
        assert_eq!(read("linux"), None);
        assert_eq!(read("6."), None);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Profile::parse(&bytes);
        }

        #[test]
        fn a_damaged_profile_parses_or_is_refused(
            cuts in proptest::collection::vec((any::<proptest::sample::Index>(), "[\\[\\]{}\",:0-9a-zA-Z_-]{0,3}"), 1..5),
        ) {
            let mut text = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"archMap":[{"architecture":"SCMP_ARCH_X86_64",
                "subArchitectures":["SCMP_ARCH_X86"]}],"flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":[{"names":["read"],
                "action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}],"includes":{"caps":
                ["CAP_SYS_ADMIN"],"minKernel":"4.8"},"excludes":{"arches":["s390"]}}]}"#.to_owned();
            prop_assert!(Profile::parse(text.as_bytes()).is_ok());
            for (at, word) in cuts {
                let at = at.index(text.len());
                text.replace_range(at..=at, &word);
            }
            let _ = Profile::parse(text.as_bytes());
        }
    }
}
