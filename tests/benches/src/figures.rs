//! Summaries of measured times. Every value is kept; nothing is smoothed.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// Of milliseconds; `None` of nothing.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = *sorted.last()?;
    Some(Summary {
        count: sorted.len(),
        p50: at(&sorted, 50),
        p99: at(&sorted, 99),
        max: last,
    })
}

/// How far the median of so few values may be from the true one: half the notch of a box plot, 1.57 times the distance between the quartiles by the
/// root of the count. Two medians that are further apart than both together differ with a confidence of 95 %. Source: McGill, Tukey, Larsen,
/// "Variations of Box Plots", The American Statistician 32 (1978).
#[allow(clippy::cast_precision_loss)] // far below 2^52
pub fn notch(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return 0.0;
    }
    1.57 * (at(&sorted, 75) - at(&sorted, 25)) / (sorted.len() as f64).sqrt()
}

/// The smallest value that so many of a hundred do not exceed.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_median_is_known_the_better_the_more_and_the_closer_the_values_are() {
        assert!(notch(&[]).abs() < f64::EPSILON);
        assert!(notch(&[3.0, 3.0, 3.0]).abs() < f64::EPSILON);
        // Quartiles 1 and 3 of four values.
        assert!((notch(&[4.0, 1.0, 3.0, 2.0]) - 1.57).abs() < 1e-9);
        let sixteen: Vec<f64> = [1.0, 2.0, 3.0, 4.0].repeat(4);
        assert!((notch(&sixteen) - 1.57 / 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        assert_eq!(summary(&[]), None);
        let of = |values: &[f64]| {
            let it = summary(values).unwrap();
            (it.count, it.p50, it.p99, it.max)
        };
        assert_eq!(of(&[3.0]), (1, 3.0, 3.0, 3.0));
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]), (4, 2.0, 4.0, 4.0));
        let hundred: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(of(&hundred), (200, 100.0, 198.0, 200.0));
    }
}
