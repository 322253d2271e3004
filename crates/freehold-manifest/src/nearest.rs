//! "Did you mean …?"

/// Share of a name that must be the same for it to be worth suggesting.
const ALIKE: f64 = 0.7;
/// How much more generous the measure that honours a common beginning is than the plain one.
const BEGINNING: f64 = 0.15;
/// Longest name compared, in bytes: the comparison is quadratic and PostgreSQL's names end at 63.
const NAME_MAX: usize = 200;

/// The known name most like `name`, if any is alike.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let lower = name.to_lowercase();
    known
        .into_iter()
        .filter(|k| k.len() <= NAME_MAX && *k != name)
        .map(|k| (k, likeness(&lower, k)))
        .filter(|(_, score)| *score >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(k, _)| k)
}

fn likeness(a: &str, b: &str) -> f64 {
    let beginning = strsim::jaro_winkler(a, b) - BEGINNING;
    beginning.max(strsim::normalized_damerau_levenshtein(a, b))
}

/// "did you mean `products`?", or what there is to choose from; none if there is nothing.
pub(crate) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> Option<String> {
    /// More names than this are not listed: a person would not read them.
    const LISTED_MAX: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.len() {
        0 => None,
        1..=LISTED_MAX => Some(format!("{what}: {}", list(known))),
        more => Some(format!(
            "{what}: {} and {} more",
            list(known[..LISTED_MAX].iter().copied()),
            more - LISTED_MAX
        )),
    }
}

/// "`a`, `b`, `c`".
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
