//! Placeholder.
crate::tests![];
