//! Random names that nobody can guess.

use crate::error::Error;

/// Draws the nonce of one write: 32 hex digits from the operating system's random numbers. Two
/// sandboxes never draw the same one.
pub(super) fn new_nonce() -> Result<String, Error> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| Error::Unexpected {
        resource: "the operating system".to_owned(),
        problem: format!("no random numbers: {error}"),
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(nonce)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_nonces_are_the_same() {
        let nonces = [0; 100].map(|_| new_nonce().expect("random numbers"));
        assert!(nonces.iter().all(|nonce| nonce.len() == 32));
        assert_eq!(nonces.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
    }
}
