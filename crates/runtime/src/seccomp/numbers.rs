//! Finds the numbers of a system call by its name, on all ABIs at once.
//!
//! The compiler makes what is searched from `table.rs`: rows without pointers and a hash table over them, so that neither a start of
//! the program nor the first search prepares anything.

use spec::seccomp::Arch;

use super::table::{NO, TABLE};

/// The numbers of one system call.
#[derive(Clone, Copy)]
pub(super) struct Numbers(&'static [u32; 5]);

impl Numbers {
    /// The number on `arch`, where the call exists there.
    pub(super) fn on(self, arch: &Arch) -> Option<u32> {
        let column = match arch {
            Arch::X86_64 => 0,
            Arch::X86 => 1,
            Arch::X32 => 2,
            Arch::Aarch64 => 3,
            Arch::Arm => 4,
            Arch::Foreign(_) => return None,
        };
        Some(self.0[column]).filter(|number| *number != NO)
    }
}

/// Finds a system call by its name.
pub(super) fn numbers(name: &str) -> Option<Numbers> {
    let mut slot = hash(name.as_bytes());
    loop {
        let row = SLOTS[slot];
        if row == EMPTY {
            return None;
        }
        let known = &PACKED[usize::from(row)];
        if known.is(name) {
            return Some(Numbers(&known.numbers));
        }
        slot = (slot + 1) % SLOTS.len();
    }
}

/// Every name in the table.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.into_iter().map(|(name, _)| name)
}

/// A row without a pointer: those of five hundred would have to be relocated at each start of the program.
#[derive(Clone, Copy)]
struct Packed {
    /// Filled up with zeros.
    name: [u8; LONGEST],
    numbers: [u32; 5],
}

/// `sched_rr_get_interval_time64`. A longer one does not compile.
const LONGEST: usize = 28;

impl Packed {
    fn is(&self, name: &str) -> bool {
        let (start, filling) = self.name.split_at(name.len().min(LONGEST));
        start == name.as_bytes() && filling.first().is_none_or(|next| *next == 0)
    }
}

static PACKED: [Packed; TABLE.len()] = packed();

const fn packed() -> [Packed; TABLE.len()] {
    let mut packed = [Packed { name: [0; LONGEST], numbers: [0; 5] }; TABLE.len()];
    let mut row = 0;
    while row < TABLE.len() {
        let (name, numbers) = TABLE[row];
        packed[row].name.split_at_mut(name.len()).0.copy_from_slice(name.as_bytes());
        packed[row].numbers = numbers;
        row += 1;
    }
    packed
}

const EMPTY: u16 = u16::MAX;

/// Rows of the table by the hash of their name: a profile asks for hundreds of names, and searching by halves took half of the
/// time of compiling it.
static SLOTS: [u16; 2048] = slots();

const fn slots() -> [u16; 2048] {
    let mut slots = [EMPTY; 2048];
    let mut row = 0_u16;
    while (row as usize) < TABLE.len() {
        let mut slot = hash(TABLE[row as usize].0.as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = row;
        row += 1;
    }
    slots
}

/// FNV-1a, down to the slots.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash >> 21) as usize
}
