//! What each ABI does with each system call number, as spans.

use std::ops::Range;

use spec::capability::{Capability, CapabilitySet};
use spec::seccomp::{Action, Arch, Arg, Filter, KernelVersion, Op, Profile, Rule};

use super::SeccompError;
use super::numbers::{self, Numbers};

/// Marks a call of the x32 ABI, which shares the audit architecture of x86_64.
const X32_BIT: u32 = 0x4000_0000;

/// 32-bit ARM's private calls start here; they are no part of the sequence that grows, and never too new.
const ARM_PRIVATE: u32 = 0xf_0000;

/// AUDIT_ARCH_* of `linux/audit.h`: the ELF machine, with the bits for little-endian and 64-bit.
const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_I386: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARM: u32 = 0x4000_0028;

/// Everything the assembler needs.
#[derive(Debug)]
pub(super) struct Plan {
    /// The return value of a call no clause matches.
    pub default: u32,
    /// What the clauses of all rules say; spans refer to them by index.
    pub clauses: Vec<Clause>,
    /// By audit architecture, the native one first.
    pub machines: Vec<Machine>,
}

/// A return value and the conditions that must all hold for it; none means always.
#[derive(Debug)]
pub(super) struct Clause {
    pub ret: u32,
    pub args: Vec<Arg>,
}

/// All numbers of one audit architecture.
#[derive(Debug)]
pub(super) struct Machine {
    pub audit: u32,
    /// From the number 0 on without gaps; each reaches to the next one's start.
    pub spans: Vec<Span>,
}

/// Numbers that meet the same fate.
#[derive(Debug)]
pub(super) struct Span {
    pub start: u32,
    pub fate: Fate,
}

/// What happens to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// This return value.
    Always(u32),
    /// The first of these clauses whose conditions hold, else the default.
    First {
        clauses: Vec<usize>,
        /// Whether arguments are compared in all their 64 bits. On 32-bit ABIs only the lower half is, as libseccomp does: a profile's
        /// -1 means the 32-bit -1 there. That goes for x32 too, though its registers are wide: what profiles ask about are ints.
        wide: bool,
    },
}

/// Decides everything that does not depend on a call.
pub(super) fn plan(
    profile: &Profile,
    capabilities: CapabilitySet,
    kernel: KernelVersion,
    native: &Arch,
) -> Result<Plan, SeccompError> {
    let default = return_value(profile.default_action, profile.default_errno, || "defaultAction".to_owned())?;
    let mut clauses = Vec::new();
    let mut abis = abis(profile, native)?;
    let counting = |rule: &&Rule| {
        holds_all(&rule.includes, capabilities, kernel, native)
            && !holds_any(&rule.excludes, capabilities, kernel, native)
    };
    for rule in profile.syscalls.iter().filter(counting) {
        add_rule(rule, default, &mut clauses, &mut abis)?;
    }

    // As runc patches libseccomp's programs: not where the default lets calls through, or says ENOSYS by itself.
    let unknown = Some(RET_ENOSYS).filter(|_| !lets_through(profile.default_action));
    let mut machines = Vec::new();
    for abi in &mut abis {
        if abi.arch == Arch::X32 {
            continue;
        }
        machines.push(Machine { audit: abi.audit, spans: abi.spans(default, unknown, &clauses) });
    }
    if *native == Arch::X86_64 {
        let x32 = abis.iter_mut().find(|abi| abi.arch == Arch::X32);
        let beyond = match x32 {
            Some(x32) => x32.spans(default, unknown, &clauses),
            // A tracer that cancels a call sets its number to -1; that is no x32 call.
            None => vec![span(0, libc::SECCOMP_RET_KILL_THREAD), span(u32::MAX ^ X32_BIT, default)],
        };
        machines[0].spans.extend(beyond.into_iter().map(|span| Span { start: span.start | X32_BIT, ..span }));
    }
    Ok(Plan { default, clauses, machines })
}

/// One ABI and what the rules say of its calls.
struct Abi {
    arch: Arch,
    audit: u32,
    wide: bool,
    /// Number in the high half, clause in the low one: sorted, a number's clauses stand together in the order of the profile.
    entries: Vec<u64>,
    /// The newest call that any rule names, even one that changes nothing.
    newest: Option<u32>,
}

/// The ABIs to filter: the native one always, then those the profile lists and this kernel can run.
fn abis(profile: &Profile, native: &Arch) -> Result<Vec<Abi>, SeccompError> {
    let runs: &[(Arch, u32, bool)] = match native {
        Arch::X86_64 => {
            &[(Arch::X86_64, AUDIT_X86_64, true), (Arch::X86, AUDIT_I386, false), (Arch::X32, AUDIT_X86_64, false)]
        }
        Arch::Aarch64 => &[(Arch::Aarch64, AUDIT_AARCH64, true), (Arch::Arm, AUDIT_ARM, false)],
        Arch::X86 | Arch::X32 | Arch::Arm | Arch::Foreign(_) => return Err(SeccompError::Native(native.clone())),
    };
    let family = profile.arch_map.iter().find(|family| family.architecture == *native);
    let listed = family.map_or(&profile.architectures, |family| &family.sub_architectures);
    Ok(runs
        .iter()
        .filter(|(arch, ..)| arch == native || listed.contains(arch))
        .map(|(arch, audit, wide)| Abi {
            arch: arch.clone(),
            audit: *audit,
            wide: *wide,
            entries: Vec::with_capacity(512),
            newest: None,
        })
        .collect())
}

/// Whether every part of an `includes` holds.
fn holds_all(filter: &Filter, capabilities: CapabilitySet, kernel: KernelVersion, native: &Arch) -> bool {
    (filter.arches.is_empty() || filter.arches.iter().any(|arch| arch == native.docker_name()))
        && filter.caps.iter().all(|cap| holds(capabilities, cap))
        && filter.min_kernel.is_none_or(|oldest| kernel >= oldest)
}

/// Whether any part of an `excludes` holds.
fn holds_any(filter: &Filter, capabilities: CapabilitySet, kernel: KernelVersion, native: &Arch) -> bool {
    filter.arches.iter().any(|arch| arch == native.docker_name())
        || filter.caps.iter().any(|cap| holds(capabilities, cap))
        || filter.min_kernel.is_some_and(|oldest| kernel >= oldest)
}

/// A capability we do not know is one the process does not have.
fn holds(capabilities: CapabilitySet, name: &str) -> bool {
    name.parse::<Capability>().is_ok_and(|cap| capabilities.contains(cap))
}

fn add_rule(rule: &Rule, default: u32, clauses: &mut Vec<Clause>, abis: &mut [Abi]) -> Result<(), SeccompError> {
    let ret = return_value(rule.action, rule.errno, || first_name(rule))?;
    if let Some(arg) = rule.args.iter().find(|arg| arg.index > 5) {
        return Err(SeccompError::Argument { name: first_name(rule), index: arg.index });
    }
    let from = clauses.len();
    if ret != default {
        let repeats = |arg: &Arg| rule.args.iter().filter(|other| other.index == arg.index).count() > 1;
        if rule.args.iter().any(repeats) {
            clauses.extend(rule.args.iter().map(|arg| Clause { ret, args: vec![*arg] }));
        } else {
            clauses.push(Clause { ret, args: rule.args.clone() });
        }
    }
    let own = from..clauses.len();

    for name in &rule.names {
        let Some(numbers) = numbers::numbers(name) else { continue };
        for abi in &mut *abis {
            abi.add(numbers, own.clone());
            if abi.arch == Arch::X86 && ret != default {
                abi.add_multiplexed(name, rule, ret, clauses);
            }
        }
    }
    Ok(())
}

fn first_name(rule: &Rule) -> String {
    rule.names.first().map(|name| name.clone().into_owned()).unwrap_or_default()
}

impl Abi {
    fn add(&mut self, numbers: Numbers, clauses: Range<usize>) {
        let Some(number) = numbers.on(&self.arch) else { return };
        if number < ARM_PRIVATE {
            self.newest = self.newest.max(Some(number));
        }
        self.entries.extend(clauses.map(|clause| entry(number, clause)));
    }

    /// On 32-bit x86 the socket calls can also be made through socketcall(2), and System V IPC only through ipc(2) before 5.1. What is
    /// said of `socket` must hold there too, or it is walked round. The arguments lie in memory then: a rule about arguments that
    /// forbids forbids all, one that permits permits none.
    fn add_multiplexed(&mut self, name: &str, rule: &Rule, ret: u32, clauses: &mut Vec<Clause>) {
        let Ok(at) = MULTIPLEXED.binary_search_by(|(known, ..)| (*known).cmp(name)) else { return };
        if !rule.args.is_empty() && lets_through(rule.action) {
            return;
        }
        let (_, through, which) = MULTIPLEXED[at];
        // ipc(2) has a version in the upper half of its first argument, which it mostly ignores.
        let value = if through == IPC { 0xffff } else { 0xffff_ffff };
        self.entries.push(entry(through, clauses.len()));
        clauses.push(Clause { ret, args: vec![Arg { index: 0, value, value_two: which, op: Op::MaskedEq }] });
    }

    /// Joins the entries into spans over all numbers. `unknown` is for numbers after the newest named.
    fn spans(&mut self, default: u32, unknown: Option<u32>, clauses: &[Clause]) -> Vec<Span> {
        self.entries.sort_unstable();
        let end = if self.arch == Arch::Arm { ARM_PRIVATE } else { u32::MAX };
        let unknown = unknown.zip(self.newest).map(|(ret, newest)| (newest + 1..end, ret));
        let mut spans = Spans { list: Vec::with_capacity(128), default, unknown };
        let mut next = 0;
        for same in self.entries.chunk_by(|a, b| number(*a) == number(*b)) {
            let number = number(same[0]);
            spans.unnamed(next, number);
            spans.push(Span { start: number, fate: fate(same, clauses, self.wide) });
            next = number + 1;
        }
        spans.unnamed(next, u32::MAX);
        spans.list
    }
}

/// Spans as they grow, and what befalls a call that no rule names.
struct Spans {
    list: Vec<Span>,
    default: u32,
    /// The numbers after the newest named, and their return value.
    unknown: Option<(Range<u32>, u32)>,
}

impl Spans {
    /// The numbers from `from` up to `to`.
    fn unnamed(&mut self, from: u32, to: u32) {
        let (beyond, ret) = self.unknown.clone().unwrap_or((u32::MAX..u32::MAX, self.default));
        let parts = [
            (from, to.min(beyond.start), self.default),
            (from.max(beyond.start), to.min(beyond.end), ret),
            (from.max(beyond.end), to, self.default),
        ];
        for (start, end, ret) in parts {
            if start < end {
                self.push(span(start, ret));
            }
        }
    }

    fn push(&mut self, span: Span) {
        if self.list.last().is_none_or(|last| last.fate != span.fate) {
            self.list.push(span);
        }
    }
}

fn span(start: u32, ret: u32) -> Span {
    Span { start, fate: Fate::Always(ret) }
}

fn entry(number: u32, clause: usize) -> u64 {
    u64::from(number) << 32 | clause as u64
}

fn number(entry: u64) -> u32 {
    u32::try_from(entry >> 32).expect("half of 64 bits")
}

fn clause(entry: u64) -> usize {
    usize::try_from(entry & u64::from(u32::MAX)).expect("clauses fit in memory")
}

/// What becomes of one number.
fn fate(same: &[u64], clauses: &[Clause], wide: bool) -> Fate {
    let indices = || same.iter().map(|entry| clause(*entry));
    match indices().find(|at| clauses[*at].args.is_empty()) {
        Some(at) => Fate::Always(clauses[at].ret),
        None => Fate::First { clauses: indices().collect(), wide },
    }
}

/// Whether the call still happens. TRACE counts, as in runc: a tracer that emulates must see calls we do not know.
fn lets_through(action: Action) -> bool {
    match action {
        Action::Allow | Action::Log | Action::Trace => true,
        Action::Kill | Action::KillThread | Action::KillProcess | Action::Trap | Action::Errno | Action::Notify => {
            false
        }
    }
}

/// SECCOMP_RET_* with its data.
fn return_value(action: Action, data: Option<u32>, name: impl Fn() -> String) -> Result<u32, SeccompError> {
    let data = data.unwrap_or(EPERM);
    let within = |most: u32| {
        if data <= most { Ok(data) } else { Err(SeccompError::Errno { name: name(), errno: data }) }
    };
    Ok(match action {
        Action::Kill | Action::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::Trap => libc::SECCOMP_RET_TRAP,
        // MAX_ERRNO: above it a result would not be read as an error.
        Action::Errno => libc::SECCOMP_RET_ERRNO | within(4095)?,
        Action::Trace => libc::SECCOMP_RET_TRACE | within(0xffff)?,
        Action::Allow => libc::SECCOMP_RET_ALLOW,
        Action::Log => libc::SECCOMP_RET_LOG,
        Action::Notify => return Err(SeccompError::Notify(name())),
    })
}

const EPERM: u32 = libc::EPERM.unsigned_abs();
const RET_ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// Calls that 32-bit x86 also has behind another: the number of that, and which of its calls (`linux/net.h`, `linux/ipc.h`). Sorted.
#[rustfmt::skip]
const MULTIPLEXED: &[(&str, u32, u64)] = &[
    ("accept", SOCKETCALL, 5), ("accept4", SOCKETCALL, 18), ("bind", SOCKETCALL, 2), ("connect", SOCKETCALL, 3),
    ("getpeername", SOCKETCALL, 7), ("getsockname", SOCKETCALL, 6), ("getsockopt", SOCKETCALL, 15), ("listen", SOCKETCALL, 4),
    ("msgctl", IPC, 14), ("msgget", IPC, 13), ("msgrcv", IPC, 12), ("msgsnd", IPC, 11),
    ("recv", SOCKETCALL, 10), ("recvfrom", SOCKETCALL, 12), ("recvmmsg", SOCKETCALL, 19), ("recvmsg", SOCKETCALL, 17),
    ("semctl", IPC, 3), ("semget", IPC, 2), ("semop", IPC, 1), ("semtimedop", IPC, 4),
    ("send", SOCKETCALL, 9), ("sendmmsg", SOCKETCALL, 20), ("sendmsg", SOCKETCALL, 16), ("sendto", SOCKETCALL, 11),
    ("setsockopt", SOCKETCALL, 14), ("shmat", IPC, 21), ("shmctl", IPC, 24), ("shmdt", IPC, 22), ("shmget", IPC, 23),
    ("shutdown", SOCKETCALL, 13), ("socket", SOCKETCALL, 1), ("socketpair", SOCKETCALL, 8),
];
