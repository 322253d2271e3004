//! Random writes over HTTP, and the same in SQL on twins of the tables: the answers and the tables stay equal.

use fastrand::Rng;
use reqwest::Method;

use super::answer::Json;
use super::generate::Asker;
use super::question::Clause;
use super::scene::Scene;
use super::served::{Ground, Service};
use super::sql::Writer;
use super::url::{Printer, quoted as url_name};
use super::value::{Kind, literal, quoted};
use super::{Differences, Length, length, seed};

/// One write, in both languages.
struct Change {
    method: Method,
    path: String,
    prefer: String,
    body: String,
    sql: String,
    /// Whether the rows come back in the order of the body.
    ordered: bool,
}

/// Rows of a body: what is given for each column, in both languages.
struct Given {
    column: usize,
    json: String,
    sql: String,
}

struct Author<'r> {
    scene: &'r Scene,
    rng: &'r mut Rng,
}

impl Author<'_> {
    fn change(&mut self) -> Change {
        let table = self.rng.usize(..self.scene.tables.len());
        match self.rng.u8(..6) {
            0 => self.delete(table),
            1 | 2 => self.patch(table),
            _ => self.post(table),
        }
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    fn filters(&mut self, table: usize) -> (Vec<(String, String)>, String) {
        let filters: Vec<Clause> = Asker {
            scene: self.scene,
            rng: self.rng,
        }
        .filters(table);
        let mut parts = Vec::new();
        Printer::new(self.scene, self.rng.u64(..)).filters(&filters, table, "", &mut parts);
        let condition = Writer::new(self.scene, "twin").filters(&filters, table, "w");
        (parts, condition)
    }

    /// The columns to answer with, as part of the URL and as a JSON object of the row `w`.
    fn shown(&mut self, table: usize, parts: &mut Vec<(String, String)>) -> String {
        let columns = &self.scene.tables[table].columns;
        let mut places: Vec<usize> = (0..columns.len()).collect();
        if self.rng.bool() {
            self.rng.shuffle(&mut places);
            places.truncate(1 + self.rng.usize(..columns.len()));
            let names: Vec<String> = places.iter().map(|c| url_name(&columns[*c].name)).collect();
            parts.push(("select".to_owned(), names.join(",")));
        }
        let fields: Vec<String> = places
            .iter()
            .map(|c| format!("{}, w.{}", literal(&columns[*c].name), quoted(&columns[*c].name)))
            .collect();
        format!("json_build_object({})", fields.join(", "))
    }

    fn path(&mut self, table: usize, parts: &[(String, String)]) -> String {
        Printer::new(self.scene, self.rng.u64(..)).path(&self.scene.tables[table].name, parts)
    }

    fn delete(&mut self, table: usize) -> Change {
        let (mut parts, condition) = self.filters(table);
        let object = self.shown(table, &mut parts);
        let target = Writer::new(self.scene, "twin").table(table);
        Change {
            method: Method::DELETE,
            path: self.path(table, &parts),
            prefer: "return=representation".to_owned(),
            body: String::new(),
            sql: answered(&format!(
                "delete from {target} as w where {condition} returning {object} as j"
            )),
            ordered: false,
        }
    }

    fn patch(&mut self, table: usize) -> Change {
        let (mut parts, condition) = self.filters(table);
        let object = self.shown(table, &mut parts);
        let mut columns: Vec<usize> = (0..self.scene.tables[table].columns.len()).collect();
        self.rng.shuffle(&mut columns);
        columns.truncate(self.rng.usize(1..4));
        let row = self
            .scene
            .row(table, self.rng.usize(..20), self.rng)
            .unwrap_or_default();
        let given: Vec<Given> = columns.into_iter().map(|c| self.given(table, c, &row)).collect();
        let set: Vec<String> = given
            .iter()
            .map(|g| format!("{} = {}", self.quoted(table, g.column), g.sql))
            .collect();
        let target = Writer::new(self.scene, "twin").table(table);
        Change {
            method: Method::PATCH,
            path: self.path(table, &parts),
            prefer: "return=representation".to_owned(),
            body: self.object(table, given.iter()),
            sql: answered(&format!(
                "update {target} as w set {} where {condition} returning {object} as j",
                set.join(", ")
            )),
            ordered: false,
        }
    }

    /// New rows; some meet rows that are there.
    fn post(&mut self, table: usize) -> Change {
        let of = &self.scene.tables[table];
        let mut columns: Vec<usize> = (0..of.columns.len()).collect();
        // Most of the time whatever must be there is there.
        if self.rng.bool() {
            let skip = self.rng.usize(..of.columns.len());
            columns.retain(|c| *c != skip || (of.columns[*c].not_null && of.columns[*c].default.is_none()));
        }
        let mut rows: Vec<Vec<Given>> = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let row = self
                .scene
                .row(table, self.rng.usize(..24), self.rng)
                .unwrap_or_default();
            rows.push(columns.iter().map(|c| self.given(table, *c, &row)).collect());
        }
        let mut parts = Vec::new();
        let mut prefer = vec!["return=representation"];
        let mut absent = "null";
        if self.one_in(3) {
            let names: Vec<String> = columns.iter().map(|c| url_name(&of.columns[*c].name)).collect();
            parts.push(("columns".to_owned(), names.join(",")));
            if self.rng.bool() {
                prefer.push("missing=default");
                absent = "default";
            }
            for row in &mut rows {
                let skip = self.rng.usize(..of.columns.len());
                row.retain(|g| g.column != skip);
            }
        }
        let object = self.shown(table, &mut parts);
        let conflict = self.conflict(table, &columns, &mut parts, &mut prefer);
        let values: Vec<String> = rows
            .iter()
            .map(|row| {
                let find = |c: &usize| row.iter().find(|g| g.column == *c).map_or(absent, |g| g.sql.as_str());
                let values: Vec<&str> = columns.iter().map(find).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let names: Vec<String> = columns.iter().map(|c| self.quoted(table, *c)).collect();
        let target = Writer::new(self.scene, "twin").table(table);
        let sql = format!(
            "insert into {target} as w ({}) values {}{conflict} returning {object} as j",
            names.join(", "),
            values.join(", ")
        );
        let objects: Vec<String> = rows.iter().map(|row| self.object(table, row.iter())).collect();
        let body = match objects.as_slice() {
            [only] if self.rng.bool() => only.clone(),
            _ => format!("[{}]", objects.join(",")),
        };
        Change {
            method: Method::POST,
            path: self.path(table, &parts),
            prefer: prefer.join(", "),
            body,
            sql: answered(&sql),
            ordered: conflict.is_empty(),
        }
    }

    /// What to do about rows that are there already.
    fn conflict(
        &mut self,
        table: usize,
        columns: &[usize],
        parts: &mut Vec<(String, String)>,
        prefer: &mut Vec<&'static str>,
    ) -> String {
        if self.rng.bool() {
            return String::new();
        }
        let of = &self.scene.tables[table];
        let unique: Vec<&[usize]> = of.foreign.iter().filter(|f| f.unique).map(|f| &f.columns[..]).collect();
        let mut target = of.key.clone();
        if !unique.is_empty() && self.one_in(3) {
            target = unique[self.rng.usize(..unique.len())].to_vec();
        }
        if target != of.key || self.rng.bool() {
            let names: Vec<String> = target.iter().map(|c| url_name(&of.columns[*c].name)).collect();
            parts.push(("on_conflict".to_owned(), names.join(",")));
        }
        let target: Vec<String> = target.iter().map(|c| self.quoted(table, *c)).collect();
        let target = target.join(", ");
        if self.one_in(3) {
            prefer.push("resolution=ignore-duplicates");
            return format!(" on conflict ({target}) do nothing");
        }
        prefer.push("resolution=merge-duplicates");
        let set: Vec<String> = columns
            .iter()
            .map(|c| self.quoted(table, *c))
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        format!(" on conflict ({target}) do update set {}", set.join(", "))
    }

    fn quoted(&self, table: usize, column: usize) -> String {
        quoted(&self.scene.tables[table].columns[column].name)
    }

    /// A value for a column: the one of `row` where there is one.
    fn given(&mut self, table: usize, column: usize, row: &[Option<String>]) -> Given {
        let of = &self.scene.tables[table].columns[column];
        let value = match row.get(column) {
            Some(value) => value.clone(),
            None => (!self.one_in(5)).then(|| of.kind.value(self.rng)),
        };
        // JSON's null is null, in a column of JSON too.
        let value = value.filter(|v| of.kind != Kind::Jsonb || v != "null");
        let (json, sql) = match &value {
            None => ("null".to_owned(), "null".to_owned()),
            Some(value) => (of.kind.json(value, self.rng), literal(value)),
        };
        Given { column, json, sql }
    }

    fn object<'g>(&mut self, table: usize, given: impl Iterator<Item = &'g Given>) -> String {
        let columns = &self.scene.tables[table].columns;
        let mut fields: Vec<String> = given
            .map(|g| {
                format!(
                    "{}: {}",
                    serde_json::Value::from(columns[g.column].name.as_str()),
                    g.json
                )
            })
            .collect();
        self.rng.shuffle(&mut fields);
        format!("{{{}}}", fields.join(", "))
    }
}

/// The rows of a write as one JSON array.
fn answered(write: &str) -> String {
    format!("with w as ({write}) select coalesce(json_agg(w.j), '[]'::json)::text from w")
}

/// Whether every table is equal to its twin.
async fn twins(ground: &Ground, scene: &Scene) -> Result<(), String> {
    for table in &scene.tables {
        let rows = |schema: &str| {
            let name = quoted(&table.name);
            format!("(select json_agg(x order by x::text)::text from {schema}.{name} as x)")
        };
        let (here, there) = (rows(&scene.schema), rows("twin"));
        let equal = ground
            .ask(&format!("select {here} is not distinct from {there}"))
            .await?;
        if equal != "t" {
            let here = ground.ask(&format!("select {here}")).await?;
            let there = ground.ask(&format!("select {there}")).await?;
            return Err(format!("{}:\n{here}\nits twin:\n{there}", table.name));
        }
    }
    Ok(())
}

/// How a write ended; an error is the difference.
async fn carry_out(ground: &Ground, service: &Service, change: &Change) -> Result<Json, String> {
    let request = service
        .request(change.method.clone(), &change.path)
        .header("prefer", &change.prefer)
        .header("content-type", "application/json")
        .body(change.body.clone());
    let reply = crate::entity::send(request).await;
    let expected = ground.ask(&change.sql).await;
    let differ = |what: &str| {
        format!(
            "{what}\n{} {}\n  that is {}\nPrefer: {}\n{}\nanswers {} {}\n{}\nanswers {}",
            change.method,
            change.path,
            percent_encoding::percent_decode_str(&change.path)
                .decode_utf8_lossy()
                .replace('+', " "),
            change.prefer,
            change.body,
            reply.status,
            reply.text,
            change.sql,
            expected.as_deref().unwrap_or_else(|e| e)
        )
    };
    match (&expected, reply.status) {
        (Err(_), 400..500) => Ok(Json::Null),
        (Err(_), _) => Err(differ("SQL refuses, the API does not")),
        (Ok(_), 300..) => Err(differ("the API refuses, SQL does not")),
        (Ok(expected), _) => {
            let given = Json::read(&reply.text).map_err(|e| differ(&format!("{e}")))?;
            let wanted = Json::read(expected).expect("PostgreSQL writes JSON");
            let (given, wanted) = match change.ordered {
                true => (given, wanted),
                false => (given.sorted(), wanted.sorted()),
            };
            if given != wanted {
                return Err(differ("the answers differ"));
            }
            Ok(wanted)
        }
    }
}

#[tokio::test]
async fn a_write_over_http_does_what_it_does_in_sql() {
    let Length { rounds, writes, .. } = length();
    let first = seed();
    let ground = Ground::open().await;
    let (mut done, mut rows, mut refused) = (0, 0, 0);
    let mut differences = Differences::default();
    for seed in (0..rounds).map(|r| first.wrapping_add(r)) {
        let mut rng = Rng::with_seed(seed);
        let scene = Scene::new("scene".to_owned(), &mut rng);
        ground.lay_out(&scene, "scene").await;
        ground.lay_out(&scene, "twin").await;
        let service = ground.serve(&scene).await;
        for number in 0..writes {
            let change = Author {
                scene: &scene,
                rng: &mut rng,
            }
            .change();
            done += 1;
            match carry_out(&ground, &service, &change).await {
                Ok(Json::List(answer)) => rows += usize::from(!answer.is_empty()),
                Ok(_) => refused += 1,
                Err(found) => {
                    differences.add(format!("FREEHOLD_SEED={seed}, write {number}: {found}"));
                    break;
                }
            }
            if let Err(found) = twins(&ground, &scene).await {
                let Change { method, path, body, .. } = change;
                let found = format!("{method} {path} {body}\nleaves {found}");
                differences.add(format!("FREEHOLD_SEED={seed}, write {number}: {found}"));
                break;
            }
        }
        ground.clear("scene").await;
        ground.clear("twin").await;
    }
    println!("from FREEHOLD_SEED={first} on: {done} writes, {rows} with rows, {refused} refused");
    differences.check();
    assert!(
        rows * 4 > done && refused * 4 < done * 3,
        "FREEHOLD_SEED={first}: {rows} and {refused} of {done}"
    );
}
