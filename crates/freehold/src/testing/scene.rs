//! What a test does to the code under it: faults, lost and doubled messages, and the death of the process at one statement.
//!
//! A scene belongs to the task that plays it. Outside of one the hooks do nothing.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::{Error, Result, refuse};
use crate::interfere::Instead;
use crate::saga::engine::Direction;

tokio::task_local! {
    static SCENE: Arc<Scene>;
}

/// What happens to a step where it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is refused.
    Refused,
    /// It fails.
    Fails,
    /// A call: it is not made, and not answered in time.
    Lost,
    /// A call: it is made, and not answered in time.
    Unheard,
}

/// What happens to a step's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mail {
    /// The command never arrives.
    Lost,
    /// The command arrives after the time for its answer is over.
    Held,
    /// The command arrives after its compensation.
    Overtaken,
    /// The reply arrives twice; a call is made and answered twice.
    AnsweredTwice,
    /// The command arrives twice.
    DeliveredTwice,
    /// The command is sent twice.
    AskedTwice,
}

/// Something that happens to a step.
#[derive(Debug, Clone)]
pub(super) struct Trouble<T> {
    pub(super) step: String,
    pub(super) direction: Direction,
    pub(super) what: T,
    /// How often still; [`LASTING`] until it is healed.
    pub(super) left: u32,
    /// Whether it ever happened.
    pub(super) met: bool,
}

/// A trouble that lasts.
pub(super) const LASTING: u32 = u32::MAX;

impl<T> Trouble<T> {
    pub(super) fn new(step: &str, direction: Direction, what: T, times: u32) -> Self {
        Self {
            step: step.to_owned(),
            direction,
            what,
            left: times,
            met: false,
        }
    }

    fn is_of(&self, step: &str, direction: Direction) -> bool {
        self.left > 0 && self.step == step && self.direction == direction
    }

    fn happens(&mut self) {
        self.met = true;
        if self.left != LASTING {
            self.left -= 1;
        }
    }
}

/// Which side of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// It is not sent.
    Before,
    /// It was carried out.
    After,
    /// A commit: it was carried out, the connection is lost, and the process lives to see it.
    Cut,
}

/// A statement that was run, and what it served.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// Step or event, and `forward`, `compensate` or `heard`.
    pub(super) serves: Option<(String, &'static str)>,
    pub(super) is_commit: bool,
}

/// One cell's scene.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    inner: Mutex<Inner>,
    died: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) faults: Vec<Trouble<How>>,
    pub(super) mail: Vec<Trouble<Mail>>,
    pub(super) death: Option<(usize, Edge)>,
    pub(super) plant: Option<&'static str>,
    pub(super) statements: Vec<Statement>,
    /// The first statement of the transaction that was begun last.
    begun: usize,
    serves: Option<(String, &'static str)>,
}

impl Scene {
    pub(super) fn new(fill: impl FnOnce(&mut Inner)) -> Arc<Self> {
        let scene = Self::default();
        fill(&mut scene.inner());
        Arc::new(scene)
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays `play` in this scene.
    pub(super) async fn play<F: Future>(self: &Arc<Self>, play: F) -> F::Output {
        SCENE.scope(Arc::clone(self), play).await
    }

    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    pub(crate) fn begins(&self) {
        let mut inner = self.inner();
        inner.begun = inner.statements.len();
        inner.serves = None;
    }

    pub(crate) fn about(&self, what: &str, direction: &'static str) {
        let mut inner = self.inner();
        let serves = Some((what.to_owned(), direction));
        let begun = inner.begun;
        // What a transaction does before it is known whom it serves, it does for the first.
        for statement in inner.statements[begun..].iter_mut().filter(|s| s.serves.is_none()) {
            statement.serves.clone_from(&serves);
        }
        inner.serves = serves;
    }

    fn fault(&self, step: &str, direction: Direction, hows: &[How]) -> Option<How> {
        let mut inner = self.inner();
        let mut faults = inner.faults.iter_mut();
        let fault = faults.find(|f| f.is_of(step, direction) && hows.contains(&f.what))?;
        fault.happens();
        Some(fault.what)
    }

    /// Whether this happens to the step's messages now; then it has happened once more.
    pub(super) fn mail(&self, step: &str, direction: Direction, what: Mail) -> bool {
        let mut inner = self.inner();
        let mut mail = inner.mail.iter_mut();
        let found = mail.find(|m| m.is_of(step, direction) && m.what == what);
        found.map(Trouble::happens).is_some()
    }

    /// Whether this is still to happen to the step's messages.
    pub(super) fn expects(&self, step: &str, direction: Direction, what: Mail) -> bool {
        let inner = self.inner();
        inner.mail.iter().any(|m| m.is_of(step, direction) && m.what == what)
    }

    async fn at(&self, statement: usize, edge: Edge) {
        if self
            .inner()
            .death
            .take_if(|death| *death == (statement, edge))
            .is_some()
        {
            self.died.notify_one();
            // Nothing runs behind this point: whoever plays the scene drops what was under way.
            std::future::pending::<()>().await;
        }
    }
}

/// The scene being played, if any.
pub(super) fn current() -> Option<Arc<Scene>> {
    SCENE.try_with(Arc::clone).ok()
}

/// Tells the scene being played, if any.
pub(crate) fn with(tell: impl FnOnce(&Scene)) {
    if let Some(scene) = current() {
        tell(&scene);
    }
}

/// A statement is about to be sent; returns its number.
pub(crate) async fn before_statement() -> usize {
    let Some(scene) = current() else {
        return 0;
    };
    let number = {
        let mut inner = scene.inner();
        let serves = inner.serves.clone();
        inner.statements.push(Statement {
            serves,
            is_commit: false,
        });
        inner.statements.len() - 1
    };
    scene.at(number, Edge::Before).await;
    number
}

/// The statement was carried out.
pub(crate) async fn after_statement(number: usize) {
    if let Some(scene) = current() {
        scene.at(number, Edge::After).await;
    }
}

/// The statement before was a commit.
pub(crate) fn committed() -> Result<()> {
    let Some(scene) = current() else {
        return Ok(());
    };
    let mut inner = scene.inner();
    let Some(number) = inner.statements.len().checked_sub(1) else {
        return Ok(());
    };
    inner.statements[number].is_commit = true;
    match inner.death.take_if(|death| *death == (number, Edge::Cut)) {
        Some(_) => Err(Error::Gone),
        None => Ok(()),
    }
}

/// What the step meets where it is made.
pub(crate) fn step(step: &str, direction: Direction) -> Result<()> {
    let met = current().and_then(|scene| scene.fault(step, direction, &[How::Refused, How::Fails]));
    met.map_or(Ok(()), |how| Err(error(how)))
}

fn error(how: How) -> Error {
    match how {
        How::Refused => refuse("refused", "by the matrix"),
        _ => Error::other("a fault of the matrix"),
    }
}

/// What the call meets: it is handed back to be made, or something else came of it.
pub(crate) async fn call<F: Future>(step: &str, direction: Direction, call: F) -> Result<F, Instead> {
    let all = [How::Refused, How::Fails, How::Lost, How::Unheard];
    match current().and_then(|scene| scene.fault(step, direction, &all)) {
        None => Ok(call),
        Some(How::Lost) => Err(Instead::Silence),
        Some(How::Unheard) => {
            drop(call.await);
            Err(Instead::Silence)
        }
        Some(how) => Err(Instead::Error(error(how))),
    }
}

/// Whether the scene has this defect.
#[cfg(feature = "plant")]
pub(crate) fn is_planted(name: &str) -> bool {
    current().is_some_and(|scene| scene.inner().plant == Some(name))
}
