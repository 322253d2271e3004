//! `GET` and `HEAD`.
//!
//! A row of the statement is a row of the answer: its JSON, its version, and its place in the order. One row more than
//! wanted is asked for; when it comes, the list was cut, and the answer links to what follows.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use freehold_manifest::model::Limits;
use percent_encoding::percent_decode_str;
use tokio_postgres::Row;

use super::answer::{self, Answer, Exact, Extent};
use super::change::check_affected;
use super::count;
use super::execute::{Outcome, Runner, Then, Who};
use super::filter::{Glue, pinned, push_where};
use super::form;
use super::guard::{Tags, etag, if_none_match};
use super::headers::{CALL, Form, Preference, READ, Window, accepted, preferences, window};
use super::order::{Total, push_order};
use super::plan::{Node, plan};
use super::problem::Problem;
use super::query::Query;
use super::rpc::Call;
use super::select::{push_groups, push_outputs, push_spreads};
use super::sql::{Statement, push_version};
use super::table::{Served, Tables};
use crate::plant;

/// Tells a client that the list was cut at the limit `rows` although more was asked for.
const ROWS_LIMIT: HeaderName = HeaderName::from_static("freehold-rows-limit");

/// Columns of a statement before the values of a row's place.
const BEFORE_PLACE: usize = 2;

/// What is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    pub(super) runner: Runner<'r>,
    pub(super) tables: &'r Tables,
    pub(super) limits: &'r Limits,
    pub(super) table: &'r Served,
    pub(super) source: Source<'r>,
    pub(super) query: &'r Query,
    /// Path and query as they came, for links.
    pub(super) path: &'r str,
    pub(super) text: &'r str,
    pub(super) method: &'r Method,
    pub(super) headers: &'r HeaderMap,
}

/// Where rows come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'r> {
    /// The table itself.
    Table,
    /// The rows a function gives.
    Call(&'r Call<'r>),
    /// The one row a function gives.
    One(&'r Call<'r>),
}

impl Source<'_> {
    /// Appends ` from … as t`.
    pub(super) fn push(self, sql: &mut Statement, node: &Node<'_>) {
        sql.push(" from ");
        match self {
            Self::Table => drop(sql.push(&node.table.qualified)),
            Self::Call(call) | Self::One(call) => call.push(sql),
        }
        sql.push(" as ").push(&node.alias);
    }

    /// The second column where it is no version: the transaction of what may have changed something.
    fn second(self) -> &'static str {
        match self.is_volatile() {
            true => "pg_current_xact_id_if_assigned()::text::int8",
            false => "null::int8",
        }
    }

    /// Whether reading may change something: it must not be done twice, not to count either.
    pub(super) fn is_volatile(self) -> bool {
        match self {
            Self::Table => false,
            Self::Call(call) | Self::One(call) => call.is_volatile(),
        }
    }
}

impl Reading<'_> {
    /// Without a word about who is asking, where no policy asks for it: one statement then, and no transaction around it.
    fn needed_by(mut self, node: &Node<'_>) -> Self {
        if matches!(self.source, Source::Table) && !node.is_guarded() {
            self.runner.who = Who::Unasked;
        }
        self
    }

    /// What of `Prefer` is carried out.
    fn carried(&self) -> &'static [Preference] {
        match self.source {
            Source::Table => READ,
            Source::Call(_) | Source::One(_) => CALL,
        }
    }

    /// Runs the statement that reads the rows.
    pub(super) async fn run(&self, sql: &Statement) -> Result<Outcome, Problem> {
        let most = preferences(self.headers, self.carried())?.max_affected;
        let check = |outcome: &Outcome| check_affected(outcome.rows.len() as u64, most).map(|()| Then::Done);
        let outcome = match (self.source.is_volatile(), most) {
            (true, None) => self.runner.write(sql).await,
            (true, Some(_)) => self.runner.write_then(sql, check).await,
            (false, _) => self.runner.read(sql).await,
        };
        outcome.map_err(|f| f.into_problem(self.table, self.tables))
    }
}

/// Answers with the rows that are asked for.
///
/// # Errors
/// 400 for what is not there, 406 when one row was asked for and there is another number, 416 beyond the end.
pub(super) async fn rows(reading: Reading<'_>) -> Result<Answer, Problem> {
    let form = match (reading.source, accepted(reading.headers)?) {
        (Source::One(_), Form::Array) => Form::Row,
        (_, form) => form,
    };
    let node = plan(reading.tables, reading.table, reading.query, reading.limits, form)?;
    let reading = reading.needed_by(&node);
    let window = window(reading.method, reading.headers, &reading.query.rows, reading.limits)?;
    let plain = !node.is_grouped() && reading.query.after.is_none() && matches!(reading.source, Source::Table);
    if plain && pinned(reading.table, &reading.query.rows.filters).is_some() {
        return one(reading, &node, window, form).await;
    }
    list(reading, &node, window, form).await
}

/// One row at most.
async fn one(reading: Reading<'_>, node: &Node<'_>, window: Window, form: Form) -> Result<Answer, Problem> {
    let known = if_none_match(reading.headers)?;
    let mut sql = Statement::new();
    sql.push("select ").push(form.row_sql()).push(", ");
    push_version_of(&mut sql, node);
    sql.push(" from ").push(&node.table.qualified).push(" as t");
    push_spreads(&mut sql, node)?;
    sql.push(" cross join lateral (select ");
    push_outputs(&mut sql, node)?;
    sql.push(") as r");
    push_where(&mut sql, node, &mut Glue::Where)?;
    push_order(&mut sql, node)?;
    push_window(&mut sql, window);
    let found = reading.run(&sql).await?.rows;
    if form.is_single() && found.len() != 1 {
        return Err(answer::not_singular(found.len() as u64, Exact::Yes));
    }
    let version = found.first().and_then(answer::version);
    if let Some(version) = version
        && is_known(&known, version)
    {
        let mut response = answer::empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, etag(version));
        return Ok(response);
    }
    let preferences = preferences(reading.headers, reading.carried())?;
    let count = found.len() as u64;
    let total = match preferences.count {
        None => None,
        Some(_) if window.offset == 0 && window.limit != Some(0) => Some(count),
        Some(wanted) => Some(count::rows(reading, node, wanted).await?),
    };
    let extent = Extent {
        first: Some(window.offset),
        count,
        total,
    };
    let mut response = form::rows(extent.status()?, form, node, found);
    extent.describe(&mut response);
    answer::set_version(&mut response, version);
    answer::set_applied(&mut response, &preferences);
    Ok(response)
}

fn is_known(known: &Tags, version: i64) -> bool {
    match known {
        Tags::Absent => false,
        Tags::Any => true,
        Tags::Listed(versions) => versions.contains(&version),
    }
}

/// The version of the row, where the answer is the row and nothing else: it says nothing about embedded rows.
fn push_version_of(sql: &mut Statement, node: &Node<'_>) {
    if node.children.is_empty() && !node.is_grouped() {
        push_version(sql, node.table, &node.alias);
    } else {
        sql.push("null::int8");
    }
}

fn push_window(sql: &mut Statement, window: Window) {
    // A number in the text, not a parameter: the planner must see how few rows are wanted.
    if let Some(limit) = window.limit {
        sql.push(" limit ").number(limit);
    }
    if window.offset > 0 {
        sql.push(" offset ").number(window.offset);
    }
}

async fn list(reading: Reading<'_>, node: &Node<'_>, window: Window, form: Form) -> Result<Answer, Problem> {
    let preferences = preferences(reading.headers, reading.carried())?;
    // A list has no version to compare with, but what is no tag is refused here as elsewhere.
    if_none_match(reading.headers)?;
    let most = reading.limits.rows;
    let limit = window.limit.unwrap_or(most).min(most);
    let total_order = Total::of(node)?;
    let after = after(reading, total_order.as_ref())?;
    let fetched = Window {
        limit: Some(match (window.limit, form.is_single()) {
            (Some(0), _) => 0,
            // A second row is all it takes to refuse.
            (_, true) => limit.min(2),
            (_, false) => limit + 1,
        }),
        offset: window.offset,
    };
    let sql = compile(reading, node, fetched, total_order.as_ref(), after.as_deref(), form)?;
    let mut found = reading.run(&sql).await?.rows;
    if form.is_single() && found.len() != 1 {
        let exact = if found.len() > 1 { Exact::AtLeast } else { Exact::Yes };
        return Err(answer::not_singular(found.len() as u64, exact));
    }
    let kept = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_cut = found.len() > kept;
    found.truncate(kept);
    let version = match form.is_single() && !reading.source.is_volatile() {
        true => found.first().and_then(answer::version),
        false => None,
    };
    let transaction = match reading.source.is_volatile() {
        true => found.first().and_then(answer::version),
        false => None,
    };
    let count = found.len() as u64;
    let whole = !is_cut && after.is_none() && (count > 0 || window.offset == 0) && window.limit != Some(0);
    let total = match preferences.count {
        None => None,
        Some(_) if whole => Some(window.offset + count),
        Some(_) if reading.source.is_volatile() => None,
        Some(wanted) => Some(count::rows(reading, node, wanted).await?),
    };
    let extent = Extent {
        first: after.is_none().then_some(window.offset),
        count,
        total,
    };
    let status = extent.status()?;
    let next = match (is_cut, &total_order, found.last()) {
        (true, Some(order), Some(last)) if !plant::is("offset-paging") => Some(next_by_place(
            reading,
            window.limit,
            &order.token(&place(last, order.len())),
        )),
        (true, _, Some(_)) => Some(next_by_offset(reading, window.limit, window.offset + count)),
        _ => None,
    };
    let mut response = form::rows(status, form, node, found);
    extent.describe(&mut response);
    answer::set_version(&mut response, version);
    answer::set_transaction(&mut response, transaction.and_then(|n| u64::try_from(n).ok()));
    answer::set_applied(&mut response, &preferences);
    if let Some(link) = next.and_then(|url| HeaderValue::try_from(format!("<{url}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    if is_cut && window.limit.is_none_or(|asked| asked > most) && !form.is_single() {
        response.headers_mut().insert(ROWS_LIMIT, HeaderValue::from(most));
    }
    Ok(response)
}

/// The place to go on from.
fn after(reading: Reading<'_>, order: Option<&Total<'_>>) -> Result<Option<Vec<Option<String>>>, Problem> {
    let Some(token) = &reading.query.after else {
        return Ok(None);
    };
    let Some(order) = order else {
        return Err(Problem::grammar("`after` needs rows with a key: these have none").with_hint("page with offset"));
    };
    order.read(token).map(Some)
}

/// Writes the statement of a list.
///
/// Rows are chosen first and shown after: what is shown of them is computed for no others.
fn compile(
    reading: Reading<'_>,
    node: &Node<'_>,
    window: Window,
    order: Option<&Total<'_>>,
    after: Option<&[Option<String>]>,
    form: Form,
) -> Result<Statement, Problem> {
    let mut sql = Statement::new();
    sql.push("select ").push(form.row_sql()).push(", ");
    if node.is_grouped() {
        sql.push(reading.source.second()).push(" from (select ");
        push_outputs(&mut sql, node)?;
        reading.source.push(&mut sql, node);
        push_spreads(&mut sql, node)?;
        push_where(&mut sql, node, &mut Glue::Where)?;
        push_groups(&mut sql, node);
        push_order(&mut sql, node)?;
        push_window(&mut sql, window);
        sql.push(") as r");
        return Ok(sql);
    }
    if form.is_single() && matches!(reading.source, Source::Table) {
        push_version_of(&mut sql, node);
    } else {
        sql.push(reading.source.second());
    }
    if let Some(order) = order {
        order.push_place(&mut sql, node)?;
    }
    sql.push(" from (select t.*");
    reading.source.push(&mut sql, node);
    let mut glue = Glue::Where;
    push_where(&mut sql, node, &mut glue)?;
    if let (Some(order), Some(after)) = (order, after) {
        glue.push(&mut sql);
        order.push_after(&mut sql, node, after)?;
    }
    push_total(&mut sql, node, order)?;
    push_window(&mut sql, window);
    sql.push(") as t");
    push_spreads(&mut sql, node)?;
    sql.push(" cross join lateral (select ");
    push_outputs(&mut sql, node)?;
    sql.push(") as r");
    if node
        .children
        .iter()
        .any(|c| c.embed.shape == super::query::Shape::Spread)
    {
        // A join may lose the order.
        push_total(&mut sql, node, order)?;
    }
    Ok(sql)
}

fn push_total(sql: &mut Statement, node: &Node<'_>, order: Option<&Total<'_>>) -> Result<(), Problem> {
    match order {
        Some(order) => order.push(sql, node),
        None => push_order(sql, node),
    }
}

fn place(row: &Row, values: usize) -> Vec<Option<String>> {
    let read = |at| row.try_get(BEFORE_PLACE + at).ok().flatten();
    (0..values).map(read).collect()
}

fn next_by_place(reading: Reading<'_>, limit: Option<u64>, token: &str) -> String {
    next(reading, limit, &format!("after={token}"))
}

fn next_by_offset(reading: Reading<'_>, limit: Option<u64>, offset: u64) -> String {
    next(reading, limit, &format!("offset={offset}"))
}

/// The request again, at another place.
fn next(reading: Reading<'_>, limit: Option<u64>, place: &str) -> String {
    let mut url = format!("{}?", reading.path);
    let moved = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        ["after", "offset", "limit"].contains(&name.as_ref())
    };
    for part in reading.text.split('&').filter(|p| !p.is_empty()) {
        if !moved(part) {
            url.push_str(part);
            url.push('&');
        }
    }
    if let Some(limit) = limit {
        url.push_str(&format!("limit={limit}&"));
    }
    url.push_str(place);
    url
}
