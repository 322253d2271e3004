//! `freehold sagas`: which are unfinished, the story of one, and what helps one that is stuck.

mod act;
mod list;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use freehold::saga::engine::{Direction, Operator};

use crate::sagas::Saga;

#[derive(Debug, Subcommand)]
pub(super) enum Sagas {
    /// List the sagas that have not ended, or others
    List(list::List),
    /// Tell the story of a saga over all services
    Show(show::Show),
    /// Have the step that a saga is stuck at tried again now; a refused one is asked anew
    Retry(act::Act),
    /// Have a saga go on as if the step it is stuck at had never been
    Skip(act::Act),
    /// Have a saga go on: the step it is stuck at was done, or undone, by hand
    MarkDone(act::Act),
}

impl Sagas {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(verb) => verb.run().await,
            Self::Show(verb) => verb.run().await,
            Self::Retry(verb) => verb.run(Operator::Retry).await,
            Self::Skip(verb) => verb.run(Operator::Skip).await,
            Self::MarkDone(verb) => verb.run(Operator::MarkDone).await,
        }
    }
}

/// The steps a saga is at, for people.
fn at(saga: &Saga) -> String {
    let steps = saga.at.iter().map(|at| match at.direction {
        Direction::Forward => at.step.clone(),
        Direction::Compensate => format!("{} (compensate)", at.step),
    });
    steps.collect::<Vec<_>>().join(", ")
}
