//! A `config.json` in memory: its members in their order, and the text of each as it was written.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::DocumentError;
use super::keys::{key_of, registry_of};
use crate::client::Login;

/// A `config.json`.
#[derive(Clone, Debug, Default)]
pub struct Document(Members);

/// A JSON object in the order of its text.
#[derive(Clone, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

/// One value of `auths`; `null` and nothing are the same to Docker.
#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Document {
    /// Reads a file's text; an empty file is an empty document, as it is to Docker.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn parse(text: &str) -> Result<Document, DocumentError> {
        if text.trim_ascii().is_empty() {
            return Ok(Document::default());
        }
        let members =
            serde_json::from_str(text).map_err(|e| DocumentError::Syntax { line: e.line(), column: e.column() })?;
        Ok(Document(members))
    }

    /// The login kept for a registry in the file itself.
    pub(super) fn login_of(&self, registry: &str) -> Result<Option<Login>, DocumentError> {
        let auths = self.auths()?;
        let Some((key, value)) = auths.of(registry) else { return Ok(None) };
        let entry: Option<Entry> = typed(value, || format!("auths.{key}"), "an object of texts")?;
        let Some(entry) = entry else { return Ok(None) };
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (set(entry.identitytoken), set(entry.auth), set(entry.registrytoken)) {
            (Some(token), ..) => Ok(Some(Login::Identity { token })),
            (None, Some(auth), _) => decode(&auth).map(Some).ok_or_else(|| DocumentError::Auth(key.to_owned())),
            (None, None, Some(_)) => Err(DocumentError::RegistryToken(key.to_owned())),
            (None, None, None) => Ok(None),
        }
    }

    /// The credential helper for a registry. An empty name for it means the file, whatever `credsStore` says.
    pub(super) fn helper_of(&self, registry: &str) -> Result<Option<String>, DocumentError> {
        let name = |value: &RawValue, key: &str| typed::<Option<String>>(value, || key.to_owned(), "a text");
        let own = match self.object("credHelpers")?.of(registry) {
            Some((key, value)) => name(value, &format!("credHelpers.{key}"))?,
            None => None,
        };
        let general = || self.0.find("credsStore").map_or(Ok(None), |value| name(value, "credsStore"));
        Ok(own.map_or_else(general, |own| Ok(Some(own)))?.filter(|name| !name.is_empty()))
    }

    /// Puts a login into the file.
    pub(super) fn store(&mut self, key: &str, login: &Login) -> Result<(), DocumentError> {
        let (name, value) = match login {
            Login::Password { user, password } => ("auth", BASE64_STANDARD.encode(format!("{user}:{password}"))),
            Login::Identity { token } => ("identitytoken", token.clone()),
        };
        let mut entry = Members::default();
        entry.set(name, raw(&quoted(&value)));
        self.set_auth(key, entry)
    }

    /// Notes that there is a login elsewhere; whether that is new.
    pub(super) fn store_empty(&mut self, key: &str) -> Result<bool, DocumentError> {
        let new = self.auths()?.find(key).is_none_or(|old| old.get() != "{}");
        if new {
            self.set_auth(key, Members::default())?;
        }
        Ok(new)
    }

    /// Removes a registry under all its keys; whether there was any.
    pub(super) fn erase(&mut self, registry: &str) -> Result<bool, DocumentError> {
        let mut auths = self.auths()?;
        let before = auths.0.len();
        auths.0.retain(|(key, _)| registry_of(key) != registry);
        let erased = auths.0.len() < before;
        if erased {
            self.0.set("auths", raw(&auths.text(1)));
        }
        Ok(erased)
    }

    fn set_auth(&mut self, key: &str, entry: Members) -> Result<(), DocumentError> {
        let mut auths = self.auths()?;
        auths.set(key, raw(&entry.text(2)));
        self.0.set("auths", raw(&auths.text(1)));
        Ok(())
    }

    fn auths(&self) -> Result<Members, DocumentError> {
        self.object("auths")
    }

    fn object(&self, key: &str) -> Result<Members, DocumentError> {
        let Some(value) = self.0.find(key) else { return Ok(Members::default()) };
        Ok(typed::<Option<Members>>(value, || key.to_owned(), "an object")?.unwrap_or_default())
    }
}

/// As Docker writes it: indented by tabs, no newline at the end.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text(0))
    }
}

impl Members {
    fn find(&self, key: &str) -> Option<&RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// The member for a registry: under Docker's key, or an old one.
    fn of(&self, registry: &str) -> Option<(&str, &RawValue)> {
        let key = key_of(registry);
        let exact = self.0.iter().find(|(name, _)| *name == key);
        let found = exact.or_else(|| self.0.iter().find(|(name, _)| registry_of(name) == registry));
        found.map(|(name, value)| (name.as_str(), &**value))
    }

    fn set(&mut self, key: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// At a depth of the document.
    fn text(&self, depth: usize) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let tabs = "\t".repeat(depth);
        let lines: Vec<String> =
            self.0.iter().map(|(key, value)| format!("\n{tabs}\t{}: {}", quoted(key), value.get())).collect();
        format!("{{{}\n{tabs}}}", lines.join(","))
    }
}

/// Keys only: a value may be a secret.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                // Of a key that is there twice the last one counts, as in Go.
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.set(&key, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

fn typed<T: DeserializeOwned>(
    value: &RawValue,
    key: impl Fn() -> String,
    wanted: &'static str,
) -> Result<T, DocumentError> {
    serde_json::from_str(value.get()).map_err(|_| DocumentError::Type { key: key(), wanted })
}

fn decode(auth: &str) -> Option<Login> {
    let bytes = BASE64_STANDARD.decode(auth).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':').filter(|(user, _)| !user.is_empty())?;
    // Docker pads with zeros and takes them off again.
    Some(Login::Password { user: user.to_owned(), password: password.trim_matches('\0').to_owned() })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("put together here, from JSON")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, change: impl Fn(&mut Document) -> Result<bool, DocumentError>, expected: Expect) {
        let mut document = Document::parse(text).unwrap();
        change(&mut document).unwrap();
        expected.assert_eq(&document.to_string());
    }

    fn alice() -> Login {
        Login::Password { user: "alice".to_owned(), password: "s:\"3\"".to_owned() }
    }

    #[test]
    fn a_new_file_is_dockers() {
        check(
            "",
            |document| document.store("localhost:5000", &alice()).map(|()| true),
            expect![[r#"
                {
                	"auths": {
                		"localhost:5000": {
                			"auth": "YWxpY2U6czoiMyI="
                		}
                	}
                }"#]],
        );
        check(
            "",
            |document| document.store_empty("ghcr.io"),
            expect![[r#"
            {
            	"auths": {
            		"ghcr.io": {}
            	}
            }"#]],
        );
        check(
            r#"{"auths":{"http://ghcr.io/v1/":{},"ghcr.io":{"auth":"eDp5"}}}"#,
            |document| document.erase("ghcr.io"),
            expect![[r#"
                {
                	"auths": {}
                }"#]],
        );
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is_written() {
        check(
            r#"{"zeta": [1.50,  "<"], "auths": {"z.io": {"email":"a@b", "auth":"eDp5"}}, "HttpHeaders": {"a": 1e3}}"#,
            |document| document.store("a.io", &Login::Identity { token: "t".to_owned() }).map(|()| true),
            expect![[r#"
                {
                	"zeta": [1.50,  "<"],
                	"auths": {
                		"z.io": {"email":"a@b", "auth":"eDp5"},
                		"a.io": {
                			"identitytoken": "t"
                		}
                	},
                	"HttpHeaders": {"a": 1e3}
                }"#]],
        );
    }

    fn check_login(auths: &str, registry: &str, expected: &str) {
        let document = Document::parse(&format!(r#"{{"auths":{auths}}}"#)).unwrap();
        let found = document.login_of(registry).map_err(|why| why.to_string());
        assert_eq!(format!("{found:?}"), expected, "{auths}");
    }

    #[test]
    fn a_login_is_found_under_its_key_or_an_old_one() {
        let user = r#"Ok(Some(Password { user: "x", .. }))"#;
        check_login(r#"{"https://index.docker.io/v1/":{"auth":"eDp5"}}"#, "docker.io", user);
        check_login(r#"{"docker.io":{"auth":"eDp5"}}"#, "docker.io", user);
        check_login(r#"{"https://a.io/v1/":{"auth":"eDp5"}}"#, "a.io", user);
        check_login(r#"{"https://a.io":{"auth":"eTp5"},"a.io":{"auth":"eDp5"}}"#, "a.io", user);
        check_login(r#"{"a.io":{"auth":"eDp5","identitytoken":"t"}}"#, "a.io", "Ok(Some(Identity { .. }))");
        check_login(r#"{"a.io":{"auth":"eDp5"}}"#, "a.io:443", "Ok(None)");
        check_login(r#"{"a.io":{}}"#, "a.io", "Ok(None)");
        check_login(r#"{"a.io":null}"#, "a.io", "Ok(None)");
        check_login("null", "a.io", "Ok(None)");
    }

    #[test]
    fn a_damage_is_named_and_no_secret_is() {
        check_login(
            r#"{"a.io":{"auth":"c2VjcmV0"}}"#,
            "a.io",
            r#"Err("auths.a.io.auth: must be base64 of user:password")"#,
        );
        check_login(r#"{"a.io":"secret"}"#, "a.io", r#"Err("auths.a.io: must be an object of texts")"#);
        check_login(r#"["secret"]"#, "a.io", r#"Err("auths: must be an object")"#);
        check_login(
            r#"{"a.io":{"registrytoken":"secret"}}"#,
            "a.io",
            r#"Err("auths.a.io.registrytoken is not there yet in kist; log in with a password or a token in its place")"#,
        );
        check_login(r#"{"b.io":"secret"}"#, "a.io", "Ok(None)");
        let refused = Document::parse("{\n\t\"auths\": {]}").unwrap_err();
        assert_eq!(refused.to_string(), "invalid JSON in line 2, column 12");
        let document = Document::parse(r#"{"auths":{"a.io":{"auth":"c2VjcmV0"}}}"#).unwrap();
        assert_eq!(format!("{document:?}"), r#"Document(["auths"])"#);
    }

    #[test]
    fn a_helper_is_for_one_registry_or_for_all() {
        let helpers =
            r#"{"credsStore":"all","credHelpers":{"a.io":"one","b.io":"","https://index.docker.io/v1/":"hub"}}"#;
        let document = Document::parse(helpers).unwrap();
        let of = |registry| document.helper_of(registry).unwrap();
        assert_eq!(of("a.io").as_deref(), Some("one"));
        assert_eq!(of("b.io"), None);
        assert_eq!(of("docker.io").as_deref(), Some("hub"));
        assert_eq!(of("c.io").as_deref(), Some("all"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            ".{0,8}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(others in prop::collection::btree_map("[a-z]{1,6}", json(), 0..6)) {
            let before: serde_json::Value = serde_json::Value::Object(others.into_iter().collect());
            let mut document = Document::parse(&before.to_string()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&document.to_string()).unwrap(), &before);
            if document.store("a.io", &alice()).is_ok() {
                let again = Document::parse(&document.to_string()).unwrap();
                prop_assert_eq!(again.to_string(), document.to_string());
                prop_assert_eq!(again.login_of("a.io"), Ok(Some(alice())));
                prop_assert_eq!(document.erase("a.io"), Ok(true));
                let mut after: serde_json::Value = serde_json::from_str(&document.to_string()).unwrap();
                let mut before = before;
                for value in [&mut before, &mut after] {
                    value.as_object_mut().unwrap().remove("auths");
                }
                prop_assert_eq!(after, before);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            if let Ok(document) = Document::parse(&text) {
                let _ = document.login_of("docker.io");
            }
        }
    }
}
