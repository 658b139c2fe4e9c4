//! placeholder until its owner commits.
/// set
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CapabilitySet(pub u64);
