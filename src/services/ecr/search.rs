//! Finds the images of a commit among up to 100,000 images. All images of the repository are
//! listed, and their manifests are read, a hundred in one call. Only matches are kept, so memory
//! does not grow with the size of the manifests.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_ecr::types::{Image as Row, ImageIdentifier};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::BATCH;
use crate::error::Error;
use crate::model::config::{App, CommitSource};
use crate::model::image::{CommitOf, ConfigLocation, Image, Tags, commit_of};
use crate::model::{Commit, Digest, Repository, Tag};
use crate::services::clients::Clients;
use crate::services::failure::failed;
use crate::world::snapshot::Matches;

/// The most calls that a search makes at the same time. An answer may have a hundred manifests of
/// 20 kB, which are in memory twice while they are read.
const IN_FLIGHT: usize = 4;
/// The most image configs that a search reads. If there are more, it reads none.
const MOST_LABELS: usize = 1_000;
/// The time that a search leaves to act on its result, at most half of the invocation's time.
const TIME_TO_ACT: Duration = Duration::from_secs(25);

/// A digest in 32 bytes. A search may keep 100,000 of them.
type Key = [u8; 32];

/// One row of the listing: an image and one of its tags.
struct Listed {
    image: Key,
    tag: Option<Tag>,
}

/// The result of reading a batch of manifests.
#[derive(Default)]
struct Found {
    matching: Vec<Digest>,
    /// The platforms of indexes. They have the same label and annotation, and are left out.
    platforms: HashSet<Key>,
    /// The images whose image config must be read.
    unlabelled: Vec<(Key, Location)>,
    /// The number of images that there was no time to read.
    unread: usize,
}

/// A [`ConfigLocation`] in few bytes.
enum Location {
    Blob(Key),
    Platforms(Vec<Key>),
}

impl Clients {
    /// Finds the images that were built from a commit, which may be abbreviated.
    pub(in super::super) async fn images_of(
        &self,
        app: &App,
        commit: &Commit,
    ) -> Result<Matches, Error> {
        let repository = &app.repository;
        let (listed, is_cut_off) = self.listed(app).await?;
        let batches = batches(&listed);
        let mut found = stream::iter(batches)
            .map(|batch| self.found_in(app, commit, batch))
            .buffer_unordered(IN_FLIGHT)
            .try_fold(Found::default(), |all, batch| std::future::ready(Ok(all.and(batch))))
            .await?;
        found.matching.retain(|digest| {
            key(digest.as_str()).is_none_or(|key| !found.platforms.contains(&key))
        });
        found.unlabelled.retain(|(image, _)| !found.platforms.contains(image));
        found.unread += usize::from(is_cut_off);
        if found.unlabelled.len() > MOST_LABELS {
            found.unread += found.unlabelled.len();
        } else {
            let labels = stream::iter(found.unlabelled)
                .map(|(image, location)| self.says(repository, commit, digest(image), location))
                .buffer_unordered(IN_FLIGHT);
            let labels: Vec<Result<Digest, usize>> =
                labels.try_filter_map(|says| std::future::ready(Ok(says))).try_collect().await?;
            for says in labels {
                match says {
                    Ok(digest) => found.matching.push(digest),
                    Err(unread) => found.unread += unread,
                }
            }
        }
        found.matching.sort_unstable();
        Ok(Matches { digests: found.matching, unread: found.unread })
    }

    /// Calls `take` with each page of images until it returns `false`. Returns whether all pages
    /// were read; `None` if there is no such repository.
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

    /// Lists all images, sorted by digest, with their tags if tags name commits. The flag says
    /// whether time ran out before the last page.
    async fn listed(&self, app: &App) -> Result<(Vec<Listed>, bool), Error> {
        let needs_tags = app.config.commit_from.contains(&CommitSource::Tag);
        let mut listed: Vec<Listed> = Vec::new();
        let take = |ids: Vec<ImageIdentifier>| {
            listed.extend(ids.into_iter().filter_map(|id| {
                let tag = id.image_tag.filter(|_| needs_tags).and_then(|tag| tag.parse().ok());
                Some(Listed { image: key(&id.image_digest?)?, tag })
            }));
            self.has_time(TIME_TO_ACT)
        };
        let is_whole = self.each_page_of_images(&app.repository, take).await?.unwrap_or(true);
        listed.sort_unstable_by_key(|row| row.image);
        Ok((listed, !is_whole))
    }

    /// Reads the commits of up to a hundred images. Their manifests are freed before this returns.
    async fn found_in(&self, app: &App, commit: &Commit, batch: Batch<'_>) -> Result<Found, Error> {
        let mut found = Found::default();
        if !self.has_time(TIME_TO_ACT) {
            found.unread = batch.images.len();
            return Ok(found);
        }
        let ids = batch
            .images
            .iter()
            .map(|image| ImageIdentifier::builder().image_digest(digest(*image).as_str()).build());
        let rows = match self.batch_get_image(&app.repository, ids.collect()).await {
            Ok(answered) => answered.unwrap_or_default().0,
            // The answer is too large: some of these manifests are very large.
            Err(Error::Unexpected { .. }) if batch.images.len() > 1 => {
                let (one, other) = batch.halves();
                return Ok(Box::pin(self.found_in(app, commit, one))
                    .await?
                    .and(Box::pin(self.found_in(app, commit, other)).await?));
            }
            // The manifest of a single image is too large. It could not be promoted: leave it out.
            Err(Error::Unexpected { .. }) => return Ok(found),
            Err(error) => return Err(error),
        };
        let mut seen: HashSet<Key> = HashSet::new();
        for row in rows {
            // ECR may answer a row for each tag, even if the image was asked for by digest.
            let Some(image) = parse(row)
                .filter(|image| key(image.digest.as_str()).is_some_and(|key| seen.insert(key)))
            else {
                continue;
            };
            if let ConfigLocation::Platforms(platforms) = &image.config {
                found
                    .platforms
                    .extend(platforms.iter().filter_map(|platform| key(platform.as_str())));
            }
            match (
                commit_of(&image, &batch.tags(&image.digest), None, &app.config),
                located(&image),
            ) {
                (CommitOf::Known(Some(its)), _) if its.agrees_with(commit) => {
                    found.matching.push(image.digest)
                }
                (CommitOf::NeedsLabel, Some(located)) => found.unlabelled.push(located),
                (CommitOf::Known(_) | CommitOf::NeedsLabel | CommitOf::NeedsTags, _) => {}
            }
        }
        Ok(found)
    }

    /// Returns the image if its label names the commit; the inner `Err` counts an image that could
    /// not be read.
    async fn says(
        &self,
        repository: &Repository,
        commit: &Commit,
        image: Digest,
        location: Location,
    ) -> Result<Option<Result<Digest, usize>>, Error> {
        if !self.has_time(TIME_TO_ACT) {
            return Ok(Some(Err(1)));
        }
        let config = match location {
            Location::Blob(blob) => ConfigLocation::Blob(digest(blob)),
            Location::Platforms(platforms) => {
                ConfigLocation::Platforms(platforms.into_iter().map(digest).collect())
            }
        };
        // The rest of the image is not needed to read its label.
        let image = Image {
            digest: image,
            manifest: String::new(),
            media_type: String::new(),
            annotation: None,
            description: None,
            authors: None,
            url: None,
            config,
        };
        match self.labels(repository, &image).await {
            Ok(labels) => {
                let own = labels.revision.filter(|its| its.agrees_with(commit));
                Ok(own.map(|_| Ok(image.digest)))
            }
            // If one config cannot be read, the search continues.
            Err(Error::Unexpected { .. }) => Ok(Some(Err(1))),
            Err(error) => Err(error),
        }
    }
}

impl Found {
    fn and(mut self, other: Found) -> Found {
        self.matching.extend(other.matching);
        self.platforms.extend(other.platforms);
        self.unlabelled.extend(other.unlabelled);
        self.unread += other.unread;
        self
    }
}

/// The images of one call, and the listed rows of these images.
struct Batch<'a> {
    images: Vec<Key>,
    rows: &'a [Listed],
}

impl<'a> Batch<'a> {
    fn halves(&self) -> (Batch<'a>, Batch<'a>) {
        let (one, other) = self.images.split_at(self.images.len() / 2);
        (
            Batch { images: one.to_vec(), rows: self.rows },
            Batch { images: other.to_vec(), rows: self.rows },
        )
    }

    /// The tags of one image.
    fn tags(&self, digest: &Digest) -> Tags {
        let key = key(digest.as_str());
        self.rows
            .iter()
            .filter(|row| Some(row.image) == key)
            .filter_map(|row| Some((row.tag.clone()?, digest.clone())))
            .collect()
    }
}

fn batches(mut rows: &[Listed]) -> Vec<Batch<'_>> {
    let mut batches = Vec::new();
    while !rows.is_empty() {
        let images: Vec<Key> = rows
            .chunk_by(|a, b| a.image == b.image)
            .take(BATCH)
            .map(|image| image[0].image)
            .collect();
        let last = images.last().copied();
        let end = rows.partition_point(|row| Some(row.image) <= last);
        let (own, others) = rows.split_at(end);
        batches.push(Batch { images, rows: own });
        rows = others;
    }
    batches
}

/// Reads the image of a row; `None` if it cannot be promoted.
fn parse(row: Row) -> Option<Image> {
    let digest = row.image_id?.image_digest?.parse().ok()?;
    Image::parse(&digest, row.image_manifest?, row.image_manifest_media_type).ok()
}

fn located(image: &Image) -> Option<(Key, Location)> {
    let location = match &image.config {
        ConfigLocation::Blob(blob) => Location::Blob(key(blob.as_str())?),
        ConfigLocation::Platforms(platforms) => Location::Platforms(
            platforms.iter().filter_map(|platform| key(platform.as_str())).collect(),
        ),
        ConfigLocation::Artifact(_) | ConfigLocation::Nowhere => return None,
    };
    Some((key(image.digest.as_str())?, location))
}

fn key(digest: &str) -> Option<Key> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64)?;
    let mut key = Key::default();
    for (byte, pair) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

fn digest(key: Key) -> Digest {
    Digest::from_bytes(key)
}

#[cfg(test)]
mod tests;
