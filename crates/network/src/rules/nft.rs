//! What nftables is told, as data and as messages (linux/netfilter/nf_tables.h): sets, chains, rules, elements.

use std::borrow::Cow;
use std::net::IpAddr;

use super::expression;
use crate::netlink::{APPEND, Batch, CREATE, EXCLUSIVE, attribute};

pub(super) const NEW_TABLE: u16 = 0;
pub(super) const TABLE: u16 = 1;
pub(super) const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
pub(super) const CHAIN: u16 = 4;
pub(super) const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
pub(super) const ELEMENT: u16 = 13;
const DELETE_ELEMENT: u16 = 14;
pub(super) const GENERATION: u16 = 16;

pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const NETDEV: u8 = 5;
pub(super) const IPV6: u8 = 10;

/// The kind of a message of nftables.
pub(super) fn kind(message: u16) -> u16 {
    10 << 8 | message
}

/// The fixed part of one.
pub(super) fn family(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

/// What of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// 2 or 10: IPv4 or IPv6.
    Family,
    In,
    Out,
    InGroup,
    OutGroup,
    Transport,
    Source4,
    Destination4,
    Source6,
    Destination6,
    /// Of TCP, UDP and SCTP alike.
    DestinationPort,
    Icmp6Type,
    State,
    Direction,
    Status,
    /// How the route table sees the destination.
    Destination,
    SourceMac,
    EtherType,
    ArpSenderMac,
    ArpSender4,
    /// Four bytes of nothing.
    Nothing,
}

impl Field {
    /// Bytes, and how nft(8) names its type, for those who list the table.
    pub(super) fn shape(self) -> (usize, u32) {
        match self {
            Field::Family => (1, 2),
            Field::In | Field::Out => (16, 41),
            Field::InGroup | Field::OutGroup => (4, 28),
            Field::Transport => (1, 12),
            Field::Source4 | Field::Destination4 | Field::ArpSender4 => (4, 7),
            Field::Source6 | Field::Destination6 => (16, 8),
            Field::DestinationPort => (2, 13),
            Field::Icmp6Type => (1, 29),
            Field::State => (4, 26),
            Field::Direction => (1, 27),
            Field::Status => (4, 25),
            Field::Destination => (4, 43),
            Field::SourceMac | Field::ArpSenderMac => (6, 9),
            Field::EtherType => (2, 10),
            Field::Nothing => (4, 13),
        }
    }

    pub(super) fn words(self) -> u32 {
        u32::try_from(self.shape().0.div_ceil(4)).unwrap_or(0)
    }

    pub(super) fn is_of(self) -> Option<u8> {
        match self {
            Field::Source4 | Field::Destination4 => Some(IPV4),
            Field::Source6 | Field::Destination6 | Field::Icmp6Type => Some(IPV6),
            Field::Family
            | Field::In
            | Field::Out
            | Field::InGroup
            | Field::OutGroup
            | Field::Transport
            | Field::DestinationPort
            | Field::State
            | Field::Direction
            | Field::Status
            | Field::Destination
            | Field::SourceMac
            | Field::EtherType
            | Field::ArpSenderMac
            | Field::ArpSender4
            | Field::Nothing => None,
        }
    }
}

/// A step of a rule; the next is taken only where this one holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Is(Field, &'a [u8]),
    IsNot(Field, &'a [u8]),
    /// Of a mask one bit at least.
    Any(Field, u32),
    /// The field and a mask are a value.
    Within(Field, &'a [u8], &'a [u8]),
    In(&'a [Field], &'a str),
    /// Rewrites the destination to what the map says.
    Redirect(&'a [Field], &'a str),
    Masquerade,
    /// Counts under a key.
    Count(&'a [Field], &'a str),
    /// More than so many packets a second.
    Over(u64),
    Reset,
    Prohibit,
    /// Sends a copy to a neighbour behind a device.
    Copy(&'a [u8], u32),
    Accept,
    Drop,
    Goto(&'a str),
}

pub(super) type Rule = (&'static str, &'static [Step<'static>]);

/// A chain; with a hook, its priority and kind where the kernel enters it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    pub(super) hook: Option<(u32, i32, &'static str)>,
}

/// A set or, with data, a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    pub(super) name: &'static str,
    pub(super) key: &'static [Field],
    pub(super) data: &'static [Field],
    pub(super) flavour: Flavour,
}

/// What is special about a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Plain,
    /// Its keys are from, to.
    Intervals,
    /// Its keys go by themselves.
    Fleeting,
    /// Packets add keys, which count, and go after an hour.
    Counting,
}

/// An element of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) set: &'static str,
    pub(super) key: Vec<u8>,
    /// Of an interval.
    pub(super) end: Option<Vec<u8>>,
    /// Of a map.
    pub(super) value: Option<Vec<u8>>,
    pub(super) timeout_ms: Option<u64>,
}

/// Values one after another, each filled up to words, as keys of several fields are.
#[derive(Default)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Key {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn address(self, address: IpAddr) -> Key {
        match address {
            IpAddr::V4(v4) => self.bytes(&v4.octets()),
            IpAddr::V6(v6) => self.bytes(&v6.octets()),
        }
    }

    pub(super) fn device(self, name: &str) -> Key {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(name.bytes().take(15)) {
            *to = from;
        }
        self.bytes(&bytes)
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes of a key, and its type as nft(8) counts: six bits a field.
fn layout(fields: &[Field]) -> (u32, u32) {
    let kind = fields.iter().fold(0, |kind, field| kind << 6 | field.shape().1);
    let length = match fields {
        [one] => u32::try_from(one.shape().0).unwrap_or(0),
        several => several.iter().map(|field| field.words() * 4).sum(),
    };
    (length, kind)
}

/// Messages about one table.
pub(super) struct Table<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) family: u8,
    pub(super) name: &'a str,
}

impl Table<'_> {
    pub(super) fn message(&mut self, message: u16, flags: u16, doing: impl Into<Cow<'static, str>>) {
        self.batch.message(kind(message), flags, &family(self.family), doing);
        self.batch.text(1, self.name);
    }

    pub(super) fn set(&mut self, set: &Set, id: u32) {
        const CONSTANT_TIME: u32 = 4;
        self.message(NEW_SET, CREATE, "making a set of the packet filter");
        let batch = &mut *self.batch;
        batch.text(2, set.name);
        let (length, kind) = layout(set.key);
        let flags = match set.flavour {
            Flavour::Plain => 0,
            Flavour::Intervals => CONSTANT_TIME | 0x80,
            Flavour::Fleeting => 0x10,
            Flavour::Counting => 0x10 | 0x20,
        };
        batch.big(3, flags | if set.data.is_empty() { 0 } else { 8 });
        batch.big(4, kind);
        batch.big(5, length);
        if !set.data.is_empty() {
            let (length, kind) = layout(set.data);
            batch.big(6, kind);
            batch.big(7, length);
        }
        batch.big(10, id);
        if let [Field::In] = set.key {
            // For nft(8): the key's bytes are in the machine's order, so it is text.
            batch.put(13, &[&[0, 4], &1_u32.to_ne_bytes()[..]].concat());
        }
        batch.nest(9, |batch| {
            if set.flavour == Flavour::Counting {
                batch.big(1, 4096);
            }
            if set.key.len() > 1 && set.flavour == Flavour::Intervals {
                batch.nest(2, |batch| {
                    for field in set.key {
                        batch.nest(1, |batch| batch.big(1, field.words() * 4));
                    }
                });
            }
        });
        if set.flavour == Flavour::Counting {
            batch.put(11, &3_600_000_u64.to_be_bytes());
            batch.nest(17, |batch| {
                batch.text(1, "counter");
                batch.nest(2, |_| {});
            });
        }
    }

    pub(super) fn chain(&mut self, chain: &Chain) {
        self.message(NEW_CHAIN, CREATE, "making a chain of the packet filter");
        self.batch.text(3, chain.name);
        if let Some((hook, priority, kind)) = chain.hook {
            self.batch.nest(4, |batch| {
                batch.big(1, hook);
                batch.put(2, &priority.to_be_bytes());
            });
            self.batch.text(7, kind);
        }
    }

    /// A chain that all goes through which comes in by a device, and which drops what none of its rules accepts.
    pub(super) fn ingress(&mut self, device: &str) {
        self.message(NEW_CHAIN, CREATE | EXCLUSIVE, format!("making the chain for what comes from {device}"));
        self.batch.text(3, device);
        self.batch.nest(4, |batch| {
            batch.big(1, 0);
            batch.big(2, 0);
            batch.text(3, device);
        });
        self.batch.text(7, "filter");
        self.batch.big(5, 0);
    }

    pub(super) fn rule(&mut self, chain: &str, steps: &[Step<'_>]) {
        self.message(NEW_RULE, CREATE | APPEND, "making a rule of the packet filter");
        self.batch.text(2, chain);
        expression::put(self.batch, self.family, steps);
    }

    pub(super) fn add(&mut self, elements: &[Element], doing: &'static str) {
        self.elements(NEW_ELEMENT, CREATE, elements, doing);
    }

    pub(super) fn delete(&mut self, elements: &[Element], doing: &'static str) {
        self.elements(DELETE_ELEMENT, 0, elements, doing);
    }

    /// As many messages as there are sets, or more: an attribute has 64 kB.
    fn elements(&mut self, message: u16, flags: u16, elements: &[Element], doing: &'static str) {
        let mut rest: Vec<&Element> = elements.iter().collect();
        while let Some(first) = rest.first() {
            let set = first.set;
            let (mut these, others): (Vec<&Element>, Vec<&Element>) = rest.iter().partition(|e| e.set == set);
            let more = these.split_off(these.len().min(400));
            self.message(message, flags, doing);
            self.batch.text(2, set);
            self.batch.nest(3, |batch| these.iter().for_each(|element| put(batch, element)));
            rest = more.into_iter().chain(others).collect();
        }
    }
}

fn put(batch: &mut Batch, element: &Element) {
    batch.nest(1, |batch| {
        batch.nest(1, |batch| batch.put(1, &element.key));
        if let Some(end) = &element.end {
            batch.nest(10, |batch| batch.put(1, end));
        }
        if let Some(value) = &element.value {
            batch.nest(2, |batch| batch.put(1, value));
        }
        if let Some(timeout) = element.timeout_ms {
            batch.put(4, &timeout.to_be_bytes());
        }
    });
}

/// Asks for one element.
pub(super) fn look_up(batch: &mut Batch, table: &str, element: &Element) {
    batch.question(kind(ELEMENT), &family(INET), "looking at the packet filter's sets");
    batch.text(1, table);
    batch.text(2, element.set);
    batch.nest(3, |batch| {
        batch.nest(1, |batch| batch.nest(1, |batch| batch.put(1, &element.key)));
    });
}

/// Asks for the sentinel of those who look last.
pub(super) fn look_up_last(batch: &mut Batch, of: u8, table: &str) {
    batch.question(kind(ELEMENT), &family(of), "looking at the packet filter's sets");
    batch.text(1, table);
    batch.text(2, "any");
    batch.nest(3, |batch| batch.nest(1, |batch| batch.nest(1, |batch| batch.put(1, &[0; 8]))));
}

/// An element as the kernel tells it.
pub(super) fn read(set: &'static str, raw: &[u8]) -> Element {
    let value = |kind| attribute(raw, kind).and_then(|value| attribute(value, 1)).map(<[u8]>::to_vec);
    Element { set, key: value(1).unwrap_or_default(), end: value(10), value: value(2), timeout_ms: None }
}
