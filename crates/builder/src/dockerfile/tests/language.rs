use expect_test::{Expect, expect};

use super::super::ast::{Command, Dockerfile, Escape, Instruction, Word};
use super::super::env::Environment;
use super::super::mount::{Mount, Owner, Sharing};
use super::super::words::Variables;
use super::super::{parse, parse_trigger, syntax};

fn read(text: &str) -> Dockerfile {
    parse(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// One instruction behind a `FROM`, as a value.
fn instruction(line: &str) -> Instruction {
    read(&format!("FROM x\n{line}\n")).stages.remove(0).instructions.remove(0).value
}

fn check(line: &str, want: Expect) {
    want.assert_eq(&format!("{:?}", instruction(line)));
}

fn expanded(line: &str, env: &[(&str, &str)]) -> String {
    let env = Environment::of_pairs(env.iter().map(|(name, value)| format!("{name}={value}"))).unwrap();
    match instruction(line).expand(&mut Variables::new(Escape::Backslash, &env)) {
        Ok(instruction) => format!("{instruction:?}"),
        Err(fault) => format!("error: {fault}"),
    }
}

#[test]
fn each_instruction_is_read() {
    check(
        "ADD --chown=$U --link --checksum=sha256:x --keep-git-dir=true --unpack=false --exclude=a --exclude=b x y /",
        expect![[
            r#"Add(Add { sources: Sources { paths: [Word("x"), Word("y")], inline: [] }, dest: Word("/"), how: CopyFlags { chown: Some(Word("$U")), chmod: None, link: true, exclude: ["a", "b"] }, checksum: Some(Word("sha256:x")), keep_git_dir: Some(true), unpack: Some(false) })"#
        ]],
    );
    check(
        "ARG a=1 b c=\"d e\"",
        expect![[
            r#"Arg([Arg { name: Word("a"), default: Some(Word("1")), doc: "" }, Arg { name: Word("b"), default: None, doc: "" }, Arg { name: Word("c"), default: Some(Word("\"d e\"")), doc: "" }])"#
        ]],
    );
    check("CMD echo  hi", expect![[r#"Cmd(Shell("echo  hi"))"#]]);
    check("CMD", expect![[r#"Cmd(Shell(""))"#]]);
    check("ENTRYPOINT [\"a\", \"b\"]", expect![[r#"Entrypoint(Exec(["a", "b"]))"#]]);
    check(
        "COPY --from=a --parents --chmod=0755 [\"a b\", \"c\"]",
        expect![[
            r#"Copy(Copy { from: Some("a"), sources: Sources { paths: [Word("a b")], inline: [] }, dest: Word("c"), how: CopyFlags { chown: None, chmod: Some(Word("0755")), link: false, exclude: [] }, parents: true })"#
        ]],
    );
    check(
        "ENV a=1 b='x y' c=\"$d\"",
        expect![[
            r#"Env([Pair { name: Word("a"), value: Word("1"), form: Equals }, Pair { name: Word("b"), value: Word("'x y'"), form: Equals }, Pair { name: Word("c"), value: Word("\"$d\""), form: Equals }])"#
        ]],
    );
    check("ENV a b  c", expect![[r#"Env([Pair { name: Word("a"), value: Word("b  c"), form: Legacy }])"#]]);
    check("EXPOSE 80/tcp $P 443", expect![[r#"Expose([Word("$P"), Word("443"), Word("80/tcp")])"#]]);
    check(
        "HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=3 CMD curl x",
        expect![[
            r#"Healthcheck(Healthcheck { test: ["CMD-SHELL", "curl x"], interval: 90000000000, timeout: 1500000000, start_period: 0, start_interval: 0, retries: 3 })"#
        ]],
    );
    check(
        "HEALTHCHECK none",
        expect![[
            r#"Healthcheck(Healthcheck { test: ["NONE"], interval: 0, timeout: 0, start_period: 0, start_interval: 0, retries: 0 })"#
        ]],
    );
    check("LABEL a.b=c", expect![[r#"Label([Pair { name: Word("a.b"), value: Word("c"), form: Equals }])"#]]);
    check("MAINTAINER Jo <jo@x>", expect![[r#"Maintainer("Jo <jo@x>")"#]]);
    check(
        "ONBUILD  COPY . /x",
        expect![[
            r#"Onbuild(Onbuild { expression: "COPY . /x", instruction: Copy(Copy { from: None, sources: Sources { paths: [Word(".")], inline: [] }, dest: Word("/x"), how: CopyFlags { chown: None, chmod: None, link: false, exclude: [] }, parents: false }) })"#
        ]],
    );
    check(
        "RUN --network=none --security=insecure --device=vendor.com/x=y,required ls",
        expect![[
            r#"Run(Run { command: Shell("ls"), heredocs: [], mounts: [], network: None, security: Insecure, devices: [Device { name: "vendor.com/x=y", required: true }] })"#
        ]],
    );
    check("SHELL [\"a\"]", expect![[r#"Shell(["a"])"#]]);
    check("STOPSIGNAL 9", expect![[r#"Stopsignal(Word("9"))"#]]);
    check("USER $u", expect![[r#"User(Word("$u"))"#]]);
    check("VOLUME /a  /b", expect![[r#"Volume([Word("/a"), Word("/b")])"#]]);
    check("WORKDIR /a b", expect![[r#"Workdir(Word("/a b"))"#]]);
}

#[test]
fn a_stage_has_a_name_a_platform_and_what_is_said_of_it() {
    let file = read(
        "# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\n# v the version\nARG v=1\n#\n# not this\n# base is first\nfrom --platform=$BUILDPLATFORM x:$v As Base\nrun a `\n # no\n b\n",
    );
    assert_eq!(file.directives.syntax.map(|said| (said.value, said.line)), Some(("docker/dockerfile:1".to_owned(), 1)));
    assert_eq!(file.directives.check.map(|said| (said.value, said.line)), Some(("skip=all".to_owned(), 2)));
    assert_eq!(file.directives.escape, Escape::Backtick);
    assert_eq!(file.global_args[0].value[0].doc, "the version");
    let stage = &file.stages[0];
    expect![[r#"Spanned { value: From { base: Word("x:$v"), platform: Some(Word("$BUILDPLATFORM")), name: Some("base"), as_written: Some(("As", "Base")), doc: "is first" }, keyword: "from", original: "from --platform=$BUILDPLATFORM x:$v As Base", span: Span { start: 110, end: 153, first_line: 9, last_line: 9 }, comments: ["not this", "base is first"] }"#]].assert_eq(&format!("{:?}", stage.from));
    expect![[r#"Spanned { value: Run(Run { command: Shell("a  b"), heredocs: [], mounts: [], network: Default, security: Sandbox, devices: [] }), keyword: "run", original: "run a  b", span: Span { start: 154, end: 170, first_line: 10, last_line: 12 }, comments: [] }"#]].assert_eq(&format!("{:?}", stage.instructions[0]));
}

#[test]
fn comments_above_describe_arguments() {
    let file = read("FROM x\n# bar defines bar\n# baz is something else\nARG bar baz=123\n");
    let Instruction::Arg(args) = &file.stages[0].instructions[0].value else { panic!() };
    assert_eq!((args[0].doc.as_str(), args[1].doc.as_str()), ("defines bar", "is something else"));
}

/// BuildKit's own table of heredocs.
#[test]
fn heredocs_are_found() {
    let none = &[][..];
    for (text, want) in [
        ("RUN <<EMPTY\nEMPTY", &[("EMPTY", "", true, false, 0)][..]),
        ("RUN 3<<E\nE", &[("E", "", true, false, 3)]),
        ("RUN \"<<NOHEREDOC\"", none),
        ("RUN [\"<<EOF\"]", none),
        ("RUN <<<EOF", none),
        ("RUN <<INDENT\n\tfoo\n\tbar\nINDENT", &[("INDENT", "\tfoo\n\tbar\n", true, false, 0)]),
        ("RUN <<-U\n\tbaz\n\tU", &[("U", "\tbaz\n", true, true, 0)]),
        ("RUN <<-'N'\n\tdon't $NAME\nN", &[("N", "\tdon't $NAME\n", false, true, 0)]),
        ("RUN <<C\n# inside\nx \\\nC", &[("C", "# inside\nx \\\n", true, false, 0)]),
        ("RUN --mount=type=cache,target=/foo <<M\nhello\nM", &[("M", "hello\n", true, false, 0)]),
        ("COPY <<X <<Y /dest\nY\nX\nX\nY", &[("X", "Y\n", true, false, 0), ("Y", "X\n", true, false, 0)]),
        ("RUN <<eo'f'\nx\neof", &[("eof", "x\n", false, false, 0)]),
        ("RUN <<eo\\'f\nx\neo'f", &[("eo'f", "x\n", true, false, 0)]),
        ("RUN <<'e'o\\'f\nx\neo'f", &[("eo'f", "x\n", false, false, 0)]),
        ("RUN <<'one two'\nx\none two", &[("one two", "x\n", false, false, 0)]),
        ("RUN <<$EOF\n$EOF", &[("$EOF", "", true, false, 0)]),
        ("RUN <<  EOF  > foo\nEOF", &[("EOF", "", true, false, 0)]),
        ("RUN <<EOF\r\na\r\nEOF\r\n", &[("EOF", "a\r\n", true, false, 0)]),
    ] {
        let text = format!("FROM x\n{text}\nUSER last");
        let source = super::super::source::read(text.as_bytes());
        let got: Vec<_> = source.statements[1]
            .heredocs
            .iter()
            .map(|doc| (doc.name.as_str(), doc.content.as_str(), doc.expand, doc.chomp, doc.fd))
            .collect();
        assert_eq!(got, want, "{text}");
        assert_eq!(source.statements[2].text.text, "USER last", "{text}");
    }
}

#[test]
fn heredocs_are_the_files_of_a_copy() {
    check(
        "COPY <<a.txt x <<-'B' /dest/\n\thello $X\na.txt\n\tthere\nB",
        expect![[
            r#"Copy(Copy { from: None, sources: Sources { paths: [Word("x")], inline: [Inline { name: "a.txt", content: Word("\thello $X\n"), expand: true }, Inline { name: "B", content: Word("there\n"), expand: false }] }, dest: Word("/dest/"), how: CopyFlags { chown: None, chmod: None, link: false, exclude: [] }, parents: false })"#
        ]],
    );
    let line = "COPY <<A <<'B' $D\n\"$X\" '$X' \\$X\nA\n$X\nB";
    expect![[r#"Copy(Copy { from: None, sources: Sources { paths: [], inline: [Inline { name: "A", content: "\"1\" '1' $X\n", expand: true }, Inline { name: "B", content: "$X\n", expand: false }] }, dest: "/d", how: CopyFlags { chown: None, chmod: None, link: false, exclude: [] }, parents: false })"#]].assert_eq(&expanded(line, &[("X", "1"), ("D", "/d")]));
}

#[test]
fn an_instruction_for_later_is_kept_with_its_heredoc() {
    let Instruction::Onbuild(onbuild) = instruction("ONBUILD RUN <<A sh\necho $X\nA") else { panic!() };
    assert_eq!(onbuild.expression, "RUN <<A sh\necho $X\nA");
    assert_eq!(parse_trigger(&onbuild.expression), Ok(*onbuild.instruction));
    assert!(parse_trigger("RUN a\nRUN b").is_err());
    assert_eq!(parse_trigger("USER a"), Ok(Instruction::User(Word("a".to_owned()))));
}

#[test]
fn words_get_their_values_when_they_are_expanded() {
    let env = [("A", "a b"), ("N", "8080 9090"), ("E", "")];
    expect![[r#"
        Env([Pair { name: "x", value: "a b", form: Equals }, Pair { name: "a b", value: "y", form: Equals }])
        Expose(["8080", "9090", "1"])
        User("a b")
        Volume(["/a b"])
        error: failed to process "${Z:?no}": Z: no
        Cmd(Shell("$A"))
        Arg([Arg { name: Word("x"), default: Some(Word("$A")), doc: "" }])
        Label([Pair { name: "a b", value: "$A", form: Legacy }])"#]]
    .assert_eq(
        &[
            "ENV x=$A $A=y",
            "EXPOSE $N 1",
            "USER \"$A\"$Z",
            "VOLUME [\"/$A\"]",
            "WORKDIR ${Z:?no}",
            "CMD $A",
            "ARG x=$A",
            "LABEL $A '$A'",
        ]
        .map(|line| expanded(line, &env))
        .join("\n"),
    );
}

const MOUNTS: &str = "target=/x,from=a,src=/y,rw
type=bind,target=/x,ro=false
type=tmpfs,target=/x,size=64m
type=tmpfs,target=/x,size=1.5GiB,ro
type=cache,target=/x,sharing=locked,mode=0700,uid=1,gid=2,ro
type=ssh,required,mode=0666
type=secret,id=a,required=1
type=seret,id=a
type=cache,shring=x,target=/x
type=cache,sharing=loked,target=/x
type=bind,mode=1,target=/x
type=bind,required,target=/x
type=cache,size=1,target=/x
type=tmpfs,size=x
type=secret
type=secret,id=a,source=b
type=secret,id=a,from=b
type=bind,sharing=shared,target=/x
type=cache,mode=9,target=/x
type=cache,target
type=cache,ro=2,target=/x";

#[test]
fn mounts_are_read_when_they_are_expanded() {
    let mount = |text: &str| {
        let Instruction::Run(run) = instruction(&format!("RUN --mount={text} x")) else { panic!() };
        let env = Environment::of_pairs(["T=cache"]).unwrap();
        run.mounts[0].expand(&mut Variables::new(Escape::Backslash, &env)).map_err(|fault| fault.to_string())
    };
    let cache = |id: &str, target: &str| Mount::Cache {
        id: id.to_owned(),
        from: None,
        source: String::new(),
        target: target.to_owned(),
        read_only: false,
        sharing: Sharing::Shared,
        owner: Owner::default(),
    };
    assert_eq!(mount("type=cache,target=/a//b/"), Ok(cache("/a/b", "/a//b/")));
    assert_eq!(mount("type=$T,dst=/a,id=i"), Ok(cache("i", "/a")));
    let secret = |id: &str, target: Option<&str>, env: Option<&str>| Mount::Secret {
        id: id.to_owned(),
        target: target.map(str::to_owned),
        env: env.map(str::to_owned),
        required: false,
        owner: Owner::default(),
    };
    assert_eq!(mount("type=secret,id=a"), Ok(secret("a", Some("/run/secrets/a"), None)));
    assert_eq!(mount("type=secret,target=/x/y"), Ok(secret("y", Some("/x/y"), None)));
    assert_eq!(mount("type=secret,src=a,env=B"), Ok(secret("a", None, Some("B"))));
    let mut said = String::new();
    for text in MOUNTS.lines() {
        said += &match mount(text) {
            Ok(mount) => format!("{mount:?}\n"),
            Err(fault) => format!("{fault}\n"),
        };
    }
    expect![[r#"
        Bind { from: Some("a"), source: "/y", target: "/x", read_only: false }
        Bind { from: None, source: "", target: "/x", read_only: false }
        Tmpfs { target: "/x", read_only: false, size_bytes: Some(67108864) }
        Tmpfs { target: "/x", read_only: true, size_bytes: Some(1610612736) }
        Cache { id: "/x", from: None, source: "", target: "/x", read_only: true, sharing: Locked, owner: Owner { mode: Some(448), uid: Some(1), gid: Some(2) } }
        Ssh { id: "default", target: None, required: true, owner: Owner { mode: Some(438), uid: None, gid: None } }
        Secret { id: "a", target: Some("/run/secrets/a"), env: None, required: true, owner: Owner { mode: None, uid: None, gid: None } }
        unsupported mount type "seret" (did you mean secret?)
        unexpected key 'shring' in 'shring=x' (did you mean sharing?)
        unsupported sharing value "loked" (did you mean locked?)
        mode not allowed for "bind" type mounts
        unexpected key 'required' for mount type 'bind'
        unexpected key 'size' for mount type 'cache'
        invalid value for size: x
        invalid secret mount. one of source, target required
        both source and id can't be set
        secret mount should not have a from
        invalid cache sharing set for bind mount
        invalid value 9 for mode
        invalid field 'target' must be a key=value pair
        invalid value for ro: 2
    "#]].assert_eq(&said);
}

#[test]
fn a_command_has_two_forms() {
    for (line, want) in [
        ("CMD [\"a\"]", Command::Exec(vec!["a".to_owned()])),
        ("CMD []", Command::Exec(Vec::new())),
        ("CMD ['a']", Command::Shell("['a']".to_owned())),
        ("CMD [\"a\"] b", Command::Shell("[\"a\"] b".to_owned())),
    ] {
        assert_eq!(instruction(line), Instruction::Cmd(want), "{line}");
    }
}

#[test]
fn empty_lines_among_continuation_lines_are_noted() {
    let file = read("FROM x\nRUN a \\\n\n  b \\\n\n\n  c\nRUN a \\\n# comment\n  b\nRUN x\\\n \ny");
    assert_eq!(file.empty_continuations, [7, 13]);
    assert_eq!(file.stages[0].instructions[0].original, "RUN a   b   c");
    assert_eq!(file.stages[0].instructions[2].original, "RUN xy");
}

#[test]
fn spans_are_bytes_of_the_text() {
    let text = "\u{feff}# é\nFROM x\r\n\n  RUN <<A\nb\nA\nUSER c";
    let file = read(text);
    let at = |span: super::super::ast::Span| &text[span.start..span.end];
    assert_eq!(at(file.stages[0].from.span), "FROM x");
    let spans: Vec<&str> = file.stages[0].instructions.iter().map(|instruction| at(instruction.span)).collect();
    assert_eq!(spans, ["RUN <<A\nb\nA\n", "USER c"]);
}

#[test]
fn a_file_may_name_who_reads_it() {
    for (text, want) in [
        ("# syntax=a/b:1 c\nFROM x", Some(("a/b:1", 1))),
        ("\u{feff}#check=skip=all\n#Syntax = a\n", Some(("a", 2))),
        ("#!/usr/bin/x\n# syntax=a\n", Some(("a", 2))),
        ("//syntax=a\nanything", Some(("a", 1))),
        ("{\"syntax\": \"a\", \"b\": [1]}", Some(("a", 1))),
        ("\n# syntax=a\n", None),
        ("# a comment\n# syntax=a\n", None),
        ("# unknown=1\n# syntax=a\n", None),
        ("{\"syntax\": 1}", None),
        ("", None),
    ] {
        assert_eq!(syntax(text.as_bytes()), want.map(|(image, line): (&str, u32)| (image.to_owned(), line)), "{text}");
    }
    let file = read("#!/usr/bin/x\n# check=skip=all\n# escape=`\nFROM x\nRUN a \\\n b\n");
    assert!(file.directives.check.is_some());
    assert_eq!(file.directives.escape, Escape::Backslash);
}
