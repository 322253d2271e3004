//! Conditions of a query as SQL.

use axum::http::StatusCode;

use super::plan::{Node, Place, place};
use super::problem::Problem;
use super::query::{Arrow, Clause, Comparison, Filter, Key, Logic, Operand, Relation, Search, Sense, Test, Truth};
use super::select;
use super::sql::{Param, Statement};
use super::table::Served;
use crate::pg::catalog::Kind;
use crate::pg::ident;

/// What stands between conditions: ` where ` before the first, ` and ` before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glue {
    Where,
    And,
}

impl Glue {
    /// Appends it.
    pub(super) fn push(&mut self, sql: &mut Statement) {
        sql.push(match self {
            Self::Where => " where ",
            Self::And => " and ",
        });
        *self = Self::And;
    }
}

/// Appends the conditions of a node: its own, and that its inner joins find something.
///
/// # Errors
/// A 400 for an unknown column, or an operator that its type does not have.
pub(super) fn push_where(sql: &mut Statement, node: &Node<'_>, glue: &mut Glue) -> Result<(), Problem> {
    push_filters(sql, node, glue)?;
    for child in node.children.iter().filter(|c| c.is_inner()) {
        glue.push(sql);
        select::push_exists(sql, node, child)?;
    }
    // What is asked of a relation that is not shown is read all the same: what is wrong in it is refused.
    for child in node.children.iter().filter(|c| c.is_silent()) {
        glue.push(sql);
        sql.push("(");
        select::push_exists(sql, node, child)?;
        sql.push(" or true)");
    }
    Ok(())
}

/// Appends the conditions of a node without those of its inner joins.
///
/// # Errors
/// As [`push_where`].
pub(super) fn push_filters(sql: &mut Statement, node: &Node<'_>, glue: &mut Glue) -> Result<(), Problem> {
    for clause in &node.rows.filters {
        glue.push(sql);
        push_clause(sql, node, clause)?;
    }
    Ok(())
}

fn push_clause(sql: &mut Statement, node: &Node<'_>, clause: &Clause) -> Result<(), Problem> {
    match clause {
        Clause::Test(filter) => push_filter(sql, node, filter),
        Clause::Tree { logic, sense, clauses } => {
            sql.push(match sense {
                Sense::Plain => "(",
                Sense::Negated => "not (",
            });
            for (at, clause) in clauses.iter().enumerate() {
                if at > 0 {
                    sql.push(match logic {
                        Logic::And => " and ",
                        Logic::Or => " or ",
                    });
                }
                push_clause(sql, node, clause)?;
            }
            sql.push(")");
            Ok(())
        }
    }
}

fn push_filter(sql: &mut Statement, node: &Node<'_>, filter: &Filter) -> Result<(), Problem> {
    if filter.field.path.is_empty()
        && node.table.shape.column(&filter.field.column).is_none()
        && let Some(child) = node.child(&filter.field.column)
    {
        let absent = match (&filter.test, filter.sense) {
            (Test::Is(Truth::Null), Sense::Plain) | (Test::Is(Truth::NotNull), Sense::Negated) => true,
            (Test::Is(Truth::NotNull), Sense::Plain) | (Test::Is(Truth::Null), Sense::Negated) => false,
            _ => {
                return Err(Problem::new(
                    StatusCode::BAD_REQUEST,
                    "bad-query",
                    "PGRST120",
                    "Bad operator on the embedded resource",
                )
                .with_details("Only is null or not is null filters are allowed on embedded resources"));
            }
        };
        if absent {
            sql.push("not ");
        }
        return select::push_exists(sql, node, child);
    }
    let place = place(node.table, &filter.field)?;
    if filter.sense == Sense::Negated {
        sql.push("not (");
    }
    push_test(sql, &node.alias, place, &filter.test)?;
    if filter.sense == Sense::Negated {
        sql.push(")");
    }
    Ok(())
}

/// Appends a column, or the way into it.
///
/// Keys of JSON are written as literals, not as parameters: an index over the same expression is used then.
pub(super) fn push_place(sql: &mut Statement, alias: &str, place: Place<'_>) {
    let Place { column, path } = place;
    // `json` has no operators that compare, and other types no way into them.
    let wrapped = !path.is_empty() && (column.kind != Kind::Json || (column.base == "json" && !place.is_text()));
    if wrapped {
        sql.push("to_jsonb(").column(alias, &column.name).push(")");
    } else {
        sql.column(alias, &column.name);
    }
    for step in path {
        sql.push(match step.arrow {
            Arrow::Json => "->",
            Arrow::Text => "->>",
        });
        match &step.key {
            Key::Name(name) => drop(sql.push(&ident::literal(name))),
            Key::Index(at) if *at < 0 => drop(sql.push("(").number(at).push(")")),
            Key::Index(at) => drop(sql.number(at)),
        }
    }
}

/// The type a value is read as when it is compared with a place; empty for text.
fn cast_of<'p>(place: &Place<'p>) -> &'p str {
    match (place.path, place.is_text()) {
        (_, true) => "",
        ([], _) if place.column.cast == "text" => "",
        ([], _) => &place.column.cast,
        (_, false) => "jsonb",
    }
}

fn is_textual(place: &Place<'_>) -> bool {
    place.is_text() || (place.path.is_empty() && place.column.kind == Kind::Text)
}

fn push_value(sql: &mut Statement, place: &Place<'_>, value: &str) {
    match cast_of(place) {
        "" => drop(sql.param(Param::Text(value.to_owned()))),
        cast => drop(sql.param(Param::Value(value.to_owned())).push("::").push(cast)),
    }
}

fn push_values(sql: &mut Statement, place: &Place<'_>, values: Vec<String>) {
    match cast_of(place) {
        "" => drop(sql.param(Param::Texts(values))),
        cast => drop(sql.param(Param::Values(values)).push("::").push(cast).push("[]")),
    }
}

fn push_test(sql: &mut Statement, alias: &str, place: Place<'_>, test: &Test) -> Result<(), Problem> {
    match test {
        Test::Compare(how, operand) => return push_comparison(sql, alias, place, *how, operand),
        Test::In(values) => {
            check_single(&place, "`in` compares single values")?;
            push_place(sql, alias, place);
            sql.push(" = any(");
            push_values(sql, &place, values.clone());
            sql.push(")");
        }
        Test::Is(truth) => {
            let on_truth = !matches!(truth, Truth::Null | Truth::NotNull);
            if on_truth && !(place.path.is_empty() && place.column.kind == Kind::Boolean) {
                return Err(wrong_type(
                    &place,
                    "`is.true`, `is.false` and `is.unknown` work on boolean",
                ));
            }
            sql.push("(");
            push_place(sql, alias, place);
            sql.push(match truth {
                Truth::Null => ") is null",
                Truth::NotNull => ") is not null",
                Truth::True => ") is true",
                Truth::False => ") is false",
                Truth::Unknown => ") is unknown",
            });
        }
        Test::IsDistinct(value) => {
            push_place(sql, alias, place);
            sql.push(" is distinct from ");
            push_value(sql, &place, value);
        }
        Test::Relate(relation, value) => {
            push_place(sql, alias, place);
            sql.push(relation.operator());
            push_value(sql, &place, value);
        }
        Test::Search(search, language, value) => push_search(sql, alias, place, *search, language.as_deref(), value),
    }
    Ok(())
}

fn push_comparison(
    sql: &mut Statement,
    alias: &str,
    place: Place<'_>,
    how: Comparison,
    operand: &Operand,
) -> Result<(), Problem> {
    if how.is_pattern() && !is_textual(&place) {
        return Err(wrong_type(&place, "patterns are looked for in text"));
    }
    let read = |value: &String| match how {
        Comparison::Like | Comparison::LikeAnyCase => value.replace('*', "%"),
        _ => value.clone(),
    };
    push_place(sql, alias, place);
    sql.push(how.operator());
    let values = match operand {
        Operand::One(value) => {
            if how.is_pattern() {
                sql.param(Param::Text(read(value)));
            } else {
                push_value(sql, &place, value);
            }
            return Ok(());
        }
        Operand::Any(values) => {
            sql.push("any(");
            values
        }
        Operand::All(values) => {
            sql.push("all(");
            values
        }
    };
    check_single(&place, "`any` and `all` compare single values")?;
    let values = values.iter().map(read).collect();
    if how.is_pattern() {
        sql.param(Param::Texts(values));
    } else {
        push_values(sql, &place, values);
    }
    sql.push(")");
    Ok(())
}

fn push_search(
    sql: &mut Statement,
    alias: &str,
    place: Place<'_>,
    search: Search,
    language: Option<&str>,
    value: &str,
) {
    let push_language = |sql: &mut Statement| {
        if let Some(language) = language {
            sql.param(Param::Value(language.to_owned())).push("::regconfig, ");
        }
    };
    // A text is searched by its words; a tsvector holds them already.
    if place.path.is_empty() && place.column.base == "tsvector" {
        push_place(sql, alias, place);
    } else {
        sql.push("to_tsvector(");
        push_language(sql);
        push_place(sql, alias, place);
        sql.push(")");
    }
    sql.push(" @@ ").push(match search {
        Search::Query => "to_tsquery(",
        Search::Plain => "plainto_tsquery(",
        Search::Phrase => "phraseto_tsquery(",
        Search::Web => "websearch_to_tsquery(",
    });
    push_language(sql);
    sql.param(Param::Text(value.to_owned())).push(")");
}

fn check_single(place: &Place<'_>, rule: &str) -> Result<(), Problem> {
    if place.path.is_empty() && place.column.kind == Kind::Array {
        return Err(wrong_type(place, rule));
    }
    Ok(())
}

fn wrong_type(place: &Place<'_>, rule: &str) -> Problem {
    let column = &place.column;
    let what = match place.path {
        [] => format!("`{}` is {}", column.name, column.type_name),
        _ => format!("what is in `{}` is JSON", column.name),
    };
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        "42883",
        format!("{rule}, and {what}"),
    )
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Self::Equal => " = ",
            Self::Unequal => " <> ",
            Self::Greater => " > ",
            Self::GreaterOrEqual => " >= ",
            Self::Less => " < ",
            Self::LessOrEqual => " <= ",
            Self::Like => " like ",
            Self::LikeAnyCase => " ilike ",
            Self::Match => " ~ ",
            Self::MatchAnyCase => " ~* ",
        }
    }

    fn is_pattern(self) -> bool {
        matches!(self, Self::Like | Self::LikeAnyCase | Self::Match | Self::MatchAnyCase)
    }
}

impl Relation {
    fn operator(self) -> &'static str {
        match self {
            Self::Contains => " @> ",
            Self::ContainedBy => " <@ ",
            Self::Overlaps => " && ",
            Self::StrictlyLeft => " << ",
            Self::StrictlyRight => " >> ",
            Self::NotRight => " &< ",
            Self::NotLeft => " &> ",
            Self::Adjacent => " -|- ",
        }
    }
}

/// The value each column of the primary key must equal, where the clauses say so for all of them.
pub(super) fn pinned<'q>(table: &Served, clauses: &'q [Clause]) -> Option<Vec<&'q str>> {
    let key = &table.shape.key;
    if key.is_empty() {
        return None;
    }
    key.iter()
        .map(|name| {
            clauses.iter().find_map(|clause| match clause {
                Clause::Test(Filter {
                    field,
                    sense: Sense::Plain,
                    test: Test::Compare(Comparison::Equal, Operand::One(value)),
                }) if field.path.is_empty() && field.column == *name => Some(value.as_str()),
                _ => None,
            })
        })
        .collect()
}
