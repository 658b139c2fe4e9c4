//! Each instruction, and what it leaves in the image.

use expect_test::expect;

use super::*;

#[test]
fn files_commands_and_config_become_an_image() {
    let kist = busybox();
    let dir = context(
        &kist,
        "ctx",
        &[
            (
                "Dockerfile",
                "FROM busybox\n\
                 ARG VERSION=1\n\
                 ENV APP_VERSION=$VERSION PATH=/app:$PATH\n\
                 LABEL one=two\n\
                 WORKDIR /app\n\
                 COPY --chown=app:staff --chmod=750 run.sh data/ ./\n\
                 ADD extra.txt /extra/\n\
                 RUN echo \"$APP_VERSION $PWD $VERSION\" > made && mkdir -p sub/dir\n\
                 USER app\n\
                 EXPOSE 80 53/udp\n\
                 VOLUME /data\n\
                 STOPSIGNAL SIGUSR1\n\
                 HEALTHCHECK --interval=5s CMD true\n\
                 SHELL [\"/bin/sh\", \"-ec\"]\n\
                 ENTRYPOINT [\"run.sh\"]\n\
                 CMD [\"a\", \"b\"]\n",
            ),
            ("run.sh", "#!/bin/sh\necho ran \"$@\" as $(id -un)\n"),
            ("data/x", "x"),
            ("data/deep/y", "y"),
            ("extra.txt", "extra"),
        ],
    );
    let id = image(&kist, &["-t", "app:1", "-t", "other", "--build-arg", "VERSION=7", "--label", "three=four"], &dir);
    assert_eq!(kist.ok(&["run", "--rm", "--network", "none", "app:1"]), "ran a b as app");
    assert_eq!(within(&kist, "other", "cat /app/made /extra/extra.txt /app/x /app/deep/y"), "7 /app 7\nextraxy");
    let stat = within(&kist, &id, "stat -c '%a %U:%G %n' run.sh x deep deep/y sub/dir");
    expect![[r#"
        750 app:staff run.sh
        750 app:staff x
        750 app:staff deep
        750 app:staff deep/y
        755 root:root sub/dir"#]]
    .assert_eq(&stat);
    let format = "{{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Entrypoint}} {{json .Config.Cmd}} \
        {{json .Config.ExposedPorts}} {{json .Config.Volumes}} {{.Config.StopSignal}} {{json .Config.Labels}} {{json .Config.Env}} {{json .Config.Shell}}";
    expect![[r#"app /app ["run.sh"] ["a","b"] {"53/udp":{},"80/tcp":{}} {"/data":{}} SIGUSR1 {"one":"two","three":"four"} ["PATH=/app:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","APP_VERSION=7"] ["/bin/sh","-ec"]"#]].assert_eq(&config(&kist, &id, format));
    let history = kist.ok(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", "app:1"]);
    assert!(history.contains("RUN |1 VERSION=7 /bin/sh -c echo"), "{history}");
}

#[test]
fn stages_that_are_not_wanted_are_not_built() {
    let kist = busybox();
    let text = "FROM busybox AS base\nRUN echo base > /base\n\
        FROM base AS wanted\nRUN echo wanted > /wanted\n\
        FROM base AS unwanted\nRUN false\n\
        FROM scratch AS files\nCOPY --from=wanted /wanted /from-stage\nCOPY --from=busybox /etc/group /from-image\n\
        FROM busybox\nCOPY --from=files / /all\n";
    image_of(&kist, &["-t", "x"], text);
    assert_eq!(within(&kist, "x", "cat /all/from-stage; wc -l < /all/from-image"), "wanted\n7");
    image_of(&kist, &["-t", "y", "--target", "wanted"], text);
    assert_eq!(within(&kist, "y", "cat /base /wanted"), "base\nwanted");
    let out = build_text(&kist, &["--target", "unwanted"], text);
    assert_eq!(out.code, 1, "{}", out.stderr);
}

#[test]
fn heredocs_are_scripts_and_files() {
    let kist = busybox();
    let text = "FROM busybox\n\
        RUN <<EOF\nset -e\necho one > /one\necho two >> /one\nEOF\n\
        COPY <<-file <<another /etc/\n\tindented\nfile\nsecond\nanother\n\
        RUN cat <<EOF > /three\n$HOME\nEOF\n";
    let id = image_of(&kist, &[], text);
    assert_eq!(within(&kist, &id, "cat /one /etc/file /etc/another /three"), "one\ntwo\nindented\nsecond\n/root");
}

#[test]
fn onbuild_waits_for_the_next_image() {
    let kist = busybox();
    image_of(&kist, &["-t", "parent"], "FROM busybox\nONBUILD RUN echo triggered > /made\nONBUILD ENV A=b\n");
    assert_eq!(within(&kist, "parent", "ls /made 2>/dev/null; true"), "");
    image_of(&kist, &["-t", "child"], "FROM parent\nRUN cat /made\n");
    assert_eq!(within(&kist, "child", "cat /made; echo $A"), "triggered\nb");
    assert_eq!(config(&kist, "child", "{{json .Config.OnBuild}}"), "null");
}

#[test]
fn add_unpacks_archives_of_the_context() {
    let kist = busybox();
    let dir = context(
        &kist,
        "ctx",
        &[("Dockerfile", "FROM busybox\nADD a.tar.gz /in/\nCOPY a.tar.gz /as-is\n"), ("in/x", "x")],
    );
    let tar =
        std::process::Command::new("tar").args(["-C", &dir, "-czf"]).arg(format!("{dir}/a.tar.gz")).arg("in").status();
    assert!(tar.unwrap().success());
    let id = image(&kist, &[], &dir);
    assert_eq!(within(&kist, &id, "cat /in/in/x; test -f /as-is && echo file"), "xfile");
}

#[test]
fn what_dockerignore_names_is_not_there() {
    let kist = busybox();
    let files = [
        ("Dockerfile", "FROM busybox\nCOPY . /all\n"),
        (".dockerignore", "*.log\n!keep.log\nsecret\n"),
        ("a.log", ""),
        ("keep.log", ""),
        ("secret/x", ""),
        ("b", ""),
    ];
    let dir = context(&kist, "ctx", &files);
    let id = image(&kist, &[], &dir);
    assert_eq!(within(&kist, &id, "ls -A /all"), ".dockerignore\nDockerfile\nb\nkeep.log");
}

#[test]
fn scratch_can_hold_nothing_but_a_file() {
    let kist = empty();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "a")]);
    image(&kist, &["-t", "small"], &dir);
    assert_eq!(config(&kist, "small", "{{len .RootFS.Layers}} {{.Os}}"), "1 linux");
}
