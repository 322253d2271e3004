//! Random questions about random tables, asked over HTTP and in SQL: the answers are equal.
//!
//! A round makes tables with names that are hard to write, foreign keys of every kind and rows of every type; then it makes
//! questions. Each is printed twice, as a URL (`url`) and as SQL (`sql`), by two ways that share nothing but the question.
//! What fails is made smaller as long as it fails (`shrink`), and shown with the seed of its round: `FREEHOLD_SEED=n` begins
//! with that round.

mod answer;
mod form;
mod generate;
mod question;
mod scene;
mod served;
mod shrink;
mod sql;
mod url;
mod value;
mod write;

use fastrand::Rng;

use answer::Json;
use generate::Asker;
use question::Question;
use scene::Scene;
use served::{Ground, Service};
use sql::Writer;
use url::Printer;

use crate::entity::Reply;
use crate::entity_paging::next;

/// How long a proof is.
struct Length {
    rounds: u64,
    /// Questions about the tables of one round.
    questions: usize,
    /// Writes to the tables of one round.
    writes: usize,
}

fn length() -> Length {
    if std::env::var_os("FREEHOLD_PROVE").is_some() {
        Length {
            rounds: 130,
            questions: 80,
            writes: 40,
        }
    } else {
        Length {
            rounds: 20,
            questions: 50,
            writes: 30,
        }
    }
}

/// The seed of the first round: the same in every usual run, another in every proof.
pub(crate) fn seed() -> u64 {
    if let Ok(given) = std::env::var("FREEHOLD_SEED") {
        return given.parse().expect("FREEHOLD_SEED is a whole number");
    }
    match std::env::var_os("FREEHOLD_PROVE") {
        Some(_) => fastrand::u64(..u64::from(u32::MAX)),
        None => 20_261_121,
    }
}

/// What was seen: a property that holds of nothing proves nothing.
#[derive(Debug, Default)]
struct Seen {
    asked: usize,
    rows: usize,
    refused: usize,
}

/// What differed, one of each round.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    /// Shown at most; each is worth a look of its own.
    const SHOWN_MAX: usize = 6;

    fn add(&mut self, difference: String) {
        self.0.push(difference);
    }

    fn check(&self) {
        let shown: Vec<&str> = self.0.iter().take(Self::SHOWN_MAX).map(String::as_str).collect();
        let count = self.0.len();
        assert!(count == 0, "{count} rounds with differences\n{}", shown.join("\n\n"));
    }
}

/// A question, and how it was asked.
struct Case<'r> {
    ground: &'r Ground,
    service: &'r Service,
    scene: &'r Scene,
    /// Decides how the question is printed, and in which other form it is asked.
    print: u64,
}

impl Case<'_> {
    /// Asks twice; an error is the difference.
    async fn ask(&self, question: &Question) -> Result<Outcome, String> {
        let url = Printer::new(self.scene, self.print).url(question);
        let mut writer = Writer::new(self.scene, &self.scene.schema);
        let sql = writer.answer(question);
        let reply = self.service.get(&url, question.counted).await;
        let expected = self.ground.ask(&sql).await;
        let differ = |what: &str| {
            let decoded = percent_encoding::percent_decode_str(&url)
                .decode_utf8_lossy()
                .replace('+', " ");
            format!(
                "{what}\nGET {url}\n  that is {decoded}\nanswers {} {}\n{sql}\nanswers {}",
                reply.status,
                reply.text,
                expected.as_deref().unwrap_or_else(|e| e)
            )
        };
        let expected = match &expected {
            Err(_) if (400..500).contains(&reply.status) => return Ok(Outcome::Refused),
            Err(_) => return Err(differ("SQL refuses, the API does not")),
            Ok(expected) => expected,
        };
        if !(200..300).contains(&reply.status) {
            let offset = question.node.offset.unwrap_or_default();
            if reply.status == 416 && question.counted && offset > 0 {
                return Ok(Outcome::Refused);
            }
            return Err(differ("the API refuses, SQL does not"));
        }
        let given = Json::read(&reply.text).map_err(|e| differ(&format!("{e}")))?;
        let wanted = Json::read(expected).expect("PostgreSQL writes JSON");
        let (given, wanted) = match question.node.is_aggregated() {
            true => (given.sorted(), wanted.sorted()),
            false => (given, wanted),
        };
        if given != wanted {
            return Err(differ("the answers differ"));
        }
        if question.node.limit.is_some() && !question.node.is_aggregated() {
            self.follow(question, &reply).await.map_err(|e| differ(&e))?;
        }
        if question.counted {
            let count = self
                .ground
                .ask(&writer.count(question))
                .await
                .expect("rows are counted");
            let range = reply.header("content-range");
            if range.rsplit('/').next() != Some(count.as_str()) {
                return Err(differ(&format!("Content-Range: {range}, but there are {count} rows")));
            }
        }
        let Json::List(rows) = wanted else {
            return Err(differ("no list"));
        };
        self.ask_otherwise(question, &reply, &rows)
            .await
            .map_err(|e| differ(&e))?;
        Ok(if rows.is_empty() { Outcome::Empty } else { Outcome::Rows })
    }

    /// Follows the links from the first page on: all pages together are the answer without a limit.
    async fn follow(&self, question: &Question, first: &Reply) -> Result<(), String> {
        let mut whole = question.clone();
        whole.node.limit = None;
        let sql = Writer::new(self.scene, &self.scene.schema).answer(&whole);
        let wanted = self
            .ground
            .ask(&sql)
            .await
            .map_err(|e| format!("without a limit: {e}"))?;
        let Json::List(wanted) = Json::read(&wanted).expect("PostgreSQL writes JSON") else {
            return Err("no list".to_owned());
        };
        let rows = |reply: &Reply| match Json::read(&reply.text) {
            Ok(Json::List(rows)) => Ok(rows),
            _ => Err(format!("a page is {reply:?}")),
        };
        let mut given = rows(first)?;
        let mut link = next(first.header("link"));
        while let Some(path) = link {
            let reply = self.service.get(&path, false).await;
            let page = rows(&reply)?;
            if page.is_empty() || given.len() > wanted.len() {
                return Err(format!("{path} leads to {reply:?}"));
            }
            given.extend(page);
            link = next(reply.header("link"));
        }
        if given == wanted {
            return Ok(());
        }
        Err(format!("the pages together are {given:?},\nnot {wanted:?}"))
    }

    /// The smallest part of a question that still fails, and how.
    async fn shrink(&self, mut question: Question, mut found: String) -> String {
        'smaller: loop {
            for smaller in shrink::smaller(&question, self.scene) {
                if let Err(difference) = self.ask(&smaller).await {
                    (question, found) = (smaller, difference);
                    continue 'smaller;
                }
            }
            return found;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Rows,
    Empty,
    Refused,
}

#[tokio::test]
async fn a_question_over_http_has_the_answer_that_it_has_in_sql() {
    let Length { rounds, questions, .. } = length();
    let first = seed();
    let ground = Ground::open().await;
    let mut seen = Seen::default();
    let mut differences = Differences::default();
    for seed in (0..rounds).map(|r| first.wrapping_add(r)) {
        let mut rng = Rng::with_seed(seed);
        let scene = Scene::new("scene".to_owned(), &mut rng);
        ground.lay_out(&scene, "scene").await;
        let service = ground.serve(&scene).await;
        for number in 0..questions {
            let question = Asker {
                scene: &scene,
                rng: &mut rng,
            }
            .question();
            let case = Case {
                ground: &ground,
                service: &service,
                scene: &scene,
                print: rng.u64(..),
            };
            seen.asked += 1;
            match case.ask(&question).await {
                Ok(Outcome::Rows) => seen.rows += 1,
                Ok(Outcome::Empty) => {}
                Ok(Outcome::Refused) => seen.refused += 1,
                Err(found) => {
                    let smallest = case.shrink(question, found).await;
                    differences.add(format!("FREEHOLD_SEED={seed}, question {number}: {smallest}"));
                    break;
                }
            }
        }
        ground.clear("scene").await;
    }
    println!("from FREEHOLD_SEED={first} on: {seen:?}");
    differences.check();
    // Neither all empty nor all refused: most questions must have something to differ in.
    assert!(seen.rows * 3 > seen.asked, "FREEHOLD_SEED={first}: {seen:?}");
    assert!(seen.refused * 5 < seen.asked, "FREEHOLD_SEED={first}: {seen:?}");
}
