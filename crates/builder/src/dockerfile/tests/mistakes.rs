use expect_test::{Expect, expect};
use proptest::prelude::{any, prop, proptest};

use super::super::{fuzz, parse};

/// What is said of a text, and shown.
fn check(text: &str, want: Expect) {
    let mistakes = parse(text.as_bytes()).expect_err("it is wrong");
    let lines: Vec<String> = mistakes
        .0
        .iter()
        .map(|mistake| format!("{}:{} {mistake}", mistake.at.first_line, mistake.column(text.as_bytes())))
        .collect();
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn all_mistakes_of_a_file_are_found_each_with_its_place() {
    check(
        "FROM alpine\nCOPPY a b\nRUN --mout=type=cache,target=/x true\nENV A\nCOPY --from=a \\\n  --chwon=1 \\\n  x y\nUSER\nFROM x AS 1a\nRUN x\nWORKDIR a\n",
        expect![[r#"
            2:1 dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)
            3:5 dockerfile parse error on line 3: unknown flag: --mout (did you mean mount?)
            4:1 dockerfile parse error on line 4: ENV must have two arguments
            6:3 dockerfile parse error on line 5: unknown flag: --chwon (did you mean chown?)
            8:1 dockerfile parse error on line 8: USER requires exactly one argument
            9:11 dockerfile parse error on line 9: invalid name for build stage: "1a", name can't start with a number or contain symbols"#]],
    );
}

#[test]
fn the_place_is_shown_in_its_lines() {
    let text = "FROM alpine\n\nRUN echo \\\n\té && \\\n\tx\nCOPY --chwon=é a b\nCMD x\n";
    let mistakes = parse(text.as_bytes()).unwrap_err();
    expect![[r#"
        Dockerfile:6
        --------------------
           4 |     	é && \
           5 |     	x
           6 | >>> COPY --chwon=é a b
             |          ^^^^^^^^^
           7 |     CMD x
           8 |     
        --------------------
        dockerfile parse error on line 6: unknown flag: --chwon (did you mean chown?)
    "#]]
    .assert_eq(&mistakes.0[0].show("Dockerfile", text.as_bytes()));
}

/// One instruction a line; `⏎` stands for the end of one.
const WRONG: &str = r#"MAINTAINER
WORKDIR
USER
STOPSIGNAL
ENV
LABEL
ONBUILD
HEALTHCHECK
EXPOSE
VOLUME
ARG
SHELL
SHELL sh -c
ADD a
COPY a
COPY ["a"]
COPY x <<EOF⏎EOF
RUN <<EOF⏎x
RUN <<'EOF⏎
ENV a=b c
ENV =x
ARG =x
LABEL a
VOLUME [" "]
CMD [ "a", 1 ]
ONBUILD FROM x
ONBUILD ONBUILD RUN x
ONBUILD MAINTAINER x
ONBUILD RUNN x
MAINTAINER --boo joe
HEALTHCHECK NONE x
HEALTHCHECK CMD
HEALTHCHECK RUN x
HEALTHCHECK --interval=50ns CMD x
HEALTHCHECK --timeout=5 CMD x
HEALTHCHECK --timeout=5x CMD x
HEALTHCHECK --retries=x CMD x
HEALTHCHECK --retries=-1 CMD x
HEALTHCHECK --retries=5000000000 CMD x
COPY --link=maybe a b
COPY --link= a b
COPY --from a b
COPY --from=a --from=b a b
FROM a b
FROM a AS b c
FROM
RUN --network=x y
RUN --network= y
RUN --security=x y
RUN --mount=from=$x y
RUN --mount="a"b y
RUN --mount='"a' y
RUN --device=a,b y
RUN --device=a,requird=1 y
RUN --device=name=a,name=b y
foo bar
\"#;

#[test]
fn each_instruction_says_what_it_needs() {
    let mut said = String::new();
    for line in WRONG.lines() {
        let text = format!("FROM x\n{}\n", line.replace('⏎', "\n"));
        match parse(text.as_bytes()) {
            Ok(_) => said += &format!("{line:?} is right\n"),
            Err(mistakes) => said += &format!("{}\n", mistakes.0[0].fault),
        }
    }
    expect![[r#"
        MAINTAINER requires exactly one argument
        WORKDIR requires exactly one argument
        USER requires exactly one argument
        STOPSIGNAL requires exactly one argument
        ENV requires at least one argument
        LABEL requires at least one argument
        ONBUILD requires at least one argument
        HEALTHCHECK requires at least one argument
        EXPOSE requires at least one argument
        VOLUME requires at least one argument
        ARG requires at least one argument
        SHELL requires at least one argument
        SHELL requires the arguments to be in JSON form
        ADD requires at least two arguments, but only one was provided. Destination could not be determined
        COPY requires at least two arguments, but only one was provided. Destination could not be determined
        COPY requires at least two arguments, but only one was provided. Destination could not be determined
        COPY cannot accept a heredoc as a destination
        unterminated heredoc
        "RUN <<'EOF⏎" is right
        Syntax error - can't find = in "c". Must be of the form: name=value
        ENV names can not be blank
        ARG names can not be blank
        LABEL must have two arguments
        VOLUME specified can not be an empty string
        when using JSON array syntax, arrays must be comprised of strings only
        FROM isn't allowed as an ONBUILD trigger
        Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed
        MAINTAINER isn't allowed as an ONBUILD trigger
        unknown instruction: RUNN (did you mean RUN?)
        unknown flag: --boo
        HEALTHCHECK NONE takes no arguments
        Missing command after HEALTHCHECK CMD
        Unknown type "RUN" in HEALTHCHECK (try CMD)
        Interval "interval" cannot be less than 1ms
        time: missing unit in duration "5"
        time: unknown unit "x" in duration "5x"
        strconv.ParseInt: parsing "x": invalid syntax
        --retries cannot be negative (-1)
        strconv.ParseInt: parsing "5000000000": value out of range
        expecting boolean value for flag --link, not: maybe
        missing a value on flag: --link
        missing a value on flag: --from
        duplicate flag specified: --from
        FROM requires either one or three arguments
        FROM requires either one or three arguments
        FROM requires either one or three arguments
        invalid network mode "x"
        invalid network mode ""
        security "x" is not valid
        'from' doesn't support variable expansion, define alias stage instead
        "RUN --mount=\"a\"b y" is right
        failed to parse csv mounts: parse error on line 1, column 3: extraneous or missing " in quoted-field
        invalid field 'b' must be a key=value pair
        unexpected key 'requird' in 'requird=1' (did you mean required?)
        device name already set to a
        unknown instruction: foo (did you mean from?)
        unknown instruction: 
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_file_must_have_a_stage() {
    check("", expect!["0:1 the Dockerfile cannot be empty"]);
    check("# only\n\n# comments\n", expect!["0:1 file with no instructions"]);
    check("ARG x\n", expect!["0:1 dockerfile contains no stages to build"]);
    check("RUN x\n", expect!["1:1 dockerfile parse error on line 1: no build stage in current context"]);
}

#[test]
fn what_follows_a_mistake_is_not_wrong_because_of_it() {
    // The instructions of a stage whose FROM is wrong; the heredoc of a misspelled instruction.
    check(
        "FROM\nRUN x\nRUNN <<EOF\napt-get update\nEOF\nRUN y\n",
        expect![[r#"
            1:1 dockerfile parse error on line 1: FROM requires either one or three arguments
            3:1 dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)"#]],
    );
}

#[test]
fn directives_are_said_once_and_make_sense() {
    check(
        "# escape=`\n# escape=\\\nFROM x\n",
        expect!["2:1 dockerfile parse error on line 2: only one escape parser directive can be used"],
    );
    check(
        "# escape=x\nFROM x\n",
        expect![[r#"1:1 dockerfile parse error on line 1: invalid escape token 'x' does not match ` or \"#]],
    );
}

#[test]
fn a_line_has_a_greatest_length() {
    let line = |len: usize| format!("FROM x\nLABEL a={}\n", "b".repeat(len - "LABEL a=".len()));
    assert!(parse(line(65_535).as_bytes()).is_ok());
    check(
        &line(65_536),
        expect!["2:1 dockerfile parse error on line 2: dockerfile line greater than max allowed size of 65535"],
    );
}

#[test]
fn a_file_that_is_something_else_is_given_up_soon() {
    let mistakes = parse("no\n".repeat(100_000).as_bytes()).unwrap_err();
    assert!(mistakes.0.len() <= 60, "{} mistakes", mistakes.0.len());
    fuzz(&[0; 5000]);
    fuzz("FROM x\nRUN \\\n".repeat(5000).as_bytes());
    fuzz(format!("FROM x\nRUN {}\nEOF", "<<EOF ".repeat(5000)).as_bytes());
}

proptest! {
    #[test]
    fn no_bytes_make_us_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz(&text);
    }

    #[test]
    fn no_lines_make_us_panic(lines in prop::collection::vec(
        "(FROM|RUN|COPY|ADD|ENV|ARG|ONBUILD|HEALTHCHECK|CMD|EXPOSE|LABEL|VOLUME|# escape=`|#|) ?(--[a-z]{1,8}=)?[ a\\\\`\"'<=$\\[\\]{}:é-]{0,12}", 0..8,
    )) {
        fuzz(lines.join("\n").as_bytes());
        fuzz(format!("FROM x AS a\n{}", lines.join("\n")).as_bytes());
    }
}
