//! Plans, printed: steps with what they stand on, what comes of it, and what is refused.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use spec::digest::{DiffId, Digest, ImageId};
use spec::image::{History, ImageConfig, RootFs, RunConfig};
use spec::platform::Platform;
use spec::time::Time;

use super::graph::{CopySource, RunFiles, Step, Tree, What};
use super::{Described, Facts, Plan, PlanError, Wanted, plan};
use crate::{BuildContext, Dockerfile, MachineError, NoCache, Pull, Request, RunDefaults};

fn request() -> Request {
    Request {
        context: BuildContext::Empty,
        dockerfile: Dockerfile::Text(Vec::new()),
        named_contexts: BTreeMap::new(),
        target: None,
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        platforms: Vec::new(),
        no_cache: NoCache::Nothing,
        pull: Pull::Missing,
        run: RunDefaults::default(),
        secrets: BTreeMap::new(),
        ssh: BTreeMap::new(),
        cache_from: Vec::new(),
        allow: BTreeSet::new(),
    }
}

/// Knows any image but `nope`; those called `trigger` have triggers. What was asked is noted.
#[derive(Default)]
struct Images(RefCell<Vec<String>>);

impl Facts for Images {
    fn describe(&self, wanted: &[Wanted]) -> Vec<Result<Described, MachineError>> {
        wanted
            .iter()
            .map(|wanted| {
                self.0.borrow_mut().push(wanted.shown.clone());
                let name = &wanted.image.name;
                if name.contains("nope") || name.contains("ubunut") {
                    return Err(MachineError { message: format!("{name}: not found"), source: None });
                }
                let mut config = RunConfig {
                    env: vec!["PATH=/bin".into(), "BASE=1".into()],
                    cmd: Some(vec!["sh".into()]),
                    ..RunConfig::default()
                };
                if name.contains("trigger") {
                    config.on_build = vec!["COPY . /src".into(), "ENV T=1".into(), "RUN make".into()];
                }
                let history = vec![History { created_by: Some("base".into()), ..History::default() }];
                let diff_ids = vec![DiffId(Digest::sha256(name.as_bytes()))];
                let config = ImageConfig {
                    created: Some("2020-01-01T00:00:00Z".into()),
                    architecture: wanted.image.platform.architecture.clone(),
                    os: "linux".into(),
                    config,
                    rootfs: RootFs { kind: "layers".into(), diff_ids },
                    history,
                    ..ImageConfig::default()
                };
                Ok(Described { digest: Some(Digest::sha256(b"")), id: ImageId(Digest::sha256(b"")), config })
            })
            .collect()
    }

    /// Contexts have no time, all else has one.
    fn time_of(&self, what: &What) -> Result<Option<Time>, MachineError> {
        Ok(match what {
            What::Http(http) if http.url.contains("nope") => {
                return Err(MachineError { message: format!("{}: not found", http.url), source: None });
            }
            What::Http(_) => Some(Time::from_ns(1_700_000_402_000_000_000)),
            What::Git(_) => Some(Time::from_ns(1_700_000_101_000_000_000)),
            What::Image(_) | What::Context(_) | What::Run(_) | What::Copy(_) | What::Directory(_) => None,
        })
    }
}

fn planned(text: &str, request: &Request) -> Result<Plan, PlanError> {
    let file = crate::dockerfile::parse(text.as_bytes()).map_err(|mistakes| PlanError::new(mistakes.to_string()))?;
    plan(&file, request, &Images::default())
}

fn check(text: &str, is: Expect) {
    check_with(text, &request(), is);
}

fn check_with(text: &str, request: &Request, is: Expect) {
    let plan = planned(text, request).unwrap_or_else(|error| panic!("{error}"));
    is.assert_eq(&show(&plan));
}

fn refused(text: &str, is: Expect) {
    refused_with(text, &request(), is);
}

fn refused_with(text: &str, request: &Request, is: Expect) {
    let error = planned(text, request).expect_err("it is refused");
    let lines: Vec<String> = error.spans.iter().map(|span| span.first_line.to_string()).collect();
    is.assert_eq(&format!("{}: {error}", lines.join(",")));
}

fn show(plan: &Plan) -> String {
    let mut out = String::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let anew = if step.anew { " anew" } else { "" };
        writeln!(out, "{at} {}\n    {}{anew}", step.name, show_step(step)).unwrap();
    }
    for target in &plan.targets {
        writeln!(out, "{} = {}", target.platform, on(target.tree)).unwrap();
        for entry in &target.config.history[target.inherited..] {
            let empty = if entry.empty_layer { "  " } else { "* " };
            writeln!(out, "    {empty}{}", entry.created_by.as_deref().unwrap_or_default()).unwrap();
        }
        writeln!(out, "    {}", serde_json::to_string(&target.config.config).unwrap()).unwrap();
    }
    let host = Platform::host();
    out.replace(&Digest::sha256(b"").to_string(), "DIGEST").replace(&host.to_string(), "HOST")
}

fn on(tree: Tree) -> String {
    tree.map_or("nothing".into(), |id| id.0.to_string())
}

fn show_step(step: &Step) -> String {
    match &step.what {
        What::Image(image) => format!("image {} for {}", image.name, image.platform),
        What::Context(name) => format!("context {name}"),
        What::Http(http) => format!("download {} as {} {:?}", http.url, http.file_name, http.checksum),
        What::Git(git) => format!("clone {} {:?} {:?}", git.remote, git.reference, git.subdir),
        What::Directory(dir) => format!("directory {} of {:?} on {}", dir.path, dir.user, on(dir.on)),
        What::Copy(copy) => {
            let sources: Vec<String> = copy
                .sources
                .iter()
                .map(|source| match source {
                    CopySource::Paths { from, path, unpack } => {
                        format!("{path} of {}{}", on(*from), if *unpack { " unpacked" } else { "" })
                    }
                    CopySource::Remote { from, .. } => format!("download {}", from.0),
                    CopySource::Repository(from) => format!("repository {}", from.0),
                    CopySource::Inline { name, content } => format!("{name} = {content:?}"),
                })
                .collect();
            let link = if copy.link { "link" } else { "copy" };
            let flags = [("chown", &copy.chown), ("chmod", &copy.chmod)];
            let flags: String =
                flags.iter().filter_map(|(name, value)| Some(format!(" {name} {}", value.as_ref()?))).collect();
            format!("{link} {} to {}{flags} on {}", sources.join(", "), copy.dest, on(copy.onto))
        }
        What::Run(run) => {
            let mut out = format!("run {:?} in {} with {:?} on {}", run.args, run.working_dir, run.env, on(run.on));
            if !run.user.is_empty() {
                write!(out, " as {}", run.user).unwrap();
            }
            for mount in &run.mounts {
                let what = match &mount.what {
                    RunFiles::Tree { from, source } => format!("{source} of {}", on(*from)),
                    other @ (RunFiles::Script { .. }
                    | RunFiles::Cache { .. }
                    | RunFiles::Tmpfs { .. }
                    | RunFiles::Secret { .. }
                    | RunFiles::Ssh { .. }) => format!("{other:?}"),
                };
                write!(out, "\n    {} {what}{}", mount.target, if mount.read_only { " ro" } else { "" }).unwrap();
            }
            out
        }
    }
}

#[test]
fn instructions_become_steps_and_history() {
    check(
        "FROM alpine\nENV A=1 B=\"x y\"\nWORKDIR /app\nWORKDIR sub\nCOPY a b* ./\nRUN echo $A\nUSER me\nWORKDIR /home\nCMD [\"x\"]\n",
        expect![[r#"
            0 [1/6] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for HOST
            1 [2/6] WORKDIR /app
                directory /app of "" on 0
            2 [3/6] WORKDIR sub
                directory /app/sub of "" on 1
            3 [internal] load build context
                context context
            4 [4/6] COPY a b* ./
                copy a of 3, b* of 3 to /app/sub/ on 2
            5 [5/6] RUN echo 1
                run ["/bin/sh", "-c", "echo $A"] in /app/sub with ["PATH=/bin", "BASE=1", "A=1", "B=x y"] on 4
            6 [6/6] WORKDIR /home
                directory /home of "me" on 5
            HOST = 6
                  ENV A=1 B=x y
                * WORKDIR /app
                * WORKDIR /app/sub
                * COPY a b* ./ # buildkit
                * RUN /bin/sh -c echo $A # buildkit
                  USER me
                * WORKDIR /home
                  CMD ["x"]
                {"User":"me","Env":["PATH=/bin","BASE=1","A=1","B=x y"],"Cmd":["x"],"WorkingDir":"/home"}
        "#]],
    );
}

#[test]
fn config_instructions_make_no_steps() {
    check(
        "FROM alpine\nMAINTAINER me\nLABEL a=b \"c d\"=e\nEXPOSE 80 53/udp 8000-8001\nVOLUME /a /b\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/bash\", \"-c\"]\n\
         HEALTHCHECK --interval=90s CMD curl -f x\nENTRYPOINT run it\nONBUILD RUN later\nUSER 1:2\n",
        expect![[r#"
            0 [1/1] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for HOST
            HOST = 0
                  MAINTAINER me
                  LABEL a=b c d=e
                  EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp]
                  VOLUME [/a /b]
                  STOPSIGNAL SIGINT
                  SHELL [/bin/bash -c]
                  HEALTHCHECK {Test:[CMD-SHELL curl -f x] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}
                  ENTRYPOINT ["/bin/bash" "-c" "run it"]
                  USER 1:2
                {"User":"1:2","ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},"Env":["PATH=/bin","BASE=1"],"Entrypoint":["/bin/bash","-c","run it"],"Volumes":{"/a":{},"/b":{}},"Labels":{"a":"b","c d":"e"},"StopSignal":"SIGINT","Healthcheck":{"Test":["CMD-SHELL","curl -f x"],"Interval":90000000000},"Shell":["/bin/bash","-c"],"OnBuild":["RUN later"]}
        "#]],
    );
}

#[test]
fn an_entry_point_takes_away_the_inherited_command() {
    check(
        "FROM alpine\nENTRYPOINT [\"a\"]\n",
        expect![[r#"
        0 [1/1] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        HOST = 0
              ENTRYPOINT ["a"]
            {"Env":["PATH=/bin","BASE=1"],"Entrypoint":["a"]}
    "#]],
    );
    check(
        "FROM alpine\nCMD b\nENTRYPOINT [\"a\"]\n",
        expect![[r#"
        0 [1/1] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        HOST = 0
              CMD ["/bin/sh" "-c" "b"]
              ENTRYPOINT ["a"]
            {"Env":["PATH=/bin","BASE=1"],"Entrypoint":["a"],"Cmd":["/bin/sh","-c","b"]}
    "#]],
    );
}

#[test]
fn arguments_have_their_scopes() {
    let mut asked = request();
    asked.build_args.insert("GIVEN".into(), "given".into());
    asked.build_args.insert("HTTP_PROXY".into(), "http://secret".into());
    check_with(
        "ARG TAG=3\nARG GIVEN=no\nFROM alpine:$TAG AS one\nARG TAG\nARG GIVEN=no\nARG NONE\nARG LOCAL=$GIVEN-x\nRUN a $TAG\n\
         FROM one\nRUN b\nENV LOCAL=env\nRUN c $HOME ${LOCAL}\n",
        &asked,
        expect![[r#"
            0 [one 1/2] FROM docker.io/library/alpine:3@DIGEST
                image docker.io/library/alpine:3 for HOST
            1 [one 2/2] RUN a 3
                run ["/bin/sh", "-c", "a $TAG"] in / with ["PATH=/bin", "BASE=1", "TAG=3", "GIVEN=given", "LOCAL=given-x"] on 0
            2 [stage-1 1/2] RUN b
                run ["/bin/sh", "-c", "b"] in / with ["TAG=3", "GIVEN=given", "LOCAL=given-x", "PATH=/bin", "BASE=1"] on 1
            3 [stage-1 2/2] RUN c $HOME env
                run ["/bin/sh", "-c", "c $HOME ${LOCAL}"] in / with ["TAG=3", "GIVEN=given", "PATH=/bin", "BASE=1", "LOCAL=env"] on 2
            HOST = 3
                  ARG TAG=3
                  ARG GIVEN=given
                  ARG NONE
                  ARG LOCAL=given-x
                * RUN |4 TAG=3 GIVEN=given NONE= LOCAL=given-x /bin/sh -c a $TAG # buildkit
                * RUN |4 TAG=3 GIVEN=given NONE= LOCAL=given-x /bin/sh -c b # buildkit
                  ENV LOCAL=env
                * RUN |4 TAG=3 GIVEN=given NONE= LOCAL=env /bin/sh -c c $HOME ${LOCAL} # buildkit
                {"Env":["PATH=/bin","BASE=1","LOCAL=env"],"Cmd":["sh"]}
        "#]],
    );
}

#[test]
fn only_what_the_target_needs_is_planned() {
    let text = "FROM alpine AS base\nRUN base\nFROM base AS unused\nRUN unused\nFROM scratch AS last\nCOPY --from=base /a /b\n\
                COPY --from=0 /c /d\nCOPY --from=busybox:1 /e /f\n";
    check(
        text,
        expect![[r#"
        0 [base 1/2] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        1 FROM docker.io/library/busybox:1@DIGEST
            image docker.io/library/busybox:1 for HOST
        2 [base 2/2] RUN base
            run ["/bin/sh", "-c", "base"] in / with ["PATH=/bin", "BASE=1"] on 0
        3 [last 1/3] COPY --from=base /a /b
            copy /a of 2 to /b on nothing
        4 [last 2/3] COPY --from=0 /c /d
            copy /c of 2 to /d on 3
        5 [last 3/3] COPY --from=busybox:1 /e /f
            copy /e of 1 to /f on 4
        HOST = 5
            * COPY /a /b # buildkit
            * COPY /c /d # buildkit
            * COPY /e /f # buildkit
            {"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"}
    "#]],
    );
    check_with(
        text,
        &Request { target: Some("BASE".into()), ..request() },
        expect![[r#"
        0 [base 1/2] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        1 [base 2/2] RUN base
            run ["/bin/sh", "-c", "base"] in / with ["PATH=/bin", "BASE=1"] on 0
        HOST = 1
            * RUN /bin/sh -c base # buildkit
            {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
    "#]],
    );
}

#[test]
fn equal_steps_are_one() {
    check(
        "FROM alpine AS a\nRUN same\nFROM alpine AS b\nRUN same\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=b /y /\n",
        expect![[r#"
            0 [a 1/2] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for HOST
            1 [a 2/2] RUN same
                run ["/bin/sh", "-c", "same"] in / with ["PATH=/bin", "BASE=1"] on 0
            2 [stage-2 1/2] COPY --from=a /x /
                copy /x of 1 to / on nothing
            3 [stage-2 2/2] COPY --from=b /y /
                copy /y of 1 to / on 2
            HOST = 3
                * COPY /x / # buildkit
                * COPY /y / # buildkit
                {"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"}
        "#]],
    );
}

#[test]
fn mounts_are_of_stages_contexts_and_caches() {
    check(
        "FROM alpine AS src\nFROM alpine\nWORKDIR /w\nARG T=/t\nRUN --mount=target=in --mount=type=bind,from=src,source=a,target=/b,rw \
         --mount=type=cache,target=$T,sharing=locked --mount=type=tmpfs,target=/tmp,size=1m --mount=type=secret,id=key,env=KEY \
         --mount=type=secret,id=file --mount=type=ssh x $KEY\n",
        expect![[r#"
            0 [src 1/1] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for HOST
            1 [stage-1 2/3] WORKDIR /w
                directory /w of "" on 0
            2 [internal] load build context
                context context
            3 [stage-1 3/3] RUN --mount=target=in --mount=type=bind,from=src,source=a,target=/b,rw --mount=type=cache,target=/t,sharing=locked --mount=type=tmpfs,target=/tmp,size=1m --mount=type=secret,id=key,env=KEY --mount=type=secret,id=file --mount=type=ssh x ****
                run ["/bin/sh", "-c", "x $KEY"] in /w with ["PATH=/bin", "BASE=1", "T=/t"] on 1
                /w/in / of 2 ro
                /b /a of 0
                /t Cache { id: "/t", from: None, source: "/", sharing: Locked, owner: Bits { mode: None, uid: None, gid: None }, begins: Kept }
                /tmp Tmpfs { size_bytes: Some(1048576) }
                 Secret { id: "key", env: Some("KEY"), required: false, owner: Bits { mode: None, uid: None, gid: None } } ro
                /run/secrets/file Secret { id: "file", env: None, required: false, owner: Bits { mode: None, uid: None, gid: None } } ro
                 Ssh { id: "default", required: false, owner: Bits { mode: None, uid: None, gid: None } } ro
            HOST = 3
                * WORKDIR /w
                  ARG T=/t
                * RUN |1 T=/t /bin/sh -c x $KEY # buildkit
                {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"],"WorkingDir":"/w"}
        "#]],
    );
}

#[test]
fn heredocs_are_scripts_or_go_to_the_shell() {
    check(
        "FROM alpine\nRUN <<EOF\necho a\necho b\nEOF\nRUN <<-PY\n\t#!/bin/py\n\tx\nPY\nRUN cat <<A <<B | tr\na\nA\nb\nB\nCOPY <<one <<two /d/\n$PATH\none\n2\ntwo\n",
        expect![[r##"
            0 [1/5] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for HOST
            1 [2/5] RUN <<EOF (echo a...)
                run ["/bin/sh", "-c", "echo a\necho b\n"] in / with ["PATH=/bin", "BASE=1"] on 0
            2 [3/5] RUN <<-PY (#!/bin/py...)
                run ["/bin/sh", "-c", "/dev/pipes/PY"] in / with ["PATH=/bin", "BASE=1"] on 1
                /dev/pipes/ Script { name: "PY", content: "#!/bin/py\nx\n" } ro
            3 [4/5] RUN cat <<A <<B | tr
                run ["/bin/sh", "-c", "cat <<A <<B | tr\na\nA\nb\nB"] in / with ["PATH=/bin", "BASE=1"] on 2
            4 [5/5] COPY <<one <<two /d/
                copy one = "/bin\n", two = "2\n" to /d/ on 3
            HOST = 4
                * RUN /bin/sh -c echo a
            echo b
             # buildkit
                * RUN /bin/sh -c /dev/pipes/PY # buildkit
                * RUN /bin/sh -c cat <<A <<B | tr
            a
            A
            b
            B # buildkit
                * COPY <<one <<two /d/ # buildkit
                {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
        "##]],
    );
}

#[test]
fn add_takes_from_elsewhere() {
    check(
        "FROM scratch\nADD a.tar b /d/\nADD https://h/x/y.tgz?q=1 /e/\nADD --unpack=true https://h/ /f\n\
         ADD --keep-git-dir=true https://h/a/b.git#v1:sub /g\nADD --chown=1 --chmod=755 c /h\nCOPY --link --parents i/./j /k/\n",
        expect![[r#"
            0 [internal] load build context
                context context
            1 [1/6] ADD a.tar b /d/
                copy a.tar of 0 unpacked, b of 0 unpacked to /d/ on nothing
            2 [2/6] ADD https://h/x/y.tgz?q=1 /e/
                download https://h/x/y.tgz?q=1 as y.tgz None
            3 [2/6] ADD https://h/x/y.tgz?q=1 /e/
                copy download 2 to /e/ on 1
            4 [3/6] ADD --unpack=true https://h/ /f
                download https://h/ as __unnamed__ None
            5 [3/6] ADD --unpack=true https://h/ /f
                copy download 4 to /f on 3
            6 [4/6] ADD --keep-git-dir=true https://h/a/b.git#v1:sub /g
                clone https://h/a/b.git Some("v1") Some("sub")
            7 [4/6] ADD --keep-git-dir=true https://h/a/b.git#v1:sub /g
                copy repository 6 to /g on 5
            8 [5/6] ADD --chown=1 --chmod=755 c /h
                copy c of 0 unpacked to /h chown 1 chmod 755 on 7
            9 [6/6] COPY --link --parents i/./j /k/
                link i/./j of 0 to /k/ on 8
            HOST = 9
                * ADD a.tar b /d/ # buildkit
                * ADD https://h/x/y.tgz?q=1 /e/ # buildkit
                * ADD https://h/ /f # buildkit
                * ADD https://h/a/b.git#v1:sub /g # buildkit
                * ADD --chown=1 --chmod=755 c /h # buildkit
                * COPY --parents i/./j /k/ # buildkit
                {"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"}
        "#]],
    );
}

#[test]
fn triggers_of_images_and_stages_are_pulled() {
    check(
        "FROM trigger AS t\nRUN last\n",
        expect![[r#"
            0 [1/4] FROM docker.io/library/trigger:latest@DIGEST
                image docker.io/library/trigger:latest for HOST
            1 [internal] load build context
                context context
            2 [2/4] ONBUILD COPY . /src
                copy . of 1 to /src on 0
            3 [3/4] ONBUILD RUN make
                run ["/bin/sh", "-c", "make"] in / with ["PATH=/bin", "BASE=1", "T=1"] on 2
            4 [4/4] RUN last
                run ["/bin/sh", "-c", "last"] in / with ["PATH=/bin", "BASE=1", "T=1"] on 3
            HOST = 4
                * COPY . /src # buildkit
                  ENV T=1
                * RUN /bin/sh -c make # buildkit
                * RUN /bin/sh -c last # buildkit
                {"Env":["PATH=/bin","BASE=1","T=1"],"Cmd":["sh"]}
        "#]],
    );
    check(
        "FROM alpine AS base\nONBUILD RUN later\nFROM base\nRUN last\n",
        expect![[r#"
        0 [base 1/1] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        1 [stage-1 1/2] ONBUILD RUN later
            run ["/bin/sh", "-c", "later"] in / with ["PATH=/bin", "BASE=1"] on 0
        2 [stage-1 2/2] RUN last
            run ["/bin/sh", "-c", "last"] in / with ["PATH=/bin", "BASE=1"] on 1
        HOST = 2
            * RUN /bin/sh -c later # buildkit
            * RUN /bin/sh -c last # buildkit
            {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
    "#]],
    );
}

#[test]
fn named_contexts_stand_for_images_and_stages() {
    let mut asked = request();
    asked.named_contexts.insert("alpine".into(), BuildContext::Image("debian:12".into()));
    asked.named_contexts.insert("files".into(), BuildContext::Directory("/x".into()));
    asked.named_contexts.insert("stage".into(), BuildContext::Image("busybox".into()));
    check_with(
        "FROM alpine\nRUN a\nCOPY --from=files a b\nFROM unused AS stage\nRUN not\nFROM files\nCOPY --from=stage c d\nRUN --mount=from=files,target=/m e\n",
        &asked,
        expect![[r#"
            0 [context stage] docker.io/library/busybox:latest
                image docker.io/library/busybox:latest for HOST
            1 [context files] load from client
                context files
            2 [context files] load from client
                copy / of 1 to / on nothing
            3 [stage-2 1/3] COPY --from=stage c d
                copy c of 0 to /d on 2
            4 [stage-2 2/3] RUN --mount=from=files,target=/m e
                run ["/bin/sh", "-c", "e"] in / with ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] on 3
                /m / of 1 ro
            HOST = 4
                * COPY c d # buildkit
                * RUN /bin/sh -c e # buildkit
                {"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"}
        "#]],
    );
    asked.named_contexts.insert("stage".into(), BuildContext::Other("target:x".into()));
    refused_with("FROM x AS stage\n", &asked, expect!["1: unsupported context source target for stage"]);
    asked.named_contexts.insert("stage".into(), BuildContext::Layout("oci-layout:///x:latest".into()));
    check_with(
        "FROM x AS stage\n",
        &asked,
        expect![[r#"
        0 [context stage] OCI load from client
            image oci-layout:///x:latest for HOST
        HOST = 0
            {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
    "#]],
    );
}

#[test]
fn several_platforms_share_what_is_the_same() {
    let mut asked = request();
    asked.platforms = vec!["linux/s390x".parse().unwrap(), "linux/ppc64le".parse().unwrap()];
    check_with(
        "FROM --platform=linux/riscv64 golang AS build\nARG TARGETARCH\nRUN fetch\nRUN make $TARGETARCH\nFROM alpine\nCOPY --from=build /x /\n",
        &asked,
        expect![[r#"
            0 [linux/riscv64 build 1/3] FROM docker.io/library/golang:latest@DIGEST
                image docker.io/library/golang:latest for linux/riscv64
            1 [linux/s390x stage-1 1/2] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for linux/s390x
            2 [linux/riscv64->s390x build 2/3] RUN fetch
                run ["/bin/sh", "-c", "fetch"] in / with ["PATH=/bin", "BASE=1", "TARGETARCH=s390x"] on 0
            3 [linux/riscv64->s390x build 3/3] RUN make s390x
                run ["/bin/sh", "-c", "make $TARGETARCH"] in / with ["PATH=/bin", "BASE=1", "TARGETARCH=s390x"] on 2
            4 [linux/s390x stage-1 2/2] COPY --from=build /x /
                copy /x of 3 to / on 1
            5 [linux/ppc64le stage-1 1/2] FROM docker.io/library/alpine:latest@DIGEST
                image docker.io/library/alpine:latest for linux/ppc64le
            6 [linux/riscv64->ppc64le build 2/3] RUN fetch
                run ["/bin/sh", "-c", "fetch"] in / with ["PATH=/bin", "BASE=1", "TARGETARCH=ppc64le"] on 0
            7 [linux/riscv64->ppc64le build 3/3] RUN make ppc64le
                run ["/bin/sh", "-c", "make $TARGETARCH"] in / with ["PATH=/bin", "BASE=1", "TARGETARCH=ppc64le"] on 6
            8 [linux/ppc64le stage-1 2/2] COPY --from=build /x /
                copy /x of 7 to / on 5
            linux/s390x = 4
                * COPY /x / # buildkit
                {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
            linux/ppc64le = 8
                * COPY /x / # buildkit
                {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"]}
        "#]],
    );
}

#[test]
fn labels_no_cache_and_epochs_are_what_the_caller_says() {
    let mut asked = request();
    asked.labels.insert("l".into(), "v".into());
    asked.no_cache = NoCache::Stages(BTreeSet::from(["B".to_owned()]));
    asked.build_args.insert("SOURCE_DATE_EPOCH".into(), "1".into());
    let text = "FROM alpine AS a\nRUN a\nFROM a AS b\nARG SOURCE_DATE_EPOCH\nRUN b\n";
    check_with(
        text,
        &asked,
        expect![[r#"
        0 [a 1/2] FROM docker.io/library/alpine:latest@DIGEST
            image docker.io/library/alpine:latest for HOST
        1 [a 2/2] RUN a
            run ["/bin/sh", "-c", "a"] in / with ["PATH=/bin", "BASE=1"] on 0
        2 [b 1/1] RUN b
            run ["/bin/sh", "-c", "b"] in / with ["PATH=/bin", "BASE=1", "SOURCE_DATE_EPOCH=1"] on 1 anew
        HOST = 2
            * RUN /bin/sh -c a # buildkit
              ARG SOURCE_DATE_EPOCH=1
            * RUN |1 SOURCE_DATE_EPOCH=1 /bin/sh -c b # buildkit
            {"Env":["PATH=/bin","BASE=1"],"Cmd":["sh"],"Labels":{"l":"v"}}
    "#]],
    );
    let plan = planned(text, &asked).unwrap();
    assert_eq!(plan.targets[0].created.to_string(), "1970-01-01T00:00:01Z");
    let plan = planned(text, &request()).unwrap();
    assert_eq!(plan.targets[0].created.to_string(), "2020-01-01T00:00:00Z");
}

#[test]
fn what_cannot_be_is_refused_where_it_stands() {
    refused(
        "FROM scratch AS build\nCOPY --from=later a b\nFROM scratch AS later\nFROM build\n",
        expect![[r#"2: cannot copy from stage "later", it needs to be defined before current stage "build""#]],
    );
    refused(
        "FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y\n",
        expect!["2,4: circular dependency detected on stage: a"],
    );
    refused("FROM scratch\nCOPY --from=7 a b\n", expect!["2: invalid stage index 7"]);
    refused(
        "FROM scratch AS w\nRUN --mount=from=x,target=/m y\nFROM scratch AS x\nFROM w\n",
        expect![[r#"2: cannot mount from stage "x" to "/m", stage needs to be defined before current command"#]],
    );
    refused("FROM scratch\nRUN --mount=target=/ y\n", expect![[r#"2: invalid mount target "/""#]]);
    refused("FROM ubunut\n", expect!["1: docker.io/library/ubunut:latest: not found (did you mean ubuntu?)"]);
    refused(
        "FROM Nope\n",
        expect![[
            r#"1: failed to parse stage name "Nope": invalid reference format: repository name (Nope) must be lowercase"#
        ]],
    );
    refused("FROM $NONE\n", expect!["1: base name ($NONE) should not be blank"]);
    refused(
        "FROM --platform=$TARGETPLATFROM alpine\n",
        expect!["1: empty platform value from expression $TARGETPLATFROM (did you mean TARGETPLATFORM?)"],
    );
    refused(
        "FROM --platform=a/b/c/d alpine\n",
        expect![[
            r#"1: failed to parse platform a/b/c/d: "a/b/c/d": unknown operating system or architecture: invalid argument"#
        ]],
    );
    refused("FROM scratch\n\nSTOPSIGNAL NOPE\n", expect!["3: invalid signal: NOPE"]);
    refused("FROM scratch\nEXPOSE 99999\n", expect!["2: invalid containerPort: 99999"]);
    refused(
        "FROM scratch\nENV A=${B:?must be set}\n",
        expect![[
            r#": dockerfile parse error on line 2: Syntax error - can't find = in "be". Must be of the form: name=value"#
        ]],
    );
    refused(
        "FROM scratch\nCOPY --chmod=99999 a b\n",
        expect!["2: invalid chmod parameter: '99999'. it should be octal string and between 0 and 07777"],
    );
    refused("FROM scratch\nCOPY https://h/x b\n", expect!["2: source can't be a URL for COPY"]);
    refused(
        "FROM scratch\nADD --checksum=sha256:1 https://h/x b\n",
        expect![[r#"2: invalid digest format: "sha256:1""#]],
    );
    refused_with(
        "FROM scratch AS build\nFROM scratch AS test\n",
        &Request { target: Some("biuld".into()), ..request() },
        expect![[r#": target stage "biuld" could not be found (did you mean build?)"#]],
    );
    let mut asked = request();
    asked.build_args.insert("SOURCE_DATE_EPOCH".into(), "today".into());
    refused_with("FROM scratch\n", &asked, expect![": invalid SOURCE_DATE_EPOCH: today"]);
}

#[test]
fn the_epoch_is_a_number_or_that_of_something_elsewhere() {
    let epoch = |text: &str, value: &str| {
        let mut asked = request();
        asked.named_contexts.insert("named".into(), BuildContext::Url("https://h/x.tar".into()));
        asked.named_contexts.insert("image".into(), BuildContext::Image("alpine".into()));
        if !value.is_empty() {
            asked.build_args.insert("SOURCE_DATE_EPOCH".into(), value.into());
        }
        let plan = planned(text, &asked).unwrap_or_else(|error| panic!("{error}"));
        let said = plan.steps.iter().find_map(|step| {
            let What::Run(run) = &step.what else { return None };
            run.env.iter().find(|line| line.starts_with("SOURCE")).cloned()
        });
        format!("{:?} {said:?}", plan.targets[0].epoch.map(Time::seconds))
    };
    let stage = |default: &str, add: &str| {
        format!(
            "ARG V=1\nARG SOURCE_DATE_EPOCH={default}\nFROM scratch AS Source\nARG V=2\n{add}\nFROM alpine\nARG SOURCE_DATE_EPOCH\nRUN x\n"
        )
    };
    let http = stage("source", "ADD https://h/$V.tar /");
    assert_eq!(epoch(&http, ""), r#"Some(1700000402) Some("SOURCE_DATE_EPOCH=1700000402")"#);
    assert_eq!(epoch(&http, "-7"), r#"Some(-7) Some("SOURCE_DATE_EPOCH=-7")"#);
    assert_eq!(
        epoch(&stage("", "ADD https://h/x.git /"), "SOURCE"),
        "Some(1700000101) Some(\"SOURCE_DATE_EPOCH=1700000101\")"
    );
    // What has no time leaves it unset, whoever named it.
    for value in ["context", "named", "image"] {
        assert_eq!(epoch(&stage(value, "RUN y"), ""), "None None");
        assert_eq!(epoch(&stage("5", "RUN y"), value), "None None");
    }
    let refused_stage = |add: &str, is: Expect| refused(&stage("source", add), is);
    refused_stage("ADD https://h/nope.tar /", expect![": https://h/nope.tar: not found"]);
    refused_stage(
        "COPY a b",
        expect!["3: SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported copy instruction"],
    );
    refused_stage("ADD a b", expect!["3: SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD"]);
    refused_stage(
        "ADD https://h/x https://h/y /",
        expect!["3: SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source"],
    );
    refused_stage(
        "ADD https://h/x /\nADD https://h/y /",
        expect!["3: SOURCE_DATE_EPOCH stage must contain exactly one remote ADD"],
    );
    refused_stage("ARG A", expect!["3: SOURCE_DATE_EPOCH stage must contain exactly one remote ADD"]);
    refused(
        "ARG SOURCE_DATE_EPOCH=s\nFROM alpine AS s\nADD https://h/x /\nFROM s\n",
        expect!["2: SOURCE_DATE_EPOCH stage must use FROM scratch"],
    );
    refused(
        "ARG SOURCE_DATE_EPOCH=9999999999999\nFROM scratch\n",
        expect![": invalid SOURCE_DATE_EPOCH: 9999999999999"],
    );
}

#[test]
fn many_stages_are_no_deep_calls() {
    let mut text = String::from("FROM scratch AS s0\n");
    for at in 1..1000 {
        writeln!(text, "FROM scratch AS s{at}\nCOPY --from=s{} a b", at - 1).unwrap();
    }
    assert_eq!(planned(&text, &request()).unwrap().steps.len(), 999);
}

#[test]
fn metadata_of_images_is_asked_for_by_name() {
    let images = Images::default();
    let file = crate::dockerfile::parse(b"FROM alpine AS a\nFROM unused\nFROM a\nCOPY --from=busybox:1 x y\n").unwrap();
    plan(&file, &request(), &images).unwrap();
    expect![[r#"
        [internal] load metadata for docker.io/library/alpine:latest
        [internal] load metadata for docker.io/library/busybox:1"#]]
    .assert_eq(&images.0.borrow().join("\n"));
}

#[test]
fn a_small_file_does_not_make_a_large_plan() {
    let ports = "EXPOSE 0-65535\n".repeat(1000);
    refused(
        &format!("FROM scratch\n{ports}"),
        expect!["54: the history and variables of this Dockerfile take more than 32 MB"],
    );
    let big = "a".repeat(60_000);
    let runs = "RUN x\n".repeat(5000);
    refused(
        &format!("FROM alpine\nENV A={big}\n{runs}"),
        expect!["555: the history and variables of this Dockerfile take more than 32 MB"],
    );
    let stages: String = (1..1000).map(|at| format!("FROM s{} AS s{at}\nENV A{at}=x\n", at - 1)).collect();
    refused(
        &format!("FROM scratch AS s0\n{stages}"),
        expect!["882: the history and variables of this Dockerfile take more than 32 MB"],
    );
}

proptest::proptest! {
    #[test]
    fn any_words_are_planned_or_refused(
        words in proptest::collection::vec(
            "(COPY|ADD|RUN|ENV|ARG|EXPOSE|USER|WORKDIR|FROM|LABEL|VOLUME|ONBUILD RUN|STOPSIGNAL|SHELL) ?[-a-z0-9$:/.@#=\\[\\],{}\" ]{0,24}",
            1..8,
        ),
    ) {
        let _ = planned(&format!("FROM alpine AS a\n{}\n", words.join("\n")), &request()).map(|plan| show(&plan));
    }

    #[test]
    fn any_source_is_a_repository_or_none(text in "[-a-z0-9:/.@#=?&]{0,40}") {
        let _ = super::git::parse(&text);
        let _ = super::ports::parse(&text);
    }
}
