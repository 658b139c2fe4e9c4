//! Which devices a group may use. The rules are first brought to what the v1 controller keeps: a default and a list of exceptions
//! (kernel security/device_cgroup.c), so that both versions decide alike. v1 is told these in lines; for v2 they become a program.

use std::os::fd::AsFd;

use spec::resources::{Access, DeviceRule, RuleKind};
use sys::bpf::{self, Insn};

use super::CgroupError;
use super::group::Group;

/// A default and its exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    default_allow: bool,
    exceptions: Vec<DeviceRule>,
}

impl Filter {
    /// What the rules, in order, come to. Before the first of them all is allowed.
    pub(super) fn new(rules: &[DeviceRule]) -> Filter {
        let mut filter = Filter { default_allow: true, exceptions: Vec::new() };
        for rule in rules {
            filter.add(*rule);
        }
        filter
    }

    fn add(&mut self, rule: DeviceRule) {
        if rule.kind == RuleKind::All {
            *self = Filter { default_allow: rule.allow, exceptions: Vec::new() };
            return;
        }
        let same =
            |known: &&mut DeviceRule| (known.kind, known.major, known.minor) == (rule.kind, rule.major, rule.minor);
        let known = self.exceptions.iter_mut().find(same);
        match (rule.allow == self.default_allow, known) {
            (true, Some(known)) => known.access = known.access.minus(rule.access),
            (true, None) => {}
            (false, Some(known)) => known.access = known.access.union(rule.access),
            (false, None) => self.exceptions.push(rule),
        }
        self.exceptions.retain(|known| !known.access.is_empty());
    }

    /// Tells the v1 controller. Its group has no children yet, or is frozen while the rules change.
    pub(super) fn apply_v1(&self, group: &Group) -> Result<bool, CgroupError> {
        let (default, exceptions) =
            if self.default_allow { ("devices.allow", "devices.deny") } else { ("devices.deny", "devices.allow") };
        if !group.write(default, "a")? {
            return Ok(false);
        }
        let Some(file) = group.file(exceptions)? else { return Ok(false) };
        for rule in &self.exceptions {
            group.write_to(&file, exceptions, &line(rule))?;
        }
        Ok(true)
    }

    /// Attaches the program, in the place of an older one of this group.
    pub(super) fn apply_v2(&self, group: &Group) -> Result<(), CgroupError> {
        let failed = |error| CgroupError::Devices(group.path.clone(), error);
        let program = bpf::load_cgroup_device(&self.program()).map_err(failed)?;
        let old = bpf::attached(group.dir.as_fd()).map_err(failed)?;
        if let [only] = old.as_slice() {
            return bpf::replace(group.dir.as_fd(), program.as_fd(), only.as_fd()).map_err(failed);
        }
        // Several: another has attached some too. Ours first, then theirs away, so that nothing is allowed in between.
        bpf::attach(group.dir.as_fd(), program.as_fd()).map_err(failed)?;
        old.iter().try_for_each(|old| bpf::detach(group.dir.as_fd(), old.as_fd())).map_err(failed)
    }

    /// The decision as BPF. The context (struct bpf_cgroup_dev_ctx) holds the access in the upper and the kind in the lower half of its
    /// first word, then major and minor; the result is 1 for yes.
    fn program(&self) -> Vec<Insn> {
        let mut program = vec![
            load(R2, 0),
            and(R2, 0xffff),
            load(R3, 0),
            Insn { code: RSH64_K, registers: R3, offset: 0, immediate: 16 },
            load(R4, 4),
            load(R5, 8),
        ];
        for rule in &self.exceptions {
            let verdict = [set(R0, i32::from(!self.default_allow)), EXIT];
            // From behind: each jump goes over all that follows it.
            let mut block: Vec<Insn> = verdict.into_iter().rev().collect();
            if let Some(minor) = rule.minor {
                jump_over(&mut block, JNE32_K, R5, minor.cast_signed());
            }
            if let Some(major) = rule.major {
                jump_over(&mut block, JNE32_K, R4, major.cast_signed());
            }
            if rule.access != Access::ALL {
                // Default deny: an access is allowed when the rule has all of it. Default allow: denied when it has any of it.
                let (mask, jump) =
                    if self.default_allow { (bits(rule.access), JEQ32_K) } else { (!bits(rule.access), JNE32_K) };
                jump_over(&mut block, jump, R1, 0);
                block.push(and(R1, mask & 7));
                block.push(Insn { code: MOV64_X, registers: R1 | (R3 << 4), offset: 0, immediate: 0 });
            }
            jump_over(&mut block, JNE32_K, R2, if rule.kind == RuleKind::Block { DEV_BLOCK } else { DEV_CHAR });
            program.extend(block.into_iter().rev());
        }
        program.extend([set(R0, i32::from(self.default_allow)), EXIT]);
        program
    }
}

fn line(rule: &DeviceRule) -> String {
    let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    let kind = match rule.kind {
        RuleKind::All => 'a',
        RuleKind::Block => 'b',
        RuleKind::Char => 'c',
    };
    format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access)
}

// linux/bpf_common.h and linux/bpf.h. Registers: R0 result, R1 context and scratch, R2 kind, R3 access, R4 major, R5 minor.
const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const R4: u8 = 4;
const R5: u8 = 5;
const LDX_MEM_W: u8 = 0x61;
const AND64_K: u8 = 0x57;
const RSH64_K: u8 = 0x77;
const MOV64_K: u8 = 0xb7;
const MOV64_X: u8 = 0xbf;
// 32-bit compares: a number above i32::MAX would be sign-extended by the 64-bit ones (Linux 5.1).
const JEQ32_K: u8 = 0x16;
const JNE32_K: u8 = 0x56;
const EXIT: Insn = Insn { code: 0x95, registers: 0, offset: 0, immediate: 0 };
const DEV_BLOCK: i32 = 1;
const DEV_CHAR: i32 = 2;

/// BPF_DEVCG_ACC_*.
fn bits(access: Access) -> i32 {
    i32::from(access.mknod) | i32::from(access.read) << 1 | i32::from(access.write) << 2
}

fn load(register: u8, offset: i16) -> Insn {
    Insn { code: LDX_MEM_W, registers: register | (R1 << 4), offset, immediate: 0 }
}

fn and(register: u8, mask: i32) -> Insn {
    Insn { code: AND64_K, registers: register, offset: 0, immediate: mask }
}

fn set(register: u8, value: i32) -> Insn {
    Insn { code: MOV64_K, registers: register, offset: 0, immediate: value }
}

/// A jump over the whole of `block`, which is written back to front.
fn jump_over(block: &mut Vec<Insn>, code: u8, register: u8, immediate: i32) {
    let offset = i16::try_from(block.len()).expect("a block has fewer than ten instructions");
    block.push(Insn { code, registers: register, offset, immediate });
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use spec::resources::{ALLOW_ALL_DEVICES, DEFAULT_DEVICES};

    use super::*;

    /// Runs a program as the kernel would.
    fn run(program: &[Insn], kind: i32, access: i32, major: u32, minor: u32) -> bool {
        let context = [(access << 16 | kind).cast_unsigned(), major, minor];
        let mut registers = [0_u64; 6];
        let mut at = 0;
        loop {
            let insn = program[at];
            let (to, from) = (usize::from(insn.registers & 15), usize::from(insn.registers >> 4));
            let constant = u64::try_from(insn.immediate).unwrap_or(u64::from(insn.immediate.cast_unsigned()));
            let low = u32::try_from(registers[to] & 0xffff_ffff).unwrap();
            let mut jumps = false;
            match insn.code {
                LDX_MEM_W => registers[to] = u64::from(context[usize::try_from(insn.offset).unwrap() / 4]),
                AND64_K => registers[to] &= constant,
                RSH64_K => registers[to] >>= constant,
                MOV64_K => registers[to] = constant,
                MOV64_X => registers[to] = registers[from],
                JEQ32_K => jumps = low == insn.immediate.cast_unsigned(),
                JNE32_K => jumps = low != insn.immediate.cast_unsigned(),
                0x95 => return registers[0] == 1,
                other => panic!("unknown instruction {other:#x}"),
            }
            at += 1 + if jumps { usize::try_from(insn.offset).unwrap() } else { 0 };
        }
    }

    /// What the v1 controller decides (device_cgroup.c, match_exception and match_exception_partial).
    fn decide(filter: &Filter, kind: i32, access: i32, major: u32, minor: u32) -> bool {
        let meets = |rule: &&DeviceRule| {
            let ours = if rule.kind == RuleKind::Block { DEV_BLOCK } else { DEV_CHAR };
            ours == kind && rule.major.is_none_or(|m| m == major) && rule.minor.is_none_or(|m| m == minor)
        };
        let mut met = filter.exceptions.iter().filter(meets);
        if filter.default_allow {
            !met.any(|rule| access & bits(rule.access) != 0)
        } else {
            met.any(|rule| access & !bits(rule.access) == 0)
        }
    }

    #[test]
    fn the_default_rules_allow_the_usual_nodes() {
        let filter = Filter::new(DEFAULT_DEVICES);
        let program = filter.program();
        let lines: Vec<String> = filter.exceptions.iter().map(line).collect();
        expect![
            "c *:* m, b *:* m, c 1:3 rwm, c 1:5 rwm, c 1:7 rwm, c 1:8 rwm, c 1:9 rwm, c 5:0 rwm, c 5:1 rwm, c 5:2 rwm, c 136:* rwm, c 10:200 rwm"
        ]
        .assert_eq(&lines.join(", "));
        let (make, read, write) = (1, 2, 4);
        assert!(run(&program, DEV_CHAR, read | write, 1, 3));
        assert!(run(&program, DEV_CHAR, make, 99, 3));
        assert!(run(&program, DEV_BLOCK, make, 8, 0));
        assert!(!run(&program, DEV_BLOCK, read, 8, 0));
        assert!(!run(&program, DEV_CHAR, read, 1, 1));
        assert!(run(&program, DEV_CHAR, read, 136, 77));
        assert!(run(&Filter::new(ALLOW_ALL_DEVICES).program(), DEV_BLOCK, write, 8, 0));
    }

    #[test]
    fn later_rules_change_earlier_ones() {
        let rules = |texts: &[(&str, bool)]| {
            let rules: Vec<DeviceRule> =
                texts.iter().map(|(text, allow)| DeviceRule { allow: *allow, ..text.parse().unwrap() }).collect();
            let filter = Filter::new(&rules);
            format!("{} {:?}", filter.default_allow, filter.exceptions.iter().map(line).collect::<Vec<_>>())
        };
        expect![[r#"false ["c 1:3 rw"]"#]].assert_eq(&rules(&[
            ("a *:* rwm", false),
            ("c 1:3 r", true),
            ("c 1:3 w", true),
        ]));
        expect!["false []"].assert_eq(&rules(&[("a *:* rwm", false), ("c 1:3 r", true), ("c 1:3 rwm", false)]));
        expect![[r#"true ["b 8:* w"]"#]].assert_eq(&rules(&[("b 8:* w", false), ("c 1:3 r", true)]));
    }

    fn rule() -> impl Strategy<Value = DeviceRule> {
        let number = || prop_oneof![Just(None), (0_u32..3).prop_map(Some), Just(Some(u32::MAX))];
        (any::<bool>(), 0_u8..10, number(), number(), 1_u8..8).prop_map(|(allow, kind, major, minor, access)| {
            DeviceRule {
                allow,
                kind: [RuleKind::All, RuleKind::Block, RuleKind::Char][usize::from(kind.div_ceil(5))],
                major,
                minor,
                access: Access { read: access & 1 != 0, write: access & 2 != 0, mknod: access & 4 != 0 },
            }
        })
    }

    proptest! {
        #[test]
        fn the_program_decides_as_v1_does(rules in prop::collection::vec(rule(), 0..12)) {
            let filter = Filter::new(&rules);
            let program = filter.program();
            for kind in [DEV_BLOCK, DEV_CHAR] {
                for access in 1..8 {
                    for major in [0, 1, 2, 3, u32::MAX] {
                        for minor in [0, 1, 2, 3, u32::MAX] {
                            let want = decide(&filter, kind, access, major, minor);
                            prop_assert_eq!(run(&program, kind, access, major, minor), want);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_kernel_accepts_the_programs() {
        for rules in [DEFAULT_DEVICES, ALLOW_ALL_DEVICES] {
            if let Err(error) = bpf::load_cgroup_device(&Filter::new(rules).program()) {
                println!("skipped: bpf(2): {error}");
                assert_ne!(error.raw_os_error(), Some(libc::EINVAL), "the verifier refused it");
            }
        }
    }
}
