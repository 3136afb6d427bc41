//! ECR: who holds which tag, manifests by digest, and the one write, `PutImage` of the same bytes
//! under another tag.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::{
    self as ecr, Image as Row, ImageDetail, ImageFailure, ImageFailureCode, ImageIdentifier,
    ImageTagMutability,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;
use tracing::warn;

use super::bounded::{MOST_BYTES, is_too_large};
use super::clients::{CONFIGURATION_AGE, Clients};
use super::failure::failed;
use crate::error::Error;
use crate::model::config::App;
use crate::model::image::{Image, MEDIA_TYPES, TagMutability};
use crate::model::{Digest, Repository, Tag};
use crate::world::Applied;

/// How long a look waits to hear which tags can be moved: without that it is one round trip slower,
/// and no worse.
const MUTABILITY_WITHIN: Duration = Duration::from_secs(2);
/// BatchGetImage takes 100 images a call.
const BATCH: usize = 100;

/// How many calls about single tags are under way at once.
const IN_FLIGHT: usize = 8;

/// The answer to one BatchGetImage for an image by digest and one by the source tag.
pub(super) struct Candidates {
    /// The images, by digest; `Err` says why one cannot be pulled.
    pub(super) found: BTreeMap<Digest, Result<Image, String>>,
    by_tag_failed: bool,
    tagged: BTreeSet<(Digest, String)>,
    rows: usize,
    /// Whether the repository exists.
    pub(super) is_there: bool,
}

/// Images, and why some of those that were asked for are missing.
type Answered = (Vec<Row>, Vec<ImageFailure>);

/// What the source tag is on, as far as one answer tells.
#[derive(Debug, PartialEq)]
pub(super) enum Newest {
    /// This image, or none.
    Known(Option<Digest>),
    /// The answer has one row, which may be of either id.
    Ambiguous,
}

impl Candidates {
    /// What the source tag is on. A row says which image it is, but not which of the ids asked for
    /// it.
    pub(super) fn newest(&self, asked: Option<&Digest>, source_tag: &Tag) -> Newest {
        if self.by_tag_failed {
            return Newest::Known(None);
        }
        let others =
            || self.tagged.iter().map(|(digest, _)| digest).filter(|digest| Some(*digest) != asked);
        let by_name = self
            .tagged
            .iter()
            .find(|(_, tag)| tag == source_tag.as_str())
            .map(|(digest, _)| digest);
        let both_on_asked = asked.filter(|_| self.rows > 1);
        match others().next().or(by_name).or(both_on_asked) {
            Some(newest) => Newest::Known(Some(newest.clone())),
            None if self.rows == 0 => Newest::Known(None),
            None => Newest::Ambiguous,
        }
    }
}

impl Clients {
    /// Hands over the images page by page, for as long as `take` wants more: whether all were read.
    /// `None` if there is no such repository.
    async fn each_page_of_images(
        &self,
        repository: &Repository,
        mut take: impl FnMut(Vec<ImageIdentifier>) -> bool,
    ) -> Result<Option<bool>, Error> {
        let mut request =
            self.ecr.list_images().repository_name(repository.as_str()).max_results(1_000);
        loop {
            let page = match self.patiently("ecr:ListImages", || request.clone().send()).await {
                Ok(page) => page,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_repository_not_found_exception()) =>
                {
                    return Ok(None);
                }
                Err(error) => {
                    return Err(failed(
                        "ecr:ListImages",
                        format!("repository `{repository}`"),
                        &error,
                    ));
                }
            };
            let wants_more = take(page.image_ids.unwrap_or_default());
            match page.next_token.filter(|token| !token.is_empty()) {
                None => return Ok(Some(true)),
                Some(_) if !wants_more => return Ok(Some(false)),
                Some(token) => request = request.next_token(token),
            }
        }
    }

    /// The image that the source tag is on and, where an event names one, that image by its digest.
    pub(super) async fn candidates(
        &self,
        app: &App,
        digest: Option<&Digest>,
    ) -> Result<Candidates, Error> {
        let source_tag = app.config.source_tag.as_str();
        let by_digest =
            digest.map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
        let by_tag = ImageIdentifier::builder().image_tag(source_tag).build();
        let answered = self
            .batch_get_image(&app.repository, by_digest.into_iter().chain([by_tag]).collect())
            .await?;
        let is_there = answered.is_some();
        let (rows, failures) = answered.unwrap_or_default();
        let by_tag_failed = failures.iter().any(|f| {
            f.image_id.as_ref().is_some_and(|id| id.image_tag.as_deref() == Some(source_tag))
        });
        let mut candidates = Candidates {
            found: BTreeMap::new(),
            by_tag_failed,
            tagged: BTreeSet::new(),
            rows: 0,
            is_there,
        };
        for row in rows {
            let Some((id, manifest)) = row.image_id.zip(row.image_manifest) else { continue };
            let Some(found) = id.image_digest.and_then(|text| text.parse::<Digest>().ok()) else {
                continue;
            };
            candidates.rows += 1;
            candidates.tagged.insert((found.clone(), id.image_tag.unwrap_or_default()));
            // By tag, ECR may convert a manifest: one that is not its digest is asked for again, by
            // digest.
            if Digest::of(manifest.as_bytes()) == found {
                let image = Image::parse(&found, manifest, row.image_manifest_media_type);
                candidates.found.insert(found, image);
            }
        }
        if let Some(digest) = digest
            && !candidates.tagged.iter().any(|(found, _)| found == digest)
        {
            candidates.found.insert(digest.clone(), Err(gone(digest, &failures)));
        }
        Ok(candidates)
    }

    /// One image by its digest, verified. The inner `Err` says why it cannot be pulled.
    pub(super) async fn image(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Result<Image, String>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let (rows, failures) =
            self.batch_get_image(repository, vec![id]).await?.unwrap_or_default();
        let manifest = rows
            .into_iter()
            .find_map(|row| Some((row.image_manifest?, row.image_manifest_media_type)));
        let Some((manifest, media_type)) = manifest else {
            return Ok(Err(gone(digest, &failures)));
        };
        if Digest::of(manifest.as_bytes()) != *digest {
            let resource = format!("manifest {digest} of `{repository}`");
            return Err(Error::Unexpected {
                resource,
                problem: "ECR answered bytes with another sha256".to_owned(),
            });
        }
        Ok(Image::parse(digest, manifest, media_type))
    }

    /// The images of these ids, and why some are missing; `None` if there is no such repository.
    async fn batch_get_image(
        &self,
        repository: &Repository,
        ids: Vec<ImageIdentifier>,
    ) -> Result<Option<Answered>, Error> {
        let mut request = self
            .ecr
            .batch_get_image()
            .repository_name(repository.as_str())
            .set_image_ids(Some(ids));
        for media_type in MEDIA_TYPES {
            request = request.accepted_media_types(media_type);
        }
        let output = match self.patiently("ecr:BatchGetImage", || request.clone().send()).await {
            Ok(output) => output,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_repository_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) if is_too_large(&error) => {
                let problem = format!(
                    "ecr:BatchGetImage answers more than {} MB of manifests",
                    MOST_BYTES / 1024 / 1024
                );
                return Err(Error::Unexpected {
                    resource: format!("repository `{repository}`"),
                    problem,
                });
            }
            Err(error) => {
                return Err(failed(
                    "ecr:BatchGetImage",
                    format!("repository `{repository}`"),
                    &error,
                ));
            }
        };
        Ok(Some((output.images.unwrap_or_default(), output.failures.unwrap_or_default())))
    }

    /// Why an image that is there cannot be pulled: it is archived.
    pub(super) async fn unavailable(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<String>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let Some(detail) = self.describe(repository, id).await? else {
            return Ok(Some(gone(digest, &[])));
        };
        let status = detail.image_status.as_ref().map(|status| status.as_str());
        Ok(status
            .filter(|status| *status != "ACTIVE")
            .map(|status| format!("{digest} cannot be pulled: it is {status}")))
    }

    /// Which tags of a repository can be moved, at most as old as a configuration. Where that
    /// cannot be read, all can: it is then promoted with one more round trip.
    pub(super) async fn mutability(&self, repository: &Repository) -> TagMutability {
        let cache = self.mutability.of(repository.clone());
        let known = cache
            .get(
                |_, age| age < CONFIGURATION_AGE,
                async || Ok(self.read_mutability(repository).await),
            )
            .await;
        known.unwrap_or_default()
    }

    async fn read_mutability(&self, repository: &Repository) -> TagMutability {
        let asked = self.ecr.describe_repositories().repository_names(repository.as_str()).send();
        let read = match timeout(MUTABILITY_WITHIN, asked).await {
            Ok(Ok(output)) => {
                Ok(output.repositories().first().map(tag_mutability).unwrap_or_default())
            }
            Ok(Err(error)) => Err(failed(
                "ecr:DescribeRepositories",
                format!("repository `{repository}`"),
                &error,
            )
            .to_string()),
            Err(_) => Err("ecr:DescribeRepositories was not answered in time".to_owned()),
        };
        read.unwrap_or_else(|problem| {
            warn!(%repository, %problem, "all tags count as movable");
            TagMutability::default()
        })
    }

    /// What each of these tags is on, whatever kind of image that is, and however many others the
    /// repository has.
    pub(super) async fn tags_named(
        &self,
        repository: &Repository,
        tags: &BTreeSet<Tag>,
    ) -> Result<BTreeMap<Tag, Option<Digest>>, Error> {
        if tags.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self.tags_if_there(repository, tags).await?.unwrap_or_default())
    }

    /// The same; `None` if there is no such repository.
    pub(super) async fn tags_if_there(
        &self,
        repository: &Repository,
        tags: &BTreeSet<Tag>,
    ) -> Result<Option<BTreeMap<Tag, Option<Digest>>>, Error> {
        let ids = tags
            .iter()
            .map(|tag| ImageIdentifier::builder().image_tag(tag.as_str()).build())
            .collect();
        let Some((rows, failures)) = self.batch_get_image(repository, ids).await? else {
            return Ok(None);
        };
        let mut known = BTreeMap::new();
        for id in rows.into_iter().filter_map(|row| row.image_id) {
            let digest: Option<Digest> = id.image_digest.and_then(|digest| digest.parse().ok());
            let by_name = id
                .image_tag
                .and_then(|tag| tag.parse::<Tag>().ok())
                .filter(|tag| tags.contains(tag));
            let only_one = tags.first().filter(|_| tags.len() == 1).cloned();
            known.extend(by_name.or(only_one).zip(digest.map(Some)));
        }
        for failure in failures
            .iter()
            .filter(|failure| failure.failure_code == Some(ImageFailureCode::ImageNotFound))
        {
            let tag = failure
                .image_id
                .as_ref()
                .and_then(|id| id.image_tag())
                .and_then(|tag| tag.parse().ok());
            known.extend(tag.map(|tag| (tag, None)));
        }
        // What is no container image is not answered as one, and still has its tag.
        let holder = async |tag: &Tag| {
            let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
            let detail = self.describe(repository, id).await?;
            Ok::<_, Error>((
                tag.clone(),
                detail.and_then(|detail| detail.image_digest?.parse().ok()),
            ))
        };
        let unknown: Vec<&Tag> = tags.iter().filter(|tag| !known.contains_key(*tag)).collect();
        let others: Vec<_> =
            stream::iter(unknown).map(holder).buffer_unordered(IN_FLIGHT).try_collect().await?;
        Ok(Some(known.into_iter().chain(others).collect()))
    }

    /// Looks whether each tag is on its image, or on none.
    pub(super) async fn check_tags(
        &self,
        repository: &Repository,
        tags: &[(Tag, Digest)],
    ) -> Result<Applied, Error> {
        let holders =
            self.tags_named(repository, &tags.iter().map(|(tag, _)| tag.clone()).collect()).await?;
        let is_taken = |(tag, digest): &&(Tag, Digest)| {
            holders.get(tag).is_some_and(|on| on.as_ref().is_some_and(|on| on != digest))
        };
        Ok(tags
            .iter()
            .find(is_taken)
            .map_or(Applied::Done, |(tag, _)| Applied::TagTaken(tag.clone())))
    }

    /// All tags of one image; `None` if there is no such image.
    pub(super) async fn tags_of(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<BTreeSet<Tag>>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let Some(detail) = self.describe(repository, id).await? else { return Ok(None) };
        Ok(Some(
            detail
                .image_tags
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| tag.parse().ok())
                .collect(),
        ))
    }

    /// One image, by digest or tag; `None` if there is none. An image that does not exist fails a
    /// call, so each has one of its own.
    async fn describe(
        &self,
        repository: &Repository,
        id: ImageIdentifier,
    ) -> Result<Option<ImageDetail>, Error> {
        let request = self.ecr.describe_images().repository_name(repository.as_str()).image_ids(id);
        match self.patiently("ecr:DescribeImages", || request.clone().send()).await {
            Ok(output) => Ok(output.image_details.unwrap_or_default().into_iter().next()),
            Err(error) if error.as_service_error().is_some_and(is_not_there) => Ok(None),
            Err(error) => {
                Err(failed("ecr:DescribeImages", format!("repository `{repository}`"), &error))
            }
        }
    }

    /// Puts a tag on an image: the same bytes, the same digest, one more name.
    pub(super) async fn put_tag(
        &self,
        repository: &Repository,
        image: &Image,
        tag: &Tag,
    ) -> Result<Applied, Error> {
        let request = self
            .ecr
            .put_image()
            .repository_name(repository.as_str())
            .image_manifest(&image.manifest)
            .image_manifest_media_type(&image.media_type)
            .image_digest(image.digest.as_str())
            .image_tag(tag.as_str());
        let Err(error) = self.patiently("ecr:PutImage", || request.clone().send()).await else {
            return Ok(Applied::Done);
        };
        match error.as_service_error() {
            Some(e) if e.is_image_already_exists_exception() => Ok(Applied::Done),
            Some(e) if e.is_image_tag_already_exists_exception() => {
                self.who_holds(repository, image, tag).await
            }
            _ => Err(failed("ecr:PutImage", format!("`{repository}:{tag}`"), &error)),
        }
    }

    /// An immutable tag exists: our own first try, whose answer was lost, or another image's.
    async fn who_holds(
        &self,
        repository: &Repository,
        image: &Image,
        tag: &Tag,
    ) -> Result<Applied, Error> {
        let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
        let (rows, _) = self.batch_get_image(repository, vec![id]).await?.unwrap_or_default();
        let is_ours = rows.iter().any(|row| {
            row.image_id.as_ref().and_then(|id| id.image_digest.as_deref())
                == Some(image.digest.as_str())
        });
        Ok(if is_ours { Applied::Done } else { Applied::TagTaken(tag.clone()) })
    }
}

fn tag_mutability(repository: &ecr::Repository) -> TagMutability {
    let is_immutable = match &repository.image_tag_mutability {
        Some(ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion) => true,
        // A value that this version does not know counts as mutable, which is safe in both.
        Some(_) | None => false,
    };
    let exclusions = repository
        .image_tag_mutability_exclusion_filters()
        .iter()
        .map(|filter| filter.filter().to_owned());
    TagMutability { is_immutable, exclusions: exclusions.collect() }
}

fn is_not_there(error: &DescribeImagesError) -> bool {
    error.is_image_not_found_exception() || error.is_repository_not_found_exception()
}

fn gone(digest: &Digest, failures: &[ImageFailure]) -> String {
    let own = failures.iter().find(|f| {
        f.image_id.as_ref().is_some_and(|id| id.image_digest.as_deref() == Some(digest.as_str()))
    });
    let code =
        own.and_then(|f| f.failure_code.as_ref()).map_or("ImageNotFound", |code| code.as_str());
    let words =
        own.and_then(|f| f.failure_reason.as_deref()).unwrap_or("ECR does not have it any more");
    format!("{digest} cannot be pulled: {code}: {words}")
}

#[cfg(test)]
mod tests;
