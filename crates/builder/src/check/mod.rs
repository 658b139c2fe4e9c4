//! BuildKit's checks of a Dockerfile (`--check`), and what may be asked of one (`--call`).
