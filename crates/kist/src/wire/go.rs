//! Go's JSON habits: a nil slice or map is `null` and not `[]` or `{}`, a zero time is the year 1.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// The name under which [`List`] serialises, so that templates can tell a nil slice from a nil pointer.
pub(crate) const LIST: &str = "[]";
/// The same for [`Map`].
pub(crate) const MAP: &str = "map[]";

/// A slice, `null` when nil.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename = "[]")]
pub(crate) struct List<T>(pub(crate) Option<Vec<T>>);

/// A map, sorted by key as Go writes it, `null` when nil.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename = "map[]")]
pub(crate) struct Map<V>(pub(crate) Option<BTreeMap<String, V>>);

/// A member of a set: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Empty {}

impl<T> List<T> {
    /// `omitempty`.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(Vec::is_empty)
    }
}

impl<V> Map<V> {
    /// `omitempty`.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// `omitempty` of a number.
pub(crate) fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// RFC 3339 with the nanoseconds there are; a time that never was is the year 1.
pub(crate) fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}

/// `2006-01-02 15:04:05 -0700 MST`, as Go prints a time, in the zone of whoever reads it.
pub(crate) fn local_time(time: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}
