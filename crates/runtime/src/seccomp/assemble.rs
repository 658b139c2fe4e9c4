//! From spans to instructions.
//!
//! Classic BPF jumps forwards only, a conditional jump at most 255 instructions. So the program is written from its end: whatever an
//! instruction jumps to has been written already and stands at a known distance; where that is too far, a copy of the return or an
//! unconditional jump (32 bits wide) is put in between.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
};
use spec::seccomp::{Arg, Op};

use super::select::{Clause, Fate, Plan, Span};

/// Offsets in `struct seccomp_data`. Arguments are 64 bits wide; both our kernels are little-endian.
const NUMBER: u32 = 0;
const AUDIT_ARCH: u32 = 4;
const ARGS: u32 = 16;

const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
const RETURN: u32 = BPF_RET | BPF_K;

/// Writes the program.
pub(super) fn assemble(plan: &Plan) -> Vec<sock_filter> {
    let mut writer = Writer { backwards: Vec::with_capacity(1024), returns: Vec::new() };
    // An architecture that is not listed. As libseccomp.
    let mut otherwise = writer.always(libc::SECCOMP_RET_KILL_THREAD);
    let mut machines = Vec::new();
    for machine in plan.machines.iter().rev() {
        let root = writer.tree(&machine.spans, plan);
        // The load falls through to what was written last; a tree of a single span may be a return that stands elsewhere.
        writer.near(root, 0);
        let start = writer.write(LOAD, NUMBER);
        machines.push((machine.audit, start));
    }
    for (audit, start) in machines {
        otherwise = writer.branch(BPF_JEQ, audit, start, otherwise);
    }
    writer.write(LOAD, AUDIT_ARCH);
    writer.backwards.reverse();
    writer.backwards
}

/// Where an instruction stands, counted from the program's end.
type Place = usize;

struct Writer {
    backwards: Vec<sock_filter>,
    /// The latest return of each value: what follows jumps to the nearest.
    returns: Vec<(u32, Place)>,
}

impl Writer {
    /// Finds the span of the number in the accumulator by halves.
    fn tree(&mut self, spans: &[Span], plan: &Plan) -> Place {
        match spans {
            [one] => match &one.fate {
                Fate::Always(ret) => self.always(*ret),
                Fate::First { clauses, wide } => self.first(clauses, plan, *wide),
            },
            _ => {
                let (low, high) = spans.split_at(spans.len() / 2);
                let right = self.tree(high, plan);
                let left = self.tree(low, plan);
                self.branch(BPF_JGE, high[0].start, right, left)
            }
        }
    }

    /// The clauses in their order; the default after them.
    fn first(&mut self, indices: &[usize], plan: &Plan, wide: bool) -> Place {
        let mut next = self.always(plan.default);
        for index in indices.iter().rev() {
            let Clause { ret, args } = &plan.clauses[*index];
            let mut matched = self.always(*ret);
            for arg in args.iter().rev() {
                matched = self.compare(arg, wide, matched, next);
            }
            next = matched;
        }
        next
    }

    /// One condition, on the lower half alone unless `wide`.
    fn compare(&mut self, arg: &Arg, wide: bool, yes: Place, no: Place) -> Place {
        let (high, low) = halves(arg.value);
        let upper = if wide { Some(high) } else { None };
        match arg.op {
            Op::Eq => self.equal(arg.index, [(u32::MAX, low), (u32::MAX, high)], wide, yes, no),
            Op::Ne => self.equal(arg.index, [(u32::MAX, low), (u32::MAX, high)], wide, no, yes),
            Op::MaskedEq => {
                let (want_high, want_low) = halves(arg.value_two & arg.value);
                self.equal(arg.index, [(low, want_low), (high, want_high)], wide, yes, no)
            }
            Op::Gt => self.order(arg.index, BPF_JGT, low, upper, yes, no),
            Op::Ge => self.order(arg.index, BPF_JGE, low, upper, yes, no),
            Op::Le => self.order(arg.index, BPF_JGT, low, upper, no, yes),
            Op::Lt => self.order(arg.index, BPF_JGE, low, upper, no, yes),
        }
    }

    /// Equality under a mask: pairs of mask and value, the lower half first.
    fn equal(&mut self, index: u32, halves: [(u32, u32); 2], wide: bool, yes: Place, no: Place) -> Place {
        let mut matched = yes;
        for (half, (mask, want)) in (0..).zip(halves) {
            if mask == 0 || (half == 1 && !wide) {
                continue;
            }
            self.branch(BPF_JEQ, want, matched, no);
            if mask != u32::MAX {
                self.write(BPF_ALU | BPF_AND | BPF_K, mask);
            }
            matched = self.write(LOAD, ARGS + 8 * index + 4 * half);
        }
        matched
    }

    /// `test` is greater, or greater or equal: the upper halves decide unless they are equal.
    fn order(&mut self, index: u32, test: u32, low: u32, high: Option<u32>, yes: Place, no: Place) -> Place {
        self.branch(test, low, yes, no);
        let lower = self.write(LOAD, ARGS + 8 * index);
        let Some(high) = high else { return lower };
        let not_greater = self.branch(BPF_JEQ, high, lower, no);
        self.branch(BPF_JGT, high, yes, not_greater);
        self.write(LOAD, ARGS + 8 * index + 4)
    }

    /// A return, written once as long as it is near.
    fn always(&mut self, ret: u32) -> Place {
        let known = self.returns.iter().position(|(value, _)| *value == ret);
        if let Some(at) = known
            && self.distance(self.returns[at].1) < 200
        {
            return self.returns[at].1;
        }
        let place = self.write(RETURN, ret);
        match known {
            Some(at) => self.returns[at].1 = place,
            None => self.returns.push((ret, place)),
        }
        place
    }

    /// A comparison of the accumulator with `k`.
    fn branch(&mut self, test: u32, k: u32, yes: Place, no: Place) -> Place {
        // Bringing `no` near may put one instruction more before `yes`, hence one less of the 255.
        let yes = self.near(yes, 254);
        let no = self.near(no, 255);
        let jump = |place| u8::try_from(self.distance(place)).expect("brought near");
        let (jt, jf) = (jump(yes), jump(no));
        self.push(BPF_JMP | test | BPF_K, jt, jf, k)
    }

    /// A place at most `most` before the next instruction from which `place` is reached.
    fn near(&mut self, place: Place, most: usize) -> Place {
        let distance = self.distance(place);
        if distance <= most {
            return place;
        }
        let target = self.backwards[place];
        if u32::from(target.code) == RETURN {
            return self.write(RETURN, target.k);
        }
        self.write(BPF_JMP | BPF_JA, u32::try_from(distance).expect("programs are short"))
    }

    /// How many instructions lie between the next one written and `place`.
    fn distance(&self, place: Place) -> usize {
        self.backwards.len() - place - 1
    }

    fn write(&mut self, code: u32, k: u32) -> Place {
        self.push(code, 0, 0, k)
    }

    fn push(&mut self, code: u32, jt: u8, jf: u8, k: u32) -> Place {
        let code = u16::try_from(code).expect("codes are 16 bits wide");
        self.backwards.push(sock_filter { code, jt, jf, k });
        self.backwards.len() - 1
    }
}

/// The upper and the lower half.
fn halves(value: u64) -> (u32, u32) {
    let upper = u32::try_from(value >> 32).expect("half of 64 bits");
    let lower = u32::try_from(value & u64::from(u32::MAX)).expect("half of 64 bits");
    (upper, lower)
}
