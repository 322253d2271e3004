//! The same answer in another form: one object, CSV, without nulls, without a body, by `Range`.

use reqwest::{Method, RequestBuilder};

use super::Case;
use super::answer::Json;
use super::question::Question;
use super::url::Printer;
use crate::entity::{Reply, send};

const OBJECT: &str = "application/vnd.pgrst.object+json";
const STRIPPED: &str = "application/vnd.pgrst.array+json;nulls=stripped";

impl Case<'_> {
    /// Asks once more, in a form that chance chooses, for what was answered with `rows`; an error is the difference.
    pub(super) async fn ask_otherwise(&self, question: &Question, plain: &Reply, rows: &[Json]) -> Result<(), String> {
        let accept = |form: &str| self.request(Method::GET, question).header("accept", form);
        match self.print % 8 {
            0 => is_object(&send(accept(OBJECT)).await, rows),
            1 => is_csv(&send(accept("text/csv")).await, rows, question.node.is_aggregated()),
            2 => {
                let stripped = rows.iter().cloned().map(Json::without_nulls).collect();
                self.is_list(accept(STRIPPED), question, stripped).await
            }
            3 => {
                let reply = send(self.request(Method::HEAD, question)).await;
                let same = |name| reply.header(name) == plain.header(name);
                let alike = same("content-type") && same("content-range") && same("link");
                match reply.status == plain.status && alike && reply.text.is_empty() {
                    true => Ok(()),
                    false => Err(format!("HEAD is answered {reply:?}, not as {plain:?}")),
                }
            }
            4 => self.by_range(question, rows).await,
            _ => Ok(()),
        }
    }

    fn request(&self, method: Method, question: &Question) -> RequestBuilder {
        let url = Printer::new(self.scene, self.print).url(question);
        let request = self.service.request(method, &url);
        if question.counted {
            request.header("prefer", "count=exact")
        } else {
            request
        }
    }

    async fn is_list(&self, request: RequestBuilder, question: &Question, rows: Vec<Json>) -> Result<(), String> {
        let reply = send(request).await;
        let (given, wanted) = match (Json::read(&reply.text), question.node.is_aggregated()) {
            (Ok(given), true) => (given.sorted(), Json::List(rows).sorted()),
            (Ok(given), false) => (given, Json::List(rows)),
            (Err(error), _) => return Err(format!("{error}: {reply:?}")),
        };
        if given == wanted {
            return Ok(());
        }
        Err(format!("in another form: {reply:?}"))
    }

    /// Limit and offset as a header.
    async fn by_range(&self, question: &Question, rows: &[Json]) -> Result<(), String> {
        let Some(limit) = question.node.limit else {
            return Ok(());
        };
        let first = question.node.offset.unwrap_or_default();
        let mut whole = question.clone();
        (whole.node.limit, whole.node.offset) = (None, None);
        let range = format!("{first}-{}", first + limit - 1);
        let request = self.request(Method::GET, &whole).header("range", &range);
        let found = self.is_list(request, question, rows.to_vec()).await;
        found.map_err(|e| format!("Range: {range}: {e}"))
    }
}

fn is_object(reply: &Reply, rows: &[Json]) -> Result<(), String> {
    let alike = match rows {
        [only] => [200, 206].contains(&reply.status) && Json::read(&reply.text).is_ok_and(|given| given == *only),
        _ => reply.status == 406 && reply.text.contains("PGRST116"),
    };
    if alike {
        Ok(())
    } else {
        Err(format!("one object of {} is {reply:?}", rows.len()))
    }
}

/// Cells under the names of fields, in the order of the rows unless they have none.
fn is_csv(reply: &Reply, rows: &[Json], grouped: bool) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("as CSV {what}: {reply:?}"));
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(reply.text.as_bytes());
    let Ok(names) = reader.headers().cloned() else {
        return wrong("it has no names");
    };
    let mut given: Vec<Vec<(String, String)>> = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else {
            return wrong("it has a bad line");
        };
        let mut cells: Vec<_> = names
            .iter()
            .map(str::to_owned)
            .zip(record.iter().map(str::to_owned))
            .collect();
        cells.sort();
        given.push(cells);
    }
    let mut wanted: Vec<Vec<(String, String)>> = Vec::new();
    for row in rows {
        let Json::Object(fields) = row else {
            return wrong("there is no object");
        };
        // Without fields there is nothing to tell lines by.
        if fields.is_empty() {
            return Ok(());
        }
        wanted.push(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), value.cell()))
                .collect(),
        );
    }
    if grouped {
        given.sort();
        wanted.sort();
    }
    let same = given.len() == wanted.len()
        && given.iter().zip(&wanted).all(|(given, wanted)| {
            let alike = |(given, wanted): (&(String, String), &(String, String))| {
                // An object is compared as JSON: its spaces are PostgreSQL's.
                let read = |text: &str| Json::read(text).ok();
                given.0 == wanted.0
                    && (given.1 == wanted.1 || (wanted.1.starts_with(['{', '[']) && read(&given.1) == read(&wanted.1)))
            };
            given.len() == wanted.len() && given.iter().zip(wanted).all(alike)
        });
    if same { Ok(()) } else { wrong("it differs") }
}
