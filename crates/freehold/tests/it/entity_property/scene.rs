//! Tables at random: names that are hard to write, columns of every type, foreign keys of every kind, rows.

use fastrand::Rng;

use super::value::{Kind, literal, quoted};

/// Rows of a table at most: enough for every join, few enough to read in a failure.
const ROWS_MAX: usize = 14;

/// Tables of one database schema.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) schema: String,
    pub(super) tables: Vec<Table>,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Places of the primary key's columns.
    pub(super) key: Vec<usize>,
    pub(super) foreign: Vec<Foreign>,
    /// Texts that PostgreSQL reads, or nulls.
    pub(super) rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) not_null: bool,
    /// What stands there when nothing is given.
    pub(super) default: Option<String>,
}

/// A foreign key; it names the whole primary key of its target.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) name: String,
    pub(super) columns: Vec<usize>,
    pub(super) to: usize,
    pub(super) unique: bool,
    on_delete: &'static str,
}

/// How the rows of one table belong to those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relationship {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) by: By,
}

/// The foreign keys of a relationship: table and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// The origin names the target.
    Names(usize),
    /// The target names the origin.
    Named(usize),
    /// A table names both: the origin with its first key, the target with its second.
    Between(usize, usize, usize),
}

const PLAIN_NAMES: [&str; 12] = [
    "a",
    "b",
    "id",
    "name",
    "price",
    "size_2",
    "größe",
    "x1",
    "_y",
    "Total",
    "日本",
    "parent_id",
];
const HARD_NAMES: [&str; 62] = [
    "select",
    "and",
    "or",
    "not",
    "order",
    "limit",
    "offset",
    "columns",
    "on_conflict",
    "after",
    "count",
    "in",
    "is",
    "asc",
    "desc",
    "user",
    "table",
    "a b",
    "a\"b",
    "a'b",
    "a.b",
    "a,b",
    "a(b)",
    "a)",
    "(",
    "a:b",
    "a::b",
    "a!b",
    "a->b",
    "a->>b",
    "*",
    "a\\b",
    "a%b",
    "%41",
    "a&b",
    "a=b",
    "a+b",
    "a/b",
    "a?b",
    "a#b",
    "A",
    "🦀",
    "a;b--",
    "$1",
    "{a}",
    "[a]",
    " lead",
    "trail ",
    "-",
    "a-b",
    "0",
    "1a",
    "...",
    "null",
    "t",
    "excluded",
    "x.order",
    "not.and",
    "inner",
    "left",
    "'; drop table x; --",
    "sum()",
];

/// A name that is in none of `taken`.
fn name<'n>(rng: &mut Rng, taken: impl Iterator<Item = &'n str> + Clone) -> String {
    let base = if rng.bool() {
        PLAIN_NAMES[rng.usize(..PLAIN_NAMES.len())]
    } else {
        HARD_NAMES[rng.usize(..HARD_NAMES.len())]
    };
    let mut name = base.to_owned();
    while taken.clone().any(|t| t == name) {
        name = format!("{base}{}", rng.u16(..1000));
    }
    name
}

impl Scene {
    pub(super) fn new(schema: String, rng: &mut Rng) -> Self {
        let mut scene = Self {
            schema,
            tables: Vec::new(),
        };
        for _ in 0..rng.usize(2..5) {
            scene.add_table(rng);
        }
        for _ in 0..rng.usize(1..5) {
            let (from, to) = (rng.usize(..scene.tables.len()), rng.usize(..scene.tables.len()));
            scene.add_foreign(from, to, rng);
        }
        for _ in 0..rng.usize(..3) {
            let (one, other) = (rng.usize(..scene.tables.len()), rng.usize(..scene.tables.len()));
            if one != other {
                scene.add_between(one, other, rng);
            }
        }
        // Targets first, so that keys exist when they are named; a table that names itself names an earlier row.
        for table in 0..scene.tables.len() {
            scene.fill(table, rng);
        }
        scene
    }

    fn add_table(&mut self, rng: &mut Rng) {
        let mut columns: Vec<Column> = Vec::new();
        let keys = if rng.u8(..5) == 0 { 2 } else { 1 };
        for place in 0..keys + rng.usize(2..8) {
            let is_key = place < keys;
            let kind = if is_key { Kind::key(rng) } else { Kind::any(rng) };
            let default = (!is_key && rng.u8(..3) == 0).then(|| kind.value(rng));
            columns.push(Column {
                name: name(rng, columns.iter().map(|c| c.name.as_str())),
                kind,
                not_null: is_key || rng.u8(..6) == 0,
                default,
            });
        }
        self.tables.push(Table {
            name: name(rng, self.tables.iter().map(|t| t.name.as_str())),
            columns,
            key: (0..keys).collect(),
            foreign: Vec::new(),
            rows: Vec::new(),
        });
    }

    /// Columns of `from` that name `to`; later tables name earlier ones or themselves.
    fn add_foreign(&mut self, one: usize, other: usize, rng: &mut Rng) {
        let (from, to) = (one.max(other), one.min(other));
        let unique = rng.u8(..4) == 0;
        let not_null = from != to && rng.u8(..4) == 0;
        let columns = self.add_reference(from, to, not_null, rng);
        let on_delete = match rng.u8(..3) {
            0 => "cascade",
            1 if !not_null => "set null",
            _ => "no action",
        };
        self.name_foreign(from, to, columns, unique, on_delete, rng);
    }

    fn add_reference(&mut self, from: usize, to: usize, not_null: bool, rng: &mut Rng) -> Vec<usize> {
        let kinds: Vec<Kind> = self.tables[to]
            .key
            .iter()
            .map(|k| self.tables[to].columns[*k].kind)
            .collect();
        let columns = &mut self.tables[from].columns;
        let mut places = Vec::new();
        for kind in kinds {
            places.push(columns.len());
            columns.push(Column {
                name: name(rng, columns.iter().map(|c| c.name.as_str())),
                kind,
                not_null,
                default: None,
            });
        }
        places
    }

    fn name_foreign(
        &mut self,
        from: usize,
        to: usize,
        columns: Vec<usize>,
        unique: bool,
        on_delete: &'static str,
        rng: &mut Rng,
    ) {
        let taken = self.tables.iter().flat_map(|t| &t.foreign).map(|f| f.name.as_str());
        let name = format!("{} fk", name(rng, taken.clone().map(|t| t.trim_end_matches(" fk"))));
        self.tables[from].foreign.push(Foreign {
            name,
            columns,
            to,
            unique,
            on_delete,
        });
    }

    fn add_between(&mut self, one: usize, other: usize, rng: &mut Rng) {
        let join = self.tables.len();
        self.tables.push(Table {
            name: name(rng, self.tables.iter().map(|t| t.name.as_str())),
            columns: Vec::new(),
            key: Vec::new(),
            foreign: Vec::new(),
            rows: Vec::new(),
        });
        for to in [one, other] {
            let columns = self.add_reference(join, to, true, rng);
            self.tables[join].key.extend(&columns);
            self.name_foreign(join, to, columns, false, "cascade", rng);
        }
        if rng.bool() {
            let columns = &mut self.tables[join].columns;
            columns.push(Column {
                name: name(rng, columns.iter().map(|c| c.name.as_str())),
                kind: Kind::any(rng),
                not_null: false,
                default: None,
            });
        }
    }

    fn fill(&mut self, place: usize, rng: &mut Rng) {
        for number in 0..rng.usize(..ROWS_MAX) {
            if let Some(row) = self.row(place, number, rng) {
                self.tables[place].rows.push(row);
            }
        }
    }

    /// A row that may stand beside those that are there; none if luck had it that its keys are taken.
    pub(super) fn row(&self, place: usize, number: usize, rng: &mut Rng) -> Option<Vec<Option<String>>> {
        let table = &self.tables[place];
        let mut row: Vec<Option<String>> = table
            .columns
            .iter()
            .enumerate()
            .map(|(column, of)| {
                if table.key.contains(&column) {
                    return Some(of.kind.distinct(number, rng));
                }
                (of.not_null || rng.u8(..4) > 0).then(|| of.kind.value(rng))
            })
            .collect();
        for foreign in &table.foreign {
            let there = &self.tables[foreign.to];
            let is_free = !foreign.columns.iter().any(|c| table.columns[*c].not_null);
            let target = (!there.rows.is_empty()).then(|| rng.usize(..there.rows.len()));
            match target {
                Some(target) if !(is_free && rng.u8(..4) == 0) => {
                    for (column, key) in foreign.columns.iter().zip(&there.key) {
                        row[*column] = there.rows[target][*key].clone();
                    }
                }
                _ if is_free => foreign.columns.iter().for_each(|c| row[*c] = None),
                _ => return None,
            }
        }
        let same = |columns: &[usize]| {
            let whole = columns.iter().all(|c| row[*c].is_some());
            whole
                && table
                    .rows
                    .iter()
                    .any(|other| columns.iter().all(|c| other[*c] == row[*c]))
        };
        let taken = same(&table.key) || table.foreign.iter().any(|f| f.unique && same(&f.columns));
        (!taken).then_some(row)
    }

    /// The schema, its tables and their rows, as SQL that another schema name may stand in.
    pub(super) fn sql(&self, schema: &str) -> String {
        let mut sql = format!("create schema {schema};\n{}\n", Kind::create_enum(schema));
        for table in &self.tables {
            let columns = |of: &[usize]| {
                let names: Vec<String> = of.iter().map(|c| quoted(&table.columns[*c].name)).collect();
                names.join(", ")
            };
            let mut parts: Vec<String> = table.columns.iter().map(|c| c.definition(schema)).collect();
            parts.push(format!("primary key ({})", columns(&table.key)));
            for foreign in &table.foreign {
                parts.push(format!(
                    "constraint {} foreign key ({}) references {schema}.{} on delete {}",
                    quoted(&foreign.name),
                    columns(&foreign.columns),
                    quoted(&self.tables[foreign.to].name),
                    foreign.on_delete,
                ));
                if foreign.unique {
                    parts.push(format!("unique ({})", columns(&foreign.columns)));
                }
            }
            sql += &format!(
                "create table {schema}.{} (\n  {}\n);\n",
                quoted(&table.name),
                parts.join(",\n  ")
            );
            for row in &table.rows {
                let values: Vec<String> = row
                    .iter()
                    .map(|v| v.as_deref().map_or_else(|| "null".to_owned(), literal))
                    .collect();
                sql += &format!(
                    "insert into {schema}.{} values ({});\n",
                    quoted(&table.name),
                    values.join(", ")
                );
            }
        }
        sql
    }

    /// Every relationship of a table.
    pub(super) fn relationships(&self, from: usize) -> Vec<Relationship> {
        let mut found = Vec::new();
        let mut add = |to, by| found.push(Relationship { from, to, by });
        for (place, foreign) in self.tables[from].foreign.iter().enumerate() {
            add(foreign.to, By::Names(place));
        }
        for (other, table) in self.tables.iter().enumerate() {
            for (place, foreign) in table.foreign.iter().enumerate() {
                if foreign.to == from {
                    add(other, By::Named(place));
                }
                for (second, far) in table.foreign.iter().enumerate() {
                    let keyed = |f: &Foreign| f.columns.iter().all(|c| table.key.contains(c));
                    if foreign.to == from && second != place && keyed(foreign) && keyed(far) {
                        add(far.to, By::Between(other, place, second));
                    }
                }
            }
        }
        found
    }

    /// Whether a row has at most one of the other side.
    pub(super) fn is_to_one(&self, relationship: &Relationship) -> bool {
        match relationship.by {
            By::Names(_) => true,
            By::Named(place) => {
                let there = &self.tables[relationship.to];
                let foreign = &there.foreign[place];
                foreign.unique || there.key.iter().all(|k| foreign.columns.contains(k))
            }
            By::Between(..) => false,
        }
    }
}

impl Column {
    fn definition(&self, schema: &str) -> String {
        let mut text = format!("{} {}", quoted(&self.name), self.kind.column_type(schema));
        if let Some(default) = &self.default {
            text += &format!(" default {}", literal(default));
        }
        if self.not_null {
            text += " not null";
        }
        text
    }
}
