//! Images as builders make them. Their manifests are spaced as each builder spaces them, so that a
//! manifest which was parsed and written again is another one.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REVISION: &str = "org.opencontainers.image.revision";

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: String,
    pub(crate) media_type: &'static str,
    /// Its config: what the layers are does not matter here.
    pub(crate) blobs: Vec<String>,
    /// Of an index.
    pub(crate) children: Vec<Image>,
}

impl Image {
    /// `docker build --label org.opencontainers.image.revision=<commit>` without BuildKit.
    pub(crate) fn docker(seed: &str, commit: Option<&str>) -> Image {
        let config = config(seed, commit);
        let manifest = format!(
            "{{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"{DOCKER_MANIFEST}\",\n   \
             \"config\": {{\n      \"mediaType\": \
             \"application/vnd.docker.container.image.v1+json\",\n      \"size\": {},\n      \
             \"digest\": \"{}\"\n   }},\n   \
             \"layers\": []\n}}",
            config.len(),
            sha256(&config),
        );
        Image { manifest, media_type: DOCKER_MANIFEST, blobs: vec![config], children: vec![] }
    }

    /// BuildKit's, with the commit as an annotation.
    pub(crate) fn oci(seed: &str, commit: &str) -> Image {
        Image::oci_manifest(
            &config(seed, None),
            &json!({ "mediaType": OCI_MANIFEST, "annotations": { REVISION: commit } }),
        )
    }

    /// The n-th build, of a commit of its own.
    pub(crate) fn build(number: u32) -> Image {
        Image::oci(
            &format!("build {number}"),
            &format!("{:040x}", 0x00c0_ffee_0000_u64 + u64::from(number)),
        )
    }

    /// `mediaType` is optional in an OCI manifest; this one has the commit as a label, in the
    /// config.
    pub(crate) fn oci_without_media_type(seed: &str, commit: &str) -> Image {
        Image::oci_manifest(&config(seed, Some(commit)), &json!({}))
    }

    /// Two platforms with the commit as a label, and their attestations, which are no platforms.
    pub(crate) fn index(seed: &str, commit: &str) -> Image {
        let plain = json!({ "mediaType": OCI_MANIFEST });
        let child = |platform: &str, labelled: Option<&str>| {
            Image::oci_manifest(&config(&format!("{seed}/{platform}"), labelled), &plain)
        };
        let platforms = [
            ("amd64", "linux", Some(commit)),
            ("arm64", "linux", Some(commit)),
            ("unknown", "unknown", None),
        ];
        let children: Vec<Image> =
            platforms.iter().map(|(platform, _, labelled)| child(platform, *labelled)).collect();
        let rows: Vec<Value> = children
            .iter()
            .zip(platforms)
            .map(|(child, (architecture, os, _))| {
                let mut row = json!({
                    "mediaType": OCI_MANIFEST, "digest": sha256(&child.manifest), "size": child.manifest.len(),
                    "platform": { "architecture": architecture, "os": os },
                });
                if os == "unknown" {
                    row["annotations"] = json!({
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": sha256(&children[0].manifest),
                    });
                }
                row
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows });
        let manifest = serde_json::to_string_pretty(&index).expect("JSON");
        Image { manifest, media_type: OCI_INDEX, blobs: vec![], children }
    }

    /// An image with this config, whatever it is.
    pub(crate) fn with_config(config: &str) -> Image {
        Image::oci_manifest(config, &json!({ "mediaType": OCI_MANIFEST }))
    }

    /// A manifest with these members besides.
    pub(crate) fn with_members(seed: &str, members: &Value) -> Image {
        let mut all = json!({ "mediaType": OCI_MANIFEST });
        all.as_object_mut()
            .expect("an object")
            .extend(members.as_object().cloned().unwrap_or_default());
        Image::oci_manifest(&config(seed, None), &all)
    }

    /// `helm push`: a chart.
    pub(crate) fn chart(seed: &str) -> Image {
        let text = json!({ "name": seed, "version": "1.0.0" }).to_string();
        let config = json!({
            "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": sha256(&text),
            "size": text.len(),
        });
        Image { blobs: vec![text], ..Image::with_members(seed, &json!({ "config": config })) }
    }

    /// An image for one platform with the commit as a label, and beside it what `soci convert`
    /// adds: an artifact with the same platform. The image is listed this often.
    pub(crate) fn index_with_soci(seed: &str, commit: &str, times: usize) -> Image {
        let plain = json!({ "mediaType": OCI_MANIFEST });
        let image = Image::oci_manifest(&config(seed, Some(commit)), &plain);
        let empty = json!({
            "mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256("{}"), "size": 2,
        });
        let soci = "application/vnd.amazon.soci.index.v2+json";
        let members =
            json!({ "config": empty, "artifactType": soci, "annotations": { "seed": seed } });
        let soci_index =
            Image { blobs: vec!["{}".to_owned()], ..Image::with_members(seed, &members) };
        let row = |child: &Image| {
            json!({
                "mediaType": OCI_MANIFEST, "digest": child.digest(), "size": child.manifest.len(),
                "platform": { "architecture": "amd64", "os": "linux" },
            })
        };
        let mut rows = vec![row(&image); times];
        let mut beside = row(&soci_index);
        beside["artifactType"] = json!(soci);
        rows.push(beside);
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows }).to_string();
        Image { manifest, media_type: OCI_INDEX, blobs: vec![], children: vec![image, soci_index] }
    }

    /// Many platforms with the commit as a label, each with a config of its own of this size.
    pub(crate) fn index_of_large_configs(commit: &str, platforms: usize, bytes: usize) -> Image {
        let config = |number: usize| {
            let labels = json!({ REVISION: commit });
            json!({ "config": { "Labels": labels }, "number": number, "x": "x".repeat(bytes) })
                .to_string()
        };
        let children: Vec<Image> =
            (0..platforms).map(|number| Image::with_config(&config(number))).collect();
        let row = |child: &Image| json!({ "mediaType": OCI_MANIFEST, "digest": child.digest(), "size": child.manifest.len() });
        let rows: Vec<Value> = children.iter().map(row).collect();
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows }).to_string();
        Image { manifest, media_type: OCI_INDEX, blobs: vec![], children }
    }

    fn oci_manifest(config: &str, extra: &Value) -> Image {
        let mut manifest = json!({
            "schemaVersion": 2,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(config), "size": config.len(),
            },
            "layers": [],
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            manifest[key] = value.clone();
        }
        let manifest = format!("{}\n", serde_json::to_string_pretty(&manifest).expect("JSON"));
        Image {
            manifest,
            media_type: OCI_MANIFEST,
            blobs: vec![config.to_owned()],
            children: vec![],
        }
    }

    pub(crate) fn digest(&self) -> String {
        sha256(&self.manifest)
    }
}

fn config(seed: &str, commit: Option<&str>) -> String {
    let labels = commit.map_or_else(|| json!({}), |commit| json!({ REVISION: commit }));
    json!({
        "architecture": "amd64", "os": "linux", "config": { "Labels": labels },
        "rootfs": { "seed": seed },
    })
    .to_string()
}

pub(crate) fn sha256(text: &str) -> String {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
