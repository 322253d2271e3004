//! The attempts: everything that a client can ask, about rows that are not its own.

use std::fmt;

use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::learned::{Function, Learned, Relation};
use super::{Estate, Owned};

/// How an attempt has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Whatever is answered, nothing of the owner's is in it.
    Vain,
    /// Nothing is answered but that a token is needed.
    Unauthorized,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// Whether what it asks for is everybody's.
    pub(super) is_public: bool,
    /// The same about a row that is not there, with its key and the owner's: the answers must be the same.
    pub(super) control: Option<(Box<Attempt>, String, String)>,
}

impl Attempt {
    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path.to_owned())
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            headers: Vec::new(),
            body: None,
            is_public: false,
            control: None,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn send(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn writes(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }

    /// Compared with the same about a row that is not there.
    fn compared(mut self, key: &str) -> Self {
        let absent = like(key);
        let mut control = self.clone();
        control.path = control.path.replace(key, &absent);
        control.body = control.body.map(|body| replaced(&body, key, &absent));
        self.control = Some((Box::new(control), absent, key.to_owned()));
        self
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (name, value) in &self.headers {
            write!(f, " {name}: {value}")?;
        }
        match &self.body {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

/// A value of the same type that no row has.
fn like(key: &str) -> String {
    if is_time(key) {
        return url("1987-06-05T04:03:02.010203+00:00");
    }
    match key.parse::<i64>() {
        Ok(number) => (number.unsigned_abs() % 1_000_000 + 1_987_000_000).to_string(),
        Err(_) => Uuid::new_v4().to_string(),
    }
}

fn replaced(body: &Value, from: &str, to: &str) -> Value {
    // Between quotes or bare: as text it is the same JSON.
    serde_json::from_str(&body.to_string().replace(from, to)).unwrap_or(Value::Null)
}

/// All of them.
pub(super) fn all(rows: &[Owned], learned: &Learned, estate: &Estate) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for relation in &learned.relations {
        let mut tried = lists(relation, learned);
        for row in rows.iter().filter(|row| row.table == relation.name) {
            let seen = seen(row, estate);
            tried.extend(guesses(row, &seen));
            tried.extend(reads(row));
            tried.extend(changes(row, &seen));
            if learned.has_transaction {
                tried.extend(together(row, &seen));
            }
        }
        attempts.extend(tried.into_iter().map(|attempt| Attempt {
            is_public: relation.is_public,
            ..attempt
        }));
    }
    for function in &learned.functions {
        attempts.extend(calls(function, rows));
    }
    attempts
}

/// The row as its owner sees it.
fn seen(row: &Owned, estate: &Estate) -> Map<String, Value> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = estate.iter().filter(|(table, _)| *table == row.table);
    let mut rows = rows.filter_map(|(_, rows)| rows.as_array()).flatten();
    let found = rows.find(|seen| row.key.iter().all(|(column, value)| text(&seen[column]) == *value));
    let mut seen = found.and_then(Value::as_object).cloned().unwrap_or_default();
    // Kept by the library: a writer that names them is refused for that.
    seen.remove("version");
    seen.remove("updated_at");
    seen
}

/// Without a word about a row.
fn lists(relation: &Relation, learned: &Learned) -> Vec<Attempt> {
    let path = format!("/{}", relation.name);
    let mut tried = vec![
        Attempt::get(&path),
        Attempt::new(Method::HEAD, path.clone()),
        Attempt::new(Method::OPTIONS, path.clone()),
        Attempt::get(&path).with("accept", "text/csv"),
        Attempt::get(&path).with("range", "0-9"),
        Attempt::get(&format!("{path}?limit=1")),
        Attempt::get(&format!("{path}?select=count()")),
        Attempt::get(&format!("{path}?limit=0")).with("prefer", "count=exact"),
    ];
    for count in ["exact", "planned", "estimated"] {
        tried.push(Attempt::get(&path).with("prefer", &format!("count={count}")));
        let head = Attempt::new(Method::HEAD, path.clone());
        tried.push(head.with("prefer", &format!("count={count}")));
    }
    for other in &learned.relations {
        tried.push(Attempt::get(&format!("{path}?select=*,{}(*)", other.name)));
        tried.push(Attempt::get(&format!("{path}?select=*,{}!inner(*)", other.name)));
        tried.push(Attempt::get(&format!("{path}?select=*,{}(count)", other.name)));
    }
    tried
}

/// Whether a text is a time as rows show it, or the same for a path.
fn is_time(text: &str) -> bool {
    let text = text.replace("%2D", "-");
    let date = text
        .as_bytes()
        .iter()
        .take(11)
        .map(|b| if b.is_ascii_digit() { b'0' } else { *b });
    date.eq(*b"0000-00-00T")
}

/// A filter by what stands in the owner's row and in no row of the stranger: what is found tells that it is there.
fn guesses(row: &Owned, seen: &Map<String, Value>) -> Vec<Attempt> {
    let mut tried = Vec::new();
    for (column, value) in seen {
        let is_owners = |text: &&str| {
            let marked = row.marks.iter().any(|mark| mark == text);
            text.is_ascii() && (marked || Uuid::parse_str(text).is_ok() || is_time(text))
        };
        let Some(text) = value.as_str().filter(is_owners) else {
            continue;
        };
        let value = url(text);
        let path = format!("/{}?{column}=eq.{value}", row.table);
        tried.push(Attempt::get(&path).with("prefer", "count=planned").compared(&value));
        let head = Attempt::new(Method::HEAD, path).with("prefer", "count=exact");
        tried.push(head.compared(&value));
        let path = format!("/{}?or=({column}.eq.\"{value}\",{column}.is.null)", row.table);
        tried.push(Attempt::get(&path).compared(&value));
    }
    tried
}

fn url(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// `?id=eq.7`, and the value that a control changes.
fn by_key(row: &Owned) -> (String, String) {
    let parts: Vec<String> = row
        .key
        .iter()
        .map(|(column, value)| format!("{column}=eq.{value}"))
        .collect();
    let path = format!("/{}?{}", row.table, parts.join("&"));
    (
        path,
        row.key.first().map(|(_, value)| value.clone()).unwrap_or_default(),
    )
}

fn reads(row: &Owned) -> Vec<Attempt> {
    let (path, key) = by_key(row);
    let single = "application/vnd.pgrst.object+json";
    let tried = [
        Attempt::get(&path),
        Attempt::new(Method::HEAD, path.clone()),
        Attempt::get(&path).with("accept", single),
        Attempt::get(&path).with("if-none-match", "*"),
        Attempt::get(&path).with("if-none-match", "\"1\""),
        Attempt::get(&path).with("prefer", "count=exact"),
        Attempt::get(&path).with("prefer", "count=planned"),
    ];
    tried.into_iter().map(|attempt| attempt.compared(&key)).collect()
}

fn changes(row: &Owned, seen: &Map<String, Value>) -> Vec<Attempt> {
    let (path, key) = by_key(row);
    let table = format!("/{}", row.table);
    let whole = Value::Object(seen.clone());
    let new_key = &like(&key);
    let new = replaced(&whole, &key, new_key);
    let back = "return=representation";
    let mut tried = Vec::new();
    for (column, value) in seen {
        let patch = Attempt::new(Method::PATCH, path.clone()).send(json!({ column: value }));
        tried.push(patch.clone().with("prefer", back).compared(&key));
        tried.push(patch.with("if-match", "\"1\"").compared(&key));
        // All that can be seen; undone, so that only what comes back tells.
        let all = Attempt::new(Method::PATCH, format!("{table}?{column}=not.is.null")).send(json!({ column: value }));
        tried.push(all.with("prefer", &format!("{back}, tx=rollback")));
    }
    let delete = Attempt::new(Method::DELETE, path.clone());
    tried.push(delete.clone().with("prefer", back).compared(&key));
    tried.push(delete.with("if-match", "\"1\"").compared(&key));
    let all = format!(
        "{table}?{}=not.is.null",
        row.key.first().map_or("id", |(column, _)| column)
    );
    tried.push(Attempt::new(Method::DELETE, all).with("prefer", &format!("{back}, tx=rollback")));
    let post = || Attempt::new(Method::POST, table.clone()).with("prefer", back);
    tried.push(post().send(whole.clone()));
    // Two of which nothing is read back: no policy for reading has a say then.
    let two = json!([new, replaced(&new, new_key, &like(&key))]);
    let blind = Attempt::new(Method::POST, table.clone()).with("prefer", "return=minimal");
    tried.push(blind.send(two));
    // A row of the owner's, made by another.
    tried.push(post().send(new));
    for resolution in ["merge-duplicates", "ignore-duplicates"] {
        let prefer = format!("{back}, resolution={resolution}");
        let upsert = Attempt::new(Method::POST, table.clone()).with("prefer", &prefer);
        tried.push(upsert.send(json!([whole])));
    }
    let put = Attempt::new(Method::PUT, path).with("prefer", back).send(whole);
    tried.push(put.clone());
    tried.push(put.clone().with("if-none-match", "*"));
    tried.push(put.with("if-match", "\"1\""));
    tried
}

/// Several at once.
fn together(row: &Owned, seen: &Map<String, Value>) -> Vec<Attempt> {
    let (path, key) = by_key(row);
    let all = |operations: Value| Attempt::new(Method::POST, "/transaction".to_owned()).send(operations);
    let mut tried = vec![
        all(json!([{ "method": "GET", "path": format!("/{}", row.table) }])),
        all(json!([{ "method": "GET", "path": path }])).compared(&key),
        all(json!([{ "method": "DELETE", "path": path }])).compared(&key),
    ];
    if let Some((column, value)) = seen.iter().next_back() {
        let patch = json!([{ "method": "PATCH", "path": path, "body": { column: value } }]);
        tried.push(all(patch).compared(&key));
    }
    tried
}

/// A function is called bare, and with what its arguments may mean.
fn calls(function: &Function, rows: &[Owned]) -> Vec<Attempt> {
    let path = format!("/rpc/{}", function.name);
    let mut tried = vec![
        Attempt::get(&path),
        Attempt::new(Method::POST, path.clone()).send(json!({})),
    ];
    for row in rows {
        for value in row.key.iter().map(|(_, value)| value).chain(&row.marks) {
            let given = function.arguments.iter().map(|name| (name.clone(), json!(value)));
            let arguments: Map<String, Value> = given.collect();
            tried.push(Attempt::new(Method::POST, path.clone()).send(Value::Object(arguments)));
        }
    }
    for attempt in &mut tried {
        attempt.is_public = function.is_public;
    }
    tried
}
