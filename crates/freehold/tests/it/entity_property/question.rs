//! A question, as data: it is printed as a URL in `url` and as SQL in `sql`.

use super::scene::{By, Relationship, Scene};

/// What is asked of one table.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) table: usize,
    pub(super) node: Node,
    /// `Prefer: count=exact`
    pub(super) counted: bool,
}

/// What is asked of the rows of one relation.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Empty means everything at the top, and nothing in an embedded relation.
    pub(super) select: Vec<Item>,
    pub(super) filters: Vec<Clause>,
    /// The primary key is appended where rows are not aggregated.
    pub(super) order: Vec<Sort>,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    All,
    Column(Chosen),
    Count {
        alias: Option<String>,
        cast: Option<&'static str>,
    },
    Embed(Embed),
}

#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) field: Field,
    pub(super) alias: Option<String>,
    pub(super) cast: Option<&'static str>,
    pub(super) aggregate: Option<(&'static str, Option<&'static str>)>,
}

#[derive(Debug, Clone)]
pub(super) struct Embed {
    pub(super) by: Relationship,
    /// As it is written: a table, or a column that names it.
    pub(super) target: String,
    pub(super) hint: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) join: Join,
    pub(super) spread: bool,
    pub(super) node: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Usual,
    Left,
    Inner,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) column: usize,
    pub(super) path: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(String),
    Index(i32),
    /// The last step, as text.
    KeyText(String),
    IndexText(i32),
}

#[derive(Debug, Clone)]
pub(super) enum Clause {
    Test(Filter),
    /// Whether the embedded relation of this name has a row.
    Related {
        name: String,
        negated: bool,
    },
    Tree {
        or: bool,
        negated: bool,
        clauses: Vec<Clause>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) field: Field,
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Compare(&'static str, String),
    Any(&'static str, Vec<String>),
    All(&'static str, Vec<String>),
    In(Vec<String>),
    Is(&'static str),
    IsDistinct(String),
    Relate(&'static str, String),
    Search(&'static str, Option<&'static str>, String),
}

#[derive(Debug, Clone)]
pub(super) struct Sort {
    /// The embedded to-one relation whose field it is.
    pub(super) relation: Option<String>,
    pub(super) field: Field,
    pub(super) direction: Option<&'static str>,
    pub(super) nulls: Option<&'static str>,
}

impl Field {
    /// The name it is answered under.
    fn name(&self, column: &str) -> String {
        let key = self.path.iter().rev().find_map(|step| match step {
            Step::Key(key) | Step::KeyText(key) => Some(key.clone()),
            Step::Index(_) | Step::IndexText(_) => None,
        });
        key.unwrap_or_else(|| column.to_owned())
    }

    /// Whether it is read as JSON, as text, or as the column's type.
    pub(super) fn form(&self) -> Form {
        match self.path.last() {
            None => Form::Column,
            Some(Step::Key(_) | Step::Index(_)) => Form::Json,
            Some(Step::KeyText(_) | Step::IndexText(_)) => Form::Text,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Column,
    Json,
    Text,
}

impl Embed {
    pub(super) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.target)
    }

    /// Whether anything of it stands in the answer.
    fn is_answered(&self, scene: &Scene) -> bool {
        if self.spread {
            return !self.node.names(self.by.to, scene).is_empty();
        }
        !self.node.select.is_empty()
    }
}

impl Chosen {
    pub(super) fn name(&self, column: &str) -> String {
        match (&self.alias, &self.aggregate) {
            (Some(alias), _) => alias.clone(),
            (None, Some((aggregate, _))) => (*aggregate).to_owned(),
            (None, None) => self.field.name(column),
        }
    }
}

impl Node {
    pub(super) fn embeds(&self) -> impl Iterator<Item = &Embed> {
        self.select.iter().filter_map(|item| match item {
            Item::Embed(embed) => Some(embed),
            _ => None,
        })
    }

    pub(super) fn is_aggregated(&self) -> bool {
        self.select.iter().any(|item| match item {
            Item::Count { .. } => true,
            Item::Column(chosen) => chosen.aggregate.is_some(),
            Item::All | Item::Embed(_) => false,
        })
    }

    fn is_shown(&self, column: usize) -> bool {
        self.select
            .iter()
            .any(|item| matches!(item, Item::Column(c) if c.aggregate.is_none() && c.field.column == column))
    }

    fn is_filtered(&self) -> bool {
        !self.filters.is_empty() || self.embeds().any(|e| e.node.is_filtered())
    }

    /// The names a row of it is answered with, spread ones among them.
    fn names(&self, table: usize, scene: &Scene) -> Vec<String> {
        let columns = &scene.tables[table].columns;
        let mut names = Vec::new();
        for item in &self.select {
            match item {
                Item::All => names.extend(columns.iter().map(|c| c.name.clone())),
                Item::Column(chosen) => names.push(chosen.name(&columns[chosen.field.column].name)),
                Item::Count { alias, .. } => names.push(alias.clone().unwrap_or_else(|| "count".to_owned())),
                Item::Embed(embed) if embed.spread => names.extend(embed.node.names(embed.by.to, scene)),
                Item::Embed(embed) if embed.node.select.is_empty() => {}
                Item::Embed(embed) => names.push(embed.name().to_owned()),
            }
        }
        names
    }

    /// Whether it can be asked without two meanings: names occur once, what is referred to is there.
    pub(super) fn is_sound(&self, table: usize, scene: &Scene) -> bool {
        let mut names = self.names(table, scene);
        let mut embeds: Vec<&str> = self.embeds().map(Embed::name).collect();
        let columns = &scene.tables[table].columns;
        let collide = embeds.iter().any(|e| columns.iter().any(|c| c.name == *e));
        let (all, many) = (names.len(), embeds.len());
        names.sort_unstable();
        names.dedup();
        embeds.sort_unstable();
        embeds.dedup();
        let known = self.filters.iter().all(|c| c.names_embeds(&embeds));
        let sorted = self
            .order
            .iter()
            .all(|s| s.relation.as_deref().is_none_or(|r| embeds.contains(&r)));
        // What makes no difference need not make sense: a filter on it is not read.
        let idle = |e: &Embed| !e.is_answered(scene) && e.join != Join::Inner && e.node.is_filtered();
        let used = |e: &Embed| {
            let named = [e.name()];
            let sorted = self.order.iter().any(|s| s.relation.as_deref() == Some(e.name()));
            sorted || self.filters.iter().any(|c| c.names_one_of(&named))
        };
        let idle = self.embeds().any(|e| idle(e) && !used(e));
        let within = self.embeds().all(|e| e.node.is_sound(e.by.to, scene));
        let grouped = !self.is_aggregated() || self.order.iter().all(|s| self.is_shown(s.field.column));
        // A field without a name is asked for by another.
        let named = !names.iter().any(String::is_empty);
        !idle && named && names.len() == all && embeds.len() == many && !collide && known && sorted && within && grouped
    }
}

impl Clause {
    fn names_one_of(&self, embeds: &[&str]) -> bool {
        match self {
            Self::Test(_) => false,
            Self::Related { name, .. } => embeds.contains(&name.as_str()),
            Self::Tree { clauses, .. } => clauses.iter().any(|c| c.names_one_of(embeds)),
        }
    }

    fn names_embeds(&self, embeds: &[&str]) -> bool {
        match self {
            Self::Test(_) => true,
            Self::Related { name, .. } => embeds.contains(&name.as_str()),
            Self::Tree { clauses, .. } => clauses.iter().all(|c| c.names_embeds(embeds)),
        }
    }
}

/// The relationships that `target` and `hint` may mean, as PostgREST finds them.
pub(super) fn meant(scene: &Scene, from: usize, target: &str, hint: Option<&str>) -> Vec<Relationship> {
    let matches = |relationship: &Relationship| {
        let table = &scene.tables[relationship.to].name;
        let (constraint, here, there) = names_of(scene, relationship);
        let is_self = relationship.from == relationship.to;
        let between = match relationship.by {
            By::Between(join, ..) => Some(scene.tables[join].name.as_str()),
            By::Names(_) | By::Named(_) => None,
        };
        let is = |one: Option<&str>, other: &str| one == Some(other);
        match hint {
            None if is_self => match relationship.by {
                By::Names(_) => is(here, target),
                By::Named(_) => target == table,
                By::Between(..) => false,
            },
            Some(hint) if is_self => target == table && matches!(relationship.by, By::Named(_)) && is(there, hint),
            None => {
                let names = matches!(relationship.by, By::Names(_));
                target == table || (names && (is(constraint, target) || is(here, target)))
            }
            Some(hint) => {
                target == table && (is(constraint, hint) || is(here, hint) || is(there, hint) || is(between, hint))
            }
        }
    };
    scene.relationships(from).into_iter().filter(matches).collect()
}

/// The constraint, the one column here and the one there.
pub(super) fn names_of<'s>(
    scene: &'s Scene,
    relationship: &Relationship,
) -> (Option<&'s str>, Option<&'s str>, Option<&'s str>) {
    let column = |table: usize, of: &[usize]| match of {
        [only] => Some(scene.tables[table].columns[*only].name.as_str()),
        _ => None,
    };
    let key = |table: usize| column(table, &scene.tables[table].key);
    match relationship.by {
        By::Names(place) => {
            let foreign = &scene.tables[relationship.from].foreign[place];
            (
                Some(&foreign.name),
                column(relationship.from, &foreign.columns),
                key(relationship.to),
            )
        }
        By::Named(place) => {
            let foreign = &scene.tables[relationship.to].foreign[place];
            (
                Some(&foreign.name),
                key(relationship.from),
                column(relationship.to, &foreign.columns),
            )
        }
        By::Between(..) => (None, None, None),
    }
}
