//! The flags of `build`, in Docker's words.

use crate::verb::{Flag, Takes, flag, short};

/// Those of `docker buildx build`.
pub(super) const FLAGS: &[Flag] = &[
    flag("add-host", Takes::List("strings"), "Add a custom host-to-IP mapping (format: \"host:ip\")"),
    flag(
        "allow",
        Takes::List("stringArray"),
        "Allow extra privileged entitlement (e.g., \"network.host\", \"security.insecure\")",
    ),
    flag("annotation", Takes::List("stringArray"), "Add annotation to the image"),
    flag("attest", Takes::List("stringArray"), "Attestation parameters (format: \"type=sbom,generator=image\")"),
    flag("build-arg", Takes::List("stringArray"), "Set build-time variables"),
    flag("build-context", Takes::List("stringArray"), "Additional build contexts (e.g., name=path)"),
    flag("builder", Takes::One("string"), "Override the configured builder instance"),
    flag(
        "cache-from",
        Takes::List("stringArray"),
        "External cache sources (e.g., \"user/app:cache\", \"type=local,src=path/to/dir\")",
    ),
    flag(
        "cache-to",
        Takes::List("stringArray"),
        "Cache export destinations (e.g., \"user/app:cache\", \"type=local,dest=path/to/dir\")",
    ),
    flag("call", Takes::One("string"), "Set method for evaluating build (\"check\", \"outline\", \"targets\")"),
    flag("cgroup-parent", Takes::One("string"), "Set the parent cgroup for the \"RUN\" instructions during build"),
    flag("check", Takes::Switch, "Shorthand for \"--call=check\""),
    short('D', "debug", Takes::Switch, "Show what each warning is about"),
    short('f', "file", Takes::One("string"), "Name of the Dockerfile (default: \"PATH/Dockerfile\")"),
    flag("iidfile", Takes::One("string"), "Write the image ID to a file"),
    flag("label", Takes::List("stringArray"), "Set metadata for an image"),
    flag("load", Takes::Switch, "Shorthand for \"--output=type=docker\""),
    flag("metadata-file", Takes::One("string"), "Write build result metadata to a file"),
    flag("network", Takes::One("string"), "Set the networking mode for the \"RUN\" instructions during build"),
    flag("no-cache", Takes::Switch, "Do not use cache when building the image"),
    flag("no-cache-filter", Takes::List("stringArray"), "Do not cache specified stages"),
    short('o', "output", Takes::List("stringArray"), "Output destination (format: \"type=local,dest=path\")"),
    flag("platform", Takes::List("stringArray"), "Set target platform for build"),
    flag("print", Takes::One("string"), ""),
    flag(
        "progress",
        Takes::One("string"),
        "Set type of progress output (\"auto\", \"none\", \"plain\", \"quiet\", \"rawjson\", \"tty\"). Use plain to show container output",
    ),
    flag("provenance", Takes::One("string"), "Shorthand for \"--attest=type=provenance\""),
    flag("pull", Takes::Switch, "Always attempt to pull all referenced images"),
    flag("push", Takes::Switch, "Shorthand for \"--output=type=registry,unpack=false\""),
    short('q', "quiet", Takes::Switch, "Suppress the build output and print image ID on success"),
    flag("sbom", Takes::One("string"), "Shorthand for \"--attest=type=sbom\""),
    flag(
        "secret",
        Takes::List("stringArray"),
        "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\")",
    ),
    flag("shm-size", Takes::One("bytes"), "Shared memory size for build containers"),
    flag(
        "ssh",
        Takes::List("stringArray"),
        "SSH agent socket or keys to expose to the build (format: \"default|<id>[=<socket>|<key>[,<key>]]\")",
    ),
    short('t', "tag", Takes::List("stringArray"), "Image identifier (format: \"[registry/]repository[:tag]\")"),
    flag("target", Takes::One("string"), "Set the target build stage to build"),
    flag("ulimit", Takes::List("ulimit"), "Ulimit options"),
];

/// Those of the classic builder, which scripts still say.
pub(super) const CLASSIC: &[Flag] = &[
    flag("compress", Takes::Switch, ""),
    flag("cpu-period", Takes::One("int"), ""),
    flag("cpu-quota", Takes::One("int"), ""),
    short('c', "cpu-shares", Takes::One("int"), ""),
    flag("cpuset-cpus", Takes::One("string"), ""),
    flag("cpuset-mems", Takes::One("string"), ""),
    flag("disable-content-trust", Takes::SwitchOn, ""),
    flag("force-rm", Takes::Switch, ""),
    flag("isolation", Takes::One("string"), ""),
    short('m', "memory", Takes::One("bytes"), ""),
    flag("memory-swap", Takes::One("bytes"), ""),
    flag("policy", Takes::List("stringArray"), ""),
    flag("resource", Takes::List("stringArray"), ""),
    flag("rm", Takes::SwitchOn, ""),
    flag("security-opt", Takes::List("strings"), ""),
    flag("squash", Takes::Switch, ""),
];

/// What is said of those that do nothing here; the others ask for what is so anyway.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("cpu-period", "RUN instructions have no limits of their own"),
    ("cpu-quota", "RUN instructions have no limits of their own"),
    ("cpu-shares", "RUN instructions have no limits of their own"),
    ("cpuset-cpus", "RUN instructions have no limits of their own"),
    ("cpuset-mems", "RUN instructions have no limits of their own"),
    ("memory", "RUN instructions have no limits of their own"),
    ("memory-swap", "RUN instructions have no limits of their own"),
    ("resource", "RUN instructions have no limits of their own"),
    ("isolation", "isolation flag is deprecated with BuildKit"),
    ("policy", "there are no policies"),
    ("security-opt", "\"RUN --security=insecure\" should be used"),
    ("squash", "squash inside the build, by a multi-stage Dockerfile"),
];
