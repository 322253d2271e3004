//! A question as a URL, quoted and encoded in one of the ways a client may choose.

use fastrand::Rng;

use super::question::{Chosen, Clause, Embed, Field, Filter, Item, Join, Node, Question, Sort, Step, Test};
use super::scene::Scene;

/// Prints with a source of chance of its own, so that a question is printed the same way again.
pub(super) struct Printer<'s> {
    scene: &'s Scene,
    rng: Rng,
}

/// Whether a value stands alone or within a list of clauses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    Tree,
}

impl<'s> Printer<'s> {
    pub(super) fn new(scene: &'s Scene, seed: u64) -> Self {
        Self {
            scene,
            rng: Rng::with_seed(seed),
        }
    }

    /// The path and the query.
    pub(super) fn url(&mut self, question: &Question) -> String {
        let mut parts = Vec::new();
        if !question.node.select.is_empty() {
            let items = self.items(&question.node, question.table);
            parts.push(("select".to_owned(), items));
        }
        self.rows(&question.node, question.table, "", &mut parts);
        self.rng.shuffle(&mut parts);
        let table = &self.scene.tables[question.table].name;
        self.path(table, &parts)
    }

    /// The path of a table, with filters and other parts.
    pub(super) fn path(&mut self, table: &str, parts: &[(String, String)]) -> String {
        // A plus sign is itself in a path.
        let table = encode(table, &mut self.rng).replace('+', "%20");
        let parts: Vec<String> = parts
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, &mut self.rng), encode(value, &mut self.rng)))
            .collect();
        format!("/{table}?{}", parts.join("&"))
    }

    /// The parts of a query that say which rows, and in what order.
    fn rows(&mut self, node: &Node, table: usize, path: &str, parts: &mut Vec<(String, String)>) {
        self.filters(&node.filters, table, path, parts);
        let mut order: Vec<String> = node.order.iter().map(|s| self.sort(s, node, table)).collect();
        let key = &self.scene.tables[table].key;
        if !node.is_aggregated() {
            let columns = &self.scene.tables[table].columns;
            let sorted = |c: usize| node.order.iter().any(|s| s.relation.is_none() && s.field.column == c);
            order.extend(key.iter().filter(|c| !sorted(**c)).map(|c| quoted(&columns[*c].name)));
        }
        if !order.is_empty() {
            parts.push((format!("{path}order"), order.join(",")));
        }
        if let Some(limit) = node.limit {
            parts.push((format!("{path}limit"), limit.to_string()));
        }
        if let Some(offset) = node.offset {
            parts.push((format!("{path}offset"), offset.to_string()));
        }
        for embed in node.embeds() {
            let name = self.name(embed.name());
            self.rows(&embed.node, embed.by.to, &format!("{path}{name}."), parts);
        }
    }

    pub(super) fn filters(&mut self, clauses: &[Clause], table: usize, path: &str, parts: &mut Vec<(String, String)>) {
        for clause in clauses {
            parts.push(match clause {
                Clause::Test(filter) => {
                    let field = self.field(&filter.field, table);
                    (format!("{path}{field}"), self.test(filter, Place::Alone))
                }
                Clause::Related { name, negated } => {
                    let name = self.name(name);
                    (format!("{path}{name}"), related(*negated).to_owned())
                }
                Clause::Tree { or, negated, clauses } => {
                    let not = if *negated { "not." } else { "" };
                    let clauses: Vec<String> = clauses.iter().map(|c| self.clause(c, table)).collect();
                    (format!("{path}{not}{}", logic(*or)), format!("({})", clauses.join(",")))
                }
            });
        }
    }

    fn clause(&mut self, clause: &Clause, table: usize) -> String {
        match clause {
            Clause::Test(filter) => {
                let field = self.field(&filter.field, table);
                format!("{field}.{}", self.test(filter, Place::Tree))
            }
            Clause::Related { name, negated } => format!("{}.{}", self.name(name), related(*negated)),
            Clause::Tree { or, negated, clauses } => {
                let not = if *negated { "not." } else { "" };
                let clauses: Vec<String> = clauses.iter().map(|c| self.clause(c, table)).collect();
                format!("{not}{}({})", logic(*or), clauses.join(","))
            }
        }
    }

    fn test(&mut self, filter: &Filter, place: Place) -> String {
        let not = if filter.negated { "not." } else { "" };
        let text = match &filter.test {
            Test::Compare(how, value) => format!("{how}.{}", self.value(value, place)),
            Test::Any(how, values) => format!("{how}(any).{}", self.list(values, place)),
            Test::All(how, values) => format!("{how}(all).{}", self.list(values, place)),
            Test::In(values) => {
                let values: Vec<String> = values.iter().map(|v| self.entry(v)).collect();
                format!("in.({})", values.join(","))
            }
            Test::Is(what) => format!("is.{what}"),
            Test::IsDistinct(value) => format!("isdistinct.{}", self.value(value, place)),
            Test::Relate(how, value) => format!("{how}.{}", self.value(value, place)),
            Test::Search(how, language, value) => {
                let language = language.map(|l| format!("({l})")).unwrap_or_default();
                format!("{how}{language}.{}", self.value(value, place))
            }
        };
        format!("{not}{text}")
    }

    /// A value alone stands as it is; in a tree it is quoted unless it is harmless.
    fn value(&mut self, value: &str, place: Place) -> String {
        match place {
            Place::Alone => value.to_owned(),
            Place::Tree => self.entry(value),
        }
    }

    /// One of several between commas.
    fn entry(&mut self, value: &str) -> String {
        let bare = |c: char| c.is_alphanumeric() || "_-.:*%".contains(c);
        if value.is_empty() || !value.chars().all(bare) || self.rng.u8(..4) == 0 {
            return quoted(value);
        }
        value.to_owned()
    }

    /// An array literal; in a tree it is quoted once more where braces in it would end it.
    fn list(&mut self, values: &[String], place: Place) -> String {
        let bare = |c: char| c.is_alphanumeric() || "_-.:*".contains(c);
        let entries: Vec<String> = values
            .iter()
            .map(|value| {
                let is_bare = !value.is_empty() && value.chars().all(bare) && !value.eq_ignore_ascii_case("null");
                if is_bare && self.rng.u8(..4) > 0 {
                    value.clone()
                } else {
                    quoted(value)
                }
            })
            .collect();
        let list = format!("{{{}}}", entries.join(","));
        let braces = values.iter().any(|v| v.contains(['{', '}']));
        if place == Place::Tree && (braces || self.rng.u8(..4) == 0) {
            return quoted(&list);
        }
        list
    }

    fn items(&mut self, node: &Node, table: usize) -> String {
        let items: Vec<String> = node.select.iter().map(|item| self.item(item, table)).collect();
        items.join(",")
    }

    fn item(&mut self, item: &Item, table: usize) -> String {
        match item {
            Item::All => "*".to_owned(),
            Item::Column(chosen) => self.chosen(chosen, table),
            Item::Count { alias, cast } => format!("{}count(){}", self.alias(alias.as_deref()), cast_to(*cast)),
            Item::Embed(embed) => self.embed(embed),
        }
    }

    fn chosen(&mut self, chosen: &Chosen, table: usize) -> String {
        let alias = self.alias(chosen.alias.as_deref());
        let field = self.field(&chosen.field, table);
        let aggregate = match chosen.aggregate {
            Some((aggregate, cast)) => format!(".{aggregate}(){}", cast_to(cast)),
            None => String::new(),
        };
        format!("{alias}{field}{}{aggregate}", cast_to(chosen.cast))
    }

    fn embed(&mut self, embed: &Embed) -> String {
        let lead = if embed.spread {
            "...".to_owned()
        } else {
            self.alias(embed.alias.as_deref())
        };
        let target = self.name(&embed.target);
        let mut marks = Vec::new();
        if let Some(hint) = &embed.hint {
            // `!inner` and `!left` as names of tables are quoted.
            marks.push(format!("!{}", self.name(hint)));
        }
        match embed.join {
            Join::Usual => {}
            Join::Left => marks.push("!left".to_owned()),
            Join::Inner => marks.push("!inner".to_owned()),
        }
        self.rng.shuffle(&mut marks);
        format!(
            "{lead}{target}{}({})",
            marks.concat(),
            self.items(&embed.node, embed.by.to)
        )
    }

    fn alias(&mut self, alias: Option<&str>) -> String {
        alias.map(|a| format!("{}:", self.name(a))).unwrap_or_default()
    }

    fn sort(&mut self, sort: &Sort, node: &Node, table: usize) -> String {
        let mut text = match &sort.relation {
            None => self.field(&sort.field, table),
            Some(relation) => {
                let to = node.embeds().find(|e| e.name() == relation).map_or(table, |e| e.by.to);
                let field = self.field(&sort.field, to);
                format!("{}({field})", self.name(relation))
            }
        };
        for word in [sort.direction, sort.nulls].into_iter().flatten() {
            text = format!("{text}.{word}");
        }
        text
    }

    fn field(&mut self, field: &Field, table: usize) -> String {
        let mut text = self.name(&self.scene.tables[table].columns[field.column].name);
        for step in &field.path {
            text += &match step {
                Step::Key(key) => format!("->{}", self.key(key)),
                Step::KeyText(key) => format!("->>{}", self.key(key)),
                Step::Index(index) => format!("->{index}"),
                Step::IndexText(index) => format!("->>{index}"),
            };
        }
        text
    }

    fn key(&mut self, key: &str) -> String {
        if key.bytes().all(|b| b.is_ascii_digit()) {
            quoted(key)
        } else {
            self.name(key)
        }
    }

    /// A name stands bare only where it can mean nothing else.
    fn name(&mut self, name: &str) -> String {
        let harmless = name.chars().next().is_some_and(char::is_alphabetic)
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !WORDS.contains(&name);
        if harmless && self.rng.u8(..4) > 0 {
            name.to_owned()
        } else {
            quoted(name)
        }
    }
}

/// Names that mean something of their own somewhere in a query.
const WORDS: [&str; 13] = [
    "count",
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
    "inner",
    "left",
];

fn related(negated: bool) -> &'static str {
    if negated { "not.is.null" } else { "is.null" }
}

fn logic(or: bool) -> &'static str {
    if or { "or" } else { "and" }
}

fn cast_to(cast: Option<&str>) -> String {
    cast.map(|c| format!("::{c}")).unwrap_or_default()
}

/// In double quotes, with backslashes before quotes and backslashes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Percent-encoded, sometimes more than needed.
fn encode(text: &str, rng: &mut Rng) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if rng.bool() => encoded.push('+'),
            _ if byte.is_ascii_alphanumeric() && rng.u8(..30) > 0 => encoded.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'*' | b'(' | b')' | b',' | b':' | b'!' | b'$' | b'\'' | b'~' | b'@'
                if rng.u8(..4) > 0 =>
            {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
