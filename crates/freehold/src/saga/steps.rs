//! How a saga's steps are written down: functions of the service in an order, with what undoes them.
//!
//! Before the pivot every step says how it is undone, from the pivot on none does: anything else does not compile.

use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use super::Saga;
use super::engine::{Kind, Place, Shape, StepShape};
use crate::error::{Error, Result};
use crate::handler::Command;
use crate::tx::Tx;

/// How long a reply is awaited unless the step says otherwise: longer than a service takes to be restarted.
const TIMEOUT_INVOKE: Duration = Duration::from_secs(60);

/// How long a call outside may take unless the step says otherwise.
const TIMEOUT_CALL: Duration = Duration::from_secs(10);

/// A step's function in the orchestrator's own database: `async fn(&mut S, &mut Tx) -> Result<()>`.
pub trait LocalFn<'t, S>: Send + Sync {
    /// What it returns.
    type Future: Future<Output = Result<()>> + Send + 't;
    /// Calls it.
    fn call(&self, saga: &'t mut S, tx: &'t mut Tx) -> Self::Future;
}

impl<'t, S, F, Fut> LocalFn<'t, S> for F
where
    S: 't,
    F: Fn(&'t mut S, &'t mut Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send + 't,
{
    type Future = Fut;
    fn call(&self, saga: &'t mut S, tx: &'t mut Tx) -> Fut {
        self(saga, tx)
    }
}

/// A call outside any transaction that is being made.
#[derive(Debug, Clone)]
pub struct Call {
    /// The same for every attempt of the step: hand it to the third party as its idempotency key.
    pub id: Uuid,
    /// A compensation: the id of the call it undoes, which may still be on its way.
    pub undoes: Option<Uuid>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The saga's trace, to be sent on.
    pub traceparent: Option<String>,
}

/// What a call outside came to.
#[derive(Debug)]
pub enum Called<R> {
    /// The answer.
    Answered(R),
    /// It will come another way, by [`Tx::answer`]; after the step's timeout the call is made again.
    Pending,
}

type Local<S> = Arc<dyn for<'t> Fn(&'t mut S, &'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + Sync>;
type Build<S> = Arc<dyn Fn(&S) -> Result<Value> + Send + Sync>;
type Apply<S> = Arc<dyn Fn(&mut S, Value) -> Result<()> + Send + Sync>;
type Outside<S> = Arc<dyn Fn(S, Call) -> BoxFuture<'static, Result<Called<Value>>> + Send + Sync>;

/// How one direction of a step is made.
pub(crate) enum Way<S> {
    /// In our database.
    Local(Local<S>),
    /// By a command of this name.
    Invoke(&'static str, Build<S>),
    /// By a call.
    Call(Outside<S>),
}

impl<S> Way<S> {
    fn kind(&self) -> Kind {
        match self {
            Self::Local(_) => Kind::Local,
            Self::Invoke(..) => Kind::Invoke,
            Self::Call(_) => Kind::Call,
        }
    }
}

/// A step with everything said about it.
pub(crate) struct Step<S> {
    pub(crate) name: &'static str,
    pub(crate) forward: Way<S>,
    pub(crate) compensation: Option<Way<S>>,
    /// Takes the answer into the saga's fields.
    pub(crate) reply: Option<Apply<S>>,
    place: Place,
    timeout: Duration,
    since: u32,
    until: Option<u32>,
}

impl<S> Step<S> {
    fn new(name: &'static str, forward: Way<S>, timeout: Duration) -> Self {
        Self {
            name,
            forward,
            compensation: None,
            reply: None,
            place: Place::Before,
            timeout,
            since: 0,
            until: None,
        }
    }

    fn is_of(&self, version: u32) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }
}

fn boxed_local<S: Saga>(f: impl for<'t> LocalFn<'t, S> + 'static) -> Way<S> {
    Way::Local(Arc::new(move |saga, tx| Box::pin(f.call(saga, tx))))
}

fn boxed_command<S: Saga, C: Command>(build: impl Fn(&S) -> C + Send + Sync + 'static) -> Way<S> {
    Way::Invoke(C::NAME, Arc::new(move |saga| Ok(serde_json::to_value(build(saga))?)))
}

fn boxed_call<S, R, F, Fut>(f: F) -> Way<S>
where
    S: Saga,
    R: serde::Serialize,
    F: Fn(S, Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Called<R>>> + Send + 'static,
{
    Way::Call(Arc::new(move |saga, call| {
        let made = f(saga, call);
        Box::pin(async move {
            Ok(match made.await? {
                Called::Answered(answer) => Called::Answered(serde_json::to_value(answer)?),
                Called::Pending => Called::Pending,
            })
        })
    }))
}

fn boxed_apply<S, R: serde::de::DeserializeOwned>(apply: impl Fn(&mut S, R) + Send + Sync + 'static) -> Apply<S> {
    Arc::new(move |saga, answer| {
        apply(saga, serde_json::from_value(answer)?);
        Ok(())
    })
}

/// A step whose undoing has not been said: fit for the pivot and after it.
pub struct Plain<S>(Step<S>);

/// A step that can be undone: fit for before the pivot.
pub struct Undoable<S>(Step<S>);

macro_rules! common {
    ($($name:ident),*) => {$(
        impl<S> $name<S> {
            /// How long its answer is awaited; for its compensation too.
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.0.timeout = timeout;
                self
            }

            /// The step belongs to sagas started under this version of the definition or a later one.
            #[must_use]
            pub fn since(mut self, version: u32) -> Self {
                self.0.since = version;
                self
            }

            /// The step belongs to sagas started under versions before this one.
            #[must_use]
            pub fn until(mut self, version: u32) -> Self {
                self.0.until = Some(version);
                self
            }
        }

        impl<S> std::fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0.name).finish()
            }
        }
    )*};
}
common!(Plain, Undoable);

/// A step in this service's own database, in the transaction that led to it.
pub fn local<S: Saga>(name: &'static str, f: impl for<'t> LocalFn<'t, S> + 'static) -> LocalStep<S> {
    LocalStep(Step::new(name, boxed_local(f), TIMEOUT_INVOKE))
}

/// A step of another service: the command that `build` makes of the saga.
pub fn invoke<S: Saga, C: Command>(
    name: &'static str,
    build: impl Fn(&S) -> C + Send + Sync + 'static,
) -> InvokeStep<S, C> {
    InvokeStep(Step::new(name, boxed_command(build), TIMEOUT_INVOKE), PhantomData)
}

/// A step outside the system, made outside any transaction, and again with the same [`Call::id`] after a crash or a fault.
pub fn call<S, R, F, Fut>(name: &'static str, f: F) -> CallStep<S, R>
where
    S: Saga,
    R: serde::Serialize + serde::de::DeserializeOwned + 'static,
    F: Fn(S, Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Called<R>>> + Send + 'static,
{
    CallStep(Step::new(name, boxed_call(f), TIMEOUT_CALL), PhantomData)
}

/// See [`local`].
pub struct LocalStep<S>(Step<S>);

/// See [`invoke`].
pub struct InvokeStep<S, C>(Step<S>, PhantomData<fn() -> C>);

/// See [`call`].
pub struct CallStep<S, R>(Step<S>, PhantomData<fn() -> R>);

impl<S: Saga> LocalStep<S> {
    /// What undoes it.
    #[must_use]
    pub fn compensate(mut self, f: impl for<'t> LocalFn<'t, S> + 'static) -> Undoable<S> {
        self.0.compensation = Some(boxed_local(f));
        Undoable(self.0)
    }

    /// It leaves nothing behind that would have to be undone.
    #[must_use]
    pub fn nothing_to_undo(self) -> Undoable<S> {
        Undoable(self.0)
    }
}

impl<S: Saga, C: Command> InvokeStep<S, C> {
    /// Takes the reply into the saga's fields.
    #[must_use]
    pub fn reply(mut self, apply: impl Fn(&mut S, C::Reply) + Send + Sync + 'static) -> Self {
        self.0.reply = Some(boxed_apply(apply));
        self
    }

    /// The command that undoes it, at the same service. It is carried out there only if the step was.
    #[must_use]
    pub fn compensate<D: Command>(mut self, build: impl Fn(&S) -> D + Send + Sync + 'static) -> Undoable<S> {
        self.0.compensation = Some(boxed_command(build));
        Undoable(self.0)
    }

    /// It leaves nothing behind that would have to be undone.
    #[must_use]
    pub fn nothing_to_undo(self) -> Undoable<S> {
        Undoable(self.0)
    }
}

impl<S: Saga, R: serde::de::DeserializeOwned + 'static> CallStep<S, R> {
    /// Takes the answer into the saga's fields.
    #[must_use]
    pub fn reply(mut self, apply: impl Fn(&mut S, R) + Send + Sync + 'static) -> Self {
        self.0.reply = Some(boxed_apply(apply));
        self
    }

    /// The call that undoes it. It is made whenever the step may have taken effect, so it has to bear that it did not.
    #[must_use]
    pub fn compensate<F, Fut>(mut self, f: F) -> Undoable<S>
    where
        F: Fn(S, Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Called<()>>> + Send + 'static,
    {
        self.0.compensation = Some(boxed_call(f));
        Undoable(self.0)
    }
}

macro_rules! plain {
    ($($name:ident<S $(, $more:ident)?>),*) => {$(
        impl<S $(, $more)?> From<$name<S $(, $more)?>> for Plain<S> {
            fn from(step: $name<S $(, $more)?>) -> Self {
                Self(step.0)
            }
        }

        impl<S $(, $more)?> $name<S $(, $more)?> {
            /// How long its answer is awaited; for its compensation too.
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.0.timeout = timeout;
                self
            }

            /// The step belongs to sagas started under this version of the definition or a later one.
            #[must_use]
            pub fn since(mut self, version: u32) -> Self {
                self.0.since = version;
                self
            }

            /// The step belongs to sagas started under versions before this one.
            #[must_use]
            pub fn until(mut self, version: u32) -> Self {
                self.0.until = Some(version);
                self
            }
        }

        impl<S $(, $more)?> std::fmt::Debug for $name<S $(, $more)?> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0.name).finish()
            }
        }
    )*};
}
plain!(LocalStep<S>, InvokeStep<S, C>, CallStep<S, R>);

/// The steps of a saga up to its pivot.
pub struct Before<S>(Vec<Vec<Step<S>>>);

/// The steps of a saga.
pub struct Steps<S>(Vec<Vec<Step<S>>>);

impl<S: Saga> Steps<S> {
    /// The first of them follow.
    #[must_use]
    pub fn begin() -> Before<S> {
        Before(Vec::new())
    }

    /// One more, repeated until it succeeds.
    #[must_use]
    pub fn then(self, step: impl Into<Plain<S>>) -> Self {
        self.then_together([step.into()])
    }

    /// Several more at the same time, each repeated until it succeeds.
    #[must_use]
    pub fn then_together(mut self, steps: impl IntoIterator<Item = Plain<S>>) -> Self {
        self.0.push(placed(Place::After, steps.into_iter().map(|s| s.0)));
        self
    }
}

impl<S: Saga> Before<S> {
    /// One more that can be undone.
    #[must_use]
    pub fn step(self, step: Undoable<S>) -> Self {
        self.together([step])
    }

    /// Several more at the same time. If one is refused, the others are undone as soon as it is known.
    #[must_use]
    pub fn together(mut self, steps: impl IntoIterator<Item = Undoable<S>>) -> Self {
        self.0.push(placed(Place::Before, steps.into_iter().map(|s| s.0)));
        self
    }

    /// The step that decides: refused, everything before it is undone; done, everything after it is done too.
    #[must_use]
    pub fn pivot(mut self, step: impl Into<Plain<S>>) -> Steps<S> {
        self.0.push(placed(Place::Pivot, [step.into().0]));
        Steps(self.0)
    }

    /// Every step can be undone, to the last.
    #[must_use]
    pub fn without_pivot(self) -> Steps<S> {
        Steps(self.0)
    }
}

fn placed<S>(place: Place, steps: impl IntoIterator<Item = Step<S>>) -> Vec<Step<S>> {
    steps.into_iter().map(|step| Step { place, ..step }).collect()
}

impl<S> std::fmt::Debug for Steps<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().flatten().map(|s| s.name)).finish()
    }
}

impl<S> std::fmt::Debug for Before<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().flatten().map(|s| s.name)).finish()
    }
}

/// A saga's steps, ready to be run in every version of its definition.
pub(crate) struct Definition<S> {
    steps: HashMap<&'static str, Step<S>>,
    order: Vec<Vec<&'static str>>,
}

impl<S: Saga> Definition<S> {
    /// The definition of `S`.
    ///
    /// # Errors
    /// [`Error::Behaviour`] when two steps have one name: they could not be told apart when stored.
    pub(crate) fn new() -> Result<Self> {
        let mut definition = Self {
            steps: HashMap::new(),
            order: Vec::new(),
        };
        for stage in S::steps().0 {
            let mut names = Vec::new();
            for step in stage {
                let name = step.name;
                names.push(name);
                if definition.steps.insert(name, step).is_some() {
                    return Err(Error::Behaviour {
                        problem: format!("saga {} has two steps called {name}", S::NAME),
                        remedy: "give each step a name of its own".to_owned(),
                    });
                }
            }
            definition.order.push(names);
        }
        Ok(definition)
    }

    pub(crate) fn step(&self, name: &str) -> Option<&Step<S>> {
        self.steps.get(name)
    }

    /// The commands its steps send.
    pub(crate) fn commands(&self) -> Vec<&'static str> {
        let ways = self
            .steps
            .values()
            .flat_map(|s| [Some(&s.forward), s.compensation.as_ref()]);
        ways.flatten()
            .filter_map(|way| match way {
                Way::Invoke(name, _) => Some(*name),
                _ => None,
            })
            .collect()
    }

    /// The definition as of one version.
    pub(crate) fn shape(&self, version: u32) -> Shape {
        let stages = self.order.iter().map(|stage| {
            let steps = stage.iter().filter_map(|name| self.steps.get(name));
            steps
                .filter(|step| step.is_of(version))
                .map(|step| StepShape {
                    name: step.name,
                    kind: step.forward.kind(),
                    compensation: step.compensation.as_ref().map(Way::kind),
                    place: step.place,
                    timeout: step.timeout,
                })
                .collect::<Vec<_>>()
        });
        Shape {
            name: S::NAME,
            version,
            stages: stages.filter(|stage| !stage.is_empty()).collect(),
        }
    }
}
