//! Bytes that are what their digest says.

use crate::model::Digest;

/// A manifest whose sha256 is its digest.
#[derive(Debug)]
pub struct VerifiedManifest {
    digest: Digest,
    text: String,
}

impl VerifiedManifest {
    /// Hashes the bytes. `Err` has the digest that they really have.
    pub fn of(digest: &Digest, text: String) -> Result<Self, Digest> {
        let actual = Digest::of(text.as_bytes());
        if actual == *digest { Ok(Self { digest: actual, text }) } else { Err(actual) }
    }

    pub(super) fn into_parts(self) -> (Digest, String) {
        (self.digest, self.text)
    }
}
