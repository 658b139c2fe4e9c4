//! Networks as the machine has them: records, leases, links, rules, ports, names. docs/decisions/0010-networks.md is the plan.
//!
//! ```text
//! <root>/networks/<id>/network.json             a network; written once
//! <root>/network-names/<name> -> <id>           exclusive
//! <run>/networks/lock                           shared: joining, publishing, leaving; alone: making, removing, restoring
//! <run>/networks/<id>/leases/<address> -> <container>
//! <run>/networks/<id>/names/<name>/<container> -> "<address> <address>"
//! ```
//!
//! Everything here works in the caller's network namespace, which is the host's, except where a descriptor of another is given. Nothing
//! here keeps anything between calls but what it returns; what is to be given back is told to the caller before it is taken
//! ([`Taken`]), who writes it down.

pub mod dns;
pub mod endpoint;
pub mod error;
pub mod lease;
pub mod link;
mod netlink;
pub mod place;
pub mod pool;
pub mod port;
pub mod record;
pub mod relay;
pub mod resolver;
pub mod rules;

pub use endpoint::Taken;
pub use error::NetworkError;
