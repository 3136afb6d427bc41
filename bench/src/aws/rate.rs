//! A rate limit as AWS has them: a bucket that fills with time.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    left: Mutex<(f64, Instant)>,
}

impl Rate {
    pub(crate) fn new(per_second: u32) -> Rate {
        let per_second = f64::from(per_second);
        Rate { per_second, left: Mutex::new((per_second, Instant::now())) }
    }

    /// Whether there is room for one more call, which it then takes.
    pub(crate) fn takes(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let grown = left.0 + now.duration_since(left.1).as_secs_f64() * self.per_second;
        let takes = grown >= 1.0;
        *left = (grown.min(self.per_second) - f64::from(u8::from(takes)), now);
        takes
    }
}
