//! One call to a service, its answer, and the `curl` line that does the same.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use reqwest::Method;
use serde_json::Value;

/// How long a service may take for one answer. A batch of nested rows takes well under a second; past this it is stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks for one object instead of an array of one.
pub const ONE_OBJECT: (&str, &str) = ("Accept", "application/vnd.pgrst.object+json");
/// Asks for the written rows in the answer.
pub const SHOW_ROWS: (&str, &str) = ("Prefer", "return=representation");
/// Asks for nothing but the status.
pub const SHOW_NOTHING: (&str, &str) = ("Prefer", "return=minimal");

/// A client of one service.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
}

/// One request, before it is sent.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// What a service answered; refusals are answers too.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The row's version as the service wrote it, quotes included.
    pub etag: Option<String>,
    /// The body; null when there is none, a string when it is not JSON.
    pub body: Value,
}

impl Call {
    /// Reads `path`, which begins with the table and may carry filters.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// Writes a new row, or an array of them, to the table `path`.
    #[must_use]
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// Changes the columns in `body` of the rows `path` selects.
    #[must_use]
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PATCH, path, Some(body))
    }

    /// Replaces what is at `path`.
    #[must_use]
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PUT, path, Some(body))
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, (name, value): (&str, &str)) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body,
        }
    }
}

impl Api {
    /// A client of the service at `base`, like `http://127.0.0.1:7103`.
    ///
    /// # Errors
    /// When no HTTP client can be set up on this machine.
    pub fn new(base: &str) -> Result<Self> {
        Self::patient(base, ANSWER_TIMEOUT)
    }

    /// The same, for a client that gives up after so long.
    ///
    /// # Errors
    /// As [`Api::new`].
    pub fn patient(base: &str, patience: Duration) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(patience)
            .build()
            .context("no HTTP client")?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Sends a call. Any answer is `Ok`, whatever its status.
    ///
    /// # Errors
    /// When the service cannot be reached or does not finish its answer.
    pub async fn send(&self, call: &Call) -> Result<Answer> {
        let mut request = self.http.request(call.method.clone(), self.url(call));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }

        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let etag = answer
            .headers()
            .get("etag")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        let body = match bytes.as_ref() {
            [] => Value::Null,
            text => serde_json::from_slice(text).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned().into()),
        };
        Ok(Answer { status, etag, body })
    }

    /// The `curl` line that does the same as [`Api::send`].
    #[must_use]
    pub fn curl(&self, call: &Call) -> String {
        let mut line = String::from("curl -s");
        if call.method != Method::GET && call.method != Method::POST {
            line += &format!(" -X {}", call.method);
        }
        line += &format!(" {}", shell_quoted(&self.url(call)));
        for (name, value) in &call.headers {
            line += &format!(" -H {}", shell_quoted(&format!("{name}: {value}")));
        }
        if let Some(body) = &call.body {
            line += &format!(" --json {}", shell_quoted(&body.to_string()));
        }
        line
    }

    fn url(&self, call: &Call) -> String {
        format!("{}/{}", self.base, call.path)
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let reason = if error.is_timeout() {
            "it did not answer in time".to_owned()
        } else {
            innermost(error)
        };
        anyhow!(
            "the service at {} cannot be reached ({reason}): start the shop with `freehold up systems/shop`",
            self.base
        )
    }
}

impl Answer {
    /// Whether the service did what it was asked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The row in the answer: the object itself, or the first of an array.
    #[must_use]
    pub fn row(&self) -> &Value {
        self.body.get(0).unwrap_or(&self.body)
    }

    /// A field of [`Answer::row`] as text.
    ///
    /// # Errors
    /// When the answer has no such field.
    pub fn text(&self, field: &str) -> Result<&str> {
        self.row()[field]
            .as_str()
            .with_context(|| format!("the answer has no `{field}`: {}", self.summary()))
    }

    /// Status and reason in one line, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let reason = ["detail", "message", "title"]
            .iter()
            .find_map(|field| self.body[field].as_str());
        match reason {
            Some(reason) => format!("{}: {reason}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// The reason below the reasons: "connection refused", not "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_curl_line_survives_the_shell() {
        let api = Api::new("http://h/").expect("a client");
        let call = Call::patch("products?id=eq.1", json!({"name": "Baker's"})).with(("If-Match", "\"1\""));
        let line = r#"curl -s -X PATCH 'http://h/products?id=eq.1' -H 'If-Match: "1"' --json '{"name":"Baker'\''s"}'"#;
        assert_eq!(api.curl(&call), line);
    }

    #[test]
    fn the_row_of_an_answer_is_its_object_or_its_first() {
        for body in [json!({"id": "a"}), json!([{"id": "a"}, {"id": "b"}])] {
            let answer = Answer {
                status: 200,
                etag: None,
                body,
            };
            assert_eq!(answer.text("id").expect("an id"), "a");
        }
    }
}
