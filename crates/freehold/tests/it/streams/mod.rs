//! Event sourcing: streams, and the projections folded from them.

mod append;
mod crash;
mod load;
mod projections;
mod rebuild;

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use freehold::settings::Supervision;
use freehold::{
    Aggregate, App, Error, Folds, NewEvent, RecordedEvent, Result, Service, Settings, StreamEvent, StreamId, Tx,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::Config;

use crate::behaviour::acting::{port, settings};
use crate::fixture::{self, Folder, Home, Stage, until};

const NOTES: Folder<'static> = Folder {
    name: "notes",
    manifest: r#"
program = "notes"
[streams.note]
events = ["created", "edited"]
published = true
[streams.visit]
events = ["made"]
[owns.tags]
publishes = ["id", "name"]
[owns.tag_changes]
mode = "projection"
[owns.note_texts]
mode = "projection"
[owns.note_sums]
mode = "projection"
[owns.note_words]
mode = "projection"
[projections.note_texts]
streams = ["note"]
timing = "with_append"
fold = "fold_note_texts"
[projections.note_sums]
streams = ["note"]
fold = "fold_note_sums"
[projections.tag_changes]
topics = ["notes.tags"]
fold = "fold_tag_changes"
[projections.note_words]
streams = ["note"]
"#,
    migration: "
create table note_texts (id text primary key, text text not null, at_version bigint not null);
create function fold_note_texts(events json) returns void language sql as $$
  insert into note_texts (id, text, at_version)
  select distinct on (e.key) e.key, coalesce(e.data ->> 'text', e.data #>> '{}'), e.version
  from json_to_recordset(events) as e(key text, version bigint, data json)
  order by e.key, e.version desc
  on conflict (id) do update
  set text = excluded.text,
      at_version = excluded.at_version
$$;

-- Adds up, so that an event that is folded twice or never shows.
create table note_sums (bucket integer primary key, events bigint not null, sum bigint not null,
                        constraint no_poison check (sum < 1e15));
create function fold_note_sums(events json) returns void language sql as $$
  insert into note_sums as s (bucket, events, sum)
  select hashtext(e.key) & 15, count(*),
         sum(case e.data ->> 'text' when 'poison' then 1e15 else hashtext(e.key || e.version) & 65535 end)
  from json_to_recordset(events) as e(key text, version bigint, data json)
  group by 1
  on conflict (bucket) do update
  set events = s.events + excluded.events,
      sum = s.sum + excluded.sum
$$;

create table note_words (id text primary key, words bigint not null, events bigint not null);

create table tags (id integer primary key, name text not null);
create table tag_changes (id text primary key, said text not null);
create function fold_tag_changes(events json) returns void language sql as $$
  insert into tag_changes as c (id, said)
  select e.key, string_agg(e.version || ' ' || split_part(e.event, '.', 3) || coalesce(' ' || (e.data ->> 'name'), ''), ', ' order by e.position)
  from json_to_recordset(events) as e(position bigint, key text, version bigint, event text, data json)
  group by e.key
  on conflict (id) do update
  set said = c.said || ', ' || excluded.said
$$;
",
};

#[derive(Debug, Serialize, Deserialize)]
struct Created {
    text: String,
}

impl StreamEvent for Created {
    const STREAM: &'static str = "note";
    const NAME: &'static str = "created";
}

#[derive(Debug, Serialize, Deserialize)]
struct Edited {
    text: String,
    by: Option<String>,
}

impl StreamEvent for Edited {
    const STREAM: &'static str = "note";
    const NAME: &'static str = "edited";
    const SCHEMA: i32 = 2;

    // The first shape was the text alone.
    fn upcast(_schema: i32, body: Value) -> Result<Value> {
        Ok(json!({ "text": body, "by": null }))
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    texts: Vec<String>,
}

impl Aggregate for Note {
    const STREAM: &'static str = "note";
    const SCHEMA: i32 = 1;

    fn folds() -> Folds<Self> {
        Folds::begin()
            .on(|note: &mut Self, created: Created| note.texts.push(created.text))
            .on(|note: &mut Self, edited: Edited| note.texts.push(edited.text))
    }
}

fn note(key: impl std::fmt::Display) -> StreamId {
    StreamId::new("note", key)
}

fn created(text: &str) -> NewEvent {
    NewEvent::of(&Created { text: text.to_owned() }).expect("an event")
}

fn edited(text: &str) -> NewEvent {
    let edited = Edited {
        text: text.to_owned(),
        by: Some("me".to_owned()),
    };
    NewEvent::of(&edited).expect("an event")
}

/// Words of each note, whatever the batch.
async fn fold_words(events: Vec<RecordedEvent>, tx: &mut Tx) -> Result<()> {
    let mut words: HashMap<&str, (i64, i64)> = HashMap::new();
    for event in &events {
        let text = match (event.read::<Created>()?, event.read::<Edited>()?) {
            (Some(created), _) => created.text,
            (_, Some(edited)) => edited.text,
            _ => return Err(Error::other("an event of no kind")),
        };
        let (sum, count) = words.entry(&event.key).or_default();
        *sum += i64::try_from(text.split_whitespace().count()).expect("a number");
        *count += 1;
    }
    let keys: Vec<&str> = words.keys().copied().collect();
    let sums: Vec<i64> = words.values().map(|(sum, _)| *sum).collect();
    let counts: Vec<i64> = words.values().map(|(_, count)| *count).collect();
    tx.execute(
        "insert into note_words as w (id, words, events)
         select * from unnest($1::text[], $2::bigint[], $3::bigint[])
         on conflict (id) do update
         set words = w.words + excluded.words,
             events = w.events + excluded.events",
        &[&keys, &sums, &counts],
    )
    .await?;
    Ok(())
}

async fn stage() -> Stage {
    Stage::open(&[NOTES]).await
}

/// The service at work in this process until this is dropped.
struct Acting {
    app: App,
    port: u16,
    _tasks: JoinSet<()>,
}

impl Acting {
    async fn of(home: &Home) -> Self {
        let own = port().await;
        let (send, mut seized) = mpsc::channel::<App>(1);
        let seize = move |State(app): State<App>| async move {
            let _ = send.send(app).await;
        };
        let mut settings = settings(home, own, &[]);
        // As the provisioned role has it.
        settings
            .database
            .options(format!("-c search_path={}", home.names.schema));
        let service = Service::new(home.service.clone(), settings)
            .project("note_words", fold_words)
            .routes(Router::new().route("/seize", get(seize)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { service.run().await.expect("the service runs") });
        until("the service answers", || async {
            reqwest::get(format!("http://127.0.0.1:{own}/seize")).await.is_ok()
        })
        .await;
        Self {
            app: seized.recv().await.expect("the service's app"),
            port: own,
            _tasks: tasks,
        }
    }
}

/// Tells a test process that it is to be the service, over this database.
const DATABASE: &str = "FREEHOLD_TEST_DATABASE";

/// The service in a process of its own, killed when this is dropped.
struct Process(Child);

impl Process {
    /// This very program again, as [`a_process_that_projects`].
    async fn start(home: &Home, plant: &str) -> Self {
        let database = fixture::texts(&home.sql, "select current_database()::text")
            .await
            .remove(0);
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program)
            .args(["--exact", "streams::a_process_that_projects", "--ignored"])
            .env(DATABASE, database)
            .env("FREEHOLD_PLANT", plant)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("the program runs again"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: nothing is finished, nothing is told.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: what `Process` runs"]
async fn a_process_that_projects() {
    let Ok(database) = std::env::var(DATABASE) else {
        return;
    };
    let system = fixture::read("database", &[NOTES]);
    let url = std::env::var("FREEHOLD_TEST_PG").expect("FREEHOLD_TEST_PG is set");
    let mut config: Config = url.parse().expect("FREEHOLD_TEST_PG is a URL");
    config
        .dbname(&database)
        .user("t_notes_app")
        .options("-c search_path=public");
    let settings = Settings {
        system: "t".to_owned(),
        database: config,
        schema: "public".to_owned(),
        freehold: "freehold".to_owned(),
        listen: Some(format!("127.0.0.1:{}", port().await)),
        pool: 8,
        accepts: Vec::new(),
        peers: std::collections::BTreeMap::new(),
        instance: "one".to_owned(),
        supervised: Supervision::None,
        auth: None,
    };
    Service::new(system.services[0].clone(), settings)
        .project("note_words", fold_words)
        .run()
        .await
        .expect("the service runs");
}

/// Waits until every event has a position and the live checkpoint of each projection stands at the last.
async fn caught_up(home: &Home) {
    let behind = home.place(
        "select (select count(*) from freehold.stream_waiting)
              + (select count(*) from freehold.outbox)
              + (select count(*) from freehold.checkpoint c join freehold.projection p on p.name = c.projection
                 where c.generation = 'shadow' or (p.timing = 'after_append' and c.position < freehold.head_of(p.name)))",
    );
    until("the projections follow", || async {
        fixture::number(&home.sql, &behind).await == 0
    })
    .await;
}

/// What differs between each projection and its fold from the first event, made by SQL alone.
async fn differences(home: &Home) -> i64 {
    let sql = home.place(
        "with told as (
           select e.key, e.version, e.body ->> 'text' as text,
                  row_number() over (partition by e.key order by e.version desc) as from_end
           from freehold.stream_event e
           where e.stream = 'note'
         ),
         texts as (select key, text, version from told where from_end = 1),
         sums as (select hashtext(key) & 15 as bucket, count(*) as events, sum(hashtext(key || version) & 65535)::bigint as sum from told group by 1),
         words as (
           select key, sum(cardinality(regexp_split_to_array(btrim(text), '\\s+')))::bigint as words, count(*) as events
           from told group by 1
         )
         select (select count(*) from ((table texts except select id, text, at_version from note_texts)
                                       union all (select id, text, at_version from note_texts except table texts)) d)
              + (select count(*) from ((table sums except table note_sums) union all (table note_sums except table sums)) d)
              + (select count(*) from ((table words except table note_words) union all (table note_words except table words)) d)",
    );
    fixture::number(&home.sql, &sql).await
}
