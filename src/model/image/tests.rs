use super::*;
use crate::samples::{self, COMMIT};

fn config(extra: &str) -> Config {
    samples::app(&format!(r#"{{"stack":"web"{extra}}}"#)).config
}

fn image(manifest: &str) -> Image {
    let digest = Digest::of(manifest.as_bytes());
    Image::parse(&digest, manifest.to_owned(), Some(MEDIA_TYPES[2].to_owned())).expect("an image")
}

fn tags(on: &Digest, names: &[&str]) -> Tags {
    names.iter().map(|name| (name.parse().expect("valid"), on.clone())).collect()
}

#[track_caller]
fn commit_by_tags(names: &[&str], want: Option<&str>) {
    let digest = Digest::of(b"x");
    let found = tags(&digest, names).commit(&digest, &config("")).expect("read");
    assert_eq!(found.as_ref().map(Commit::as_str), want, "{names:?}");
}

/// The commit in an image config.
fn label(config: &[u8]) -> Option<Commit> {
    labels(config).and_then(|labels| labels.revision)
}

#[test]
fn a_commit_is_read_from_a_tag_alone_or_after_a_word() {
    commit_by_tags(&["latest", COMMIT], Some(COMMIT));
    commit_by_tags(&["latest", "staging_9fceb02"], Some("9fceb02"));
    commit_by_tags(&[&format!("production_{COMMIT}")], Some(COMMIT));
    commit_by_tags(&["9fceb02", COMMIT], Some(COMMIT));
    commit_by_tags(&[&"1".repeat(40)], Some(&"1".repeat(40)));
}

#[test]
fn other_tags_name_no_commit() {
    commit_by_tags(&["latest"], None);
    commit_by_tags(&["1234567"], None);
    commit_by_tags(&["20240131"], None);
    commit_by_tags(&["9FCEB02"], None);
    commit_by_tags(&["v9fceb02"], None);
    commit_by_tags(&["_9fceb02"], None);
    commit_by_tags(&["production_9fceb02d0ae5-2d711642b726"], None);
    let digest = Digest::of(b"x");
    commit_by_tags(&[&format!("production_{}", digest.short())], None);
}

#[test]
fn several_commits_are_no_commit() {
    commit_by_tags(&["9fceb02", "deadbee"], None);
    commit_by_tags(&["staging_9fceb02", "production_deadbee"], None);
}

#[test]
fn a_manifest_that_is_not_its_digest_is_refused() {
    let error = Image::parse(&Digest::of(b"other"), "{}".to_owned(), None).expect_err("refused");
    assert!(error.contains("sha256"), "{error}");
}

#[test]
fn the_media_type_comes_from_ecr_where_the_manifest_does_not_say() {
    let manifest = r#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_owned();
    let digest = Digest::of(manifest.as_bytes());
    assert!(Image::parse(&digest, manifest.clone(), None).is_err());
    assert!(Image::parse(&digest, manifest.clone(), Some("application/x".to_owned())).is_err());
    assert_eq!(
        Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned()))
            .expect("an image")
            .media_type,
        MEDIA_TYPES[2]
    );
}

#[test]
fn an_annotation_and_a_label_name_the_ci_run() {
    const URL: &str = "https://github.com/acme/web/actions/runs/1";
    let named = format!(r#"{{"org.opencontainers.image.url":"{URL}"}}"#);
    let annotated = image(&format!(r#"{{"annotations":{named}}}"#));
    assert_eq!((annotated.url.as_deref(), annotated.description), (Some(URL), None));
    let labelled = labels(format!(r#"{{"config":{{"Labels":{named}}}}}"#).as_bytes());
    assert_eq!(labelled.expect("labels").url.as_deref(), Some(URL));
    let long = named.replace(URL, &format!("{URL}{}", "1".repeat(300)));
    assert_eq!(image(&format!(r#"{{"annotations":{long}}}"#)).url, None, "it is not cut");
}

#[test]
fn sources_are_asked_in_the_configured_order() {
    let annotated = image(&format!(
        r#"{{"annotations":{{"{REVISION}":"aaaaaaa"}},"config":{{"digest":"{}"}}}}"#,
        Digest::of(b"c")
    ));
    let tagged = tags(&annotated.digest, &["bbbbbbb"]);
    let labelled =
        BuildLabels { revision: Some("ccccccc".parse().expect("valid")), ..BuildLabels::default() };
    let found = |order: &str| match commit_of(
        &annotated,
        &tagged,
        Some(&labelled),
        &config(&format!(r#","commit_from":{order}"#)),
    ) {
        CommitOf::Known(commit) => commit.map(String::from),
        CommitOf::NeedsLabel | CommitOf::NeedsTags => panic!("the label is there"),
    };
    assert_eq!(found(r#"["tag","annotation"]"#).as_deref(), Some("bbbbbbb"));
    assert_eq!(found(r#"["annotation","tag"]"#).as_deref(), Some("aaaaaaa"));
    assert_eq!(found(r#"["label","tag"]"#).as_deref(), Some("ccccccc"));
    assert_eq!(found(r#"["digest","tag"]"#), None);
}

#[test]
fn the_label_is_asked_for_only_where_the_order_reaches_it() {
    let plain = image(&format!(r#"{{"config":{{"digest":"{}"}}}}"#, Digest::of(b"c")));
    let none: Tags = [].into_iter().collect();
    assert_eq!(commit_of(&plain, &none, None, &config("")), CommitOf::NeedsLabel);
    assert_eq!(
        commit_of(&plain, &none, None, &config(r#","commit_from":["tag"]"#)),
        CommitOf::Known(None)
    );
    assert_eq!(commit_of(&image("{}"), &none, None, &config("")), CommitOf::Known(None));
    assert_eq!(
        commit_of(&plain, &Tags::default(), None, &config("")),
        CommitOf::NeedsTags,
        "they were not read"
    );
}

#[test]
fn a_label_that_is_no_commit_is_none() {
    let with = |value: &str| {
        label(format!(r#"{{"config":{{"Labels":{{"{REVISION}":"{value}"}}}}}}"#).as_bytes())
    };
    assert_eq!(with(COMMIT).expect("a commit").as_str(), COMMIT);
    for bad in ["main", "v1.2.3", "9FCEB02", "", "<script>"] {
        assert_eq!(with(bad), None, "{bad}");
    }
    assert_eq!(label(b"not json"), None);
    assert_eq!(label(b"{}"), None);
}

#[test]
fn an_index_gives_its_platforms_without_attestations() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let index = image(&format!(
        r#"{{"manifests":[{{"digest":"{a}","platform":{{"os":"linux","architecture":"amd64"}}}},
            {{"digest":"{b}","platform":{{"os":"unknown","architecture":"unknown"}},
              "annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}}]}}"#
    ));
    assert_eq!(index.config, ConfigLocation::Platforms(vec![a]));
}

/// `soci convert` puts the SOCI index of a platform beside its image, with the same platform.
#[test]
fn other_children_of_an_index_are_left_out() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let platform = r#""platform":{"os":"linux","architecture":"amd64"}"#;
    let child =
        |digest: &Digest, more: &str| format!(r#"{{"digest":"{digest}",{platform}{more}}}"#);
    let platforms = |other: &str| {
        image(&format!(r#"{{"manifests":[{},{}]}}"#, child(&a, ""), child(&b, other))).config
    };
    for other in [
        concat!(
            r#","mediaType":"application/vnd.oci.image.manifest.v1+json""#,
            r#","artifactType":"application/vnd.amazon.soci.index.v2+json""#
        ),
        r#","mediaType":"application/vnd.cncf.helm.config.v1+json""#,
        r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#,
    ] {
        assert_eq!(platforms(other), ConfigLocation::Platforms(vec![a.clone()]), "{other}");
    }
    for same in [
        concat!(
            r#","mediaType":"application/vnd.oci.image.manifest.v1+json""#,
            r#","artifactType":"","annotations":null"#
        ),
        r#","mediaType":"application/vnd.docker.distribution.manifest.v2+json""#,
        "",
    ] {
        assert_eq!(
            platforms(same),
            ConfigLocation::Platforms(vec![a.clone(), b.clone()]),
            "{same}"
        );
    }
}

#[test]
fn each_platform_counts_once_and_only_so_many() {
    let child = |n: usize| format!(r#"{{"digest":"{}"}}"#, Digest::of(n.to_string().as_bytes()));
    let index = |children: Vec<String>| {
        let index = image(&format!(r#"{{"manifests":[{}]}}"#, children.join(",")));
        let ConfigLocation::Platforms(platforms) = index.config else {
            panic!("no index: {index:?}")
        };
        platforms.len()
    };
    assert_eq!(index(vec![child(1); 1_000]), 1);
    assert_eq!(index((0..1_000).map(child).collect()), MOST_PLATFORMS);
}

#[test]
fn artifacts_are_known_by_their_config_or_their_type() {
    let blob = Digest::of(b"c");
    let manifest = |kind: &str, more: &str| {
        image(&format!(r#"{{"config":{{"mediaType":"{kind}","digest":"{blob}"}}{more}}}"#)).config
    };
    for kind in CONFIG_TYPES {
        assert_eq!(manifest(kind, ""), ConfigLocation::Blob(blob.clone()));
    }
    for kind in [
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.oci.empty.v1+json",
        "application/vnd.wasm.config.v0+json",
    ] {
        assert_eq!(manifest(kind, ""), ConfigLocation::Artifact(kind.to_owned()));
    }
    let signature = manifest(
        CONFIG_TYPES[1],
        r#","artifactType":"application/vnd.dev.cosign.artifact.sig.v1+json""#,
    );
    assert_eq!(
        signature,
        ConfigLocation::Artifact("application/vnd.dev.cosign.artifact.sig.v1+json".to_owned())
    );
    for nothing in [r#"{"manifests":[]}"#, r#"{"manifests":[{"digest":"x"}]}"#] {
        assert!(matches!(image(nothing).config, ConfigLocation::Artifact(_)), "{nothing}");
    }
    let annotated =
        image(&format!(r#"{{"annotations":{{"{REVISION}":"aaaaaaa"}},"artifactType":"x"}}"#));
    assert_eq!(
        commit_of(&annotated, &Tags::default(), None, &config("")),
        CommitOf::Known(None),
        "no search by commit finds it"
    );
}

#[test]
fn a_manifest_of_two_kinds_is_refused() {
    let manifest = r#"{"manifests":[],"config":{}}"#.to_owned();
    let error =
        Image::parse(&Digest::of(manifest.as_bytes()), manifest, Some(MEDIA_TYPES[2].to_owned()))
            .expect_err("refused");
    assert!(error.contains("at once"), "{error}");
}

#[test]
fn null_counts_as_absent() {
    let null = r#"{"mediaType":null,"artifactType":null,"config":null,"manifests":null,
        "annotations":null}"#;
    assert_eq!(image(null).config, ConfigLocation::Nowhere);
    assert_eq!(label(br#"{"config":{"Labels":null}}"#), None);
    assert_eq!(label(br#"{"config":null}"#), None);
    assert_eq!(
        label(format!(r#"{{"config":{{"Labels":{{"{REVISION}":null}}}}}}"#).as_bytes()),
        None
    );
}

#[test]
fn a_commit_built_twice_gets_a_tag_with_its_digest() {
    let (mine, other) = (Digest::of(b"mine"), Digest::of(b"other"));
    let commit = "9fceb02".parse().expect("valid");
    let tag = |tags: &Tags, taken: &[&str]| {
        let taken = taken.iter().map(|tag| tag.parse().expect("valid")).collect();
        production_tag(&mine, Some(&commit), tags, &taken, &config("")).map(String::from)
    };
    let suffixed = format!("production_9fceb02-{}", mine.short());
    assert_eq!(tag(&Tags::default(), &[]).as_deref(), Some("production_9fceb02"));
    assert_eq!(
        tag(&tags(&mine, &["production_9fceb02"]), &[]).as_deref(),
        Some("production_9fceb02")
    );
    assert_eq!(tag(&tags(&other, &["production_9fceb02"]), &[]), Some(suffixed.clone()));
    assert_eq!(tag(&Tags::default(), &["production_9fceb02"]), Some(suffixed.clone()));
    assert_eq!(tag(&tags(&mine, &[&suffixed]), &[]), Some(suffixed));
}

#[test]
fn an_image_without_a_commit_is_named_by_its_digest() {
    let digest = Digest::of(b"mine");
    let tag = production_tag(&digest, None, &Tags::default(), &BTreeSet::new(), &config(""));
    assert_eq!(tag.map(String::from), Some(format!("production_{}", digest.short())));
}
