//! Users of the system, each with an account and a profile.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::Notes;

/// A password that is nobody's favourite.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) tag: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn good(self) -> Result<Self> {
        ensure!((200..300).contains(&self.status), "{self:?}");
        Ok(self)
    }

    pub(crate) fn is(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{status} was expected: {self:?}");
        Ok(self)
    }

    pub(crate) fn rows(&self) -> &[Value] {
        self.body.as_array().map_or(&[], Vec::as_slice)
    }
}

impl Notes {
    /// Registers, confirms the address by the mail, logs in, and waits until the notes service knows the user.
    pub(crate) async fn join(&self, name: &str) -> Result<Person> {
        let email = format!("{name}@example.com");
        let account = json!({ "email": email, "password": PASSWORD });
        self.ask(None, Method::POST, "auth", "register", &[], Some(&account))
            .await?
            .is(202)?;
        let token = self.token_in_mail(&email, 1).await?;
        let token = json!({ "token": token });
        self.ask(None, Method::POST, "auth", "verify", &[], Some(&token))
            .await?
            .is(204)?;
        let tokens = self
            .ask(None, Method::POST, "auth", "login", &[], Some(&account))
            .await?
            .is(200)?;
        let token = tokens.body["access_token"].as_str().context("a token")?.to_owned();
        let mut person = Person {
            id: Uuid::nil(),
            email,
            token,
        };
        let me = self.get(&person, "auth", "me").await?.is(200)?;
        person.id = me.body["id"].as_str().context("an id")?.parse()?;
        let own = format!("users?id=eq.{}", person.id);
        self.until("the profile is made", async || {
            let profile = self.get(&person, "user", &own).await?.good()?;
            Ok((profile.rows().len() == 1).then_some(()))
        })
        .await?;
        self.patch(&person, "user", &own, &json!({ "name": name }))
            .await?
            .good()?;
        Ok(person)
    }

    /// What stands behind the `#` of the link in the last of so many mails.
    pub(crate) async fn token_in_mail(&self, address: &str, mails: usize) -> Result<String> {
        let mail = self
            .until("the mail is sent", async || {
                let mut sent = self.mails(address)?;
                Ok((sent.len() >= mails).then(|| sent.pop()).flatten())
            })
            .await?;
        // Long lines of a mail are cut with `=` at their end.
        let mail = mail.replace("=\r\n", "").replace("=\n", "");
        let (_, token) = mail.split_once('#').context("a link")?;
        let end = token
            .find(|c: char| c.is_whitespace() || c == '>')
            .unwrap_or(token.len());
        Ok(token[..end].to_owned())
    }

    pub(crate) async fn get(&self, who: &Person, service: &str, path: &str) -> Result<Answer> {
        self.ask(Some(who), Method::GET, service, path, &[], None).await
    }

    pub(crate) async fn post(&self, who: &Person, service: &str, path: &str, body: &Value) -> Result<Answer> {
        let row = [("prefer", "return=representation")];
        self.ask(Some(who), Method::POST, service, path, &row, Some(body)).await
    }

    pub(crate) async fn patch(&self, who: &Person, service: &str, path: &str, body: &Value) -> Result<Answer> {
        let row = [("prefer", "return=representation")];
        self.ask(Some(who), Method::PATCH, service, path, &row, Some(body))
            .await
    }

    pub(crate) async fn delete(&self, who: &Person, service: &str, path: &str) -> Result<Answer> {
        self.ask(Some(who), Method::DELETE, service, path, &[], None).await
    }

    /// A new note of somebody's.
    pub(crate) async fn note(&self, who: &Person, title: &str) -> Result<Uuid> {
        // The notes service hears of a new user a moment later.
        let made = self
            .until("the notes service knows the user", async || {
                let made = self.post(who, "notes", "notes", &json!({ "title": title })).await?;
                Ok((made.status == 201).then_some(made))
            })
            .await?;
        let row = made.rows().first().cloned().unwrap_or(made.body);
        Ok(row["id"].as_str().context("an id")?.parse()?)
    }

    /// Edits a note that has this version.
    pub(crate) async fn edit(&self, who: &Person, note: Uuid, version: i64, edit: &Value) -> Result<Answer> {
        let tag = format!("\"{version}\"");
        let path = format!("notes/{note}/edits");
        let guard = [("if-match", &*tag)];
        self.ask(Some(who), Method::POST, "notes", &path, &guard, Some(edit))
            .await
    }

    pub(crate) async fn ask(
        &self,
        who: Option<&Person>,
        method: Method,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut request = self.http.request(method, self.url(service, path));
        if let Some(who) = who {
            request = request.bearer_auth(&who.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let tag = answer.headers().get("etag");
        let tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = answer.bytes().await?;
        Ok(Answer {
            status,
            tag,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}
