//! The words of kist: ids, digests, references, image documents, what a container is and what a bundle is. Pure: no I/O, no clock,
//! no environment. Everything here is parsed once, at the door; after that the type is the proof.

pub mod address;
pub mod annotation;
pub mod attestation;
pub mod bundle;
pub mod capability;
pub mod container;
pub mod digest;
pub mod event;
pub mod form;
pub mod id;
pub mod image;
pub mod mount;
pub mod network;
pub mod platform;
pub mod purl;
pub mod reference;
pub mod resources;
pub mod seccomp;
pub mod time;
pub mod volume;
