//! How tables of a service belong together: by foreign keys, by tables between them, by the links of a view.
//!
//! A name in `select` is looked up as PostgREST does: the related table; else a foreign key, or its one column, of the
//! table asked for. A hint chooses among several: the name of a foreign key, one of its columns on either side, or the
//! table in between.

use axum::http::StatusCode;

use super::problem::{Problem, nearest};
use super::table::{Arity, Served, Tables};

/// One way from a table to another.
#[derive(Debug, Clone)]
pub(super) struct Relationship<'t> {
    /// The other table.
    pub(super) to: &'t Served,
    /// How many of its rows belong to one here.
    pub(super) arity: Arity,
    /// The way.
    pub(super) way: Way<'t>,
    /// The foreign keys that make it, near one first.
    names: Vec<&'t str>,
    direction: Direction,
}

/// What rows have in common.
#[derive(Debug, Clone)]
pub(super) enum Way<'t> {
    /// Columns here and there.
    Direct(Vec<Pair<'t>>),
    /// A table in between.
    Through {
        /// The table.
        via: &'t Served,
        /// Columns here and in the table between.
        near: Vec<Pair<'t>>,
        /// Columns there and in the table between.
        far: Vec<Pair<'t>>,
    },
}

/// Two columns with equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair<'t> {
    /// On this side.
    pub(super) here: &'t str,
    /// On the other.
    pub(super) there: &'t str,
}

/// Who holds the foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Here,
    There,
    Between,
}

/// A foreign key, or a link of a view: columns of `from` that hold keys of `to`.
struct Edge<'t> {
    from: &'t Served,
    to: &'t Served,
    name: &'t str,
    pairs: Vec<Pair<'t>>,
}

impl<'t> Edge<'t> {
    fn columns(&self) -> Vec<String> {
        self.pairs.iter().map(|p| p.here.to_owned()).collect()
    }

    fn turned(&self) -> Vec<Pair<'t>> {
        let turn = |p: &Pair<'t>| Pair {
            here: p.there,
            there: p.here,
        };
        self.pairs.iter().map(turn).collect()
    }
}

fn edges<'t>(tables: &'t Tables, from: &'t Served) -> impl Iterator<Item = Edge<'t>> {
    from.shape.foreign_keys.iter().filter_map(|key| {
        let pairs = key.columns.iter().zip(&key.to_columns);
        Some(Edge {
            from,
            to: tables.get(&key.to)?,
            name: &key.name,
            pairs: pairs.map(|(here, there)| Pair { here, there }).collect(),
        })
    })
}

/// Finds the one relationship that is meant.
///
/// # Errors
/// A 400 when there is none, a 300 that lists them when there are several.
pub(super) fn find<'t>(
    tables: &'t Tables,
    from: &'t Served,
    target: &str,
    hint: Option<&str>,
) -> Result<Relationship<'t>, Problem> {
    let mut found = candidates(tables, from, target, hint);
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(none(tables, from, target, hint)),
        _ => Err(several(from, target, &found)),
    }
}

fn candidates<'t>(tables: &'t Tables, from: &'t Served, target: &str, hint: Option<&str>) -> Vec<Relationship<'t>> {
    let mut found = Vec::new();
    if let Some(to) = tables.get(target) {
        found.extend(direct(tables, from, to));
        found.extend(through(tables, from, to));
        match hint {
            Some(hint) => found.retain(|r| r.fits(hint)),
            None => drop_wider(&mut found),
        }
        // A table that refers to itself: its name means the rows below, as the column means the one above.
        if found.len() > 1 && std::ptr::eq(from, to) {
            found.retain(|r| r.direction == Direction::There);
        }
    }
    if found.is_empty() && hint.is_none() {
        let named = |e: &Edge<'_>| e.name == target || matches!(e.pairs.as_slice(), [p] if p.here == target);
        found.extend(edges(tables, from).filter(named).map(to_one));
    }
    found
}

/// Drops foreign keys that hold another one within them: `(note_id, owner_id)` beside `note_id` relates the same rows.
fn drop_wider(found: &mut Vec<Relationship<'_>>) {
    let known = found.clone();
    found.retain(|r| {
        let Way::Direct(pairs) = &r.way else {
            return true;
        };
        let is_within = |other: &Relationship<'_>| match &other.way {
            Way::Direct(others) => {
                other.direction == r.direction && others.len() < pairs.len() && others.iter().all(|p| pairs.contains(p))
            }
            Way::Through { .. } => false,
        };
        !known.iter().any(is_within)
    });
}

fn to_one(edge: Edge<'_>) -> Relationship<'_> {
    Relationship {
        to: edge.to,
        arity: Arity::One,
        names: vec![edge.name],
        direction: Direction::Here,
        way: Way::Direct(edge.pairs),
    }
}

fn direct<'t>(tables: &'t Tables, from: &'t Served, to: &'t Served) -> Vec<Relationship<'t>> {
    let here = edges(tables, from).filter(|e| std::ptr::eq(e.to, to)).map(to_one);
    let there = edges(tables, to)
        .filter(|e| std::ptr::eq(e.to, from))
        .map(|edge| Relationship {
            to,
            arity: if to.is_unique(&edge.columns()) {
                Arity::One
            } else {
                Arity::Many
            },
            names: vec![edge.name],
            direction: Direction::There,
            way: Way::Direct(edge.turned()),
        });
    here.chain(there).collect()
}

/// By a table whose primary key holds both foreign keys.
fn through<'t>(tables: &'t Tables, from: &'t Served, to: &'t Served) -> Vec<Relationship<'t>> {
    let mut found = Vec::new();
    for via in tables.values() {
        let is_key = |e: &Edge<'_>| e.pairs.iter().all(|p| via.shape.key.iter().any(|k| k == p.here));
        let ends: Vec<Edge<'t>> = edges(tables, via).filter(is_key).collect();
        for near in ends.iter().filter(|e| std::ptr::eq(e.to, from)) {
            for far in ends.iter().filter(|e| std::ptr::eq(e.to, to) && e.name != near.name) {
                found.push(Relationship {
                    to,
                    arity: Arity::Many,
                    names: vec![near.name, far.name],
                    direction: Direction::Between,
                    way: Way::Through {
                        via: near.from,
                        near: near.turned(),
                        far: far.turned(),
                    },
                });
            }
        }
    }
    found
}

impl Relationship<'_> {
    fn fits(&self, hint: &str) -> bool {
        match &self.way {
            Way::Direct(pairs) => {
                self.names.contains(&hint) || matches!(pairs.as_slice(), [p] if p.here == hint || p.there == hint)
            }
            Way::Through { via, .. } => via.shape.name == hint || self.names.contains(&hint),
        }
    }

    /// How it is told from others: `addresses!orders_billing_fkey`.
    fn hinted(&self, target: &str) -> String {
        match &self.way {
            Way::Direct(_) => format!("{target}!{}", self.names.join(",")),
            Way::Through { via, .. } => format!("{target}!{}", via.shape.name),
        }
    }

    fn described(&self, from: &Served) -> serde_json::Value {
        let (here, there) = (&from.shape.name, &self.to.shape.name);
        let cardinality = match (self.direction, self.arity) {
            (Direction::Here, _) => "many-to-one",
            (Direction::There, Arity::One) => "one-to-one",
            (Direction::There, Arity::Many) => "one-to-many",
            (Direction::Between, _) => "many-to-many",
        };
        let relationship = match &self.way {
            Way::Direct(_) => self.names.join(", "),
            Way::Through { via, .. } => format!("{} using {}", via.shape.name, self.names.join(" and ")),
        };
        serde_json::json!({
            "cardinality": cardinality,
            "embedding": format!("{here} with {there}"),
            "relationship": relationship,
        })
    }
}

fn none(tables: &Tables, from: &Served, target: &str, hint: Option<&str>) -> Problem {
    let name = &from.shape.name;
    let message = format!("Could not find a relationship between '{name}' and '{target}' in the schema cache");
    let problem = Problem::new(StatusCode::BAD_REQUEST, "no-relationship", "PGRST200", message);
    let problem = match hint {
        Some(hint) => problem.with_details(format!("no foreign key between them fits the hint `{hint}`")),
        None => problem.with_details(format!("no foreign key leads from `{name}` to `{target}` or back")),
    };
    let related: Vec<&str> = tables
        .iter()
        .filter(|(_, to)| !direct(tables, from, to).is_empty() || !through(tables, from, to).is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    match nearest(target, related.iter().copied()) {
        Some(known) => problem.with_hint(format!("perhaps `{known}` is meant")),
        None if related.is_empty() => problem,
        None => problem.with_hint(format!("related are {}", super::table::listed(related.into_iter()))),
    }
}

fn several(from: &Served, target: &str, found: &[Relationship<'_>]) -> Problem {
    let name = &from.shape.name;
    let choices: Vec<String> = found.iter().map(|r| format!("'{}'", r.hinted(target))).collect();
    let message = format!("Could not embed because more than one relationship was found for '{name}' and '{target}'");
    Problem::new(
        StatusCode::MULTIPLE_CHOICES,
        "ambiguous-relationship",
        "PGRST201",
        message,
    )
    .with_hint(format!(
        "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        choices.join(", ")
    ))
    .with_member("details", found.iter().map(|r| r.described(from)).collect::<Vec<_>>())
}
