//! What the most Dockerfiles are: a Debian, its packages, a file or two. Here with the real packages.

use testkit::{Docker, Podman};

use super::*;

const DOCKERFILE: &str = "# syntax=docker/dockerfile:1\n\
FROM debian:latest\n\
LABEL maintainer=\"somebody\"\n\
RUN --network=host --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=tmpfs,target=/var/lib/apt/lists <<EOF\n\
set -e\n\
apt-get update\n\
apt-get install -y --no-install-recommends hello\n\
EOF\n\
COPY greet /usr/local/bin/\n\
CMD [\"greet\"]\n";

#[test]
fn packages_are_installed_and_the_image_runs_under_kist_podman_and_docker() {
    let archive = match testkit::debian_image() {
        Ok(archive) => archive,
        Err(why) => testkit::skip!("{why}"),
    };
    let kist = crate::on_this_computer();
    kist.ok(&["load", "-q", "-i", archive.to_str().unwrap()]);
    let dir = context(
        &kist,
        "app",
        &[("Dockerfile", DOCKERFILE), ("greet", "#!/bin/sh\nexec hello --greeting=\"$(id -un) says hello\"\n")],
    );
    std::fs::set_permissions(kist.scratch().join("app/greet"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let id = image(&kist, &["--allow", "network.host", "-t", "hello"], &dir);
    assert_eq!(config(&kist, "hello", "{{.Config.Labels.maintainer}}"), "somebody");
    let runs = "root says hello";
    assert_eq!(kist.ok(&["run", "--rm", "--network", "none", "hello"]), runs);
    // What was mounted is not in it, and dpkg knows what is.
    assert_eq!(
        within(
            &kist,
            "hello",
            "ls /var/cache/apt/archives/*.deb /var/lib/apt/lists/* 2>/dev/null; dpkg -s hello | grep ^Status"
        ),
        "Status: install ok installed"
    );
    let again = build(&kist, &["--allow", "network.host"], &dir);
    assert_eq!(steps(&again).iter().filter(|step| step.ends_with("CACHED")).count(), 2, "{}", again.stderr);
    let saved = kist.scratch().join("hello.tar");
    kist.ok(&["save", "-o", saved.to_str().unwrap(), "hello"]);
    match Podman::new() {
        Ok(podman) => {
            podman.ok(&["load", "-q", "-i", saved.to_str().unwrap()]);
            assert_eq!(podman.run("hello"), runs);
        }
        Err(why) => testkit::skip!("{why}"),
    }
    match Docker::start(&[]) {
        Ok(docker) => {
            docker.ok(&["load", "-q", "-i", saved.to_str().unwrap()]);
            assert_eq!(docker.ok(&["inspect", "--format", "{{.Id}}", "hello"]), id);
            assert_eq!(docker.ok(&["run", "--rm", "--network", "none", "hello"]), runs);
        }
        Err(why) => testkit::skip!("{why}"),
    }
}
