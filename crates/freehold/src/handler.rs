//! Behaviour: what a service does when it hears an event or is sent a command, as plain async functions.

use std::collections::HashMap;
use std::future::Future;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Result;
use crate::message::Received;
use crate::tx::Tx;

/// A fact as a service tells or hears it: a serde type with a constant name.
///
/// Unknown fields of what arrives are ignored, so an event type may grow; what is missing or of another type is the message's
/// fault, and sets its key aside.
pub trait Event: Serialize + DeserializeOwned + Send + 'static {
    /// Written whole: `order.confirmed`, or `user.users.deleted` for a row event.
    const NAME: &'static str;
}

/// A request to one service, in the imperative.
pub trait Command: Serialize + DeserializeOwned + Send + 'static {
    /// Written whole: `product.reserve_stock`.
    const NAME: &'static str;
    /// What the service answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// An event's function: `async fn(E, &mut Tx) -> Result<()>`.
pub trait OnEvent<'t, E>: Send + Sync {
    /// What it returns.
    type Future: Future<Output = Result<()>> + Send + 't;
    /// Calls it.
    fn call(&self, event: E, tx: &'t mut Tx) -> Self::Future;
}

impl<'t, E, F, Fut> OnEvent<'t, E> for F
where
    F: Fn(E, &'t mut Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send + 't,
{
    type Future = Fut;
    fn call(&self, event: E, tx: &'t mut Tx) -> Fut {
        self(event, tx)
    }
}

/// A command's function: `async fn(C, &mut Tx) -> Result<C::Reply>`.
///
/// A business "no" is [`refuse`](crate::refuse): what the function wrote is rolled back, and the sender is told. Any other
/// error is a fault: the command's key is set aside and tried again.
pub trait OnCommand<'t, C: Command>: Send + Sync {
    /// What it returns.
    type Future: Future<Output = Result<C::Reply>> + Send + 't;
    /// Calls it.
    fn call(&self, command: C, tx: &'t mut Tx) -> Self::Future;
}

impl<'t, C, F, Fut> OnCommand<'t, C> for F
where
    C: Command,
    F: Fn(C, &'t mut Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<C::Reply>> + Send + 't,
{
    type Future = Fut;
    fn call(&self, command: C, tx: &'t mut Tx) -> Fut {
        self(command, tx)
    }
}

type EventFn = Box<dyn for<'t> Fn(&Received, &'t mut Tx) -> Result<BoxFuture<'t, Result<()>>> + Send + Sync>;
type CommandFn = Box<dyn for<'t> Fn(&str, &'t mut Tx) -> Result<BoxFuture<'t, Result<Value>>> + Send + Sync>;

/// The functions of a service, by the name of what they are for.
#[derive(Default)]
pub(crate) struct Handlers {
    events: HashMap<&'static str, Vec<EventFn>>,
    commands: HashMap<&'static str, CommandFn>,
}

impl Handlers {
    pub(crate) fn on<E: Event>(&mut self, f: impl for<'t> OnEvent<'t, E> + 'static) {
        let boxed: EventFn = Box::new(move |received, tx| {
            let event: E = serde_json::from_str(received.data.get())?;
            Ok(Box::pin(f.call(event, tx)))
        });
        self.events.entry(E::NAME).or_default().push(boxed);
    }

    pub(crate) fn obey<C: Command>(&mut self, f: impl for<'t> OnCommand<'t, C> + 'static) -> Option<()> {
        let boxed: CommandFn = Box::new(move |data, tx| {
            let command: C = serde_json::from_str(data)?;
            let made = f.call(command, tx);
            Ok(Box::pin(async move { Ok(serde_json::to_value(made.await?)?) }))
        });
        self.commands.insert(C::NAME, boxed).map(|_| ())
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &'static str> {
        self.events.keys().copied()
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.commands.keys().copied()
    }

    /// Calls every function of an event in the order they were registered; an event nobody registered for is passed over.
    pub(crate) async fn event(&self, received: &Received, tx: &mut Tx) -> Result<()> {
        for f in self.events.get(received.kind.as_str()).into_iter().flatten() {
            f(received, tx)?.await?;
        }
        Ok(())
    }

    /// Calls a command's function; none if there is none.
    pub(crate) async fn command(&self, name: &str, data: &str, tx: &mut Tx) -> Option<Result<Value>> {
        let f = self.commands.get(name)?;
        Some(match f(data, tx) {
            Ok(made) => made.await,
            Err(error) => Err(error),
        })
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handlers")
            .field("events", &self.events.keys())
            .field("commands", &self.commands.keys())
            .finish()
    }
}
