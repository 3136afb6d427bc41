//! Finds the images of a commit, among up to 100,000. The repository is listed and its manifests
//! are read a hundred at a time. Only matches are kept, so memory does not grow with the size of
//! the manifests.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_ecr::types::{Image as Row, ImageIdentifier};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::super::clients::Clients;
use super::BATCH;
use crate::error::Error;
use crate::model::config::{App, CommitSource};
use crate::model::image::{CommitOf, ConfigLocation, Image, Tags, commit_of};
use crate::model::{Commit, Digest, Repository, Tag};
use crate::world::snapshot::Matches;

/// How many calls a search makes at the same time. Each may answer a hundred manifests of 20 kB,
/// which are in memory twice while they are read.
const IN_FLIGHT: usize = 4;
/// How many image configs a search reads before it gives up.
const MOST_LABELS: usize = 1_000;
/// How much of the invocation's time a search leaves (at most half of it), so that there is time to
/// act on what it finds.
const TIME_TO_ACT: Duration = Duration::from_secs(25);

/// A digest in 32 bytes: a search may have to remember 100,000 of them.
type Key = [u8; 32];

/// One row of the listing: an image and one of its tags.
struct Listed {
    image: Key,
    tag: Option<Tag>,
}

/// What a batch of manifests says.
#[derive(Default)]
struct Found {
    matching: Vec<Digest>,
    /// The platforms of indexes: they carry the label and the annotation too, and are left out.
    platforms: HashSet<Key>,
    /// Those whose image config must be read.
    unlabelled: Vec<(Key, Location)>,
    /// How many images there was no time to read.
    unread: usize,
}

/// A [`ConfigLocation`] in few bytes.
enum Location {
    Blob(Key),
    Platforms(Vec<Key>),
}

impl Clients {
    /// The images that were built from a commit, whole or abbreviated.
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

    /// Lists all images, sorted by digest, with their tags where tags name commits. Also tells
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

    /// Reads what up to a hundred images say about their commit. Their manifests are freed before
    /// this returns.
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
            // Too much for one answer: some of these manifests are very large.
            Err(Error::Unexpected { .. }) if batch.images.len() > 1 => {
                let (one, other) = batch.halves();
                return Ok(Box::pin(self.found_in(app, commit, one))
                    .await?
                    .and(Box::pin(self.found_in(app, commit, other)).await?));
            }
            // One image's answer alone is too large: nothing could promote it, so it is left out.
            Err(Error::Unexpected { .. }) => return Ok(found),
            Err(error) => return Err(error),
        };
        let mut seen: HashSet<Key> = HashSet::new();
        for row in rows {
            // By digest, ECR may answer a row for each tag.
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
        // Only the place of the label is needed to read it.
        let image = Image {
            digest: image,
            manifest: String::new(),
            media_type: String::new(),
            annotation: None,
            config,
        };
        match self.label(repository, &image).await {
            Ok(label) => Ok(label.filter(|its| its.agrees_with(commit)).map(|_| Ok(image.digest))),
            // One image whose config cannot be read does not stop the search.
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

/// The images of one call, and the rows that list them.
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

    /// The tags of one of these images.
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
