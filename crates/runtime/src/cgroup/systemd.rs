//! Groups made by systemd: a transient scope a container, delegated to us (systemd.io/CGROUP_DELEGATION). The limits are told to systemd
//! as well as written to the files, because it writes its own idea of them again at a daemon-reload.

use std::io;
use std::path::Path;

use spec::resources::{Resources, parse_set};
use sys::idle::Idle;

use super::dbus::{Body, Bus, BusError, Call, Value};
use super::limits::{self, Bandwidth};
use super::{CgroupError, Scope};

const SOCKET: &str = "/run/dbus/system_bus_socket";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const JOB_REMOVED: &str =
    "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved',path='/org/freedesktop/systemd1'";

/// Starts a scope around a process that does nothing; it lives until the container's first process is in.
pub(super) fn start_scope(scope: &Scope, resources: &Resources, is_v2: bool) -> Result<Idle, CgroupError> {
    let failed = |error| CgroupError::Systemd(scope.unit.clone(), error);
    let anchor = Idle::spawn().map_err(|error| CgroupError::Anchor(scope.unit.clone(), error))?;
    let mut properties = vec![
        ("Description", Value::Text("kist container".into())),
        ("Slice", Value::Text(scope.slice.clone())),
        ("Delegate", Value::Bool(true)),
        ("PIDs", Value::U32s(vec![anchor.pid().as_raw_nonzero().get().unsigned_abs()])),
        ("MemoryAccounting", Value::Bool(true)),
        ("CPUAccounting", Value::Bool(true)),
        (if is_v2 { "IOAccounting" } else { "BlockIOAccounting" }, Value::Bool(true)),
        ("TasksAccounting", Value::Bool(true)),
        // No ordering against shutdown.target: it would kill containers before who may want to stop them in order.
        ("DefaultDependencies", Value::Bool(false)),
        // A failed scope goes away as well.
        ("CollectMode", Value::Text("inactive-or-failed".into())),
    ];
    properties.extend(properties_of(resources, is_v2));
    let mut body = Body::default();
    body.text(&scope.unit).text("replace").properties(&properties).no_units();
    let mut bus = watching_jobs().map_err(failed)?;
    let start = || call("StartTransientUnit", "ssa(sv)a(sa(sv))", body.clone());
    match bus.call(&start()) {
        // A leftover of a crash.
        Err(BusError::Answer { name, .. }) if name == "org.freedesktop.systemd1.UnitExists" => {
            stop(&mut bus, scope).map_err(failed)?;
            bus.call(&start()).map_err(failed)?;
        }
        other => drop(other.map_err(failed)?),
    }
    wait_for_job(&mut bus, scope).map_err(failed)?;
    Ok(anchor)
}

/// Tells systemd the new limits.
pub(super) fn update_scope(scope: &Scope, resources: &Resources, is_v2: bool) -> Result<(), CgroupError> {
    let properties = properties_of(resources, is_v2);
    if properties.is_empty() {
        return Ok(());
    }
    let mut body = Body::default();
    body.text(&scope.unit).bool(true).properties(&properties);
    let mut bus = Bus::connect(Path::new(SOCKET)).map_err(|error| CgroupError::Systemd(scope.unit.clone(), error))?;
    let answer = bus.call(&call("SetUnitProperties", "sba(sv)", body));
    answer.map(drop).map_err(|error| CgroupError::Systemd(scope.unit.clone(), error))
}

/// Stops the scope if systemd still has it; mostly it went away with its last process.
pub(super) fn stop_scope(scope: &Scope) -> Result<(), CgroupError> {
    match watching_jobs().and_then(|mut bus| stop(&mut bus, scope)) {
        // No bus, no systemd: nothing of it is left.
        Err(BusError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| CgroupError::Systemd(scope.unit.clone(), error)),
    }
}

fn stop(bus: &mut Bus, scope: &Scope) -> Result<(), BusError> {
    let mut body = Body::default();
    body.text(&scope.unit).text("replace");
    match bus.call(&call("StopUnit", "ss", body)) {
        Ok(_) => wait_for_job(bus, scope)?,
        Err(BusError::Answer { name, .. }) if name == "org.freedesktop.systemd1.NoSuchUnit" => return Ok(()),
        Err(error) => return Err(error),
    }
    // systemd before 236 does not know CollectMode. "Not loaded" is what we want.
    let mut body = Body::default();
    body.text(&scope.unit);
    match bus.call(&call("ResetFailedUnit", "s", body)) {
        Ok(_) | Err(BusError::Answer { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn watching_jobs() -> Result<Bus, BusError> {
    let mut bus = Bus::connect(Path::new(SOCKET))?;
    bus.add_match(JOB_REMOVED)?;
    Ok(bus)
}

/// JobRemoved(id, job, unit, result): the answer to the call comes before it.
fn wait_for_job(bus: &mut Bus, scope: &Scope) -> Result<(), BusError> {
    loop {
        let message = bus.next()?;
        if message.member != "JobRemoved" {
            continue;
        }
        if let [_job, unit, result] = message.texts()?.as_slice()
            && *unit == scope.unit
        {
            return if result == "done" { Ok(()) } else { Err(BusError::Job(result.clone())) };
        }
    }
}

fn call<'a>(member: &'a str, signature: &'a str, body: Body) -> Call<'a> {
    Call {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: MANAGER,
        member,
        signature,
        body,
    }
}

/// The limits that systemd has words for (as opencontainers/cgroups systemd/v1.go and v2.go).
fn properties_of(r: &Resources, is_v2: bool) -> Vec<(&'static str, Value)> {
    // -1 is "infinity", which is all ones.
    let number = |value: i64| Value::U64(if value < 0 { u64::MAX } else { value.unsigned_abs() });
    let mut properties = Vec::new();
    let mut add = |name, value: Option<Value>| properties.extend(value.map(|value| (name, value)));
    let memory = limits::number(r.memory_bytes).map(number);
    let shares = limits::number(r.cpu_shares);
    if is_v2 {
        add("MemoryMax", memory);
        add("MemoryLow", limits::number(r.memory_reservation_bytes).map(number));
        add("MemorySwapMax", limits::swap_alone(r.memory_bytes, r.memory_swap_bytes).map(number));
        add("CPUWeight", shares.map(|shares| Value::U64(limits::weight_of_shares(shares))));
        add("AllowedCPUs", r.cpuset_cpus.as_deref().and_then(bits).map(Value::Bytes));
        add("AllowedMemoryNodes", r.cpuset_mems.as_deref().and_then(bits).map(Value::Bytes));
    } else {
        add("MemoryLimit", memory);
        add("CPUShares", shares.map(number));
    }
    let Bandwidth { quota_us, period_us } = limits::bandwidth(r);
    add("CPUQuotaPeriodUSec", period_us.map(number));
    if quota_us.is_some() || period_us.is_some() {
        add("CPUQuotaPerSecUSec", Some(number(per_second(quota_us, period_us))));
    }
    add("TasksMax", r.pids_limit.map(|limit| if limit > 0 { number(limit) } else { Value::U64(u64::MAX) }));
    properties
}

/// systemd keeps whole percents: rounded up, so that the exact quota written below it fits.
fn per_second(quota_us: Option<i64>, period_us: Option<i64>) -> i64 {
    match quota_us {
        Some(quota @ 1..) => {
            let exact = i128::from(quota) * 1_000_000 / i128::from(period_us.unwrap_or(limits::PERIOD_US).max(1));
            i64::try_from((exact + 9_999) / 10_000 * 10_000).unwrap_or(-1)
        }
        Some(_) | None => -1,
    }
}

/// A set of CPUs as bits, the first in the lowest bit of the first byte.
fn bits(list: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (first, last) in parse_set(list).filter(|_| !list.is_empty())? {
        for n in first..=last {
            let at = usize::try_from(n / 8).ok()?;
            if bytes.len() <= at {
                bytes.resize(at + 1, 0_u8);
            }
            *bytes.get_mut(at)? |= 1 << (n % 8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn limits_become_properties() {
        let r = Resources {
            memory_bytes: Some(100),
            memory_swap_bytes: Some(-1),
            nano_cpus: Some(333_000_000),
            cpu_shares: Some(1024),
            pids_limit: Some(-1),
            cpuset_cpus: Some("0-1,9".into()),
            ..Resources::default()
        };
        let text = |is_v2| {
            properties_of(&r, is_v2).iter().map(|(name, value)| format!("{name} {value:?}\n")).collect::<String>()
        };
        expect![[r"
            MemoryMax U64(100)
            MemorySwapMax U64(18446744073709551615)
            CPUWeight U64(100)
            AllowedCPUs Bytes([3, 2])
            CPUQuotaPeriodUSec U64(100000)
            CPUQuotaPerSecUSec U64(340000)
            TasksMax U64(18446744073709551615)
        "]]
        .assert_eq(&text(true));
        expect![[r"
            MemoryLimit U64(100)
            CPUShares U64(1024)
            CPUQuotaPeriodUSec U64(100000)
            CPUQuotaPerSecUSec U64(340000)
            TasksMax U64(18446744073709551615)
        "]]
        .assert_eq(&text(false));
        assert!(properties_of(&Resources::default(), true).is_empty());
    }
}
