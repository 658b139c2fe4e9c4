//! The table as it always is: its rules never change in number, all that comes and goes is elements of its sets. `nft list table inet
//! kist` prints it as words.
//!
//! Who speaks to an address of the host's at a published port is sent on to the container (`publish`), whether he comes from outside, from
//! a container or is the host itself; his address stays, but where the answer would not come back this way (`inward`): from
//! loopback, and from a container of the same network. Loopback's addresses are routed on bridges for the sake of the first, hence
//! `arriving` and `loopback`: nobody reaches them from outside of the host.

use super::nft::Field::{
    Destination, Destination4, Destination6, DestinationPort, Direction, Family, Icmp6Type, In, InGroup, Nothing, Out,
    OutGroup, Source4, Source6, State, Status, Transport,
};
use super::nft::Flavour::{Counting, Fleeting, Intervals, Plain};
use super::nft::Step::{
    self, Accept, Any, Count, Drop, Goto, Is, IsNot, Masquerade, Over, Prohibit, Redirect, Reset, Within,
};
use super::nft::{Chain, Flavour, Rule, Set};
use crate::link::GROUP;

const fn set(name: &'static str, key: &'static [super::nft::Field], flavour: Flavour) -> Set {
    Set { name, key, data: &[], flavour }
}

const fn map(name: &'static str, key: &'static [super::nft::Field], data: &'static [super::nft::Field]) -> Set {
    Set { name, key, data, flavour: Plain }
}

pub(super) const SETS: &[Set] = &[
    set("bridges", &[In], Plain),
    // Pairs of one bridge: its containers reach each other.
    set("same", &[In, Out], Plain),
    set("internal", &[In], Plain),
    set("own4", &[Source4, Out], Intervals),
    set("own6", &[Source6, Out], Intervals),
    // Whose containers leave with the host's address.
    set("leaving", &[Family, In], Plain),
    // Whose containers are reached by their own addresses, or at published ports of these.
    set("open", &[Family, Out], Plain),
    set("routed", &[Family, Out], Plain),
    set("routed4", &[Destination4, Transport, DestinationPort], Plain),
    set("routed6", &[Destination6, Transport, DestinationPort], Plain),
    // Families whose packets the host did not pass on before kist came.
    set("closed", &[Family], Plain),
    // Families whose bridges show their packets to the packet filter. Then nothing that comes from ::1 gets through one.
    set("filtered", &[Family], Plain),
    map("host4", &[Destination4, Transport, DestinationPort], &[Destination4, DestinationPort]),
    map("any4", &[Transport, DestinationPort], &[Destination4, DestinationPort]),
    map("host6", &[Destination6, Transport, DestinationPort], &[Destination6, DestinationPort]),
    map("any6", &[Transport, DestinationPort], &[Destination6, DestinationPort]),
    // Containers with a policy, whom they may speak to, and whom they tried to.
    set("policed4", &[Source4], Plain),
    set("policed6", &[Source6], Plain),
    set("allowed4", &[Source4, Destination4], Intervals),
    set("allowed6", &[Source6, Destination6], Intervals),
    set("named4", &[Source4, Destination4], Fleeting),
    set("named6", &[Source6, Destination6], Fleeting),
    set("refused4", &[Source4, Destination4, Transport, DestinationPort], Counting),
    set("refused6", &[Source6, Destination6, Transport, DestinationPort], Counting),
];

const fn chain(name: &'static str) -> Chain {
    Chain { name, hook: None }
}

const fn hook(name: &'static str, kind: &'static str, number: u32, priority: i32) -> Chain {
    Chain { name, hook: Some((number, priority, kind)) }
}

pub(super) const CHAINS: &[Chain] = &[
    chain("publish"),
    chain("arriving"),
    chain("loopback"),
    chain("refuse"),
    chain("to_bridge"),
    chain("rest"),
    chain("policy4"),
    chain("policy6"),
    chain("inward"),
    hook("prerouting", "nat", 0, -100),
    hook("output", "nat", 3, -100),
    hook("guard", "filter", 1, -150),
    hook("input", "filter", 1, 0),
    hook("forward", "filter", 2, 0),
    hook("postrouting", "nat", 4, 100),
];

pub(super) const LOCAL: &[u8] = &2_u32.to_ne_bytes();
const LOOPBACK6: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(super) const LO: &[u8] = b"lo\0";
pub(super) const GROUP_BYTES: &[u8] = &GROUP.to_ne_bytes();
const ESTABLISHED_RELATED: u32 = 6;
const REDIRECTED: u32 = 0x20;
const REPLY: &[u8] = &[1];
const TCP: &[u8] = &[6];
const UDP: &[u8] = &[17];
const SCTP: &[u8] = &[132];
const ICMP: &[u8] = &[1];
const ICMP6: &[u8] = &[58];

const fn within_loopback() -> Step<'static> {
    Within(Destination4, &[255, 0, 0, 0], &[127, 0, 0, 0])
}

/// How packets come to `publish` where nobody else is asked.
pub(super) const OPEN: &[Rule] = &[("prerouting", &[Is(Destination, LOCAL), Goto("arriving")])];

pub(super) const RULES: &[Rule] = &[
    ("arriving", &[IsNot(In, LO), within_loopback(), Drop]),
    ("arriving", &[IsNot(In, LO), Is(Destination6, LOOPBACK6), Drop]),
    ("arriving", &[Goto("publish")]),
    ("output", &[Is(Destination6, LOOPBACK6), Step::In(&[Family], "filtered"), Accept]),
    ("output", &[Is(Destination, LOCAL), Goto("publish")]),
    ("publish", &[Redirect(&[Destination4, Transport, DestinationPort], "host4")]),
    ("publish", &[Redirect(&[Transport, DestinationPort], "any4")]),
    ("publish", &[Redirect(&[Destination6, Transport, DestinationPort], "host6")]),
    ("publish", &[Redirect(&[Transport, DestinationPort], "any6")]),
    ("guard", &[within_loopback(), Step::In(&[In], "bridges"), Goto("loopback")]),
    ("loopback", &[Is(Direction, REPLY), Accept]),
    ("loopback", &[Drop]),
    // From policed containers to the host.
    ("input", &[Any(State, ESTABLISHED_RELATED), Accept]),
    ("input", &[Step::In(&[In], "bridges"), Step::In(&[Source4], "policed4"), Goto("policy4")]),
    ("input", &[Step::In(&[In], "bridges"), Is(Transport, ICMP6), Is(Icmp6Type, &[135]), Accept]),
    ("input", &[Step::In(&[In], "bridges"), Is(Transport, ICMP6), Is(Icmp6Type, &[136]), Accept]),
    ("input", &[Step::In(&[In], "bridges"), Step::In(&[Source6], "policed6"), Goto("policy6")]),
    ("forward", &[Any(State, ESTABLISHED_RELATED), Accept]),
    ("forward", &[Step::In(&[Source4], "policed4"), Goto("policy4")]),
    ("forward", &[Step::In(&[Source6], "policed6"), Goto("policy6")]),
    ("forward", &[Goto("rest")]),
    ("policy4", &[Step::In(&[In, Out], "same"), Goto("rest")]),
    ("policy4", &[Step::In(&[Source4, Destination4], "allowed4"), Goto("rest")]),
    ("policy4", &[Step::In(&[Source4, Destination4], "named4"), Goto("rest")]),
    (
        "policy4",
        &[Is(Transport, TCP), Count(&[Source4, Destination4, Transport, DestinationPort], "refused4"), Goto("refuse")],
    ),
    (
        "policy4",
        &[Is(Transport, UDP), Count(&[Source4, Destination4, Transport, DestinationPort], "refused4"), Goto("refuse")],
    ),
    (
        "policy4",
        &[Is(Transport, SCTP), Count(&[Source4, Destination4, Transport, DestinationPort], "refused4"), Goto("refuse")],
    ),
    ("policy4", &[Count(&[Source4, Destination4, Transport, Nothing], "refused4")]),
    ("policy4", &[Goto("refuse")]),
    ("policy6", &[Step::In(&[In, Out], "same"), Goto("rest")]),
    ("policy6", &[Step::In(&[Source6, Destination6], "allowed6"), Goto("rest")]),
    ("policy6", &[Step::In(&[Source6, Destination6], "named6"), Goto("rest")]),
    (
        "policy6",
        &[Is(Transport, TCP), Count(&[Source6, Destination6, Transport, DestinationPort], "refused6"), Goto("refuse")],
    ),
    (
        "policy6",
        &[Is(Transport, UDP), Count(&[Source6, Destination6, Transport, DestinationPort], "refused6"), Goto("refuse")],
    ),
    (
        "policy6",
        &[Is(Transport, SCTP), Count(&[Source6, Destination6, Transport, DestinationPort], "refused6"), Goto("refuse")],
    ),
    ("policy6", &[Count(&[Source6, Destination6, Transport, Nothing], "refused6")]),
    ("policy6", &[Goto("refuse")]),
    ("refuse", &[Over(500), Drop]),
    // A client hears of a reset at once; after any other refusal, connect(2) tries again for a second.
    ("refuse", &[Is(Transport, TCP), Reset]),
    ("refuse", &[Prohibit]),
    ("rest", &[Step::In(&[Out], "bridges"), Goto("to_bridge")]),
    ("rest", &[Step::In(&[In], "internal"), Drop]),
    ("rest", &[Step::In(&[Family], "closed"), IsNot(InGroup, GROUP_BYTES), IsNot(OutGroup, GROUP_BYTES), Drop]),
    ("to_bridge", &[Step::In(&[In, Out], "same"), Accept]),
    ("to_bridge", &[Step::In(&[In], "internal"), Drop]),
    ("to_bridge", &[Step::In(&[Out], "internal"), Drop]),
    ("to_bridge", &[Any(Status, REDIRECTED), Accept]),
    ("to_bridge", &[Step::In(&[Family, Out], "open"), Accept]),
    ("to_bridge", &[Step::In(&[Destination4, Transport, DestinationPort], "routed4"), Accept]),
    ("to_bridge", &[Step::In(&[Destination6, Transport, DestinationPort], "routed6"), Accept]),
    ("to_bridge", &[Step::In(&[Family, Out], "routed"), Is(Transport, ICMP), Accept]),
    ("to_bridge", &[Step::In(&[Family, Out], "routed"), Is(Transport, ICMP6), Accept]),
    ("to_bridge", &[Drop]),
    ("postrouting", &[Step::In(&[Out], "bridges"), Goto("inward")]),
    ("postrouting", &[Step::In(&[Family, In], "leaving"), Masquerade]),
    ("inward", &[Within(Source4, &[255, 0, 0, 0], &[127, 0, 0, 0]), Masquerade]),
    ("inward", &[Is(Source6, LOOPBACK6), Masquerade]),
    ("inward", &[Any(Status, REDIRECTED), Step::In(&[Source4, Out], "own4"), Masquerade]),
    ("inward", &[Any(Status, REDIRECTED), Step::In(&[Source6, Out], "own6"), Masquerade]),
];
