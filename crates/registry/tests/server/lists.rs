//! What is listed.

use expect_test::expect;

use crate::client::{Registry, image};

#[test]
fn lists_come_in_pages() {
    let registry = Registry::new();
    for name in ["b", "a/b", "c"] {
        registry.push_image(name, "v1", b"layer");
    }
    registry.push_blob("only-blobs", b"x");
    let first = registry.get("/v2/_catalog?n=2");
    assert_eq!(first.expect(200).text(), r#"{"repositories":["a/b","b"]}"#);
    assert_eq!(first.headers["link"], r#"</v2/_catalog?last=b&n=2>; rel="next""#);
    let rest = registry.get("/v2/_catalog?last=b&n=2");
    assert_eq!(rest.text(), r#"{"repositories":["c"]}"#);
    assert!(!rest.headers.contains_key("link"));

    for tag in ["v3", "V2", "0.1"] {
        registry.push_image("c", tag, b"layer");
    }
    assert_eq!(registry.get("/v2/c/tags/list").text(), r#"{"name":"c","tags":["0.1","V2","v1","v3"]}"#);
    let none = registry.get("/v2/c/tags/list?n=0");
    assert_eq!(none.text(), r#"{"name":"c","tags":[]}"#);
    assert!(!none.headers.contains_key("link"));
    assert_eq!(registry.get("/v2/c/tags/list?last=V2&n=1").text(), r#"{"name":"c","tags":["v1"]}"#);
    assert_eq!(registry.get("/v2/c/tags/list?n=x").error(), "400 UNSUPPORTED");
}

#[test]
fn referrers_are_found_by_their_subject() {
    let registry = Registry::new();
    let subject = format!("sha256:{}", "5".repeat(64));
    let (config, layer) = (registry.push_blob("a", b"{}"), registry.push_blob("a", b"layer"));
    let about = format!(r#","subject":{{"mediaType":"x","size":1,"digest":"{subject}"}}"#);
    let plain = registry.put_manifest("a", "plain", &image(&config, &layer, &about));
    assert_eq!(plain.expect(201).headers["oci-subject"], subject);
    let signed = format!(r#"{about},"artifactType":"a/sig+x","annotations":{{"k":"v"}}"#);
    registry.put_manifest("a", "signed", &image(&config, &layer, &signed)).expect(201);

    let path = format!("/v2/a/referrers/{subject}");
    let all = registry.get(&path);
    assert_eq!(all.expect(200).headers["content-type"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(all.text().matches("\"digest\"").count(), 2);
    let filtered = registry.get(&format!("{path}?artifactType=a%2Fsig%2Bx"));
    assert_eq!(filtered.headers["oci-filters-applied"], "artifactType");
    expect![[r#"{"manifests":[{"annotations":{"k":"v"},"artifactType":"a/sig+x","digest":"sha256:5bc3d9ce3744e2c67773b294993a71b951fdaf44f7b757f0d8d1eefd7d0f295e","mediaType":"application/vnd.oci.image.manifest.v1+json","size":561}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#]]
        .assert_eq(&filtered.text());
    let digest = plain.headers["docker-content-digest"].clone();
    registry.ask("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").expect(202);
    assert_eq!(registry.get(&path).text().matches("\"digest\"").count(), 1);

    let empty = registry.get(&format!("/v2/nobody/referrers/{subject}"));
    assert!(empty.expect(200).text().contains(r#""manifests":[]"#));
    assert_eq!(registry.get("/v2/a/referrers/sha256:1").error(), "400 DIGEST_INVALID");
}

#[test]
fn a_long_list_of_referrers_has_a_next_part() {
    let registry = Registry::new();
    let subject = format!("sha256:{}", "5".repeat(64));
    let (config, layer) = (registry.push_blob("a", b"{}"), registry.push_blob("a", b"layer"));
    for n in 0..3 {
        let long = format!(
            r#","subject":{{"mediaType":"x","size":1,"digest":"{subject}"}},"annotations":{{"n":"{n}","k":"{}"}}"#,
            "v".repeat(3 << 20)
        );
        registry.put_manifest("a", &format!("t{n}"), &image(&config, &layer, &long)).expect(201);
    }
    let mut path = format!("/v2/a/referrers/{subject}");
    let mut parts = 0;
    loop {
        let part = registry.get(&path);
        assert_eq!(part.expect(200).text().matches("\"digest\"").count(), 1);
        parts += 1;
        match part.headers.get("link") {
            Some(link) => path = link[1..link.find('>').unwrap()].to_owned(),
            None => break,
        }
    }
    assert_eq!(parts, 3);
}
