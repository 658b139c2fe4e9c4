//! BuildKit's rules (`linter/ruleset.go`). Names, texts and addresses are matched on by tools: they are BuildKit's to the letter.

/// A rule of how Dockerfiles should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `FROM x AS Build`
    StageNameCasing,
    /// `FROM x as build`
    FromAsCasing,
    /// An empty line where one is continued.
    NoEmptyContinuation,
    /// `FROM x`, `run y`
    ConsistentInstructionCasing,
    /// Two stages of one name.
    DuplicateStageName,
    /// A stage named `scratch` or `context`.
    ReservedStageName,
    /// `CMD x`
    JsonArgsRecommended,
    /// `MAINTAINER`
    MaintainerDeprecated,
    /// `FROM $x` without an `ARG x` before it.
    UndefinedArgInFrom,
    /// `WORKDIR x` without an absolute one before it.
    WorkdirRelativePath,
    /// `COPY $x .` without an `ARG` or `ENV` of it.
    UndefinedVar,
    /// Two `CMD`s.
    MultipleInstructionsDisallowed,
    /// `ENV a b`
    LegacyKeyValueFormat,
    /// The base is an image for another platform.
    InvalidBaseImagePlatform,
    /// `FROM --platform=$TARGETPLATFORM`
    RedundantTargetPlatform,
    /// `ENV PASSWORD=x`
    SecretsUsedInArgOrEnv,
    /// `ARG x` and `FROM $x`
    InvalidDefaultArgInFrom,
    /// `FROM --platform=linux/amd64`
    FromPlatformFlagConstDisallowed,
    /// `COPY x .` with `x` in `.dockerignore`.
    CopyIgnoredFile,
    /// A comment above that describes nothing.
    InvalidDefinitionDescription,
    /// `EXPOSE 80/TCP`
    ExposeProtoCasing,
    /// `EXPOSE 80:80`
    ExposeInvalidFormat,
}

impl Rule {
    /// All, in BuildKit's order.
    pub const ALL: [Rule; 22] = [
        Rule::StageNameCasing,
        Rule::FromAsCasing,
        Rule::NoEmptyContinuation,
        Rule::ConsistentInstructionCasing,
        Rule::DuplicateStageName,
        Rule::ReservedStageName,
        Rule::JsonArgsRecommended,
        Rule::MaintainerDeprecated,
        Rule::UndefinedArgInFrom,
        Rule::WorkdirRelativePath,
        Rule::UndefinedVar,
        Rule::MultipleInstructionsDisallowed,
        Rule::LegacyKeyValueFormat,
        Rule::InvalidBaseImagePlatform,
        Rule::RedundantTargetPlatform,
        Rule::SecretsUsedInArgOrEnv,
        Rule::InvalidDefaultArgInFrom,
        Rule::FromPlatformFlagConstDisallowed,
        Rule::CopyIgnoredFile,
        Rule::InvalidDefinitionDescription,
        Rule::ExposeProtoCasing,
        Rule::ExposeInvalidFormat,
    ];
}

/// What is known of a rule.
struct About {
    name: &'static str,
    description: &'static str,
    /// The last part of its address; none: it is explained nowhere.
    page: &'static str,
}

impl Rule {
    /// What `skip=` and reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// What it wants.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.about().description
    }

    /// Where it is explained; empty if nowhere.
    #[must_use]
    pub fn url(self) -> String {
        match self.about().page {
            "" => String::new(),
            page => format!("https://docs.docker.com/go/dockerfile/rule/{page}/"),
        }
    }

    /// Whether it is looked at only when it is asked for.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        self == Rule::InvalidDefinitionDescription
    }

    fn about(self) -> &'static About {
        // As many as there are rules, and in their order.
        &ABOUT[self as usize]
    }
}

const ABOUT: [About; 22] = [
    About { name: "StageNameCasing", page: "stage-name-casing", description: "Stage names should be lowercase" },
    About {
        name: "FromAsCasing",
        page: "from-as-casing",
        description: "The 'as' keyword should match the case of the 'from' keyword",
    },
    About {
        name: "NoEmptyContinuation",
        page: "no-empty-continuation",
        description: "Empty continuation lines will become errors in a future release",
    },
    About {
        name: "ConsistentInstructionCasing",
        page: "consistent-instruction-casing",
        description: "All commands within the Dockerfile should use the same casing (either upper or lower)",
    },
    About { name: "DuplicateStageName", page: "duplicate-stage-name", description: "Stage names should be unique" },
    About {
        name: "ReservedStageName",
        page: "reserved-stage-name",
        description: "Reserved words should not be used as stage names",
    },
    About {
        name: "JSONArgsRecommended",
        page: "json-args-recommended",
        description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    },
    About {
        name: "MaintainerDeprecated",
        page: "maintainer-deprecated",
        description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    },
    About {
        name: "UndefinedArgInFrom",
        page: "undefined-arg-in-from",
        description: "FROM command must use declared ARGs",
    },
    About {
        name: "WorkdirRelativePath",
        page: "workdir-relative-path",
        description: "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
    },
    About { name: "UndefinedVar", page: "undefined-var", description: "Variables should be defined before their use" },
    About {
        name: "MultipleInstructionsDisallowed",
        page: "multiple-instructions-disallowed",
        description: "Multiple instructions of the same type should not be used in the same stage",
    },
    About {
        name: "LegacyKeyValueFormat",
        page: "legacy-key-value-format",
        description: "Legacy key/value format with whitespace separator should not be used",
    },
    About {
        name: "InvalidBaseImagePlatform",
        page: "",
        description: "Base image platform does not match expected target platform",
    },
    About {
        name: "RedundantTargetPlatform",
        page: "redundant-target-platform",
        description: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    },
    About {
        name: "SecretsUsedInArgOrEnv",
        page: "secrets-used-in-arg-or-env",
        description: "Sensitive data should not be used in the ARG or ENV commands",
    },
    About {
        name: "InvalidDefaultArgInFrom",
        page: "invalid-default-arg-in-from",
        description: "Default value for global ARG results in an empty or invalid base image name",
    },
    About {
        name: "FromPlatformFlagConstDisallowed",
        page: "from-platform-flag-const-disallowed",
        description: "FROM --platform flag should not use a constant value",
    },
    About {
        name: "CopyIgnoredFile",
        page: "copy-ignored-file",
        description: "Attempting to Copy file that is excluded by .dockerignore",
    },
    About {
        name: "InvalidDefinitionDescription",
        page: "invalid-definition-description",
        description: "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    },
    About {
        name: "ExposeProtoCasing",
        page: "expose-proto-casing",
        description: "Protocol in EXPOSE instruction should be lowercase",
    },
    About {
        name: "ExposeInvalidFormat",
        page: "expose-invalid-format",
        description: "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
    },
];
