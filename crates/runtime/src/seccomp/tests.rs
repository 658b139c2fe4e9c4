//! Programs are run by an interpreter of classic BPF and held against a plain reading of the profile.

#![expect(clippy::cast_possible_truncation, reason = "the interpreter takes halves of words")]

use std::borrow::Cow;

use expect_test::{Expect, expect};
use libc::sock_filter;
use proptest::prelude::*;
use spec::capability::{Capability, CapabilitySet, DOCKER_DEFAULT};
use spec::seccomp::{Action, Arch, Arg, Filter, KernelVersion, Op, Profile, Rule};

use super::*;

const NEW: KernelVersion = KernelVersion(6, 18);
const X32_BIT: u32 = 0x4000_0000;

/// `struct seccomp_data` without the instruction pointer.
#[derive(Debug, Clone, Copy)]
struct Call {
    audit: u32,
    number: u32,
    args: [u64; 6],
}

/// Runs a program as the kernel does.
fn run(program: &[sock_filter], call: Call) -> u32 {
    use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
    const RETURN: u32 = BPF_RET | BPF_K;
    const JA: u32 = BPF_JMP | BPF_JA;
    const JEQ: u32 = BPF_JMP | BPF_JEQ | BPF_K;
    const JGE: u32 = BPF_JMP | BPF_JGE | BPF_K;
    const JGT: u32 = BPF_JMP | BPF_JGT | BPF_K;
    const AND: u32 = BPF_ALU | BPF_AND | BPF_K;

    let (mut at, mut accumulator) = (0_usize, 0_u32);
    loop {
        let one = program[at];
        at += 1;
        let skip = |holds: bool| usize::from(if holds { one.jt } else { one.jf });
        match u32::from(one.code) {
            LOAD => {
                let half = |value: u64, upper: bool| if upper { (value >> 32) as u32 } else { value as u32 };
                accumulator = match one.k {
                    0 => call.number,
                    4 => call.audit,
                    k if (16..64).contains(&k) && k % 4 == 0 => half(call.args[(k as usize - 16) / 8], k % 8 == 4),
                    k => panic!("load of {k}"),
                }
            }
            RETURN => return one.k,
            JA => at += one.k as usize,
            JEQ => at += skip(accumulator == one.k),
            JGE => at += skip(accumulator >= one.k),
            JGT => at += skip(accumulator > one.k),
            AND => accumulator &= one.k,
            code => panic!("instruction {code:#x}"),
        }
    }
}

fn shown(ret: u32) -> String {
    let data = ret & 0xffff;
    match ret & 0xffff_0000 {
        libc::SECCOMP_RET_ALLOW => "allow".to_owned(),
        libc::SECCOMP_RET_LOG => "log".to_owned(),
        libc::SECCOMP_RET_TRACE => format!("trace {data}"),
        libc::SECCOMP_RET_ERRNO if data == 1 => "EPERM".to_owned(),
        libc::SECCOMP_RET_ERRNO if data == 38 => "ENOSYS".to_owned(),
        libc::SECCOMP_RET_ERRNO => format!("errno {data}"),
        libc::SECCOMP_RET_TRAP => "trap".to_owned(),
        libc::SECCOMP_RET_KILL_THREAD => "kill thread".to_owned(),
        libc::SECCOMP_RET_KILL_PROCESS => "kill process".to_owned(),
        other => format!("{other:#x}"),
    }
}

fn audit(arch: &Arch) -> u32 {
    match arch {
        Arch::X86_64 | Arch::X32 => 0xc000_003e,
        Arch::X86 => 0x4000_0003,
        Arch::Aarch64 => 0xc000_00b7,
        Arch::Arm => 0x4000_0028,
        Arch::Foreign(_) => 0xf000_0000,
    }
}

fn call(arch: &Arch, name: &str, args: &[u64]) -> Call {
    let number = numbers::numbers(name).and_then(|numbers| numbers.on(arch)).expect("the call exists there");
    numbered(arch, number, args)
}

fn numbered(arch: &Arch, number: u32, args: &[u64]) -> Call {
    let bit = if *arch == Arch::X32 { X32_BIT } else { 0 };
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Call { audit: audit(arch), number: number | bit, args: all }
}

/// Docker's profile with the default capabilities and these besides.
fn docker(more: &[Capability], native: Arch) -> Program {
    compile(docker_profile(), DOCKER_DEFAULT.union(CapabilitySet::of(more)), NEW, &native).unwrap()
}

fn parsed(json: &str) -> Program {
    compile(&Profile::parse(json.as_bytes()).unwrap(), DOCKER_DEFAULT, NEW, &Arch::X86_64).unwrap()
}

fn check(program: &Program, calls: &[Call], expected: Expect) {
    let all: Vec<String> = calls.iter().map(|call| shown(run(program.filter(), *call))).collect();
    expected.assert_eq(&all.join(", "));
}

#[test]
fn docker_default_lets_ordinary_calls_through_and_no_others() {
    let program = docker(&[], Arch::X86_64);
    for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
        let calls =
            ["read", "openat", "mount", "bpf", "ptrace", "chroot", "keyctl", "io_uring_setup", "userfaultfd", "clone3"];
        check(
            &program,
            &calls.map(|name| call(&arch, name, &[])),
            expect!["allow, allow, EPERM, EPERM, allow, allow, EPERM, EPERM, EPERM, ENOSYS"],
        );
    }
}

#[test]
fn docker_default_looks_at_arguments() {
    let program = docker(&[], Arch::X86_64);
    let families = [1, 2, 16, 37, 38, 39, 40, 41, 1 << 32 | 38].map(|family| call(&Arch::X86_64, "socket", &[family]));
    check(&program, &families, expect!["allow, allow, allow, allow, EPERM, allow, EPERM, allow, allow"]);
    let flags =
        [0x11, 0x3d0f00, 0x0002_0000, 0x1000_0000, 0x4000_0000].map(|flags| call(&Arch::X86_64, "clone", &[flags]));
    check(&program, &flags, expect!["allow, allow, EPERM, EPERM, EPERM"]);
    let personas =
        [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff, 4, u64::MAX].map(|value| call(&Arch::X86_64, "personality", &[value]));
    check(&program, &personas, expect!["allow, allow, allow, allow, allow, EPERM, EPERM"]);
    // An upper half does not count on 32-bit ABIs; on x32 a register can have one.
    let narrow = [1, 38, 40].map(|family| call(&Arch::X86, "socket", &[family]));
    check(&program, &narrow, expect!["allow, EPERM, EPERM"]);
    let x32 = [1, 1 << 32 | 38].map(|family| call(&Arch::X32, "socket", &[family]));
    check(&program, &x32, expect!["allow, EPERM"]);
}

#[test]
fn docker_default_opens_with_capabilities_and_kernels() {
    let admin = docker(&[Capability::SysAdmin], Arch::X86_64);
    let calls =
        ["mount", "bpf", "clone3", "unshare", "reboot", "open_by_handle_at"].map(|name| call(&Arch::X86_64, name, &[]));
    check(&admin, &calls, expect!["allow, allow, allow, allow, EPERM, EPERM"]);
    check(&admin, &[call(&Arch::X86_64, "clone", &[0x1000_0000])], expect!["allow"]);
    let boot = docker(&[Capability::SysBoot, Capability::DacReadSearch], Arch::X86_64);
    check(&boot, &calls, expect!["EPERM, EPERM, ENOSYS, EPERM, allow, allow"]);

    let old = compile(docker_profile(), DOCKER_DEFAULT, KernelVersion(4, 7), &Arch::X86_64).unwrap();
    check(&old, &[call(&Arch::X86_64, "ptrace", &[])], expect!["EPERM"]);
    let bare = compile(docker_profile(), CapabilitySet::EMPTY, NEW, &Arch::X86_64).unwrap();
    check(&bare, &[call(&Arch::X86_64, "chroot", &[])], expect!["EPERM"]);
}

#[test]
fn docker_default_on_arm() {
    let program = docker(&[], Arch::Aarch64);
    let wide = ["read", "mount", "clone3", "sync_file_range"].map(|name| call(&Arch::Aarch64, name, &[]));
    check(&program, &wide, expect!["allow, EPERM, ENOSYS, allow"]);
    let narrow = ["read", "mount", "cacheflush", "set_tls", "get_tls"].map(|name| call(&Arch::Arm, name, &[]));
    check(&program, &narrow, expect!["allow, EPERM, allow, allow, EPERM"]);
    check(&program, &[call(&Arch::X86_64, "read", &[])], expect!["kill thread"]);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let program = docker(&[], Arch::X86_64);
    // removexattrat is 466, the newest Docker names; on x32 it is pwritev2 (547).
    let newest = [465, 466, 467, 9999, 0x3fff_ffff].map(|number| numbered(&Arch::X86_64, number, &[]));
    check(&program, &newest, expect!["allow, allow, ENOSYS, ENOSYS, ENOSYS"]);
    let x32 = [467, 547, 548, 0xffff_ffff].map(|number| numbered(&Arch::X32, number, &[]));
    check(&program, &x32, expect!["EPERM, allow, ENOSYS, ENOSYS"]);
    // Where the default lets calls through, or there is no rule, nothing is unknown.
    let open = parsed(r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["read"],"action":"SCMP_ACT_TRAP"}]}"#);
    check(&open, &[0, 1, 9999].map(|number| numbered(&Arch::X86_64, number, &[])), expect!["trap, log, log"]);
    let empty = parsed(r#"{"defaultAction":"SCMP_ACT_KILL_PROCESS"}"#);
    check(&empty, &[0, 9999].map(|number| numbered(&Arch::X86_64, number, &[])), expect!["kill process, kill process"]);
}

#[test]
fn an_architecture_that_is_not_listed_kills_the_thread() {
    let only_native = parsed(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_MIPS"]}"#);
    let elsewhere = [
        numbered(&Arch::X86_64, 0, &[]),
        numbered(&Arch::X86_64, u32::MAX, &[]),
        numbered(&Arch::X32, 0, &[]),
        numbered(&Arch::X86, 3, &[]),
    ];
    check(&only_native, &elsewhere, expect!["allow, allow, kill thread, kill thread"]);
}

#[test]
fn a_rule_for_a_socket_call_holds_behind_socketcall() {
    let arches = r#""architectures":["SCMP_ARCH_X86"]"#;
    let socketcall = [1, 2, 0x1_0001].map(|which| call(&Arch::X86, "socketcall", &[which]));
    let forbids = parsed(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW",{arches},"syscalls":[{{"name":"socket","action":"SCMP_ACT_ERRNO"}}]}}"#
    ));
    check(&forbids, &socketcall, expect!["EPERM, allow, allow"]);
    let permits_one = parsed(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO",{arches},"syscalls":[{{"name":"bind","action":"SCMP_ACT_ALLOW"}},
            {{"name":"socket","action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":1,"op":"SCMP_CMP_EQ"}}]}}]}}"#
    ));
    check(&permits_one, &socketcall, expect!["EPERM, allow, EPERM"]);
    let old_semaphores = parsed(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW",{arches},"syscalls":[{{"name":"semop","action":"SCMP_ACT_ERRNO"}}]}}"#
    ));
    check(
        &old_semaphores,
        &[1, 0x1_0001, 2].map(|which| call(&Arch::X86, "ipc", &[which])),
        expect!["EPERM, EPERM, allow"],
    );
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let refused = |rest: &str, expected: Expect| {
        let profile = Profile::parse(format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO",{rest}}}"#).as_bytes()).unwrap();
        expected.assert_eq(&compile(&profile, DOCKER_DEFAULT, NEW, &Arch::X86_64).unwrap_err().to_string());
    };
    refused(
        r#""syscalls":[{"name":"mount","action":"SCMP_ACT_NOTIFY"}]"#,
        expect![[r#"seccomp action SCMP_ACT_NOTIFY is not supported (rule for "mount")"#]],
    );
    refused(
        r#""syscalls":[{"name":"mount","action":"SCMP_ACT_LOG","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]"#,
        expect![[r#"seccomp rule for "mount" looks at argument 6: a call has arguments 0 to 5"#]],
    );
    refused(
        r#""defaultErrnoRet":5000"#,
        expect![[r#"seccomp rule for "defaultAction" returns errno 5000, which is out of range"#]],
    );
    refused(
        r#""flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]"#,
        expect!["seccomp flag SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is not supported without SCMP_ACT_NOTIFY"],
    );
    let many: Vec<String> = (0..2000)
        .map(|value| {
            format!(
                r#"{{"name":"read","action":"SCMP_ACT_LOG","args":[{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    refused(
        &format!(r#""syscalls":[{}]"#, many.join(",")),
        expect!["the seccomp profile needs 8052 instructions; the kernel takes 4096"],
    );
}

#[test]
fn numbers_are_the_kernels() {
    let sorted = numbers::names().collect::<Vec<_>>();
    assert!(sorted.is_sorted_by(|a, b| a < b));
    let native = |name: &str| numbers::numbers(name).unwrap().on(&Arch::NATIVE).map(i64::from);
    assert_eq!(native("read"), Some(libc::SYS_read));
    assert_eq!(native("clone3"), Some(libc::SYS_clone3));
    assert_eq!(native("mseal"), Some(libc::SYS_mseal));
    assert_eq!(native("getrandom"), Some(libc::SYS_getrandom));
    // Calls whose structures differ have numbers of their own on x32.
    assert_eq!(numbers::numbers("ioctl").unwrap().on(&Arch::X32), Some(514));
    assert_eq!(numbers::numbers("umount").unwrap().on(&Arch::X86_64), None);
    // Every name in Docker's profile is known, but for one that only RISC-V has.
    let unknown =
        |rule: &Rule| rule.names.iter().filter(|name| numbers::numbers(name).is_none()).cloned().collect::<Vec<_>>();
    assert_eq!(docker_profile().syscalls.iter().flat_map(unknown).collect::<Vec<_>>(), ["riscv_hwprobe"]);
}

#[test]
fn the_kernel_takes_the_program_and_holds_to_it() {
    let program = docker(&[], Arch::NATIVE);
    // A filter is its thread's own; the thread ends here and the filter with it.
    let inside = std::thread::spawn(move || {
        // As root the mount call would be permitted and the sockets made.
        rustix::thread::set_no_new_privs(true).unwrap();
        program.install().unwrap();
        use rustix::net::{AddressFamily, SocketType, socket};
        let family = |number| socket(AddressFamily::from_raw(number), SocketType::STREAM, None).map(drop);
        (
            rustix::mount::fsopen("tmpfs", rustix::mount::FsOpenFlags::empty()).map(drop),
            family(1),
            family(40),
            rustix::process::getpgid(None).map(drop),
        )
    });
    let perm = Err(rustix::io::Errno::PERM);
    assert_eq!(inside.join().unwrap(), (perm, Ok(()), perm, Ok(())));
}

#[test]
fn the_default_program_is_small_and_flat() {
    let program = docker(&[], Arch::X86_64);
    assert!(program.filter().len() < 600, "{} instructions", program.filter().len());
}

/// What a plain reading of the profile makes of a call.
fn reading(profile: &Profile, native: &Arch, arch: &Arch, call: Call) -> u32 {
    let family = profile.arch_map.iter().find(|family| family.architecture == *native);
    let listed = family.map_or(&profile.architectures, |family| &family.sub_architectures);
    if arch != native && !listed.contains(arch) {
        return libc::SECCOMP_RET_KILL_THREAD;
    }
    let ret = |action: Action, errno: Option<u32>| match action {
        Action::Kill | Action::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::Trap => libc::SECCOMP_RET_TRAP,
        Action::Errno => libc::SECCOMP_RET_ERRNO | errno.unwrap_or(1),
        Action::Trace => libc::SECCOMP_RET_TRACE | errno.unwrap_or(1),
        Action::Allow => libc::SECCOMP_RET_ALLOW,
        Action::Log => libc::SECCOMP_RET_LOG,
        Action::Notify => unreachable!("not generated"),
    };
    let default = ret(profile.default_action, profile.default_errno);
    let number = if *arch == Arch::X32 { call.number ^ X32_BIT } else { call.number };
    let on_arch = |name: &str| numbers::numbers(name).and_then(|numbers| numbers.on(arch));
    let named = profile.syscalls.iter().flat_map(|rule| &rule.names);
    let newest = named.filter_map(|name| on_arch(name)).filter(|number| *number < 0xf_0000).max();

    let mut conditional = None;
    for rule in &profile.syscalls {
        let ret = ret(rule.action, rule.errno);
        if ret == default || !rule.names.iter().any(|name| on_arch(name) == Some(number)) {
            continue;
        }
        if rule.args.is_empty() {
            return ret;
        }
        let repeated = rule.args.iter().any(|a| rule.args.iter().filter(|b| a.index == b.index).count() > 1);
        let mut each = rule.args.iter().map(|arg| holds(arg, arch, call));
        if if repeated { each.any(|holds| holds) } else { each.all(|holds| holds) } {
            conditional = conditional.or(Some(ret));
        }
    }
    let open = matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace);
    let unknown = !open && newest.is_some_and(|newest| number > newest) && !(*arch == Arch::Arm && number >= 0xf_0000);
    conditional.unwrap_or(if unknown { libc::SECCOMP_RET_ERRNO | 38 } else { default })
}

fn holds(arg: &Arg, arch: &Arch, call: Call) -> bool {
    let narrow =
        |value: u64| if matches!(arch, Arch::X86 | Arch::X32 | Arch::Arm) { value & 0xffff_ffff } else { value };
    let (is, value, two) = (narrow(call.args[arg.index as usize]), narrow(arg.value), narrow(arg.value_two));
    match arg.op {
        Op::Eq => is == value,
        Op::Ne => is != value,
        Op::Lt => is < value,
        Op::Le => is <= value,
        Op::Gt => is > value,
        Op::Ge => is >= value,
        Op::MaskedEq => is & value == two & value,
    }
}

/// Docker's profile for the default capabilities, its conditions resolved by hand.
fn docker_resolved(native: &Arch) -> Profile {
    let mut profile = docker_profile().clone();
    let has = |cap: &Cow<'static, str>| DOCKER_DEFAULT.iter().any(|one| one.name() == cap);
    profile.syscalls.retain(|rule| {
        let arches = &rule.includes.arches;
        (arches.is_empty() || arches.iter().any(|arch| arch == native.docker_name()))
            && rule.includes.caps.iter().all(has)
            && !rule.excludes.caps.iter().any(has)
    });
    profile
}

#[test]
fn docker_default_reads_as_written_for_every_number() {
    for native in [Arch::X86_64, Arch::Aarch64] {
        let program = docker(&[], native.clone());
        let resolved = docker_resolved(&native);
        for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm] {
            let family = |arch: &Arch| matches!(arch, Arch::Aarch64 | Arch::Arm);
            if family(&arch) != family(&native) {
                continue;
            }
            for number in (0..600).chain(0xf_0000..0xf_0010) {
                for first in [0, 8, 38, 40, 0x1000_0000, 0x2_0008, 0xffff_ffff] {
                    let call = numbered(&arch, number, &[first]);
                    let (made, read) = (run(program.filter(), call), reading(&resolved, &native, &arch, call));
                    assert_eq!(shown(made), shown(read), "{arch:?} {call:?}");
                }
            }
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Allow),
        Just(Action::Errno),
        Just(Action::Log),
        Just(Action::Trap),
        Just(Action::Trace),
        Just(Action::KillProcess),
        Just(Action::KillThread),
    ]
}

/// Few values, so that comparisons meet their borders.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..4,
        (0_u64..4).prop_map(|value| value << 32 | 1),
        Just(u64::MAX),
        Just(0xffff_ffff),
        Just(1 << 31),
        any::<u64>(),
    ]
}

fn arg() -> impl Strategy<Value = Arg> {
    let op = prop_oneof![
        Just(Op::Eq),
        Just(Op::Ne),
        Just(Op::Lt),
        Just(Op::Le),
        Just(Op::Gt),
        Just(Op::Ge),
        Just(Op::MaskedEq)
    ];
    (0_u32..3, value(), value(), op).prop_map(|(index, value, value_two, op)| Arg { index, value, value_two, op })
}

/// Any call but those 32-bit x86 also has behind another, which have a test of their own.
fn name() -> impl Strategy<Value = Cow<'static, str>> {
    let behind = [
        "socket", "send", "recv", "shm", "msg", "sem", "accept", "bind", "connect", "get", "set", "listen", "ipc",
        "shut",
    ];
    let plain: Vec<&str> =
        numbers::names().filter(|name| !behind.iter().any(|start| name.starts_with(start))).collect();
    // Half of the time one of a few, so that rules meet.
    prop_oneof![proptest::sample::select(plain), Just("read"), Just("write"), Just("no_such_call")]
        .prop_map(Cow::Borrowed)
}

fn rule() -> impl Strategy<Value = Rule> {
    let names = proptest::collection::vec(name(), 1..40);
    let args = prop_oneof![Just(Vec::new()), proptest::collection::vec(arg(), 1..4)];
    (names, action(), proptest::option::of(1_u32..50), args).prop_map(|(names, action, errno, args)| Rule {
        names,
        action,
        errno,
        args,
        includes: Filter::default(),
        excludes: Filter::default(),
    })
}

fn profile() -> impl Strategy<Value = Profile> {
    let arches = proptest::sample::subsequence(vec![Arch::X86, Arch::X32, Arch::Arm], 0..=3);
    (action(), proptest::option::of(1_u32..50), arches, proptest::collection::vec(rule(), 0..8)).prop_map(
        |(default_action, default_errno, architectures, syscalls)| Profile {
            default_action,
            default_errno,
            architectures,
            arch_map: Vec::new(),
            flags: None,
            listener_path: None,
            syscalls,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_program_does_what_its_profile_says(
        profile in profile(),
        wide in proptest::collection::vec(proptest::array::uniform3(value()), 4),
    ) {
        for (native, arches) in [(Arch::X86_64, [Arch::X86_64, Arch::X86, Arch::X32].as_slice()), (Arch::Aarch64, &[Arch::Aarch64, Arch::Arm])] {
            let program = match compile(&profile, DOCKER_DEFAULT, NEW, &native) {
                Ok(program) => program,
                Err(SeccompError::TooLong(_)) => continue,
                Err(error) => panic!("{error}"),
            };
            for arch in arches {
                for number in (0..600).chain(0xf_0000..0xf_0010) {
                    for args in &wide {
                        let narrow = matches!(arch, Arch::X86 | Arch::Arm);
                        let args = args.map(|arg| if narrow { arg & 0xffff_ffff } else { arg });
                        let call = numbered(arch, number, &args);
                        let (made, read) = (run(program.filter(), call), reading(&profile, &native, arch, call));
                        prop_assert_eq!(shown(made), shown(read), "{:?} {:?}", arch, call);
                    }
                }
            }
        }
    }
}
