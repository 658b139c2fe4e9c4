#![allow(clippy::too_many_lines, reason = "whole documents stand in tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::attest::{Asked, Flag, Times};
use crate::{BuildContext, Described, Dockerfile, NoCache, Pull, Request, RunDefaults, Secret};
use spec::digest::{DiffId, Digest, ImageId};
use spec::image::ImageConfig;

fn request() -> Request {
    Request {
        context: BuildContext::Directory("/home/somebody/secret-project".into()),
        dockerfile: Dockerfile::InContext("Dockerfile".into()),
        named_contexts: BTreeMap::from([("lib".into(), BuildContext::Directory("/home/somebody/lib".into()))]),
        target: Some("app".into()),
        build_args: BTreeMap::from([
            ("VERSION".into(), "1.2".into()),
            ("http_proxy".into(), "http://me:hunter2@proxy.example:3128/".into()),
        ]),
        labels: BTreeMap::from([("team".into(), "red".into())]),
        platforms: Vec::new(),
        no_cache: NoCache::Nothing,
        pull: Pull::Missing,
        run: RunDefaults::default(),
        secrets: BTreeMap::from([("token".into(), Secret::File(PathBuf::from("/home/somebody/.token")))]),
        ssh: BTreeMap::from([("default".into(), PathBuf::from("/run/user/1000/agent"))]),
        cache_from: Vec::new(),
        allow: BTreeSet::new(),
    }
}

fn described(digest: &[u8]) -> Described {
    let digest = Digest::sha256(digest);
    Described { digest: Some(digest.clone()), id: ImageId(digest), config: ImageConfig::default() }
}

fn facts(request: &Request) -> Facts {
    let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
    let amd = "linux/amd64".parse().unwrap();
    Facts {
        dockerfile: ("Dockerfile".into(), Some(b"FROM alpine\nRUN make\n".to_vec())),
        materials: vec![Material::of_image(&"alpine:3.20".parse().unwrap(), &described(b"a"), &amd)],
        steps: vec![
            Step {
                key: one.clone(),
                name: "[app 1/2] FROM alpine".into(),
                inputs: Vec::new(),
                layers: vec![(DiffId(Digest::sha256(b"b")), 2048)],
                lines: Some((1, 1)),
            },
            Step {
                key: two.clone(),
                name: "[app 2/2] RUN make".into(),
                inputs: vec![one],
                layers: vec![(DiffId(Digest::sha256(b"b")), 2048), (DiffId(Digest::sha256(b"l")), 1024)],
                lines: Some((2, 2)),
            },
        ],
        result: Some(two),
        secrets: BTreeMap::from([("token".into(), true), ("other".into(), false)]),
        agents: BTreeMap::from([("default".into(), false)]),
        builder: amd,
        ..Facts::asked(request)
    }
}

fn check(flag: &str, is: Expect) {
    let asked = Asked::parse(&[Flag::Provenance(flag)]).unwrap().provenance.unwrap();
    let made = predicate(&facts(&request()), &asked);
    let document: Value = serde_json::from_slice(&made.body).unwrap();
    is.assert_eq(&format!("{}\n{:#}\n", made.kind, document));
}

#[test]
fn the_least_says_no_value() {
    check(
        "mode=min",
        expect![[r#"
            https://slsa.dev/provenance/v1
            {
              "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "externalParameters": {
                  "configSource": {
                    "path": "Dockerfile"
                  },
                  "request": {
                    "args": {
                      "context:lib": "local:lib",
                      "target": "app"
                    },
                    "frontend": "dockerfile.v0",
                    "locals": [
                      {
                        "name": "context"
                      },
                      {
                        "name": "dockerfile"
                      }
                    ]
                  }
                },
                "internalParameters": {
                  "builderPlatform": "linux/amd64",
                  "dockerfileVersion": "1.26.0"
                },
                "resolvedDependencies": [
                  {
                    "digest": {
                      "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
                    },
                    "uri": "pkg:docker/alpine@3.20?platform=linux%2Famd64"
                  }
                ]
              },
              "runDetails": {
                "builder": {
                  "id": "",
                  "version": {
                    "kist": "0.1.0"
                  }
                },
                "metadata": {
                  "buildkit_completeness": {
                    "request": false,
                    "resolvedDependencies": false
                  },
                  "buildkit_hermetic": false,
                  "buildkit_metadata": {},
                  "buildkit_reproducible": false,
                  "finishedOn": "1970-01-01T00:00:00Z",
                  "startedOn": "1970-01-01T00:00:00Z"
                }
              }
            }
        "#]],
    );
}

#[test]
fn the_most_says_all_but_secrets() {
    check(
        "mode=max,reproducible=true,builder-id=https://ci.example/1",
        expect![[r#"
            https://slsa.dev/provenance/v1
            {
              "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "externalParameters": {
                  "configSource": {
                    "path": "Dockerfile"
                  },
                  "request": {
                    "args": {
                      "build-arg:VERSION": "1.2",
                      "build-arg:http_proxy": "http://xxxxx:xxxxx@proxy.example:3128/",
                      "context:lib": "local:lib",
                      "label:team": "red",
                      "target": "app"
                    },
                    "frontend": "dockerfile.v0",
                    "locals": [
                      {
                        "name": "context"
                      },
                      {
                        "name": "dockerfile"
                      }
                    ],
                    "secrets": [
                      {
                        "id": "other"
                      },
                      {
                        "id": "token",
                        "optional": true
                      }
                    ],
                    "ssh": [
                      {
                        "id": "default"
                      }
                    ]
                  }
                },
                "internalParameters": {
                  "buildConfig": {
                    "digestMapping": {
                      "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b": "step0",
                      "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35": "step1"
                    },
                    "llbDefinition": [
                      {
                        "id": "step0",
                        "name": "[app 1/2] FROM alpine"
                      },
                      {
                        "id": "step1",
                        "inputs": [
                          "step0:0"
                        ],
                        "name": "[app 2/2] RUN make"
                      },
                      {
                        "id": "step2",
                        "inputs": [
                          "step1:0"
                        ]
                      }
                    ]
                  },
                  "builderPlatform": "linux/amd64",
                  "dockerfileVersion": "1.26.0"
                },
                "resolvedDependencies": [
                  {
                    "digest": {
                      "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
                    },
                    "uri": "pkg:docker/alpine@3.20?platform=linux%2Famd64"
                  }
                ]
              },
              "runDetails": {
                "builder": {
                  "id": "https://ci.example/1",
                  "version": {
                    "kist": "0.1.0"
                  }
                },
                "metadata": {
                  "buildkit_completeness": {
                    "request": true,
                    "resolvedDependencies": false
                  },
                  "buildkit_hermetic": false,
                  "buildkit_metadata": {
                    "layers": {
                      "step0:0": [
                        [
                          {
                            "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
                            "mediaType": "application/vnd.oci.image.layer.v1.tar",
                            "size": 2048
                          }
                        ]
                      ],
                      "step1:0": [
                        [
                          {
                            "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
                            "mediaType": "application/vnd.oci.image.layer.v1.tar",
                            "size": 2048
                          },
                          {
                            "digest": "sha256:acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0",
                            "mediaType": "application/vnd.oci.image.layer.v1.tar",
                            "size": 1024
                          }
                        ]
                      ]
                    },
                    "source": {
                      "infos": [
                        {
                          "data": "RlJPTSBhbHBpbmUKUlVOIG1ha2UK",
                          "filename": "Dockerfile",
                          "language": "Dockerfile"
                        }
                      ],
                      "locations": {
                        "step0": {
                          "locations": [
                            {
                              "ranges": [
                                {
                                  "end": {
                                    "line": 1
                                  },
                                  "start": {
                                    "line": 1
                                  }
                                }
                              ]
                            }
                          ]
                        },
                        "step1": {
                          "locations": [
                            {
                              "ranges": [
                                {
                                  "end": {
                                    "line": 2
                                  },
                                  "start": {
                                    "line": 2
                                  }
                                }
                              ]
                            }
                          ]
                        }
                      }
                    }
                  },
                  "buildkit_reproducible": true,
                  "finishedOn": "1970-01-01T00:00:00Z",
                  "startedOn": "1970-01-01T00:00:00Z"
                }
              }
            }
        "#]],
    );
}

#[test]
fn version_0_2_says_the_same_in_its_words() {
    check(
        "mode=max,version=v0.2",
        expect![[r#"
            https://slsa.dev/provenance/v0.2
            {
              "buildConfig": {
                "digestMapping": {
                  "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b": "step0",
                  "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35": "step1"
                },
                "llbDefinition": [
                  {
                    "id": "step0",
                    "name": "[app 1/2] FROM alpine"
                  },
                  {
                    "id": "step1",
                    "inputs": [
                      "step0:0"
                    ],
                    "name": "[app 2/2] RUN make"
                  },
                  {
                    "id": "step2",
                    "inputs": [
                      "step1:0"
                    ]
                  }
                ]
              },
              "buildType": "https://mobyproject.org/buildkit@v1",
              "builder": {
                "id": ""
              },
              "invocation": {
                "configSource": {
                  "entryPoint": "Dockerfile"
                },
                "environment": {
                  "dockerfileVersion": "1.26.0",
                  "platform": "linux/amd64"
                },
                "parameters": {
                  "args": {
                    "build-arg:VERSION": "1.2",
                    "build-arg:http_proxy": "http://xxxxx:xxxxx@proxy.example:3128/",
                    "context:lib": "local:lib",
                    "label:team": "red",
                    "target": "app"
                  },
                  "frontend": "dockerfile.v0",
                  "locals": [
                    {
                      "name": "context"
                    },
                    {
                      "name": "dockerfile"
                    }
                  ],
                  "secrets": [
                    {
                      "id": "other"
                    },
                    {
                      "id": "token",
                      "optional": true
                    }
                  ],
                  "ssh": [
                    {
                      "id": "default"
                    }
                  ]
                }
              },
              "materials": [
                {
                  "digest": {
                    "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
                  },
                  "uri": "pkg:docker/alpine@3.20?platform=linux%2Famd64"
                }
              ],
              "metadata": {
                "buildFinishedOn": "1970-01-01T00:00:00Z",
                "buildStartedOn": "1970-01-01T00:00:00Z",
                "completeness": {
                  "environment": true,
                  "materials": false,
                  "parameters": true
                },
                "https://mobyproject.org/buildkit@v1#hermetic": false,
                "https://mobyproject.org/buildkit@v1#metadata": {
                  "layers": {
                    "step0:0": [
                      [
                        {
                          "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
                          "mediaType": "application/vnd.oci.image.layer.v1.tar",
                          "size": 2048
                        }
                      ]
                    ],
                    "step1:0": [
                      [
                        {
                          "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
                          "mediaType": "application/vnd.oci.image.layer.v1.tar",
                          "size": 2048
                        },
                        {
                          "digest": "sha256:acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0",
                          "mediaType": "application/vnd.oci.image.layer.v1.tar",
                          "size": 1024
                        }
                      ]
                    ]
                  },
                  "source": {
                    "infos": [
                      {
                        "data": "RlJPTSBhbHBpbmUKUlVOIG1ha2UK",
                        "filename": "Dockerfile",
                        "language": "Dockerfile"
                      }
                    ],
                    "locations": {
                      "step0": {
                        "locations": [
                          {
                            "ranges": [
                              {
                                "end": {
                                  "line": 1
                                },
                                "start": {
                                  "line": 1
                                }
                              }
                            ]
                          }
                        ]
                      },
                      "step1": {
                        "locations": [
                          {
                            "ranges": [
                              {
                                "end": {
                                  "line": 2
                                },
                                "start": {
                                  "line": 2
                                }
                              }
                            ]
                          }
                        ]
                      }
                    }
                  }
                },
                "reproducible": false
              }
            }
        "#]],
    );
}

#[test]
fn nothing_of_the_host_is_told() {
    for flag in ["mode=min", "mode=max", "mode=max,version=v0.2"] {
        let asked = Asked::parse(&[Flag::Provenance(flag)]).unwrap().provenance.unwrap();
        assert_eq!(asked.times, Times::Epoch);
        let body = String::from_utf8(predicate(&facts(&request()), &asked).body).unwrap();
        for trace in ["somebody", "/home", "/run/user", "hunter2", "secret-project"] {
            assert!(!body.contains(trace), "{trace} in {body}");
        }
    }
}

#[test]
fn a_build_without_the_network_of_a_known_commit_is_hermetic() {
    let mut request = request();
    request.context = BuildContext::Url("https://user:pass@git.example/a.git#main:src".into());
    request.run.network = "none".into();
    let mut facts = Facts::asked(&request);
    facts.materials = vec![Material::of_commit("https://user:pass@git.example/a.git#main", &"1".repeat(40))];
    assert!(facts.locals.is_empty());
    let body = predicate(&facts, &Provenance::default()).body;
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["runDetails"]["metadata"]["buildkit_hermetic"], true);
    assert_eq!(document["runDetails"]["metadata"]["buildkit_completeness"]["resolvedDependencies"], true);
    let source = &document["buildDefinition"]["externalParameters"]["configSource"];
    expect![[r#"{"digest":{"sha1":"1111111111111111111111111111111111111111"},"path":"Dockerfile","uri":"https://xxxxx:xxxxx@git.example/a.git#main:src"}"#]]
        .assert_eq(&source.to_string());
}

#[test]
fn materials_are_named_and_ordered_as_by_buildkit() {
    let (amd, digest) = ("linux/amd64".parse().unwrap(), Digest::sha256(b"d"));
    let here = Described { digest: None, ..described(b"i") };
    let mut all = [
        Material::of_file("https://me@a.example/x", &digest),
        Material::of_commit("https://a.example/a.git", &"1".repeat(64)),
        Material::of_layout("base::linux/amd64", &described(b"d"), &amd),
        Material::of_image(&"mine".parse().unwrap(), &here, &amd),
    ];
    all.sort();
    let told: Vec<_> = all.iter().map(|material| (material.uri.as_str(), &material.digest["sha256"][..4])).collect();
    let of_layout = format!("pkg:oci/base?digest={digest}&platform=linux%2Famd64");
    assert_eq!(
        told,
        [
            ("pkg:docker/mine@latest?platform=linux%2Famd64", &Digest::sha256(b"i").hex()[..4]),
            (of_layout.as_str(), &digest.hex()[..4]),
            ("https://a.example/a.git", "1111"),
            ("https://xxxxx:xxxxx@a.example/x", &digest.hex()[..4]),
        ]
    );
}

#[test]
fn what_is_another_each_time_is_told_on_demand() {
    let mut facts = facts(&request());
    let body = |facts: &Facts| String::from_utf8(predicate(facts, &Provenance::default()).body).unwrap();
    assert!(!body(&facts).contains("invocationID"));
    facts.invocation = Some("abc".into());
    assert!(body(&facts).contains(r#""invocationID":"abc""#));
}

#[test]
fn addresses_lose_their_secrets() {
    let check = |address: &str, is: &str| assert_eq!(facts::without_credentials(address), is);
    check("https://a:b@h/p@q", "https://xxxxx:xxxxx@h/p@q");
    check("https://h/p?x=a@b", "https://h/p?x=a@b");
    check("ssh://git@h/p", "ssh://git@h/p");
    check("ssh://git:pw@h/p", "ssh://xxxxx:xxxxx@h/p");
    check("no address", "no address");
}
