//! Types of published columns: what may take the place of what.

/// Whether one type may take another's place in a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Both are the same.
    Same,
    /// Every value of the old one is a value of the new one, and is written alike.
    Wider,
    /// Some value would be refused, cut or read as another.
    Other,
}

/// Names of one type, PostgreSQL's own first.
const NAMES: &[(&str, &[&str])] = &[
    ("smallint", &["int2", "smallserial", "serial2"]),
    ("integer", &["int", "int4", "serial", "serial4"]),
    ("bigint", &["int8", "bigserial", "serial8"]),
    ("numeric", &["decimal", "dec"]),
    ("real", &["float4"]),
    ("double precision", &["float8", "float"]),
    ("boolean", &["bool"]),
    ("varchar", &["character varying"]),
    ("char", &["character", "bpchar"]),
    ("timestamptz", &["timestamp with time zone"]),
    ("timestamp", &["timestamp without time zone"]),
    ("timetz", &["time with time zone"]),
    ("time", &["time without time zone"]),
];
/// Whole numbers, each holding those before it.
const WHOLE: &[&str] = &["smallint", "integer", "bigint"];
/// Numbers with a fraction, likewise.
const FLOATING: &[&str] = &["real", "double precision"];
/// Texts, likewise; a `varchar` may have a limit.
const TEXTS: &[&str] = &["varchar", "text"];

/// A type by one name of the many it may have: `INT4` and `integer` are `integer`, `decimal(12, 2)` is `numeric(12,2)`.
pub(crate) fn plain(written: &str) -> String {
    let (name, arguments) = split(written);
    match arguments {
        Some(arguments) => format!("{name}({arguments})"),
        None => name,
    }
}

/// Whether values of `old` are values of `new`, `not null` included.
pub(crate) fn fit(old: &str, new: &str) -> Fit {
    if old == new {
        return Fit::Same;
    }
    let bare = |ty: &str| ty.strip_suffix(" not null").map(str::to_owned);
    match (bare(old), bare(new)) {
        (Some(old), Some(new)) => fit_bare(&old, &new),
        // Null was never there, and may be now.
        (Some(_), None) => Fit::Other,
        (None, Some(new)) => match fit_bare(old, &new) {
            Fit::Other => Fit::Other,
            Fit::Same | Fit::Wider => Fit::Wider,
        },
        (None, None) => fit_bare(old, new),
    }
}

/// Whether PostgreSQL writes every row anew to change one type to the other, without a `using`.
pub(crate) fn is_rewritten(old: &str, new: &str) -> bool {
    let ((old_name, old_arguments), (_, new_arguments)) = (split(old), split(new));
    let scale = |arguments: &Option<String>| {
        let second = arguments.as_deref().and_then(|arguments| arguments.split(',').nth(1));
        second.unwrap_or("0").to_owned()
    };
    match fit_bare(old, new) {
        Fit::Same => false,
        Fit::Wider if old_name == "numeric" => {
            new_arguments.is_some() && scale(&old_arguments) != scale(&new_arguments)
        }
        Fit::Wider => WHOLE.contains(&old_name.as_str()) || FLOATING.contains(&old_name.as_str()),
        Fit::Other => true,
    }
}

fn fit_bare(old: &str, new: &str) -> Fit {
    let ((old_name, old_arguments), (new_name, new_arguments)) = (split(old), split(new));
    if (&old_name, &old_arguments) == (&new_name, &new_arguments) {
        return Fit::Same;
    }
    let wider = |ranks: &[&str]| {
        let rank = |name: &str| ranks.iter().position(|known| *known == name);
        matches!((rank(&old_name), rank(&new_name)), (Some(old), Some(new)) if old < new)
    };
    let fits = wider(WHOLE)
        || wider(FLOATING)
        || (wider(TEXTS) && new_arguments.is_none())
        || (old_name == new_name && holds(&old_name, old_arguments.as_deref(), new_arguments.as_deref()));
    if fits { Fit::Wider } else { Fit::Other }
}

/// Whether a type with the new arguments holds what it held with the old ones.
fn holds(name: &str, old: Option<&str>, new: Option<&str>) -> bool {
    let numbers = |arguments: Option<&str>| -> Option<Vec<i64>> {
        arguments?.split(',').map(|number| number.trim().parse().ok()).collect()
    };
    match (name, numbers(old).as_deref(), numbers(new).as_deref()) {
        ("varchar" | "numeric" | "timestamptz" | "timestamp" | "time" | "timetz", Some(_), None) => new.is_none(),
        ("varchar" | "timestamptz" | "timestamp" | "time" | "timetz", Some([old]), Some([new])) => new >= old,
        ("numeric", Some(old), Some(new)) => {
            let parts = |of: &[i64]| {
                let scale = of.get(1).copied().unwrap_or_default();
                (of[0] - scale, scale)
            };
            let ((old_whole, old_scale), (new_whole, new_scale)) = (parts(old), parts(new));
            new_whole >= old_whole && new_scale >= old_scale
        }
        _ => false,
    }
}

/// A type's plain name, `[]` after it if it is an array, and what stands in its parentheses.
fn split(written: &str) -> (String, Option<String>) {
    let lower = written.to_lowercase();
    let lower = lower.trim().trim_start_matches("pg_catalog.");
    let (around, arguments) = match (lower.find('('), lower.find(')')) {
        (Some(open), Some(close)) if open < close => (
            format!("{} {}", lower[..open].trim_end(), lower[close + 1..].trim_start()),
            Some(
                lower[open + 1..close]
                    .split(',')
                    .map(str::trim)
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        ),
        _ => (lower.to_owned(), None),
    };
    let around = around.trim();
    let bracket = around.find('[').unwrap_or(around.len());
    let (name, array) = (around[..bracket].trim_end(), around[bracket..].trim());
    let known = NAMES.iter().find(|(_, others)| others.contains(&name));
    let name = known.map_or(name, |(plain, _)| plain);
    (format!("{name}{array}"), arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name() {
        for (written, expected) in [
            ("INT4", "integer"),
            ("decimal(12, 2)", "numeric(12,2)"),
            ("character varying(40)", "varchar(40)"),
            ("timestamp(3) with time zone", "timestamptz(3)"),
            ("pg_catalog.int8", "bigint"),
            ("int[]", "integer[]"),
            ("bigserial", "bigint"),
            ("mood", "mood"),
            ("(", "("),
            (")(", ")("),
        ] {
            assert_eq!(plain(written), expected);
        }
    }

    #[test]
    fn a_wider_type_holds_every_value_and_any_other_does_not() {
        for (old, new, expected) in [
            ("integer", "int4", Fit::Same),
            ("integer", "bigint", Fit::Wider),
            ("bigint", "integer", Fit::Other),
            ("bigint", "numeric", Fit::Other),
            ("varchar(40)", "varchar(80)", Fit::Wider),
            ("varchar(80)", "varchar(40)", Fit::Other),
            ("varchar", "varchar(40)", Fit::Other),
            ("varchar(40)", "text", Fit::Wider),
            ("text", "varchar", Fit::Other),
            ("text", "uuid", Fit::Other),
            ("numeric(12,2)", "numeric(14,2)", Fit::Wider),
            ("numeric(12,2)", "numeric(12,4)", Fit::Other),
            ("numeric(12,2)", "numeric", Fit::Wider),
            ("numeric", "numeric(12,2)", Fit::Other),
            ("numeric(12)", "numeric(14,2)", Fit::Wider),
            ("real", "double precision", Fit::Wider),
            ("timestamptz(3)", "timestamptz", Fit::Wider),
            ("timestamptz", "timestamp", Fit::Other),
            ("integer not null", "integer", Fit::Other),
            ("integer", "integer not null", Fit::Wider),
            ("integer", "smallint not null", Fit::Other),
            ("integer not null", "bigint not null", Fit::Wider),
            ("integer", "integer[]", Fit::Other),
        ] {
            assert_eq!(fit(old, new), expected, "{old} to {new}");
        }
    }
}
