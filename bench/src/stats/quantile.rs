// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quantiles and medians of a few values.

/// The value below which the fraction `q` of `values` lies, interpolated between neighbors (type 7 of
/// [Hyndman and Fan](https://doi.org/10.1080/00031305.1996.10473566)). NaN when there are none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a few values"
)]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (position.floor(), position.ceil());
    let [low, high] = [below, above].map(|index| sorted[index as usize]);
    low + (high - low) * (position - below)
}

/// The value in the middle; of an even number, the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_order_or_on_one_wild_value() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[1.0, 1e9, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_interpolated_between_neighbors() {
        let values = [10.0, 20.0, 30.0, 40.0, 50.0];
        for (q, expected) in [(0.0, 10.0), (0.25, 20.0), (0.3, 22.0), (0.75, 40.0), (1.0, 50.0)] {
            assert!((quantile(&values, q) - expected).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn nothing_has_no_median() {
        assert!(median(&[]).is_nan());
    }
}
