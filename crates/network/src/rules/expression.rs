//! Rules as the kernel has them: expressions over registers of four bytes. A step loads what it looks at from the first register on.

use super::nft::{Field, INET, IPV4, IPV6, Step};
use crate::netlink::Batch;

/// The expressions of a rule.
pub(super) fn put(batch: &mut Batch, family: u8, steps: &[Step<'_>]) {
    batch.nest(4, |batch| {
        // As nft(8) does: fields of IPv4 exist in packets of IPv4 only.
        let mut fields = steps.iter().flat_map(fields).filter_map(Field::is_of);
        if let (INET, Some(family)) = (family, fields.next()) {
            load(batch, &[Field::Family]);
            compare(batch, 0, &[family]);
        }
        steps.iter().for_each(|step| encode(batch, step));
    });
}

fn fields(step: &Step<'_>) -> Vec<Field> {
    match *step {
        Step::Is(field, _) | Step::IsNot(field, _) | Step::Any(field, _) | Step::Within(field, ..) => vec![field],
        Step::In(fields, _) | Step::Redirect(fields, _) | Step::Count(fields, _) => fields.to_vec(),
        Step::Masquerade
        | Step::Over(_)
        | Step::Reset
        | Step::Prohibit
        | Step::Copy(..)
        | Step::Accept
        | Step::Drop
        | Step::Goto(_) => Vec::new(),
    }
}

/// The first register of four bytes.
const REGISTER: u32 = 8;

fn expression(batch: &mut Batch, name: &str, fill: impl FnOnce(&mut Batch)) {
    batch.nest(1, |batch| {
        batch.text(1, name);
        batch.nest(2, fill);
    });
}

/// Brings fields into the registers, one behind the other.
fn load(batch: &mut Batch, fields: &[Field]) {
    let mut register = REGISTER;
    for field in fields {
        load_one(batch, *field, register);
        register += field.words();
    }
}

fn load_one(batch: &mut Batch, field: Field, register: u32) {
    let meta = |batch: &mut Batch, key| {
        expression(batch, "meta", |batch| {
            batch.big(1, register);
            batch.big(2, key);
        });
    };
    let tracked = |batch: &mut Batch, key| {
        expression(batch, "ct", |batch| {
            batch.big(1, register);
            batch.big(2, key);
        });
    };
    // Headers: 0 link, 1 network, 2 transport.
    let header = |batch: &mut Batch, base, offset| {
        expression(batch, "payload", |batch| {
            batch.big(1, register);
            batch.big(2, base);
            batch.big(3, offset);
            batch.big(4, u32::try_from(field.shape().0).unwrap_or(0));
        });
    };
    match field {
        Field::Family => meta(batch, 15),
        Field::In => meta(batch, 6),
        Field::Out => meta(batch, 7),
        Field::InGroup => meta(batch, 21),
        Field::OutGroup => meta(batch, 22),
        Field::Transport => meta(batch, 16),
        Field::Source4 => header(batch, 1, 12),
        Field::Destination4 => header(batch, 1, 16),
        Field::Source6 => header(batch, 1, 8),
        Field::Destination6 => header(batch, 1, 24),
        Field::DestinationPort => header(batch, 2, 2),
        Field::Icmp6Type => header(batch, 2, 0),
        Field::State => tracked(batch, 0),
        Field::Direction => tracked(batch, 1),
        Field::Status => tracked(batch, 2),
        Field::SourceMac => header(batch, 0, 6),
        Field::EtherType => header(batch, 0, 12),
        Field::ArpSenderMac => header(batch, 1, 8),
        Field::ArpSender4 => header(batch, 1, 14),
        Field::Nothing => constant(batch, register, &[0; 4]),
        Field::Destination => expression(batch, "fib", |batch| {
            batch.big(1, register);
            batch.big(2, 3);
            batch.big(3, 2);
        }),
    }
}

fn constant(batch: &mut Batch, register: u32, value: &[u8]) {
    expression(batch, "immediate", |batch| {
        batch.big(1, register);
        batch.nest(2, |batch| batch.put(1, value));
    });
}

/// Goes on where the first register is (0), or is not (1), a value.
fn compare(batch: &mut Batch, operator: u32, value: &[u8]) {
    expression(batch, "cmp", |batch| {
        batch.big(1, REGISTER);
        batch.big(2, operator);
        batch.nest(3, |batch| batch.put(1, value));
    });
}

fn mask(batch: &mut Batch, mask: &[u8]) {
    expression(batch, "bitwise", |batch| {
        batch.big(1, REGISTER);
        batch.big(2, REGISTER);
        batch.big(3, u32::try_from(mask.len()).unwrap_or(0));
        batch.nest(4, |batch| batch.put(1, mask));
        batch.nest(5, |batch| batch.put(1, &vec![0; mask.len()]));
    });
}

fn verdict(batch: &mut Batch, code: i32, chain: Option<&str>) {
    expression(batch, "immediate", |batch| {
        batch.big(1, 0);
        batch.nest(2, |batch| {
            batch.nest(2, |batch| {
                batch.put(1, &code.to_be_bytes());
                if let Some(chain) = chain {
                    batch.text(2, chain);
                }
            });
        });
    });
}

fn reject(batch: &mut Batch, kind: u32, code: u8) {
    expression(batch, "reject", |batch| {
        batch.big(1, kind);
        batch.put(2, &[code]);
    });
}

fn look(batch: &mut Batch, set: &str, to: Option<u32>) {
    expression(batch, "lookup", |batch| {
        batch.text(1, set);
        batch.big(2, REGISTER);
        if let Some(to) = to {
            batch.big(3, to);
        }
    });
}

fn encode(batch: &mut Batch, step: &Step<'_>) {
    match *step {
        Step::Is(field, value) => {
            load(batch, &[field]);
            compare(batch, 0, value);
        }
        Step::IsNot(field, value) => {
            load(batch, &[field]);
            compare(batch, 1, value);
        }
        Step::Any(field, bits) => {
            load(batch, &[field]);
            mask(batch, &bits.to_ne_bytes());
            compare(batch, 1, &[0; 4]);
        }
        Step::Within(field, bits, value) => {
            load(batch, &[field]);
            mask(batch, bits);
            compare(batch, 0, value);
        }
        Step::In(fields, set) => {
            load(batch, fields);
            look(batch, set, None);
        }
        Step::Redirect(fields, map) => redirect(batch, fields, map),
        Step::Masquerade => expression(batch, "masq", |_| {}),
        Step::Count(fields, set) => {
            load(batch, fields);
            expression(batch, "dynset", |batch| {
                batch.text(1, set);
                batch.big(3, 1);
                batch.big(4, REGISTER);
                batch.nest(7, |batch| {
                    batch.text(1, "counter");
                    batch.nest(2, |_| {});
                });
            });
        }
        Step::Over(rate) => expression(batch, "limit", |batch| {
            batch.put(1, &rate.to_be_bytes());
            batch.put(2, &1_u64.to_be_bytes());
            batch.big(3, u32::try_from(rate * 2).unwrap_or(u32::MAX));
            batch.big(4, 0);
            batch.big(5, 1);
        }),
        Step::Reset => reject(batch, 1, 0),
        Step::Prohibit => reject(batch, 2, 3),
        Step::Copy(to, device) => {
            const BEHIND: u32 = REGISTER + 4;
            constant(batch, REGISTER, to);
            constant(batch, BEHIND, &device.to_ne_bytes());
            expression(batch, "dup", |batch| {
                batch.big(1, REGISTER);
                batch.big(2, BEHIND);
            });
        }
        Step::Accept => verdict(batch, 1, None),
        Step::Drop => verdict(batch, 0, None),
        Step::Goto(chain) => verdict(batch, -4, Some(chain)),
    }
}

fn redirect(batch: &mut Batch, fields: &[Field], map: &str) {
    let is_four = map.ends_with('4');
    load(batch, fields);
    look(batch, map, Some(REGISTER));
    expression(batch, "nat", |batch| {
        batch.big(1, 1);
        batch.big(2, u32::from(if is_four { IPV4 } else { IPV6 }));
        batch.big(3, REGISTER);
        batch.big(5, REGISTER + if is_four { 1 } else { 4 });
    });
}
