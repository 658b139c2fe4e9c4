use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::{prop, proptest};

use super::*;
use crate::dockerfile::parse;
use crate::ignore::{Patterns, read};

const GLOBALS: [(&str, &str); 11] = [
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDOSVERSION", ""),
    ("BUILDARCH", "amd64"),
    ("BUILDVARIANT", ""),
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETOSVERSION", ""),
    ("TARGETARCH", "amd64"),
    ("TARGETVARIANT", ""),
    ("TARGETSTAGE", "default"),
];

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn base(name: &str) -> Base {
    match name {
        "shell" => Base { shell: vec!["/bin/sh".to_owned()], ..Base::default() },
        "env" => Base { env: vec!["FROM_BASE=1".to_owned()], ..Base::default() },
        "trigger" => Base { on_build: vec!["COPY $none /".to_owned()], ..Base::default() },
        _ => Base::default(),
    }
}

fn report(text: &str, ignored: &str, build_args: &[(&str, &str)]) -> Report {
    let file = parse(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let ignore = Patterns::new(read(ignored.as_bytes())).unwrap();
    let inputs = Inputs {
        globals: &map(&GLOBALS),
        build_args: &map(build_args),
        target: None,
        ignore: (!ignore.is_empty()).then_some(&ignore),
        base: &base,
    };
    check(&file, Config::of(&file).unwrap(), &inputs)
}

/// What is found, each in a line.
fn found(report: &Report) -> String {
    let line = |finding: &Finding| format!("{} {}: {}\n", finding.lines.0, finding.rule.name(), finding.detail);
    let failure =
        report.failure.as_ref().map(|failure| format!("failure at {:?}: {}\n", failure.lines, failure.message));
    report.findings.iter().map(line).chain(failure).collect()
}

fn finds(text: &str, want: Expect) {
    want.assert_eq(&found(&report(text, "", &[])));
}

fn is_clean(text: &str) {
    assert_eq!(found(&report(text, "", &[])), "", "{text}");
}

#[test]
fn rules_have_buildkits_names_and_addresses() {
    for rule in Rule::ALL {
        let kebab = rule.name().replace("JSON", "Json");
        let kebab: String = kebab
            .char_indices()
            .map(|(i, c)| {
                if c.is_uppercase() && i > 0 { format!("-{}", c.to_lowercase()) } else { c.to_lowercase().to_string() }
            })
            .collect();
        let want = format!("https://docs.docker.com/go/dockerfile/rule/{kebab}/");
        // This one alone has no page.
        let want = if rule == Rule::InvalidBaseImagePlatform { String::new() } else { want };
        assert_eq!(rule.url(), want);
        assert!(!rule.description().is_empty());
    }
}

#[test]
fn stage_name_casing() {
    finds(
        "FROM scratch AS BadStageName\nFROM scratch AS base3\n",
        expect![[r#"
        1 StageNameCasing: Stage name 'BadStageName' should be lowercase
    "#]],
    );
}

#[test]
fn from_as_casing() {
    finds(
        "FROM scratch as base2\nFROM scratch AS base3\n",
        expect![[r#"
        1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match
    "#]],
    );
    finds(
        "from scratch AS base\nfrom scratch as base2\n",
        expect![[r#"
        1 FromAsCasing: 'AS' and 'from' keywords' casing do not match
    "#]],
    );
}

#[test]
fn no_empty_continuation() {
    finds(
        "FROM scratch\nCOPY Dockerfile \\\n\n.\nCOPY Dockerfile \\\n.\n",
        expect![[r#"
        4 NoEmptyContinuation: Empty continuation line
    "#]],
    );
}

#[test]
fn consistent_instruction_casing() {
    finds(
        "From scratch as base\nFROM scratch AS base2\n",
        expect![[r#"
        1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)
    "#]],
    );
    finds(
        "FROM scratch\ncopy Dockerfile /foo\nCOPY Dockerfile /bar\n",
        expect![[r#"
        2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)
    "#]],
    );
    finds(
        "frOM scratch as base\nfrom scratch as base2\n",
        expect![[r#"
        1 ConsistentInstructionCasing: Command 'frOM' should match the case of the command majority (lowercase)
    "#]],
    );
    finds(
        "FROM scratch\ncopy a /a\ncopy a /b\ncopy a /c\n",
        expect![[r#"
        1 ConsistentInstructionCasing: Command 'FROM' should match the case of the command majority (lowercase)
    "#]],
    );
    is_clean("from scratch\ncopy Dockerfile /foo\n");
    is_clean("FROM alpine\nRUN <<'EOT'\nenv\nEOT\n");
}

#[test]
fn duplicate_stage_name() {
    finds(
        "FROM scratch AS b\nFROM scratch AS b\n",
        expect![[r#"
        2 DuplicateStageName: Duplicate stage name "b", stage names should be unique
    "#]],
    );
    is_clean("FROM scratch AS b1\nFROM scratch AS b2\n");
}

#[test]
fn reserved_stage_name() {
    finds(
        "FROM scratch AS scratch\nFROM scratch AS context\n",
        expect![[r#"
        1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"
        2 ReservedStageName: Stage name should not use the same name as reserved stage "context"
    "#]],
    );
    is_clean("FROM scratch\nFROM scratch AS a\n");
}

#[test]
fn json_args_recommended() {
    finds(
        "FROM scratch\nCMD mycommand\n",
        expect![[r#"
        2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
    "#]],
    );
    finds(
        "FROM scratch\nENTRYPOINT mycommand\n",
        expect![[r#"
        2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals
    "#]],
    );
    is_clean("FROM scratch\nSHELL [\"/usr/bin/customshell\"]\nCMD mycommand\n");
    is_clean("FROM scratch AS base\nSHELL [\"/usr/bin/customshell\"]\nFROM base\nENTRYPOINT mycommand\n");
    is_clean("FROM shell\nCMD mycommand\n");
}

#[test]
fn maintainer_deprecated() {
    finds(
        "FROM scratch\nMAINTAINER me@example.org\n",
        expect![[r#"
        2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label
    "#]],
    );
    is_clean("FROM scratch\n# check=skip=MaintainerDeprecated\nMAINTAINER me@example.org\n");
}

#[test]
fn undefined_arg_in_from() {
    is_clean("ARG base=scratch\nFROM $base\nCOPY Dockerfile .\n");
    is_clean("FROM --platform=$BUILDPLATFORM scratch\nCOPY Dockerfile .\n");
    is_clean("ARG DEBUG\nFROM scratch${DEBUG}\n");
    is_clean("ARG DEBUG\nFROM scra${DEBUG:-tch}\n");
    is_clean("ARG DEBUG=\"\"\nFROM scratch${DEBUG-@bogus}\n");
    finds(
        "FROM --platform=$BULIDPLATFORM scratch\n",
        expect![[r#"
        1 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)
        failure at [(1, 1)]: empty platform value from expression $BULIDPLATFORM (did you mean BUILDPLATFORM?)
    "#]],
    );
    finds(
        "ARG MY_OS=linux\nARG MY_ARCH=amd64\nFROM --platform=linux/${MYARCH} busybox\n",
        expect![[r#"
        3 UndefinedArgInFrom: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)
        failure at [(3, 3)]: failed to parse platform linux/${MYARCH}: "" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument (did you mean MY_ARCH?)
    "#]],
    );
    finds(
        "ARG tag=latest\nFROM busybox:${tag}${version} AS b\n",
        expect![[r#"
        2 UndefinedArgInFrom: FROM argument 'version' is not declared
    "#]],
    );
}

#[test]
fn workdir_relative_path() {
    finds(
        "FROM scratch\nWORKDIR app/\nWORKDIR b\n",
        expect![[r#"
        2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes
    "#]],
    );
    is_clean("FROM scratch AS a\nWORKDIR /app\nFROM a AS b\nWORKDIR subdir/\n");
}

#[test]
fn undefined_var() {
    is_clean("FROM scratch\nARG foo\nCOPY Dockerfile${foo} .\n");
    is_clean("FROM alpine AS base\nARG foo=Dockerfile\nFROM base\nCOPY $foo .\n");
    is_clean("FROM alpine\nRUN echo $PATH\nENV X=$PATH\n");
    is_clean("FROM env\nENV X=$FROM_BASE\n");
    finds(
        "FROM alpine\nCOPY $foo .\nARG foo=bar\nRUN echo $foo\n",
        expect![[r#"
        2 UndefinedVar: Usage of undefined variable '$foo'
    "#]],
    );
    finds(
        "FROM alpine\nARG DIR_ASSETS=assets/\nCOPY $DIR_ASSET .\n",
        expect![[r#"
        3 UndefinedVar: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)
    "#]],
    );
    finds(
        "FROM alpine\nENV PATH=$PAHT:/tmp/bin\n",
        expect![[r#"
        2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)
    "#]],
    );
    finds(
        "FROM scratch AS first\nCOPY $foo .\nFROM scratch AS second\nCOPY $bar .\n",
        expect![[r#"
        2 UndefinedVar: Usage of undefined variable '$foo'
        4 UndefinedVar: Usage of undefined variable '$bar'
    "#]],
    );
    finds(
        "FROM trigger\n",
        expect![[r#"
        1 UndefinedVar: Usage of undefined variable '$none'
    "#]],
    );
    finds(
        "FROM scratch AS a\nONBUILD COPY $x /\nFROM a\nRUN --mount=type=cache,target=$y true\n",
        expect![[r#"
        3 UndefinedVar: Usage of undefined variable '$x'
        4 UndefinedVar: Usage of undefined variable '$y'
    "#]],
    );
}

#[test]
fn multiple_instructions_disallowed() {
    finds(
        "FROM scratch\nENTRYPOINT [\"/a\"]\nENTRYPOINT [\"/b\"]\nCMD [\"/a\"]\nCMD [\"/b\"]\nHEALTHCHECK CMD [\"/a\"]\nHEALTHCHECK CMD [\"/b\"]\n",
        expect![[r#"
            2 MultipleInstructionsDisallowed: Multiple ENTRYPOINT instructions should not be used in the same stage because only the last one will be used
            4 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used
            6 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used
        "#]],
    );
    is_clean("FROM scratch AS a\nENTRYPOINT [\"/a\"]\nCMD [\"/a\"]\nFROM a AS b\nENTRYPOINT [\"/b\"]\nCMD [\"/b\"]\n");
}

#[test]
fn legacy_key_value_format() {
    finds(
        "FROM scratch\nENV testkey value\nLABEL key value\n",
        expect![[r#"
        2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format
        3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format
    "#]],
    );
    is_clean("FROM scratch\nENV testkey=value\nLABEL key=value\n");
}

#[test]
fn redundant_target_platform() {
    finds(
        "FROM --platform=$TARGETPLATFORM scratch\n",
        expect![[r#"
        1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior
    "#]],
    );
    finds(
        "FROM --platform=${TARGETPLATFORM} scratch\n",
        expect![[r#"
        1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior
    "#]],
    );
    is_clean("# check=skip=RedundantTargetPlatform\nFROM --platform=$TARGETPLATFORM scratch\n");
}

#[test]
fn secrets_used_in_arg_or_env() {
    finds(
        "FROM scratch\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\nARG super_duper_secret_token=foo auth=bar\n\
         ENV apikey=bar sunflower=foo\nENV git_key=\nENV PUBLIC_KEY=\nARG public_token\nARG SECRET_PASSPHRASE_FILE\n\
         ENV password_file=bar secret_File=baz\nARG AUTH_MODULE_VERSION\n# check=skip=SecretsUsedInArgOrEnv // allow\nENV password=bar\n\
         # check=skip=all // here\nARG alternate_password\n",
        expect![[r#"
            2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "SECRET_PASSPHRASE")
            3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "SUPER_Secret")
            4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "password")
            4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "secret")
            5 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "super_duper_secret_token")
            5 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "auth")
            6 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "apikey")
            7 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "git_key")
        "#]],
    );
}

#[test]
fn invalid_default_arg_in_from() {
    for (text, args) in [
        ("ARG VERSION\nFROM busybox:$VERSION\n", [("VERSION", "latest")]),
        ("ARG IMAGE\nFROM $IMAGE\n", [("IMAGE", "busybox:latest")]),
        ("ARG SFX=\"box:\"\nFROM busy${SFX}\n", [("SFX", "box:latest")]),
    ] {
        let found = found(&report(text, "", &args));
        assert!(found.starts_with("2 InvalidDefaultArgInFrom: Default value for ARG "), "{found}");
        assert!(found.ends_with(" results in empty or invalid base image name\n"), "{found}");
    }
    is_clean("ARG VERSION=\"latest\"\nFROM busybox:${VERSION}\n");
    is_clean("ARG BUSYBOX_VARIANT\nFROM busybox:stable${BUSYBOX_VARIANT}\n");
    finds(
        "ARG IMAGE\nFROM $IMAGE\n",
        expect![[r#"
        2 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base image name
        failure at [(2, 2)]: base name ($IMAGE) should not be blank
    "#]],
    );
}

#[test]
fn from_platform_flag_const_disallowed() {
    finds(
        "FROM --platform=linux/amd64 scratch\n",
        expect![[r#"
        1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"
    "#]],
    );
    is_clean("FROM --platform=linux/amd64 scratch AS my_amd64_stage\n");
    is_clean("FROM --platform=linux/amd64 scratch AS linux\n");
}

#[test]
fn invalid_base_image_platform() {
    let file = parse(b"FROM a\n").unwrap();
    let (wanted, is) = ("linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap());
    let from = file.stages[0].from.span;
    let found = base_platform(&Config::default(), from, "a", &wanted, &is).unwrap();
    assert_eq!(
        found.short(),
        r#"InvalidBaseImagePlatform: Base image a was pulled with platform "linux/arm64", expected "linux/amd64" for current build (line 1)"#
    );
    assert_eq!(base_platform(&Config::default(), from, "a", &wanted, &wanted), None);
    let skip = Config::parse("skip=InvalidBaseImagePlatform").unwrap();
    assert_eq!(base_platform(&skip, from, "a", &wanted, &is), None);
}

#[test]
fn copy_ignored_file() {
    let ignoring = |text: &str, ignored: &str, want: Expect| want.assert_eq(&found(&report(text, ignored, &[])));
    ignoring(
        "FROM scratch\nCOPY Dockerfile .\nADD Dockerfile /windy\n",
        "Dockerfile\n",
        expect![[r#"
        2 CopyIgnoredFile: Attempting to Copy file "Dockerfile" that is excluded by .dockerignore
        3 CopyIgnoredFile: Attempting to Add file "Dockerfile" that is excluded by .dockerignore
    "#]],
    );
    ignoring("FROM scratch AS a\nCOPY Dockerfile /foobar\nFROM a\nCOPY --from=a /foobar /x\n", "foobar\n", expect![""]);
    ignoring("FROM scratch\nCOPY ./Dockerfile .\nCOPY . .\n", "**\n!Dockerfile\n", expect![""]);
    ignoring("FROM scratch\nCOPY . .\nADD https://x/.y /\n", ".*\n", expect![""]);
    ignoring(
        "FROM scratch\nCOPY . .\n",
        "*\n",
        expect![[r#"
        2 CopyIgnoredFile: Attempting to Copy file "." that is excluded by .dockerignore
    "#]],
    );
}

#[test]
fn invalid_definition_description() {
    let text = "# bar this is the bar\nARG foo=bar\n# BasE this is the BasE image\nFROM scratch AS base\n# definitely a bad comment\n\
                ARG version=latest\n# definitely a bad comment\nARG foo=baz bar=qux baz=quux\n# foo of all\nARG foo\n#\nARG bit=bat\n";
    is_clean(text);
    finds(
        &format!("# check=experimental=InvalidDefinitionDescription\n{text}"),
        expect![[r#"
        3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo <description>`
        5 InvalidDefinitionDescription: Comment for FROM should follow the format: `# base <description>`
        7 InvalidDefinitionDescription: Comment for ARG should follow the format: `# version <description>`
        9 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`
    "#]],
    );
}

#[test]
fn expose_proto_casing() {
    finds(
        "FROM scratch\nEXPOSE 80/TcP 8080/TCP 8080/udp\n",
        expect![[r#"
        2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase
        2 ExposeProtoCasing: Defined protocol '8080/TCP' in EXPOSE instruction should be lowercase
    "#]],
    );
}

#[test]
fn expose_invalid_format() {
    finds(
        "FROM scratch\nEXPOSE 127.0.0.1:80:80 [::1]:8080:8080 5000:5000 8000\n",
        expect![[r#"
        2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'
        2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '5000:5000'
        2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '[::1]:8080:8080'
    "#]],
    );
    finds(
        "FROM scratch\nEXPOSE 80/x\n",
        expect![[r#"
        failure at [(2, 2)]: invalid port: "80/x": invalid proto: x
    "#]],
    );
}

#[test]
fn rules_are_switched_off_and_made_errors() {
    is_clean("#check=skip=all\nFROM scratch as base\ncopy Dockerfile .\n");
    is_clean("#check=skip=all;error=true\nFROM scratch as base\ncopy Dockerfile .\n");
    is_clean("#check=skip=ConsistentInstructionCasing, FromAsCasing\nFROM scratch AS base\ncopy Dockerfile .\n");
    finds(
        "#check=skip=ConsistentInstructionCasing;error=true\nFROM scratch as base\ncopy Dockerfile .\n",
        expect![[r#"
        2 FromAsCasing: 'as' and 'FROM' keywords' casing do not match
        failure at [(2, 2)]: lint violation found for rules: FromAsCasing
    "#]],
    );
    for (text, want) in [
        ("skip", "invalid check option \"skip\""),
        ("fast=1", "invalid check option \"fast\""),
        (
            "error=maybe",
            "failed to parse check option \"error=maybe\": strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
    ] {
        assert_eq!(Config::parse(text).unwrap_err().to_string(), want);
    }
}

#[test]
fn a_report_is_printed_as_buildkit_prints_it() {
    let text = "FROM scratch\nCMD a\nENV b \\\n  c<d\n";
    let report = report(text, "", &[]);
    let source = ReportedSource { name: "Dockerfile", text: text.as_bytes() };
    let (out, failure) = complete(&report, source);
    assert_eq!(failure, None);
    expect![[r#"
        Check complete, 2 warnings have been found!

        WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
        JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
        Dockerfile:2
        --------------------
           1 |     FROM scratch
           2 | >>> CMD a
           3 |     ENV b \
           4 |       c<d
        --------------------

        WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/
        "ENV key=value" should be used instead of legacy "ENV key value" format
        Dockerfile:3
        --------------------
           2 |     CMD a
           3 | >>> ENV b \
           4 | >>>   c<d
           5 |     
        --------------------
    "#]]
    .assert_eq(&out);
    expect![[r#"{"warnings": [{"ruleName": "JSONArgsRecommended","description": "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals","url": "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/","detail": "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals","location": {"ranges": [{"start": {"line": 2},"end": {"line": 2}}]}},{"ruleName": "LegacyKeyValueFormat","description": "Legacy key/value format with whitespace separator should not be used","url": "https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/","detail": "\"ENV key=value\" should be used instead of legacy \"ENV key value\" format","location": {"ranges": [{"start": {"line": 3},"end": {"line": 3}},{"start": {"line": 4},"end": {"line": 4}}]}}],"sources": [{"filename": "Dockerfile","data": "RlJPTSBzY3JhdGNoCkNNRCBhCkVOViBiIFwKICBjPGQK","language": "Dockerfile"}]}"#]].assert_eq(&squeezed(&report.json(source)));
    let clean = Report::default();
    assert_eq!(complete(&clean, source).0, "Check complete, no warnings found.\n");
    expect![[r#"
        {
          "warnings": null,
          "sources": [
            {
              "filename": "Dockerfile",
              "data": "RlJPTSBzY3JhdGNoCkNNRCBhCkVOViBiIFwKICBjPGQK",
              "language": "Dockerfile"
            }
          ]
        }"#]]
    .assert_eq(&clean.json(source));
    let mistakes = parse(b"FROM scratch\nCMDD a\n").unwrap_err();
    let failed = Report { findings: Vec::new(), failure: Some(Failure::from(&mistakes)) };
    let source = ReportedSource { name: "Dockerfile", text: b"FROM scratch\nCMDD a\n" };
    expect![[r#"("", Some("dockerfile parse error on line 2: unknown instruction: CMDD (did you mean CMD?)\nDockerfile:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> CMDD a\n   3 |     \n--------------------\n"))"#]].assert_eq(&format!("{:?}", complete(&failed, source)));
    expect![[r#"{"warnings": null,"sources": [{"filename": "Dockerfile","data": "RlJPTSBzY3JhdGNoCkNNREQgYQo=","language": "Dockerfile"}],"buildError": {"message": "dockerfile parse error on line 2: unknown instruction: CMDD (did you mean CMD?)","location": {"ranges": [{"start": {"line": 2},"end": {"line": 2}}]}}}"#]].assert_eq(&squeezed(&failed.json(source)));
}

/// Lines joined.
fn squeezed(json: &str) -> String {
    json.lines().map(str::trim_start).collect()
}

const OUTLINED: &str = "# inherited1 is inherited\nARG inherited1=def1\nARG inherited2=def2\nARG unused=x\nARG tag=${inherited2}-t\n\
    FROM busybox:${tag} AS base\n# this is not assigned to anything\nARG foo\n# bar defines bar\nARG bar=abc\n\
    RUN --mount=type=secret,id=first,target=/etc/a,required true\nFROM alpine AS second\nARG other\nRUN --mount=type=ssh,id=s true\n\
    # target defines build target\nFROM scratch AS target\nCOPY --from=second /a /b\nARG inherited1\n\
    RUN --mount=type=secret,id=second --mount=type=ssh true\nFROM base\n";

#[test]
fn an_outline_says_what_a_target_can_be_told() {
    let file = parse(OUTLINED.as_bytes()).unwrap();
    let (globals, build_args) = (map(&GLOBALS), map(&[("foo", "1")]));
    let outline_of = |target| {
        let inputs = Inputs { globals: &globals, build_args: &build_args, target, ignore: None, base: &base };
        outline(&file, b"text", &inputs)
    };
    expect![[r#"
        TARGET:      target
        DESCRIPTION: defines build target

        BUILD ARG    VALUE   DESCRIPTION
        inherited1   def1    is inherited
        other                

        SECRET   REQUIRED
        second   

        SSH       REQUIRED
        s         
        default   

    "#]]
    .assert_eq(&outline_of(Some("TARGET")).unwrap().text());
    expect![[r#"
        BUILD ARG    VALUE    DESCRIPTION
        inherited2   def2     
        tag          def2-t   
        foo          1        
        bar          abc      defines bar

        SECRET   REQUIRED
        first    true

    "#]]
    .assert_eq(&outline_of(None).unwrap().text());
    expect![[r#"{"name": "second","args": [{"name": "other","location": {"ranges": [{"start": {"line": 13},"end": {"line": 13}}]}}],"ssh": [{"name": "s","location": {"ranges": [{"start": {"line": 14},"end": {"line": 14}}]}}],"sources": ["dGV4dA=="]}"#]].assert_eq(&squeezed(&outline_of(Some("second")).unwrap().json()));
    assert_eq!(
        outline_of(Some("secnd")).unwrap_err().message,
        "target stage \"secnd\" could not be found (did you mean second?)"
    );
}

#[test]
fn the_targets_of_a_file_are_listed() {
    let file = parse(OUTLINED.as_bytes()).unwrap();
    let targets = targets(&file, b"text");
    expect![[r#"
        TARGET    DESCRIPTION
        base      
        second    
        target    defines build target
        (default) 
    "#]]
    .assert_eq(&targets.text());
    expect![[r#"{"targets": [{"name": "base","base": "busybox:${tag}","location": {"ranges": [{"start": {"line": 6},"end": {"line": 6}}]}},{"name": "second","base": "alpine","location": {"ranges": [{"start": {"line": 12},"end": {"line": 12}}]}},{"name": "target","description": "defines build target","base": "scratch","location": {"ranges": [{"start": {"line": 16},"end": {"line": 16}}]}},{"default": true,"base": "base","location": {"ranges": [{"start": {"line": 20},"end": {"line": 20}}]}}],"sources": ["dGV4dA=="]}"#]].assert_eq(&squeezed(&targets.json()));
}

#[test]
fn variables_do_not_grow_without_end() {
    let text = format!("FROM x\nENV A=xxxxxxxx\n{}", "ENV A=$A$A\n".repeat(40));
    let failure = report(&text, "", &[]).failure.unwrap();
    assert_eq!(failure.message, "A makes the environment larger than 2097152 bytes");
    let text = format!("ARG A=xxxxxxxx\n{}FROM x\n", "ARG A=$A$A\n".repeat(40));
    assert!(report(&text, "", &[]).failure.is_some());
}

/// In a build nobody looks at stages it does not need.
#[test]
fn a_build_looks_at_the_stages_it_needs() {
    let file =
        parse(b"FROM scratch AS a\nENV a b\nFROM scratch AS b\nENV c d\nFROM scratch\nCOPY --from=b x y\n").unwrap();
    let (globals, build_args) = (map(&GLOBALS), BTreeMap::new());
    let inputs = Inputs { globals: &globals, build_args: &build_args, target: None, ignore: None, base: &base };
    let lines = |report: Report| report.findings.iter().map(|finding| finding.lines.0).collect::<Vec<_>>();
    assert_eq!(lines(check_build(&file, Config::default(), &inputs)), [4]);
    assert_eq!(lines(check(&file, Config::default(), &inputs)), [2, 4]);
}

proptest! {
    #[test]
    fn no_file_makes_us_panic(lines in prop::collection::vec(
        "(FROM|RUN|COPY|ENV|ARG|ONBUILD|CMD|EXPOSE|LABEL|WORKDIR|# check=skip|#) ?(--(from|platform|mount)=[$a0]{1,3} )?[ a0/\\\\`\"'$={}:-]{0,12}", 0..8,
    )) {
        fuzz(format!("ARG a=1\nFROM x AS a\n{}", lines.join("\n")).as_bytes());
    }
}
