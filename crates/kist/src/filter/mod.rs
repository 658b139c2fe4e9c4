//! `--filter key=value`: values of one key are alternatives (labels must all hold), keys must all hold.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use pattern::Pattern;

/// What `ps` filters by.
pub(crate) const CONTAINER_KEYS: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
/// What `images` filters by.
pub(crate) const IMAGE_KEYS: &[&str] = &["before", "dangling", "label", "reference", "since", "until"];
/// What `events` filters by.
pub(crate) const EVENT_KEYS: &[&str] = &[
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];

/// What `network ls` filters by.
pub(crate) const NETWORK_KEYS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];
/// What every `prune` filters by.
pub(crate) const PRUNE_KEYS: &[&str] = &["label", "label!", "until"];

/// A filter that cannot be used; Docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    /// Not `key=value`; said by the flag.
    #[error("invalid argument {} for \"-f, --filter\" flag: bad format of filter (expected name=value)", crate::template::gofmt::quote(.0))]
    Format(String),
    /// A key this list does not know.
    #[error("invalid filter '{0}'")]
    Key(String),
    /// A value its key does not take.
    #[error("invalid filter '{key}={value}'")]
    Value {
        /// The key.
        key: String,
        /// The value, in brackets where Docker prints a list.
        value: String,
    },
    /// A value outside of the key's list of words.
    #[error("invalid filter '{key}={value}': invalid value for {what} ({value}): must be one of {choices}")]
    Choice {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What the key is called in the words.
        what: &'static str,
        /// The words it takes.
        choices: String,
    },
    /// A value that is no number.
    #[error("invalid filter '{key}={value}': strconv.Atoi: parsing {}: invalid syntax", crate::template::gofmt::quote(.value))]
    Number {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
}

/// The filters of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    fields: BTreeMap<String, BTreeSet<String>>,
}

impl Filters {
    /// Reads the values of the flag.
    pub(crate) fn parse<S: AsRef<str>>(flags: impl IntoIterator<Item = S>) -> Result<Filters, FilterError> {
        let mut filters = Filters::default();
        for flag in flags {
            let flag = flag.as_ref();
            if flag.is_empty() {
                continue;
            }
            let (key, value) = flag.split_once('=').ok_or_else(|| FilterError::Format(flag.to_owned()))?;
            filters.add(&key.trim().to_lowercase(), value.trim());
        }
        Ok(filters)
    }

    /// One more value of `key`.
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.fields.entry(key.to_owned()).or_default().insert(value.to_owned());
    }

    /// Refuses keys outside of `accepted`.
    pub(crate) fn accept(&self, accepted: &[&str]) -> Result<(), FilterError> {
        match self.fields.keys().find(|key| !accepted.contains(&key.as_str())) {
            Some(key) => Err(FilterError::Key(key.clone())),
            None => Ok(()),
        }
    }

    /// Whether `key` is filtered by.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// The values of `key`.
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.fields.get(key).into_iter().flatten().map(String::as_str)
    }

    /// `text` is one of the values of `key`, or there are none.
    pub(crate) fn exact(&self, key: &str, text: &str) -> bool {
        self.fields.get(key).is_none_or(|values| values.contains(text))
    }

    /// `text` starts with one of the values of `key`, or there are none.
    pub(crate) fn prefix(&self, key: &str, text: &str) -> bool {
        self.fields.get(key).is_none_or(|values| values.iter().any(|value| text.starts_with(value.as_str())))
    }

    /// One of the values of `key` is `text` or a regular expression found in it, or there are none. As in Docker, a
    /// value that is no regular expression matches nothing but itself.
    pub(crate) fn pattern(&self, key: &str, text: &str) -> bool {
        self.exact(key, text)
            || self.values(key).any(|value| Pattern::parse(value).is_some_and(|pattern| pattern.finds(text)))
    }

    /// Every value of `key`, `name` or `name=value`, holds for `labels`.
    pub(crate) fn labels(&self, key: &str, labels: &BTreeMap<String, String>) -> bool {
        self.values(key).all(|wanted| has_label(labels, wanted))
    }

    /// No value of `key` holds for `labels` (`label!`).
    pub(crate) fn labels_absent(&self, key: &str, labels: &BTreeMap<String, String>) -> bool {
        !self.values(key).any(|unwanted| has_label(labels, unwanted))
    }

    /// A key that takes `true`, `1`, `false` or `0`.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, FilterError> {
        let Some(values) = self.fields.get(key) else { return Ok(None) };
        let is_false = values.contains("0") || values.contains("false");
        let is_true = values.contains("1") || values.contains("true");
        if is_false == is_true {
            let all: Vec<&str> = values.iter().map(String::as_str).collect();
            return Err(FilterError::Value { key: key.to_owned(), value: format!("[{}]", all.join(" ")) });
        }
        Ok(Some(is_true))
    }

    /// A key whose values are whole numbers.
    pub(crate) fn numbers(&self, key: &'static str) -> Result<Vec<i32>, FilterError> {
        let number = |value: &str| value.parse().map_err(|_| FilterError::Number { key, value: value.to_owned() });
        self.values(key).map(number).collect()
    }

    /// A key whose values are among `choices`; `what` is its name in the error.
    pub(crate) fn choices(&self, key: &'static str, what: &'static str, choices: &[&str]) -> Result<(), FilterError> {
        match self.values(key).find(|value| !choices.contains(value)) {
            Some(value) => Err(FilterError::Choice { key, value: value.to_owned(), what, choices: choices.join(", ") }),
            None => Ok(()),
        }
    }
}

/// What `status` takes.
pub(crate) const STATES: &[&str] = &["created", "running", "paused", "restarting", "removing", "exited", "dead"];
/// What `health` takes.
pub(crate) const HEALTHS: &[&str] = &["none", "starting", "healthy", "unhealthy"];

fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
        None => labels.contains_key(wanted),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::{CONTAINER_KEYS, Filters, HEALTHS, STATES};

    fn filters(flags: &[&str]) -> Filters {
        Filters::parse(flags).unwrap()
    }

    #[test]
    fn errors_are_dockers() {
        let errors = [
            Filters::parse(["x"]).unwrap_err(),
            filters(&["nope=1"]).accept(CONTAINER_KEYS).unwrap_err(),
            filters(&["dangling=maybe"]).flag("dangling").unwrap_err(),
            filters(&["dangling=1", "dangling=0"]).flag("dangling").unwrap_err(),
            filters(&["exited=x"]).numbers("exited").unwrap_err(),
            filters(&["status=up"]).choices("status", "state", STATES).unwrap_err(),
            filters(&["health=good"]).choices("health", "health", HEALTHS).unwrap_err(),
        ];
        expect![[r#"
            invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)
            invalid filter 'nope'
            invalid filter 'dangling=[maybe]'
            invalid filter 'dangling=[0 1]'
            invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax
            invalid filter 'status=up': invalid value for state (up): must be one of created, running, paused, restarting, removing, exited, dead
            invalid filter 'health=good': invalid value for health (good): must be one of none, starting, healthy, unhealthy
        "#]]
        .assert_eq(&errors.map(|error| format!("{error}\n")).concat());
    }

    #[test]
    fn values_of_a_key_are_alternatives() {
        let filters = filters(&["name=web", "NAME = ^db$", "id=ab", "status=exited", ""]);
        assert!(filters.pattern("name", "my-web-1") && filters.pattern("name", "db"));
        assert!(!filters.pattern("name", "db2"));
        assert!(filters.prefix("id", "abc") && !filters.prefix("id", "cab"));
        assert!(filters.exact("status", "exited") && !filters.exact("status", "dead"));
        assert!(filters.exact("health", "anything") && !filters.has("health"));
        assert_eq!(filters.numbers("exited"), Ok(vec![]));
    }

    #[test]
    fn labels_must_all_hold() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        for (flags, holds) in [
            (&["label=a"][..], true),
            (&["label=a=1", "label=b"], true),
            (&["label=a=1", "label=c"], false),
            (&["label=a=2"], false),
            (&["label=b="], true),
            (&[], true),
        ] {
            assert_eq!(filters(flags).labels("label", &labels), holds, "{flags:?}");
        }
        assert!(filters(&["label!=x"]).labels_absent("label!", &labels));
        assert!(!filters(&["label!=a"]).labels_absent("label!", &labels));
    }

    #[test]
    fn flags_are_true_or_false() {
        assert_eq!(filters(&["dangling=true", "dangling=1"]).flag("dangling"), Ok(Some(true)));
        assert_eq!(filters(&["dangling=0"]).flag("dangling"), Ok(Some(false)));
        assert_eq!(filters(&[]).flag("dangling"), Ok(None));
    }
}
