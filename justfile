# The words of the workshop; each is one line into `cargo xtask`, which says more with `--help`.

# rustfmt, clippy, tidy
check:
    cargo xtask check

# the pure court and the host court (as root)
test:
    cargo xtask test

# the host court alone: `just it run::` for some of it
it *ARGS:
    cargo xtask it {{ARGS}}

# the host court in a virtual machine with pure cgroup v2
vm *ARGS:
    cargo xtask vmtest {{ARGS}}

# one target of fuzz/, with cargo-fuzz and a nightly compiler: `just fuzz tar`
fuzz *ARGS:
    cargo +nightly fuzz run {{ARGS}}

# against the peers, as root: `just bench run`
bench *ARGS:
    cargo xtask bench {{ARGS}}

# what killed tests left on this machine
leaks:
    cargo xtask leaks

# all code in the one shape
fmt:
    cargo fmt --all

# the release build
release:
    cargo xtask release
