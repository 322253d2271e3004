//! Questions at random.

use fastrand::Rng;

use super::question::{
    Chosen, Clause, Embed, Field, Filter, Form, Item, Join, Node, Question, Sort, Step, Test, meant, names_of,
};
use super::scene::{By, Relationship, Scene};
use super::value::{JSON_KEYS, Kind, TEXTS};

/// Relations embedded in each other.
const DEPTH_MAX: usize = 3;

/// Makes questions about one scene.
pub(super) struct Asker<'s> {
    pub(super) scene: &'s Scene,
    pub(super) rng: &'s mut Rng,
}

impl Asker<'_> {
    pub(super) fn question(&mut self) -> Question {
        loop {
            let table = self.rng.usize(..self.scene.tables.len());
            let mut node = self.node(table, 0);
            if node.select.is_empty() && self.rng.bool() {
                node.select.push(Item::All);
            }
            if node.is_sound(table, self.scene) {
                let counted = !node.is_aggregated() && self.one_in(6);
                return Question { table, node, counted };
            }
        }
    }

    /// Filters alone, at least one.
    pub(super) fn filters(&mut self, table: usize) -> Vec<Clause> {
        (0..self.rng.usize(1..3)).map(|_| self.clause(table, &[], 0)).collect()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(..from.len())]
    }

    fn node(&mut self, table: usize, depth: usize) -> Node {
        let mut node = Node::default();
        if self.one_in(7) {
            self.aggregate(&mut node, table, depth);
        } else {
            self.select(&mut node, table, depth);
        }
        // An aggregate has a row where nothing is related, and an offset leaves out rows that are: neither tells of presence.
        let tells = |e: &&Embed| !e.node.is_aggregated() && e.node.offset.is_none();
        let names: Vec<String> = node.embeds().filter(tells).map(|e| e.name().to_owned()).collect();
        for _ in 0..[0, 0, 1, 1, 2, 3][self.rng.usize(..6)] {
            node.filters.push(self.clause(table, &names, 0));
        }
        if node.is_aggregated() {
            return node;
        }
        for _ in 0..self.rng.usize(..3) {
            let sort = self.sort(table, &node);
            let same = |s: &Sort| s.relation == sort.relation && s.field.column == sort.field.column;
            if !node.order.iter().any(same) {
                node.order.push(sort);
            }
        }
        if self.one_in(4) {
            node.limit = Some(self.rng.u64(1..6));
        }
        if self.one_in(6) {
            node.offset = Some(self.rng.u64(..4));
        }
        node
    }

    fn select(&mut self, node: &mut Node, table: usize, depth: usize) {
        let columns = self.scene.tables[table].columns.len();
        if self.one_in(4) {
            node.select.push(Item::All);
        }
        for _ in 0..self.rng.usize(..4) {
            let field = self.field(table);
            let cast = if self.one_in(6) {
                Some(self.cast(table, &field))
            } else {
                None
            };
            let alias = self.alias();
            node.select.push(Item::Column(Chosen {
                field,
                alias,
                cast,
                aggregate: None,
            }));
        }
        let embeds = if depth < DEPTH_MAX {
            self.rng.usize(..3).min(self.rng.usize(..3))
        } else {
            0
        };
        for _ in 0..embeds {
            if let Some(embed) = self.embed(table, depth) {
                node.select.push(Item::Embed(embed));
            }
        }
        if depth > 0 && node.select.is_empty() && self.one_in(2) {
            let column = self.rng.usize(..columns);
            node.select.push(Item::Column(Chosen {
                field: Field { column, path: vec![] },
                alias: None,
                cast: None,
                aggregate: None,
            }));
        }
        self.rng.shuffle(&mut node.select);
    }

    /// Groups by columns whose values are exact; in an embedded relation they are sorted by too.
    fn aggregate(&mut self, node: &mut Node, table: usize, depth: usize) {
        let columns = &self.scene.tables[table].columns;
        let exact: Vec<usize> = (0..columns.len()).filter(|c| columns[*c].kind.is_exact()).collect();
        for _ in 0..self.rng.usize(..3) {
            let field = Field {
                column: self.pick(&exact),
                path: vec![],
            };
            if node.order.iter().any(|s| s.field.column == field.column) {
                continue;
            }
            let alias = self.alias();
            node.order.push(Sort {
                relation: None,
                field: field.clone(),
                direction: None,
                nulls: None,
            });
            node.select.push(Item::Column(Chosen {
                field,
                alias,
                cast: None,
                aggregate: None,
            }));
        }
        if self.one_in(2) {
            let (alias, cast) = (self.alias(), self.one_in(4).then_some("text"));
            node.select.push(Item::Count { alias, cast });
        }
        for _ in 0..self.rng.usize(1..3) {
            let column = self.rng.usize(..columns.len());
            let chosen = self.aggregated(table, column);
            node.select.push(Item::Column(chosen));
        }
        if depth == 0 && self.one_in(4) {
            let spread = self.embed(table, DEPTH_MAX).filter(|e| e.spread && self.is_plain(e));
            node.select.extend(spread.map(Item::Embed));
            node.order.clear();
        }
        self.rng.shuffle(&mut node.select);
    }

    fn is_plain(&self, embed: &Embed) -> bool {
        let columns = &self.scene.tables[embed.by.to].columns;
        !embed.node.select.is_empty()
            && embed.node.select.iter().all(|item| match item {
                Item::Column(chosen) => {
                    chosen.field.path.is_empty()
                        && chosen.aggregate.is_none()
                        && columns[chosen.field.column].kind.is_exact()
                }
                _ => false,
            })
    }

    fn aggregated(&mut self, table: usize, column: usize) -> Chosen {
        let aggregates: &[&'static str] = match self.scene.tables[table].columns[column].kind {
            _ if self.one_in(30) => &["count", "max", "min"],
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric => &["count", "max", "min", "sum", "avg"],
            // Sums of floats depend on the order of the rows.
            Kind::Float8 | Kind::Text | Kind::Varchar | Kind::Date | Kind::Moment | Kind::Colour => {
                &["count", "max", "min"]
            }
            Kind::Int4s | Kind::Texts => &["count", "max"],
            Kind::Bool | Kind::Uuid | Kind::Jsonb | Kind::Range => &["count"],
        };
        let aggregate = self.pick(aggregates);
        let cast = self.one_in(5).then_some("text");
        Chosen {
            field: Field { column, path: vec![] },
            alias: self.alias(),
            cast: None,
            aggregate: Some((aggregate, cast)),
        }
    }

    fn alias(&mut self) -> Option<String> {
        if !self.one_in(3) {
            return None;
        }
        let alias = self.pick(&[
            "x", "an alias", "ü", "a\"b", "a.b", "a,b(c)", "select", "d:e", "->", "!", "1", "\\", "Z",
        ]);
        Some(format!("{alias}{}", self.rng.u8(..20)))
    }

    fn cast(&mut self, table: usize, field: &Field) -> &'static str {
        let kind = self.scene.tables[table].columns[field.column].kind;
        match (field.form(), kind) {
            (Form::Column, Kind::Int2 | Kind::Int4) => self.pick(&["text", "int8", "numeric", "int4"]),
            (Form::Column, Kind::Int8) => self.pick(&["text", "numeric", "varchar"]),
            (Form::Column, Kind::Date) => self.pick(&["text", "timestamptz"]),
            (Form::Column, Kind::Moment) => self.pick(&["text", "date"]),
            (Form::Column, Kind::Bool) => self.pick(&["text", "int4"]),
            _ => "text",
        }
    }

    fn field(&mut self, table: usize) -> Field {
        let columns = &self.scene.tables[table].columns;
        let column = self.rng.usize(..columns.len());
        let mut path = Vec::new();
        if columns[column].kind == Kind::Jsonb && self.rng.u8(..3) > 0 {
            for _ in 0..self.rng.usize(1..4) {
                path.push(self.step());
            }
            match path.pop() {
                Some(Step::Key(key)) if self.rng.bool() => path.push(Step::KeyText(key)),
                Some(Step::Index(index)) if self.rng.bool() => path.push(Step::IndexText(index)),
                last => path.extend(last),
            }
        }
        Field { column, path }
    }

    fn step(&mut self) -> Step {
        if self.one_in(3) {
            return Step::Index(self.rng.i32(-2..3));
        }
        Step::Key(self.pick(&JSON_KEYS).to_owned())
    }

    fn embed(&mut self, table: usize, depth: usize) -> Option<Embed> {
        let relationships = self.scene.relationships(table);
        if relationships.is_empty() {
            return None;
        }
        let by = relationships[self.rng.usize(..relationships.len())].clone();
        let (target, hint) = self.naming(&by)?;
        let to_one = self.scene.is_to_one(&by);
        let spread = to_one && self.one_in(3);
        let mut node = self.node(by.to, depth + 1);
        if to_one && node.is_aggregated() {
            return None;
        }
        if to_one {
            (node.limit, node.offset) = (None, None);
            node.order.clear();
        }
        let mut join = self.pick(&[Join::Usual, Join::Usual, Join::Left, Join::Inner]);
        if join == Join::Inner && (node.is_aggregated() || node.offset.is_some()) {
            join = Join::Usual;
        }
        let collides = self.scene.tables[table].columns.iter().any(|c| c.name == target);
        let alias = if spread {
            None
        } else if collides {
            Some(format!("rel{}", self.rng.u16(..)))
        } else {
            self.alias()
        };
        Some(Embed {
            by,
            target,
            hint,
            alias,
            join,
            spread,
            node,
        })
    }

    /// A way to name a relationship that means no other.
    fn naming(&mut self, by: &Relationship) -> Option<(String, Option<String>)> {
        let table = self.scene.tables[by.to].name.clone();
        let (constraint, here, there) = names_of(self.scene, by);
        let mut ways = vec![(table.clone(), None), (table.clone(), None)];
        for target in [constraint, here].into_iter().flatten() {
            ways.push((target.to_owned(), None));
        }
        for hint in [constraint, here, there].into_iter().flatten() {
            ways.push((table.clone(), Some(hint.to_owned())));
        }
        if let By::Between(join, ..) = by.by {
            ways.push((table, Some(self.scene.tables[join].name.clone())));
        }
        self.rng.shuffle(&mut ways);
        ways.into_iter()
            .find(|(target, hint)| meant(self.scene, by.from, target, hint.as_deref()) == [by.clone()])
    }

    fn sort(&mut self, table: usize, node: &Node) -> Sort {
        let to_one: Vec<(String, usize)> = node
            .embeds()
            .filter(|e| self.scene.is_to_one(&e.by))
            .map(|e| (e.name().to_owned(), e.by.to))
            .collect();
        let related = (!to_one.is_empty() && self.one_in(2)).then(|| to_one[self.rng.usize(..to_one.len())].clone());
        let (relation, of) = match related {
            Some((name, to)) => (Some(name), to),
            None => (None, table),
        };
        Sort {
            relation,
            field: self.field(of),
            direction: self.pick(&[None, Some("asc"), Some("desc")]),
            nulls: self.pick(&[None, None, Some("nullsfirst"), Some("nullslast")]),
        }
    }

    fn clause(&mut self, table: usize, embeds: &[String], depth: usize) -> Clause {
        if depth < 3 && self.one_in(4) {
            let clauses = (0..self.rng.usize(1..4))
                .map(|_| self.clause(table, embeds, depth + 1))
                .collect();
            return Clause::Tree {
                or: self.rng.bool(),
                negated: self.one_in(3),
                clauses,
            };
        }
        if !embeds.is_empty() && self.one_in(5) {
            return Clause::Related {
                name: embeds[self.rng.usize(..embeds.len())].clone(),
                negated: self.rng.bool(),
            };
        }
        let field = self.field(table);
        let test = self.test(table, &field);
        Clause::Test(Filter {
            field,
            negated: self.one_in(4),
            test,
        })
    }

    /// A value of the field: often one that is there, sometimes one that its type does not take.
    fn value(&mut self, table: usize, field: &Field) -> String {
        let of = &self.scene.tables[table];
        if self.one_in(40) {
            return self.pick(&TEXTS).to_owned();
        }
        match field.form() {
            Form::Json => Kind::Jsonb.value(self.rng),
            Form::Text => self
                .pick(&["x", "1", "b", "a,b", "ä", "zero", "2", "{\"a\": 2}", ""])
                .to_owned(),
            Form::Column => {
                let there: Vec<&String> = of.rows.iter().filter_map(|r| r[field.column].as_ref()).collect();
                if there.is_empty() || self.one_in(3) {
                    return of.columns[field.column].kind.value(self.rng);
                }
                there[self.rng.usize(..there.len())].clone()
            }
        }
    }

    fn values(&mut self, table: usize, field: &Field) -> Vec<String> {
        let many = self.rng.usize(..4);
        let mut values: Vec<String> = (0..many).map(|_| self.value(table, field)).collect();
        // PostgREST reads a list of one empty text as an empty list.
        if values.len() == 1 && values[0].is_empty() {
            values.clear();
        }
        values
    }

    fn test(&mut self, table: usize, field: &Field) -> Test {
        let kind = match field.form() {
            Form::Column => self.scene.tables[table].columns[field.column].kind,
            Form::Json => Kind::Jsonb,
            Form::Text => Kind::Text,
        };
        let compare = self.pick(&["eq", "neq", "gt", "gte", "lt", "lte"]);
        let wrong = self.one_in(60);
        match self.rng.u8(..12) {
            0 => Test::Is(self.pick(&["null", "not_null", "NULL", "Not_Null"])),
            1 if kind == Kind::Bool || wrong => Test::Is(self.pick(&["true", "false", "unknown"])),
            2 => Test::IsDistinct(self.value(table, field)),
            3 | 4 if !kind.is_array() => Test::In(self.values(table, field)),
            5 if !kind.is_array() => {
                let values = self.values(table, field);
                let how = if compare == "neq" { "eq" } else { compare };
                if self.rng.bool() {
                    Test::Any(how, values)
                } else {
                    Test::All(how, values)
                }
            }
            6 | 7 if kind.is_array() || matches!(kind, Kind::Jsonb | Kind::Range) || wrong => {
                let operators: &[&'static str] = match kind {
                    Kind::Jsonb => &["cs", "cd"],
                    Kind::Range => &["cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj"],
                    _ => &["cs", "cd", "ov"],
                };
                Test::Relate(self.pick(operators), self.value(table, field))
            }
            6..=8 if kind.is_text() || wrong => self.pattern(),
            9 if kind.is_text() => self.search(),
            _ => Test::Compare(compare, self.value(table, field)),
        }
    }

    fn pattern(&mut self) -> Test {
        let how = self.pick(&["like", "ilike", "match", "imatch"]);
        let pool: &[&str] = match how {
            "like" | "ilike" => &[
                "*a*", "a*", "*", "", "%b%", "_", "*,*", "*\"*", "ä*", "A", "*(*)*", "*1", "日*", "\\%",
            ],
            _ => &["^a", "a|b", ".", "[äÄ]$", "^.{1,3}$", "\\d", "", "b,?", "(a)", "\\."],
        };
        if self.one_in(4) {
            let many = (0..self.rng.usize(1..4)).map(|_| self.pick(pool).to_owned()).collect();
            return if self.rng.bool() {
                Test::Any(how, many)
            } else {
                Test::All(how, many)
            };
        }
        Test::Compare(how, self.pick(pool).to_owned())
    }

    fn search(&mut self) -> Test {
        let how = self.pick(&["fts", "plfts", "phfts", "wfts"]);
        let pool: &[&str] = match how {
            "fts" => &["fox & quick", "fox | jump", "!fox", "quick <-> brown", "brow:*"],
            "wfts" => &["fox or cat", "\"quick brown\"", "-fox quick", "jumping"],
            _ => &["quick foxes", "brown", "the", "jump fox", ""],
        };
        Test::Search(
            how,
            self.pick(&[None, Some("english"), Some("simple"), Some("german")]),
            self.pick(pool).to_owned(),
        )
    }
}
