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

/// One side of a figure.
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Round>,
}

/// What one side did in one round.
pub(crate) struct Round {
    /// Things a second.
    pub(crate) rate: f64,
    /// Things done.
    pub(crate) done: u64,
    /// Processor seconds they took, where they can be known: of what runs beside PostgreSQL, and of PostgreSQL.
    pub(crate) service: Option<f64>,
    pub(crate) postgres: Option<f64>,
}

impl Side {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rounds: Vec::new(),
        }
    }

    fn rate(&self) -> Spread {
        spread(self.rounds.iter().map(|round| round.rate).collect())
    }

    /// Processor seconds of a thousand.
    fn cpu(&self, of: impl Fn(&Round) -> Option<f64>) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let per_thousand = |round: &Round| Some(of(round)? * 1000.0 / round.done as f64);
        let all: Option<Vec<f64>> = self.rounds.iter().map(per_thousand).collect();
        all.map_or_else(|| "unknown".to_owned(), |all| format!("{:.3}", spread(all).median))
    }
}

/// Tells the sides of a figure, the first beside each of the others.
pub(crate) fn sides(name: &str, sides: &[Side]) {
    println!(
        "{name:<36} {:>9}   {:<24} {:>24} {:>11}",
        "a second", "ours ÷ it", "CPU-s per 1,000: service", "PostgreSQL"
    );
    let Some(ours) = sides.first() else {
        return;
    };
    for (place, side) in sides.iter().enumerate() {
        let pairs = ours.rounds.iter().zip(&side.rounds);
        let ratio = spread(pairs.map(|(ours, other)| ours.rate / other.rate).collect());
        let ratio = match place {
            0 => String::new(),
            _ => format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.greatest),
        };
        println!(
            "  {:<34} {:>9.0}   {ratio:<24} {:>24} {:>11}",
            side.name,
            side.rate().median,
            side.cpu(|round| round.service),
            side.cpu(|round| round.postgres)
        );
    }
}
