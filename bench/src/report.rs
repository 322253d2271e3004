//! How figures are told.

/// A median with the least and the greatest of a few.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

/// The spread of some values; zeros of none.
pub(crate) fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    Spread {
        median: at(values.len() / 2),
        least: at(0),
        greatest: at(values.len().saturating_sub(1)),
    }
}

/// The value below which `share` of the sorted values lie.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// Tells pairs of (ours, limit), both in things per second.
pub(crate) fn pairs(name: &str, unit: &str, pairs: &[(f64, f64)]) {
    let ratio = spread(pairs.iter().map(|(ours, limit)| ours / limit).collect());
    let ours = spread(pairs.iter().map(|p| p.0).collect());
    let limit = spread(pairs.iter().map(|p| p.1).collect());
    println!(
        "{name:<34} {:>5.2} × limit ({:.2}–{:.2})   {:>9.0} {unit} of {:>9.0}",
        ratio.median, ratio.least, ratio.greatest, ours.median, limit.median
    );
}
