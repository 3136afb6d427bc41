//! The figures of a run: gathered, summed up, and kept as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::variants::{Absent, OURS};

/// How much of a processor a process had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Processor {
    #[serde(rename = "whole")]
    Whole,
    #[serde(rename = "128 MB")]
    Share,
}

impl fmt::Display for Processor {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Processor::Whole => "a whole core",
            Processor::Share => "the share of 128 MB",
        })
    }
}

/// Everything that a run has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// How the share of 128 MB was enforced.
    pub(crate) share: String,
    pub(crate) runs: usize,
    /// How many certificates the clients read.
    pub(crate) roots: usize,
    pub(crate) variants: Vec<Measured>,
    pub(crate) absent: Vec<Absent>,
    pub(crate) figures: Vec<Figure>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) words: String,
    /// What a deploy uploads, zipped, in bytes.
    pub(crate) zipped: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) variant: String,
    pub(crate) processor: Processor,
    /// For example `warm ms at 20`.
    pub(crate) name: String,
    pub(crate) samples: usize,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// To the function's own median.
    pub(crate) ratio: Option<f64>,
}

type Key = (String, Processor, String);

/// Samples by variant, processor and figure.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<Key, Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, variant: &str, processor: Processor, name: &str, value: f64) {
        let key = (variant.to_owned(), processor, name.to_owned());
        self.0.entry(key).or_default().push(value);
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |((variant, processor, name), values): (&Key, &Vec<f64>)| {
            let ours = self.0.get(&(OURS.to_owned(), *processor, name.clone()));
            let ours = ours.map(|values| median(values)).filter(|ours| *ours > 0.0);
            let median = median(values);
            Figure {
                variant: variant.clone(),
                processor: *processor,
                name: name.clone(),
                samples: values.len(),
                median: rounded(median),
                min: rounded(values.iter().copied().fold(f64::INFINITY, f64::min)),
                max: rounded(values.iter().copied().fold(0.0, f64::max)),
                ratio: ours.map(|ours| rounded(median / ours)),
            }
        };
        self.0.iter().map(figure).collect()
    }
}

impl Results {
    pub(crate) fn find(&self, variant: &str, processor: Processor, name: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|it| it.variant == variant && it.processor == processor && it.name == name)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{Processor, Samples, median};

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])], [2.0, 2.5]);
    }

    #[test]
    fn ratios_are_to_the_function() {
        let mut samples = Samples::default();
        for (variant, value) in [("ecr-promoter", 10.0), ("python", 25.0), ("python", 35.0)] {
            samples.add(variant, Processor::Whole, "warm", value);
        }
        let ratios: Vec<_> = samples.figures().iter().map(|figure| figure.ratio).collect();
        assert_eq!(ratios, [Some(1.0), Some(3.0)]);
    }
}
