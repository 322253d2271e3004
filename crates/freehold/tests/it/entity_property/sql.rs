//! A question as SQL, written in the plainest way: correlated subqueries, quoted literals, JSON built field by field.

use super::question::{Clause, Embed, Field, Filter, Form, Item, Join, Node, Question, Sort, Step, Test};
use super::scene::{By, Relationship, Scene};
use super::value::{Kind, literal, quoted};

/// Writes SQL about one scene.
pub(super) struct Writer<'s> {
    scene: &'s Scene,
    schema: &'s str,
    aliases: usize,
}

/// One field of an answer: its name, the expression, and the aggregate around it.
struct Shown {
    name: String,
    value: String,
    aggregate: Option<Aggregate>,
}

struct Aggregate {
    function: &'static str,
    cast: Option<&'static str>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(scene: &'s Scene, schema: &'s str) -> Self {
        Self {
            scene,
            schema,
            aliases: 0,
        }
    }

    /// A statement whose one value is the answer: a JSON array.
    pub(super) fn answer(&mut self, question: &Question) -> String {
        let mut node = question.node.clone();
        if node.select.is_empty() {
            node.select.push(Item::All);
        }
        format!("select {}::text", self.array(&node, question.table, None))
    }

    /// A statement that counts the rows without limit and offset.
    pub(super) fn count(&mut self, question: &Question) -> String {
        let alias = self.alias();
        let from = self.from(question.table, &alias);
        let condition = self.conditions(&question.node, question.table, &alias);
        format!("select count(*) from {from} where {condition}")
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    pub(super) fn table(&self, table: usize) -> String {
        format!("{}.{}", self.schema, quoted(&self.scene.tables[table].name))
    }

    fn from(&self, table: usize, alias: &str) -> String {
        format!("{} as {alias}", self.table(table))
    }

    fn column(&self, table: usize, alias: &str, column: usize) -> String {
        format!("{alias}.{}", quoted(&self.scene.tables[table].columns[column].name))
    }

    /// All rows of a relation as a JSON array: `link` is the relationship and the alias it starts at.
    fn array(&mut self, node: &Node, table: usize, link: Option<(&Relationship, &str)>) -> String {
        let alias = self.alias();
        let condition = self.linked(node, table, &alias, link);
        let shown = self.shown(node, table, &alias);
        let from = self.from(table, &alias);
        if node.is_aggregated() {
            return self.grouped(node, &shown, &from, &condition);
        }
        let mut rows = format!("select {} as j from {from} where {condition}", object(&shown));
        rows += &format!(" order by {}", self.order(node, table, &alias));
        if let Some(limit) = node.limit {
            rows += &format!(" limit {limit}");
        }
        if let Some(offset) = node.offset {
            rows += &format!(" offset {offset}");
        }
        format!("(select coalesce(json_agg(q.j), '[]'::json) from ({rows}) as q)")
    }

    /// Groups in two steps: the values of each row, then what is made of them.
    fn grouped(&mut self, node: &Node, shown: &[Shown], from: &str, condition: &str) -> String {
        let mut values = vec!["1 as one".to_owned()];
        let (mut fields, mut groups, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for (place, of) in shown.iter().enumerate() {
            values.push(format!("{} as v{place}", of.value));
            let value = match &of.aggregate {
                None => {
                    groups.push(format!("r.v{place}"));
                    format!("r.v{place}")
                }
                Some(Aggregate { function, cast }) => cast_to(format!("{function}(r.v{place})"), *cast),
            };
            fields.push(format!("{}, {value}", literal(&of.name)));
        }
        for sort in &node.order {
            let place = node.select.iter().position(|item| match item {
                Item::Column(chosen) => chosen.aggregate.is_none() && chosen.field.column == sort.field.column,
                _ => false,
            });
            order.extend(place.map(|p| format!("r.v{p}")));
        }
        let mut rows = format!(
            "select json_build_object({}) as j from (select {} from {from} where {condition}) as r",
            fields.join(", "),
            values.join(", ")
        );
        if !groups.is_empty() {
            rows += &format!(" group by {}", groups.join(", "));
        }
        if !order.is_empty() {
            rows += &format!(" order by {}", order.join(", "));
        }
        format!("(select coalesce(json_agg(q.j), '[]'::json) from ({rows}) as q)")
    }

    fn shown(&mut self, node: &Node, table: usize, alias: &str) -> Vec<Shown> {
        let plain = |name: &str, value: String| Shown {
            name: name.to_owned(),
            value,
            aggregate: None,
        };
        let columns = &self.scene.tables[table].columns;
        let mut shown = Vec::new();
        for item in &node.select {
            match item {
                Item::All => {
                    let every = columns.iter().enumerate();
                    shown.extend(every.map(|(place, of)| plain(&of.name, self.column(table, alias, place))));
                }
                Item::Column(chosen) => shown.push(Shown {
                    name: chosen.name(&columns[chosen.field.column].name),
                    value: cast_to(self.field(&chosen.field, table, alias), chosen.cast),
                    aggregate: chosen.aggregate.map(|(function, cast)| Aggregate { function, cast }),
                }),
                Item::Count { alias, cast } => shown.push(Shown {
                    name: alias.clone().unwrap_or_else(|| "count".to_owned()),
                    value: "1".to_owned(),
                    aggregate: Some(Aggregate {
                        function: "count",
                        cast: *cast,
                    }),
                }),
                Item::Embed(embed) if embed.spread => shown.extend(self.spread(embed, alias)),
                Item::Embed(embed) if embed.node.select.is_empty() => {}
                Item::Embed(embed) if self.scene.is_to_one(&embed.by) => {
                    let (there, rows) = self.related(embed, alias);
                    let inner = self.shown(&embed.node, embed.by.to, &there);
                    shown.push(plain(embed.name(), format!("(select {} {rows})", object(&inner))));
                }
                Item::Embed(embed) => {
                    let rows = self.array(&embed.node, embed.by.to, Some((&embed.by, alias)));
                    shown.push(plain(embed.name(), rows));
                }
            }
        }
        shown
    }

    /// Each field of the related row by itself.
    fn spread(&mut self, embed: &Embed, alias: &str) -> Vec<Shown> {
        let (there, rows) = self.related(embed, alias);
        let inner = self.shown(&embed.node, embed.by.to, &there);
        inner
            .into_iter()
            .map(|of| Shown {
                value: format!("(select {} {rows})", of.value),
                ..of
            })
            .collect()
    }

    /// A new alias for the related rows, and `from … where …` with their filters.
    fn related(&mut self, embed: &Embed, alias: &str) -> (String, String) {
        let there = self.alias();
        let condition = self.linked(&embed.node, embed.by.to, &there, Some((&embed.by, alias)));
        let rows = format!("from {} where {condition}", self.from(embed.by.to, &there));
        (there, rows)
    }

    fn linked(&mut self, node: &Node, table: usize, alias: &str, link: Option<(&Relationship, &str)>) -> String {
        let conditions = self.conditions(node, table, alias);
        match link {
            None => conditions,
            Some((by, from)) => format!("{} and {conditions}", self.link(by, from, alias)),
        }
    }

    /// That the rows `from` and `to` belong together.
    fn link(&mut self, by: &Relationship, from: &str, to: &str) -> String {
        let tables = &self.scene.tables;
        let pairs = |pairs: Vec<(String, String)>| {
            let equal: Vec<String> = pairs.into_iter().map(|(a, b)| format!("{a} = {b}")).collect();
            equal.join(" and ")
        };
        match by.by {
            By::Names(place) => {
                let here = tables[by.from].foreign[place].columns.iter();
                let keys = tables[by.to].key.iter();
                pairs(
                    here.zip(keys)
                        .map(|(h, k)| (self.column(by.from, from, *h), self.column(by.to, to, *k)))
                        .collect(),
                )
            }
            By::Named(place) => {
                let there = tables[by.to].foreign[place].columns.iter();
                let keys = tables[by.from].key.iter();
                pairs(
                    there
                        .zip(keys)
                        .map(|(t, k)| (self.column(by.to, to, *t), self.column(by.from, from, *k)))
                        .collect(),
                )
            }
            By::Between(join, near, far) => {
                let alias = self.alias();
                let near = Relationship {
                    from: by.from,
                    to: join,
                    by: By::Named(near),
                };
                let far = Relationship {
                    from: join,
                    to: by.to,
                    by: By::Names(far),
                };
                let both = format!("{} and {}", self.link(&near, from, &alias), self.link(&far, &alias, to));
                format!("exists (select from {} where {both})", self.from(join, &alias))
            }
        }
    }

    fn conditions(&mut self, node: &Node, table: usize, alias: &str) -> String {
        let mut conditions = vec!["true".to_owned()];
        for clause in &node.filters {
            conditions.push(self.clause(clause, node, table, alias));
        }
        for embed in node.embeds().filter(|e| e.join == Join::Inner) {
            let (_, rows) = self.related(embed, alias);
            conditions.push(format!("exists (select {rows})"));
        }
        conditions.join(" and ")
    }

    /// What filters without embedded relations demand of the row `alias`.
    pub(super) fn filters(&mut self, clauses: &[Clause], table: usize, alias: &str) -> String {
        let node = Node {
            filters: clauses.to_vec(),
            ..Node::default()
        };
        self.conditions(&node, table, alias)
    }

    fn clause(&mut self, clause: &Clause, node: &Node, table: usize, alias: &str) -> String {
        match clause {
            Clause::Test(filter) => self.test(filter, table, alias),
            Clause::Related { name, negated } => {
                let embed = node.embeds().find(|e| e.name() == name).expect("a sound question");
                let (_, rows) = self.related(embed, alias);
                let exists = format!("exists (select {rows})");
                if *negated { exists } else { format!("not {exists}") }
            }
            Clause::Tree { or, negated, clauses } => {
                let clauses: Vec<String> = clauses.iter().map(|c| self.clause(c, node, table, alias)).collect();
                let tree = clauses.join(if *or { " or " } else { " and " });
                if *negated {
                    format!("not ({tree})")
                } else {
                    format!("({tree})")
                }
            }
        }
    }

    fn test(&mut self, filter: &Filter, table: usize, alias: &str) -> String {
        let field = self.field(&filter.field, table, alias);
        let kind = self.scene.tables[table].columns[filter.field.column].kind;
        let of = match filter.field.form() {
            Form::Column => kind,
            Form::Json => Kind::Jsonb,
            Form::Text => Kind::Text,
        };
        let type_name = of.value_type(self.schema);
        let value = |value: &str| format!("{}::{type_name}", literal(value));
        let compared = |how: &str, given: &str| match how {
            "like" | "ilike" => format!("{}::text", literal(&given.replace('*', "%"))),
            "match" | "imatch" => format!("{}::text", literal(given)),
            _ => value(given),
        };
        let each = |how: &str, values: &[String], otherwise: &str, and: &str| {
            let tests: Vec<String> = values
                .iter()
                .map(|v| format!("{field} {} {}", operator(how), compared(how, v)))
                .collect();
            if tests.is_empty() {
                otherwise.to_owned()
            } else {
                format!("({})", tests.join(and))
            }
        };
        let test = match &filter.test {
            Test::Compare(how, given) => format!("{field} {} {}", operator(how), compared(how, given)),
            Test::Any(how, values) => each(how, values, "false", " or "),
            Test::All(how, values) => each(how, values, "true", " and "),
            Test::In(values) => each("eq", values, "false", " or "),
            Test::Is(what) => format!("{field} is {}", what.replace('_', " ")),
            Test::IsDistinct(given) => format!("{field} is distinct from {}", value(given)),
            Test::Relate(how, given) => format!("{field} {} {}", operator(how), value(given)),
            Test::Search(how, language, given) => {
                let language = language.map(|l| format!("'{l}'::regconfig, ")).unwrap_or_default();
                let query = match *how {
                    "fts" => "to_tsquery",
                    "plfts" => "plainto_tsquery",
                    "phfts" => "phraseto_tsquery",
                    _ => "websearch_to_tsquery",
                };
                format!(
                    "to_tsvector({language}{field}) @@ {query}({language}{})",
                    literal(given)
                )
            }
        };
        if filter.negated {
            format!("(not ({test}))")
        } else {
            format!("({test})")
        }
    }

    fn field(&self, field: &Field, table: usize, alias: &str) -> String {
        let mut text = self.column(table, alias, field.column);
        for step in &field.path {
            text = match step {
                Step::Key(key) => format!("({text} -> {})", literal(key)),
                Step::KeyText(key) => format!("({text} ->> {})", literal(key)),
                Step::Index(index) => format!("({text} -> ({index}))"),
                Step::IndexText(index) => format!("({text} ->> ({index}))"),
            };
        }
        text
    }

    fn order(&mut self, node: &Node, table: usize, alias: &str) -> String {
        let mut terms: Vec<String> = Vec::new();
        for sort in &node.order {
            let value = self.sorted(sort, node, table, alias);
            let direction = sort.direction.unwrap_or("asc");
            let nulls = match (sort.nulls, direction) {
                (Some("nullsfirst"), _) | (None, "desc") => "nulls first",
                _ => "nulls last",
            };
            terms.push(format!("{value} {direction} {nulls}"));
        }
        terms.extend(
            self.scene.tables[table]
                .key
                .iter()
                .map(|k| self.column(table, alias, *k)),
        );
        terms.join(", ")
    }

    fn sorted(&mut self, sort: &Sort, node: &Node, table: usize, alias: &str) -> String {
        let Some(relation) = &sort.relation else {
            return self.field(&sort.field, table, alias);
        };
        let embed = node.embeds().find(|e| e.name() == relation).expect("a sound question");
        let (there, rows) = self.related(embed, alias);
        format!("(select {} {rows})", self.field(&sort.field, embed.by.to, &there))
    }
}

fn object(shown: &[Shown]) -> String {
    let fields: Vec<String> = shown
        .iter()
        .map(|of| format!("{}, {}", literal(&of.name), of.value))
        .collect();
    format!("json_build_object({})", fields.join(", "))
}

fn cast_to(value: String, cast: Option<&str>) -> String {
    match cast {
        Some(cast) => format!("({value})::{cast}"),
        None => value,
    }
}

fn operator(how: &str) -> &'static str {
    match how {
        "eq" => "=",
        "neq" => "<>",
        "gt" => ">",
        "gte" => ">=",
        "lt" => "<",
        "lte" => "<=",
        "like" => "like",
        "ilike" => "ilike",
        "match" => "~",
        "imatch" => "~*",
        "cs" => "@>",
        "cd" => "<@",
        "ov" => "&&",
        "sl" => "<<",
        "sr" => ">>",
        "nxr" => "&<",
        "nxl" => "&>",
        "adj" => "-|-",
        other => panic!("{other} is no operator"),
    }
}
