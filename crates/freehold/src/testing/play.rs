//! Plays one cell to its end and judges it.

use super::cells::{Cell, Stuck};
use super::scene::{Scene, Statement, Trouble};
use super::stage::{Member, Stage};
use super::{End, Problem};
use crate::error::Result;
use crate::saga::Saga;
use crate::saga::engine::State;

/// Moves until a cell must have come to an end.
const MOVES_MAX: usize = 1_000;

/// How often a client repeats a start that fails.
const STARTS_MAX: u32 = 3;

/// A plant, for a matrix that must find it.
pub(super) type Plant = Option<&'static str>;

/// What came of a cell.
pub(super) struct Played {
    pub(super) problem: Option<Problem>,
    pub(super) story: Vec<String>,
    /// The statements that were run.
    pub(super) statements: Vec<Statement>,
}

/// Where a saga came to rest.
enum Rest {
    Ended(End),
    Stuck,
    Problem(Problem),
}

/// Plays a cell on a stage that was saved.
pub(super) async fn play<S, J>(
    stage: &Stage,
    cell: &Cell,
    plant: Plant,
    saga: &impl Fn() -> S,
    judge: &J,
) -> Result<Played>
where
    S: Saga,
    J: AsyncFn(&Stage, End) -> Result<Vec<String>>,
{
    stage.restore().await?;
    let scene = Scene::new(|inner| {
        if let Some(base) = &cell.base {
            base.put(inner);
        }
        inner.faults.extend(cell.fault.clone());
        inner.mail.extend(cell.mail.clone());
        inner.death = cell.death;
        inner.plant = plant;
    });
    let problem = scene.play(part::<S, J>(stage, cell, &scene, saga, judge)).await;
    let problem = problem.unwrap_or_else(|error| Some(Problem::Void(error.to_string())));
    let story = match problem {
        Some(_) => story::<S>(stage).await?,
        None => Vec::new(),
    };
    let statements = std::mem::take(&mut scene.inner().statements);
    Ok(Played {
        problem,
        story,
        statements,
    })
}

async fn part<S, J>(
    stage: &Stage,
    cell: &Cell,
    scene: &Scene,
    saga: &impl Fn() -> S,
    judge: &J,
) -> Result<Option<Problem>>
where
    S: Saga,
    J: AsyncFn(&Stage, End) -> Result<Vec<String>>,
{
    let member = stage.orchestrator::<S>()?;
    for _ in 0..cell.starts {
        start(stage, member, saga).await?;
    }
    let key = saga().key();
    let mut rest = rest::<S>(stage, member, &key, Until::Stuck).await?;
    match (&rest, cell.stuck) {
        (Rest::Stuck, Stuck::No) => return Ok(Some(Problem::Stuck)),
        (Rest::Stuck, help) => {
            heal(stage, scene, cell).await?;
            if help == Stuck::UntilAskedAnew {
                ask_anew::<S>(member, &key).await?;
            }
            rest = self::rest::<S>(stage, member, &key, Until::End).await?;
        }
        (Rest::Ended(End::NotStarted), _) | (_, Stuck::No) => {}
        (_, Stuck::UntilHealed | Stuck::UntilAskedAnew) => {
            return Ok(Some(Problem::Void("it was to become stuck and did not".to_owned())));
        }
    }
    let end = match rest {
        Rest::Ended(end) => end,
        Rest::Stuck => return Ok(Some(Problem::Stuck)),
        Rest::Problem(problem) => return Ok(Some(problem)),
    };
    if let Some(problem) = unmet(scene, end) {
        return Ok(Some(problem));
    }
    for post in &stage.post {
        post.carry_again(stage).await?;
    }
    let after = self::rest::<S>(stage, member, &key, Until::End).await?;
    if !matches!(after, Rest::Ended(still) if still == end) {
        return Ok(Some(Problem::Unclean(vec![
            "what came again moved a saga that had ended".to_owned(),
        ])));
    }
    let mut wrong = left_behind(stage).await?;
    if !cell.ends.contains(&end) {
        wrong.push(format!("it ended {end}, not {}", cell.ends[0]));
    }
    wrong.extend(judge(stage, end).await?);
    Ok((!wrong.is_empty()).then_some(Problem::Unclean(wrong)))
}

/// As a client would: again until it is known to be started, or seems not to be wanted.
async fn start<S: Saga>(stage: &Stage, member: &Member, saga: &impl Fn() -> S) -> Result<()> {
    let mut refused = 0;
    while refused < STARTS_MAX {
        let started = stage.alive(member, async {
            let mut tx = member.app.begin_as_service().await?;
            let started = tx.start(saga()).await?;
            tx.commit().await?;
            Ok(started)
        });
        match started.await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(_) => refused += 1,
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// It is stuck or has ended.
    Stuck,
    /// It has ended.
    End,
}

/// Moves everything on until the saga has ended and nothing is under way any more, or until it is stuck.
async fn rest<S: Saga>(stage: &Stage, member: &Member, key: &str, until: Until) -> Result<Rest> {
    for _ in 0..MOVES_MAX {
        if stage.round().await? {
            continue;
        }
        let state = state::<S>(member, key).await?;
        match state {
            None => return Ok(Rest::Ended(End::NotStarted)),
            Some(State::Stuck) if until == Until::Stuck => return Ok(Rest::Stuck),
            Some(State::Completed) => {
                if let Some(problem) = waits_on(member).await? {
                    return Ok(Rest::Problem(problem));
                }
                if !stage.let_time_pass().await? {
                    return Ok(Rest::Ended(End::Completed));
                }
            }
            Some(State::Compensated) => {
                if let Some(problem) = waits_on(member).await? {
                    return Ok(Rest::Problem(problem));
                }
                if !stage.let_time_pass().await? {
                    return Ok(Rest::Ended(End::Compensated));
                }
            }
            Some(state) => {
                if !stage.let_time_pass().await? {
                    let problem = format!("it is {} and waits for nothing", state.word());
                    return Ok(Rest::Problem(Problem::Unclean(vec![problem])));
                }
            }
        }
    }
    Ok(match state::<S>(member, key).await? {
        Some(State::Stuck) => Rest::Stuck,
        _ => Rest::Problem(Problem::Void(format!(
            "it does not come to rest within {MOVES_MAX} moves"
        ))),
    })
}

async fn state<S: Saga>(member: &Member, key: &str) -> Result<Option<State>> {
    let sql = "select s.state from freehold.saga s where (s.name, s.key) = ($1, $2) order by s.started_at desc limit 1";
    let rows = member.ask(sql, &[&S::NAME, &key]).await?;
    Ok(rows.first().and_then(|row| State::of(row.get(0))))
}

/// An ended saga for which something is still due.
async fn waits_on(member: &Member) -> Result<Option<Problem>> {
    let sql = "select d.kind || ' of ' || coalesce(d.step, 'it')
               from freehold.due d join freehold.saga s on s.id = d.saga
               where s.state in ('completed', 'compensated')";
    let left = member.ask(sql, &[]).await?;
    let left: Vec<String> = left
        .iter()
        .map(|row| format!("it ended, and a {} is still due", row.get::<_, &str>(0)))
        .collect();
    Ok((!left.is_empty()).then_some(Problem::Unclean(left)))
}

/// The fault ends, and an operator has the keys tried again that were set aside for good.
async fn heal(stage: &Stage, scene: &Scene, cell: &Cell) -> Result<()> {
    if let Some(fault) = &cell.fault {
        let mut inner = scene.inner();
        let own = |f: &&mut Trouble<_>| f.step == fault.step && f.direction == fault.direction;
        for healed in inner.faults.iter_mut().filter(own) {
            healed.left = 0;
        }
    }
    for member in &stage.members {
        let redrive = "update freehold.parked_key set state = 'retrying', attempts = 1, next_at = clock_timestamp()";
        member.ask(redrive, &[]).await?;
    }
    Ok(())
}

/// What `freehold sagas retry` writes.
async fn ask_anew<S: Saga>(member: &Member, key: &str) -> Result<()> {
    let sql = "insert into freehold.due (due_at, kind, saga, payload)
               select clock_timestamp(), 'operator', s.id, '\"retry\"'
               from freehold.saga s
               where (s.name, s.key) = ($1, $2) and s.state = 'stuck'";
    member.ask(sql, &[&S::NAME, &key]).await.map(drop)
}

/// What the cell is about never happened.
fn unmet(scene: &Scene, end: End) -> Option<Problem> {
    let inner = scene.inner();
    if inner.death.is_some() {
        return Some(Problem::Void(
            "the statement at which to die was not reached".to_owned(),
        ));
    }
    // What turns a saga round at a first local step keeps it from being started.
    if end == End::NotStarted {
        return None;
    }
    let faults = inner.faults.iter().filter(|f| !f.met).map(|f| &f.step);
    let mail = inner.mail.iter().filter(|m| !m.met).map(|m| &m.step);
    let step = faults.chain(mail).next()?;
    Some(Problem::Void(format!("what was to happen to {step} did not")))
}

/// What must not be left when all is quiet.
async fn left_behind(stage: &Stage) -> Result<Vec<String>> {
    let sql = "select (select count(*) from freehold.parked_key) + (select count(*) from freehold.parked),
                      (select count(*) from freehold.due),
                      (select count(*) from freehold.outbox)";
    let mut wrong = Vec::new();
    for member in &stage.members {
        let rows = member.ask(sql, &[]).await?;
        for row in rows {
            for (column, what) in ["parked", "due", "not sent"].into_iter().enumerate() {
                let left: i64 = row.get(column);
                if left > 0 {
                    wrong.push(format!("{}: {left} left that are {what}", member.name()));
                }
            }
        }
    }
    Ok(wrong)
}

/// The saga's history, for a failure's report.
async fn story<S: Saga>(stage: &Stage) -> Result<Vec<String>> {
    let sql = "select concat_ws(' ', h.step, case h.direction when 'compensate' then '(undone)' end, h.event,
                                case when h.attempt > 1 then 'at attempt ' || h.attempt end, h.detail)
               from freehold.saga_history h join freehold.saga s on s.id = h.saga
               where s.name = $1 order by h.id limit 60";
    let rows = stage.orchestrator::<S>()?.ask(sql, &[&S::NAME]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
