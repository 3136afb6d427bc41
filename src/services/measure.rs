//! Measurements on standard output, where CloudWatch finds them in the log. No call is made.

use std::io::Write;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::clients::Clients;
use crate::model::measure::Measure;

impl Clients {
    /// Writes a measurement.
    pub(super) fn write_measure(&self, measure: &Measure) {
        let line = measure.line(&self.settings.function_name, Timestamp::now());
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        // A log that cannot be written stops no promotion.
        let _ = std::io::stdout().lock().write_all(&line);
    }

    /// Writes how many throttled calls the invocation has repeated, if any.
    pub fn measure_retries(&self) {
        let retries = self.retries.swap(0, Ordering::Relaxed);
        if retries > 0 {
            self.write_measure(&Measure::Retries(retries));
        }
    }
}
