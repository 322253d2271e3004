//! The matrix of a saga: everything that may happen to each of its steps happens once, against real databases, and each time
//! the saga has to end clean. Feature `testing`.
//!
//! A [`Stage`] holds the services of a system, each with its own database, in one process and without background tasks:
//! messages are read from the logs and handed to the handlers, calls are made and timers fire when the stage says so. What runs
//! is the library's own code — participants, orchestrator, parked keys, due work — and the services' own.
//!
//! For each step, forward and compensating, [`matrix`] plays a cell in which it
//!
//! - is `refused`, `fails-once`, or `keeps-failing` (before the pivot the saga has to be compensated, from there on it has to
//!   become stuck and go on when the fault ends);
//! - `times-out` without ever having arrived, or `succeeds-late`, after the time for its answer was over;
//! - `answers-twice`, `runs-twice` (its command is delivered again) or is `asked-twice` (its command is sent again); each comes
//!   once more when everything is over;
//! - `compensation-first`: the compensation overtakes the command;
//! - `killed-before-statement-4`, `killed-after-statement-4`: for every statement of every transaction that serves the step,
//!   the process dies just before it is sent, or when it was carried out and before that was known; and
//!   `cut-off-after-statement-9`: the connection is lost after a commit, and the process lives to see it.
//!
//! Statements are counted as they go through [`Tx`](crate::Tx); what a handler runs on
//! [`Tx::client`](crate::Tx::client) itself is not. Calls are met as a whole: they happen, or not, and are heard of, or not.
//! That a call's compensation reaches the third party before the call is not played: only the third party could tell.
//!
//! ```no_run
//! use freehold::testing::{End, Member, Stage, matrix};
//! # use freehold::{Result, Saga, Service, Settings, Steps};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)]
//! # struct PlaceOrder { order: u32 }
//! # impl Saga for PlaceOrder {
//! #     const NAME: &'static str = "place_order";
//! #     fn key(&self) -> String { self.order.to_string() }
//! #     fn steps() -> Steps<Self> { Steps::begin().without_pivot() }
//! # }
//! # fn order(_: Settings) -> Result<Service> { unimplemented!() }
//! # fn product(_: Settings) -> Result<Service> { unimplemented!() }
//! # async fn example(
//! #     at_order: Settings, at_product: Settings,
//! #     order_admin: tokio_postgres::Config, product_admin: tokio_postgres::Config,
//! # ) -> Result<()> {
//! let stage = Stage::open(vec![
//!     Member::new(order(at_order)?, &order_admin).await?,
//!     Member::new(product(at_product)?, &product_admin).await?,
//! ])
//! .await?;
//! // As it is now, the stage stands at the beginning of every cell.
//! stage.sql("product", "insert into products (id, stock, reserved) values (1, 10, 0)").await?;
//!
//! let report = matrix(&stage, || PlaceOrder { order: 1 }, async |stage, end| {
//!     let sold = if end == End::Completed { 2 } else { 0 };
//!     let mut wrong = stage.unequal("product", "select 10 - stock from products", sold).await?;
//!     wrong.extend(stage.unequal("product", "select reserved from products", 0).await?);
//!     Ok(wrong)
//! })
//! .await?;
//! println!("{report}");
//! assert!(report.is_clean(), "{report}");
//! # Ok(())
//! # }
//! ```

// Played on
mod post;
mod reset;
mod stage;
// Played
mod cells;
mod play;
pub(crate) mod scene;
// Tried
mod trespass;

use std::fmt;
use std::time::{Duration, Instant};

pub use stage::{Member, Stage};
pub use trespass::{Leak, Owned, Report as Trespasses, Trial, trespass};

use crate::error::Result;
use crate::saga::engine::Shape;
use crate::saga::{Registered, Runnable, Saga};
use cells::{Base, Cell};

/// How a saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every step is done.
    Completed,
    /// Every step that was done is undone.
    Compensated,
    /// A first local step was refused or failed, which ends the transaction that would have started it.
    NotStarted,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::NotStarted => "not started",
        })
    }
}

/// Which cells are played: those whose name contains the value of this variable. For looking at one that went wrong.
const ONLY: &str = "FREEHOLD_MATRIX_ONLY";

/// What is wrong with a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The saga is stuck where it must not be, or stays so when the fault has ended.
    Stuck,
    /// It ended otherwise than it should, or something is left behind.
    Unclean(Vec<String>),
    /// The cell could not be played as it was meant.
    Void(String),
}

/// A cell that went wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// `place_order/reserve_stock/forward/killed-after-statement-4`.
    pub cell: String,
    /// What is wrong.
    pub problem: Problem,
    /// The saga's history, a line for each event.
    pub story: Vec<String>,
}

/// What came of a matrix.
#[derive(Debug, Clone)]
pub struct Report {
    /// The saga.
    pub saga: &'static str,
    /// The names of the cells that were played.
    pub cells: Vec<String>,
    /// Those that went wrong.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Cells whose saga was stuck.
    #[must_use]
    pub fn stuck(&self) -> usize {
        self.failures.iter().filter(|f| f.problem == Problem::Stuck).count()
    }

    /// Cells that went wrong otherwise.
    #[must_use]
    pub fn unclean(&self) -> usize {
        self.failures.len() - self.stuck()
    }

    /// Whether cells were played and none went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.cells.is_empty() && self.failures.is_empty()
    }
}

/// Failures that a report shows whole.
const SHOWN_MAX: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} cells, stuck {}, unclean {} ({:.1?})",
            self.saga,
            self.cells.len(),
            self.stuck(),
            self.unclean(),
            self.took
        )?;
        for failure in self.failures.iter().take(SHOWN_MAX) {
            writeln!(f, "{}", failure.cell)?;
            match &failure.problem {
                Problem::Stuck => writeln!(f, "  stuck")?,
                Problem::Void(why) => writeln!(f, "  not played as meant: {why}")?,
                Problem::Unclean(wrong) => wrong.iter().try_for_each(|line| writeln!(f, "  {line}"))?,
            }
            failure.story.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        for failure in self.failures.iter().skip(SHOWN_MAX) {
            writeln!(f, "{}", failure.cell)?;
        }
        Ok(())
    }
}

/// Plays the whole matrix of a saga on a stage as it stands.
///
/// `saga` makes the saga that every cell starts. `judge` looks at the stage after each cell, when all is quiet, and complains of
/// what is not as it should be for this end; that no key is parked, nothing is due and nothing unsent is looked at already.
/// Afterwards the stage is as the last cell left it. `FREEHOLD_MATRIX_ONLY` in the environment restricts it to the cells whose
/// names contain its value.
///
/// # Errors
/// What the databases say, and [`Error::Other`](crate::Error::Other) when no service on the stage runs the saga. What goes wrong
/// in a cell is in the report.
pub async fn matrix<S: Saga>(
    stage: &Stage,
    saga: impl Fn() -> S,
    judge: impl AsyncFn(&Stage, End) -> Result<Vec<String>>,
) -> Result<Report> {
    let only = std::env::var(ONLY).unwrap_or_default();
    all(stage, None, &only, saga, judge).await
}

/// As [`matrix`], with a defect planted, in the cells whose names contain `only`: the report must show it.
///
/// # Errors
/// As [`matrix`].
#[cfg(feature = "plant")]
pub async fn matrix_with_plant<S: Saga>(
    stage: &Stage,
    plant: &'static str,
    only: &str,
    saga: impl Fn() -> S,
    judge: impl AsyncFn(&Stage, End) -> Result<Vec<String>>,
) -> Result<Report> {
    all(stage, Some(plant), only, saga, judge).await
}

async fn all<S: Saga>(
    stage: &Stage,
    plant: play::Plant,
    only: &str,
    saga: impl Fn() -> S,
    judge: impl AsyncFn(&Stage, End) -> Result<Vec<String>>,
) -> Result<Report> {
    let begun = Instant::now();
    stage.settle().await?;
    stage.save().await?;
    let shape = Registered::<S>::new()?.shape(S::VERSION);
    let mut report = Report {
        saga: S::NAME,
        cells: Vec::new(),
        failures: Vec::new(),
        took: Duration::ZERO,
    };
    let mut cells = cells::cells(&shape);
    // A clean run of each kind shows the statements at which a process may die.
    for base in bases(&shape) {
        let cell = Cell::clean(S::NAME, base.clone());
        let played = play::play(stage, &cell, plant, &saga, &judge).await?;
        cells.extend(cells::deaths(S::NAME, base.as_ref(), &played.statements));
        report.add(&cell, played);
    }
    for cell in cells.iter().filter(|cell| cell.name.contains(only)) {
        let played = play::play(stage, cell, plant, &saga, &judge).await?;
        report.add(cell, played);
    }
    report.took = begun.elapsed();
    Ok(report)
}

impl Report {
    fn add(&mut self, cell: &Cell, played: play::Played) {
        self.cells.push(cell.name.clone());
        if let Some(problem) = played.problem {
            self.failures.push(Failure {
                cell: cell.name.clone(),
                problem,
                story: played.story,
            });
        }
    }
}

/// None, and everything that makes the saga turn round for some step's sake.
fn bases(shape: &Shape) -> Vec<Option<Base>> {
    let mut bases = vec![None];
    for (n, stage) in shape.stages.iter().enumerate() {
        for step in stage.iter().filter(|step| step.compensation.is_some()) {
            let base = cells::base_for(shape, n, step);
            if base.is_some() && !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
    bases
}
