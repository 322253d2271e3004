//! Mails: to a server that is slow, refuses, or dies; each at least once, under one id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use freehold_auth::settings::Mail;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fixture::{Person, Stage, token, until};

/// A server that takes mails: as much of RFC 5321 as a client needs.
struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    taken: Vec<String>,
    /// Mails to be refused before one is taken.
    refusals: u32,
    /// Mails to be taken, with the connection cut before that is said.
    silences: u32,
}

impl Server {
    async fn open(refusals: u32, silences: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let state = Arc::new(Mutex::new(State {
            refusals,
            silences,
            ..State::default()
        }));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                clients.spawn(talk(stream, Arc::clone(&shared)));
            }
        });
        Self {
            port,
            state,
            _tasks: tasks,
        }
    }

    fn taken(&self) -> Vec<String> {
        self.state.lock().expect("the state").taken.clone()
    }
}

/// One conversation; ends with the client.
async fn talk(stream: TcpStream, state: Arc<Mutex<State>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail: Option<String> = None;
    if write.write_all(b"220 here\r\n").await.is_err() {
        return;
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match &mut mail {
            Some(text) if line == "." => {
                let text = std::mem::take(text);
                mail = None;
                match take(&state, text) {
                    Some(answer) => answer,
                    None => return,
                }
            }
            Some(text) => {
                *text += line.strip_prefix('.').unwrap_or(&line);
                *text += "\r\n";
                continue;
            }
            None => match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250-here\r\n250 8BITMIME\r\n",
                "MAIL" | "RCPT" | "NOOP" | "RSET" => "250 good\r\n",
                "DATA" => {
                    mail = Some(String::new());
                    "354 go on\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "500 what\r\n",
            },
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn take(state: &Mutex<State>, text: String) -> Option<&'static str> {
    let mut state = state.lock().expect("the state");
    if state.refusals > 0 {
        state.refusals -= 1;
        return Some("451 later\r\n");
    }
    state.taken.push(text);
    if state.silences > 0 {
        state.silences -= 1;
        return None;
    }
    Some("250 taken\r\n")
}

fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    let line = mail.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {mail}")).trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_reaches_a_server_that_refuses_at_first_and_loses_an_answer() {
    let stage = Stage::open().await;
    let server = Server::open(1, 1).await;
    let mut settings = stage.settings();
    settings.mail = Mail::Smtp(format!("smtp://127.0.0.1:{}", server.port));
    let at = stage.serve_with(settings).await;
    let ann = Person::named("ann");
    assert_eq!(ann.register(&at).await.status, 202);
    // Refused once, taken once without a word, taken again.
    until("the mail is sent", || async { server.taken().len() == 2 }).await;
    until("and is gone", || async {
        stage.number("select count(*) from mails").await == 0
    })
    .await;
    let taken = server.taken();
    assert_eq!(taken[0], taken[1]);
    assert_eq!(header(&taken[0], "To:"), ann.email);
    assert_eq!(header(&taken[0], "Subject:"), "Confirm your e-mail address (accounts)");
    assert!(header(&taken[0], "Message-ID:").ends_with("@accounts.example>"));
    let verified = at
        .post("/verify", &ann.address, &json!({"token": token(&taken[1])}))
        .await;
    assert_eq!(verified.status, 204);
    assert_eq!(ann.log_in(&at).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_wait_for_a_server_that_is_away_and_two_instances_send_each_once() {
    let stage = Stage::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nowhere = listener.local_addr().expect("a bound socket").port();
    drop(listener);
    let mut settings = stage.settings();
    settings.mail = Mail::Smtp(format!("smtp://127.0.0.1:{nowhere}"));
    let at = stage.serve_with(settings.clone()).await;
    for n in 0..10 {
        assert_eq!(Person::named(&format!("person{n}")).register(&at).await.status, 202);
    }
    until("each was tried", || async {
        stage.number("select count(*) from mails where attempts > 0").await == 10
    })
    .await;
    drop(at);
    let server = Server::open(0, 0).await;
    settings.mail = Mail::Smtp(format!("smtp://127.0.0.1:{}", server.port));
    // The wait after a failure, and the claims of the instance that ended, are over.
    stage
        .sql
        .execute("update mails set due_at = clock_timestamp()", &[])
        .await
        .expect("time passes");
    let (_one, _two) = tokio::join!(stage.serve_with(settings.clone()), stage.serve_with(settings));
    until("all are sent", || async {
        stage.number("select count(*) from mails").await == 0
    })
    .await;
    let mut ids: HashMap<String, u32> = HashMap::new();
    for mail in server.taken() {
        *ids.entry(header(&mail, "Message-ID:").to_owned()).or_default() += 1;
    }
    assert_eq!(ids.len(), 10);
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_where_the_configuration_says_whatever_host_was_asked() {
    let stage = Stage::open().await;
    let at = stage.serve().await;
    let ann = Person::named("ann");
    let body = json!({"email": ann.email, "password": ann.password});
    let asked = at
        .http
        .post(format!("{}/register", at.url))
        .header("host", "evil.example");
    let asked = asked
        .header("x-forwarded-host", "evil.example")
        .json(&body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(asked.status().as_u16(), 202);
    let mails = stage.mailbox().wait(&ann.email, "Confirm your e-mail address", 1).await;
    assert!(
        mails[0].contains("https://accounts.example/verify#") && !mails[0].contains("evil"),
        "{}",
        mails[0]
    );
}
