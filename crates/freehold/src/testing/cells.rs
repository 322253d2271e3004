//! The cells of a saga's matrix: what may happen to each of its steps, in each direction, and how it has to end.

use super::End;
use super::scene::{Edge, How, Inner, LASTING, Mail, Statement, Trouble};
use crate::saga::engine::{Direction, Kind, Place, Shape, StepShape};

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// `place_order/reserve_stock/forward/refused`.
    pub(super) name: String,
    /// What makes the saga turn round, where a compensation is meant.
    pub(super) base: Option<Base>,
    /// What happens where the step is made.
    pub(super) fault: Option<Trouble<How>>,
    /// What happens to its messages.
    pub(super) mail: Option<Trouble<Mail>>,
    /// Where the process dies.
    pub(super) death: Option<(usize, Edge)>,
    /// Whether the saga is started twice.
    pub(super) starts: u32,
    /// Whether it has to become stuck, and who helps.
    pub(super) stuck: Stuck,
    /// How it may end.
    pub(super) ends: Vec<End>,
}

/// Whether a cell's saga becomes stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Never.
    No,
    /// Until the fault ends.
    UntilHealed,
    /// Until the fault ends and an operator asks for another try.
    UntilAskedAnew,
}

/// What makes a saga turn round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// This step is refused.
    Refused(String),
    /// This step's time is over before it is answered; it takes effect all the same.
    Late(String, Kind),
}

impl Base {
    /// Puts it on the scene.
    pub(super) fn put(&self, inner: &mut Inner) {
        let forward = Direction::Forward;
        match self {
            Self::Refused(step) => inner.faults.push(Trouble::new(step, forward, How::Refused, LASTING)),
            Self::Late(step, Kind::Call) => inner.faults.push(Trouble::new(step, forward, How::Unheard, 1)),
            Self::Late(step, _) => inner.mail.push(Trouble::new(step, forward, Mail::Held, 1)),
        }
    }

    fn step(&self) -> &str {
        match self {
            Self::Refused(step) | Self::Late(step, _) => step,
        }
    }
}

impl Cell {
    /// Nothing happens, but what turns the saga round if something does.
    pub(super) fn clean(saga: &str, base: Option<Base>) -> Self {
        let (name, end) = match &base {
            None => (format!("{saga}/clean"), End::Completed),
            Some(base) => (format!("{saga}/turned-round-by-{}", base.step()), End::Compensated),
        };
        Self {
            name,
            base,
            fault: None,
            mail: None,
            death: None,
            starts: 1,
            stuck: Stuck::No,
            ends: vec![end],
        }
    }
}

/// What makes a saga turn round so that this step is compensated; none if nothing does.
pub(super) fn base_for(shape: &Shape, stage: usize, step: &StepShape) -> Option<Base> {
    let behind = shape.stages[stage..].iter().flatten();
    let mut deciding = behind.filter(|s| s.place != Place::After && s.name != step.name);
    match deciding.next_back() {
        Some(decides) => Some(Base::Refused(decides.name.to_owned())),
        None if step.kind != Kind::Local => Some(Base::Late(step.name.to_owned(), step.kind)),
        // It is the last, and made here: once it is done nothing can refuse.
        None => None,
    }
}

/// The cells of a saga, without those in which a process dies.
pub(super) fn cells(shape: &Shape) -> Vec<Cell> {
    let mut cells = vec![Cell {
        name: format!("{}/started-twice", shape.name),
        starts: 2,
        ..Cell::clean(shape.name, None)
    }];
    for (n, stage) in shape.stages.iter().enumerate() {
        for step in stage {
            cells.extend(of_step(shape, step, step.kind, Direction::Forward, None));
            let base = base_for(shape, n, step);
            if let (Some(kind), Some(base)) = (step.compensation, base) {
                cells.extend(of_step(shape, step, kind, Direction::Compensate, Some(base)));
            }
        }
    }
    cells
}

fn of_step(shape: &Shape, step: &StepShape, kind: Kind, direction: Direction, base: Option<Base>) -> Vec<Cell> {
    let clean = Cell::clean(shape.name, base);
    let fault = |what, times| Some(Trouble::new(step.name, direction, what, times));
    let mail = |what| Some(Trouble::new(step.name, direction, what, 1));
    let mut cells = Vec::new();
    let mut add = |name: &str, cell: Cell| {
        cells.push(Cell {
            name: format!("{}/{}/{}/{name}", shape.name, step.name, direction.word()),
            ..cell
        });
    };
    let revocable = direction == Direction::Forward && step.place == Place::Before;
    let refusable = direction == Direction::Forward && step.place != Place::After;
    // A first local step's refusal or fault ends the transaction that would start the saga.
    let turned = match kind {
        Kind::Local => vec![End::Compensated, End::NotStarted],
        _ => vec![End::Compensated],
    };

    let refused = Cell {
        fault: fault(How::Refused, LASTING),
        ..clean.clone()
    };
    add(
        "refused",
        match refusable {
            true => Cell {
                ends: turned.clone(),
                ..refused
            },
            false => Cell {
                stuck: Stuck::UntilAskedAnew,
                ..refused
            },
        },
    );
    add(
        "fails-once",
        Cell {
            fault: fault(How::Fails, 1),
            ..clean.clone()
        },
    );
    let failing = Cell {
        fault: fault(How::Fails, LASTING),
        ..clean.clone()
    };
    add(
        "keeps-failing",
        match (revocable, kind) {
            // Its compensation waits behind it at the participant.
            (true, Kind::Invoke) => Cell {
                stuck: Stuck::UntilHealed,
                ends: turned.clone(),
                ..failing
            },
            (true, _) => Cell {
                ends: turned.clone(),
                ..failing
            },
            (false, _) => Cell {
                stuck: Stuck::UntilHealed,
                ..failing
            },
        },
    );
    if kind == Kind::Local {
        return cells;
    }

    let late = Cell {
        ends: match revocable {
            true => vec![End::Compensated],
            false => clean.ends.clone(),
        },
        ..clean.clone()
    };
    let (lost, held) = match kind {
        Kind::Call => (
            Cell {
                fault: fault(How::Lost, 1),
                ..late.clone()
            },
            Cell {
                fault: fault(How::Unheard, 1),
                ..late.clone()
            },
        ),
        _ => (
            Cell {
                mail: mail(Mail::Lost),
                ..late.clone()
            },
            Cell {
                mail: mail(Mail::Held),
                ..late.clone()
            },
        ),
    };
    add("times-out", lost);
    add("succeeds-late", held);
    add(
        "answers-twice",
        Cell {
            mail: mail(Mail::AnsweredTwice),
            ..clean.clone()
        },
    );
    if kind == Kind::Invoke {
        for (name, what) in [("runs-twice", Mail::DeliveredTwice), ("asked-twice", Mail::AskedTwice)] {
            add(
                name,
                Cell {
                    mail: mail(what),
                    ..clean.clone()
                },
            );
        }
        if revocable && step.compensation.is_some() {
            add(
                "compensation-first",
                Cell {
                    mail: mail(Mail::Overtaken),
                    ..late
                },
            );
        }
    }
    cells
}

/// A death before and after each statement of a run that served a step in this direction, or the event of the saga's end.
pub(super) fn deaths(saga: &str, base: Option<&Base>, run: &[Statement]) -> Vec<Cell> {
    let clean = Cell::clean(saga, base.cloned());
    let mut counted: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut cells = Vec::new();
    for (at, statement) in run.iter().enumerate() {
        let Some((what, direction)) = &statement.serves else {
            continue;
        };
        let place = match base {
            None => format!("{saga}/{what}/{direction}"),
            // Up to where it turns round it is as without: those are cells already.
            Some(base) if *direction == "forward" && base.step() == what => format!("{saga}/{what}/turning-round"),
            Some(_) if *direction == "forward" => continue,
            Some(base) => format!("{saga}/{what}/{direction}-after-{}", base.step()),
        };
        let n = counted.entry(place.clone()).or_default();
        *n += 1;
        let mut edges = vec![("before", Edge::Before), ("after", Edge::After)];
        if statement.is_commit {
            edges.push(("cut-off-after", Edge::Cut));
        }
        for (word, edge) in edges {
            let killed = if edge == Edge::Cut {
                word.to_owned()
            } else {
                format!("killed-{word}")
            };
            let mut ends = clean.ends.clone();
            // Whoever dies before it is written down that the time was over asks again, and is answered.
            if matches!(base, Some(Base::Late(step, _)) if step == what) {
                ends.push(End::Completed);
            }
            cells.push(Cell {
                name: format!("{place}/{killed}-statement-{n}"),
                death: Some((at, edge)),
                ends,
                ..clean.clone()
            });
        }
    }
    cells
}
