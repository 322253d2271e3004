//! A query written back, every name in quotes: what tests compare, and what must be read back the same. For tests.

use std::fmt::Write as _;

use super::*;

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

pub(super) fn items(items: &[Item]) -> String {
    items.iter().map(item).collect::<Vec<_>>().join(",")
}

fn item(item: &Item) -> String {
    let cast = |cast: &Option<String>| cast.as_ref().map_or_else(String::new, |c| format!("::{c}"));
    let name = |alias: &Option<String>| alias.as_ref().map_or_else(String::new, |a| format!("{}:", quote(a)));
    match item {
        Item::All => "*".to_owned(),
        Item::Count { alias, cast: to } => format!("{}count(){}", name(alias), cast(to)),
        Item::Field(chosen) => {
            let mut text = format!("{}{}{}", name(&chosen.alias), field(&chosen.field), cast(&chosen.cast));
            if let Some((aggregate, to)) = &chosen.aggregate {
                let word = match aggregate {
                    Aggregate::Average => "avg",
                    Aggregate::Count => "count",
                    Aggregate::Greatest => "max",
                    Aggregate::Least => "min",
                    Aggregate::Sum => "sum",
                };
                let _ = write!(text, ".{word}(){}", cast(to));
            }
            text
        }
        Item::Embed(embed) => {
            let dots = match embed.shape {
                Shape::Nested => "",
                Shape::Spread => "...",
            };
            let hint = embed
                .hint
                .as_ref()
                .map_or_else(String::new, |h| format!("!{}", quote(h)));
            let join = match embed.join {
                Join::Left => "",
                Join::Inner => "!inner",
            };
            let relation = quote(&embed.relation);
            format!(
                "{dots}{}{relation}{hint}{join}({})",
                name(&embed.alias),
                items(&embed.select)
            )
        }
    }
}

pub(super) fn field(field: &Field) -> String {
    let mut text = quote(&field.column);
    for step in &field.path {
        text.push_str(match step.arrow {
            Arrow::Json => "->",
            Arrow::Text => "->>",
        });
        match &step.key {
            Key::Name(name) => text.push_str(&quote(name)),
            Key::Index(index) => {
                let _ = write!(text, "{index}");
            }
        }
    }
    text
}

pub(super) fn order(order: &[Sort]) -> String {
    let term = |sort: &Sort| {
        let term = match &sort.relation {
            Some(relation) => format!("{}({})", quote(relation), field(&sort.field)),
            None => field(&sort.field),
        };
        let direction = match sort.direction {
            Direction::Ascending => ".asc",
            Direction::Descending => ".desc",
        };
        let nulls = match sort.nulls {
            None => "",
            Some(Nulls::First) => ".nullsfirst",
            Some(Nulls::Last) => ".nullslast",
        };
        format!("{term}{direction}{nulls}")
    };
    order.iter().map(term).collect::<Vec<_>>().join(",")
}

/// A clause as it stands in a tree.
pub(super) fn clause(clause: &Clause) -> String {
    match clause {
        Clause::Test(filter) => format!("{}.{}", field(&filter.field), test(filter, Ends::InTree)),
        Clause::Tree { logic, sense, clauses } => format!("{}{}", head(*logic, *sense), tree(clauses)),
    }
}

fn tree(clauses: &[Clause]) -> String {
    format!("({})", clauses.iter().map(clause).collect::<Vec<_>>().join(","))
}

fn head(logic: Logic, sense: Sense) -> String {
    let word = match logic {
        Logic::And => "and",
        Logic::Or => "or",
    };
    match sense {
        Sense::Plain => word.to_owned(),
        Sense::Negated => format!("not.{word}"),
    }
}

/// Where a test is written.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    WithText,
    InTree,
}

pub(super) fn test(filter: &Filter, ends: Ends) -> String {
    let value = |value: &str| match ends {
        Ends::WithText => value.to_owned(),
        Ends::InTree => quote(value),
    };
    let list = |values: &[String]| values.iter().map(|v| quote(v)).collect::<Vec<_>>().join(",");
    let array = |values: &[String]| value(&format!("{{{}}}", list(values)));
    let not = match filter.sense {
        Sense::Plain => "",
        Sense::Negated => "not.",
    };
    let test = match &filter.test {
        Test::Compare(how, Operand::One(one)) => format!("{}.{}", comparison(*how), value(one)),
        Test::Compare(how, Operand::Any(values)) => format!("{}(any).{}", comparison(*how), array(values)),
        Test::Compare(how, Operand::All(values)) => format!("{}(all).{}", comparison(*how), array(values)),
        Test::In(values) => format!("in.({})", list(values)),
        Test::Is(Truth::Null) => "is.null".to_owned(),
        Test::Is(Truth::NotNull) => "is.not_null".to_owned(),
        Test::Is(Truth::True) => "is.true".to_owned(),
        Test::Is(Truth::False) => "is.false".to_owned(),
        Test::Is(Truth::Unknown) => "is.unknown".to_owned(),
        Test::IsDistinct(one) => format!("isdistinct.{}", value(one)),
        Test::Relate(relation, one) => format!("{}.{}", relation_word(*relation), value(one)),
        Test::Search(search, language, one) => {
            let word = match search {
                Search::Query => "fts",
                Search::Plain => "plfts",
                Search::Phrase => "phfts",
                Search::Web => "wfts",
            };
            let language = language.as_ref().map_or_else(String::new, |l| format!("({l})"));
            format!("{word}{language}.{}", value(one))
        }
    };
    format!("{not}{test}")
}

fn comparison(how: Comparison) -> &'static str {
    match how {
        Comparison::Equal => "eq",
        Comparison::Unequal => "neq",
        Comparison::Greater => "gt",
        Comparison::GreaterOrEqual => "gte",
        Comparison::Less => "lt",
        Comparison::LessOrEqual => "lte",
        Comparison::Like => "like",
        Comparison::LikeAnyCase => "ilike",
        Comparison::Match => "match",
        Comparison::MatchAnyCase => "imatch",
    }
}

fn relation_word(relation: Relation) -> &'static str {
    match relation {
        Relation::Contains => "cs",
        Relation::ContainedBy => "cd",
        Relation::Overlaps => "ov",
        Relation::StrictlyLeft => "sl",
        Relation::StrictlyRight => "sr",
        Relation::NotRight => "nxr",
        Relation::NotLeft => "nxl",
        Relation::Adjacent => "adj",
    }
}

/// A whole query, percent-encoded.
pub(in crate::entity) fn query(query: &Query) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    let names = |names: &[String]| names.iter().map(|n| quote(n)).collect::<Vec<_>>().join(",");
    parts.push(("select".to_owned(), items(&query.select)));
    parts.extend(query.columns.iter().map(|c| ("columns".to_owned(), names(c))));
    parts.extend(query.on_conflict.iter().map(|c| ("on_conflict".to_owned(), names(c))));
    parts.extend(query.after.iter().map(|a| ("after".to_owned(), a.clone())));
    parts.extend(query.arguments.iter().cloned());
    rows("", &query.rows, &mut parts);
    for (path, of_path) in &query.nested {
        let path: String = path.iter().map(|name| format!("{}.", quote(name))).collect();
        rows(&path, of_path, &mut parts);
    }
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
    parts.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn rows(path: &str, rows: &Rows, parts: &mut Vec<(String, String)>) {
    for clause in &rows.filters {
        parts.push(match clause {
            Clause::Test(filter) => (format!("{path}{}", field(&filter.field)), test(filter, Ends::WithText)),
            Clause::Tree { logic, sense, clauses } => (format!("{path}{}", head(*logic, *sense)), tree(clauses)),
        });
    }
    if !rows.order.is_empty() {
        parts.push((format!("{path}order"), order(&rows.order)));
    }
    parts.extend(rows.limit.iter().map(|n| (format!("{path}limit"), n.to_string())));
    if rows.offset > 0 {
        parts.push((format!("{path}offset"), rows.offset.to_string()));
    }
}
