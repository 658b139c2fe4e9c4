//! The language of Dockerfiles, as BuildKit has it.
