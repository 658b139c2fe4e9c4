//! What is done again, and what is not.

use expect_test::expect;

use super::*;

const DOCKERFILE: &str = "FROM busybox\nCOPY a /a\nRUN cat /a > /made\nCOPY b /b\n";

#[test]
fn a_second_build_does_nothing_and_gives_the_same_image() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "1"), ("b", "1")]);
    let first = image(&kist, &[], &dir);
    let out = build(&kist, &[], &dir);
    expect![[r#"
        [
            "[2/4] COPY a /a: CACHED",
            "[3/4] RUN cat /a > /made: CACHED",
            "[4/4] COPY b /b: CACHED",
        ]
    "#]]
    .assert_debug_eq(&steps(&out));
    assert_eq!(image(&kist, &[], &dir), first);
}

#[test]
fn a_context_that_was_copied_or_touched_is_the_same() {
    let kist = busybox();
    let files = [("Dockerfile", DOCKERFILE), ("a", "1"), ("b", "1")];
    let first = image(&kist, &[], &context(&kist, "one", &files));
    // Other times, another place, another inode.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let out = build(&kist, &[], &context(&kist, "elsewhere", &files));
    assert!(steps(&out).iter().all(|step| step.ends_with("CACHED")), "{:?}", steps(&out));
    assert_eq!(image(&kist, &[], &context(&kist, "elsewhere", &files)), first);
}

#[test]
fn a_changed_file_does_again_what_follows_from_it() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "1"), ("b", "1")]);
    image(&kist, &[], &dir);
    kist.scratch().write("ctx/b", "2");
    let done = |out: &Output| steps(out).into_iter().filter(|step| step.ends_with("DONE")).collect::<Vec<_>>();
    expect![[r#"
        [
            "[4/4] COPY b /b: DONE",
        ]
    "#]]
    .assert_debug_eq(&done(&build(&kist, &[], &dir)));
    kist.scratch().write("ctx/unused", "2");
    let out = build(&kist, &[], &dir);
    assert!(done(&out).is_empty(), "{:?}", steps(&out));
}

#[test]
fn a_step_that_makes_the_same_bytes_disturbs_nothing() {
    let kist = busybox();
    let text = |comment: &str| format!("FROM busybox\nRUN echo same > /f; : {comment}\nRUN cat /f > /g\n");
    image_of(&kist, &[], &text("one"));
    let out = build_text(&kist, &[], &text("two"));
    let last = steps(&out).into_iter().find(|step| step.contains("RUN cat")).unwrap();
    assert!(last.ends_with("CACHED"), "{:?}", steps(&out));
}

#[test]
fn no_cache_does_all_anew_and_a_filter_one_stage() {
    let kist = busybox();
    let text = "FROM busybox AS one\nRUN echo 1 > /f\nFROM busybox\nRUN echo 2 > /g\nCOPY --from=one /f /f\n";
    image_of(&kist, &[], text);
    let out = build_text(&kist, &["--no-cache"], text);
    let runs = |out: &Output| steps(out).into_iter().filter(|step| step.contains("RUN")).collect::<Vec<_>>();
    assert!(runs(&out).iter().all(|step| step.ends_with("DONE")), "{:?}", runs(&out));
    let out = build_text(&kist, &["--no-cache-filter", "one"], text);
    let ends: Vec<bool> = runs(&out).iter().map(|step| step.ends_with("DONE")).collect();
    assert_eq!(ends, [true, false], "{:?}", runs(&out));
    let out = build_text(&kist, &["--no-cache", "--no-cache-filter", "one"], text);
    assert!(out.stderr.contains("--no-cache and --no-cache-filter cannot currently be used together"));
}

#[test]
fn two_builds_of_one_thing_do_it_once() {
    let kist = busybox();
    let dir = context(
        &kist,
        "ctx",
        &[(
            "Dockerfile",
            "FROM busybox\nRUN --mount=type=cache,target=/c sleep 0.5; echo x >> /c/times; wc -l < /c/times > /n\n",
        )],
    );
    let both = ["one", "two"].map(|name| kist.spawn(&["build", "-q", "-t", name, &dir]));
    let both = both.map(|running| running.wait());
    assert!(both.iter().all(|out| out.code == 0), "{both:?}");
    assert_eq!(both[0].stdout, both[1].stdout);
    assert_eq!(within(&kist, "one", "cat /n"), "1");
}

#[test]
fn two_engines_give_one_image() {
    let files =
        [("Dockerfile", "FROM busybox\nCOPY . /c\nRUN mkdir /d && echo x > /d/f\nENV A=b\n"), ("x/y", "1"), ("z", "2")];
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let kist = busybox();
            image(&kist, &[], &context(&kist, "ctx", &files))
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn the_cache_is_shown_and_removed() {
    let kist = busybox();
    image_of(&kist, &["-t", "kept"], "FROM busybox\nRUN echo kept > /f\n");
    image_of(&kist, &["-o", "type=cacheonly"], "FROM busybox\nRUN echo lost > /f\n");
    let rows = |kist: &Kist| kist.ok(&["builder", "du"]).lines().filter(|line| line.contains("ago")).count();
    assert_eq!(rows(&kist), 2);
    assert!(kist.ok(&["builder", "du", "--verbose"]).contains("Description:  [2/2] RUN echo lost > /f"));
    let df = kist.ok(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"]);
    assert!(df.contains("Build Cache 2 1"), "{df}");
    kist.ok(&["builder", "prune", "-f"]);
    assert_eq!(rows(&kist), 1, "what an image has stays");
    kist.ok(&["system", "prune", "-f", "-a"]);
    assert_eq!(rows(&kist), 0);
}
