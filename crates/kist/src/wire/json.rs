//! JSON as `docker inspect` prints it.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Indented by four spaces, without a newline at the end.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    ")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
