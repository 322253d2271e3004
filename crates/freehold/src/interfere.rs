//! Where tests step in: around each statement, and where a step is made. Without feature `testing` nothing happens here.

use std::future::Future;

use crate::error::{Error, Result};
use crate::saga::engine::Direction;
#[cfg(feature = "testing")]
use crate::testing::scene;

/// A transaction begins: its first statement follows.
pub(crate) fn begins() {
    #[cfg(feature = "testing")]
    scene::with(scene::Scene::begins);
}

/// Runs one statement; the process may be ended before or after it.
pub(crate) async fn statement<T>(made: impl Future<Output = T>) -> T {
    #[cfg(feature = "testing")]
    let number = scene::before_statement().await;
    let made = made.await;
    #[cfg(feature = "testing")]
    scene::after_statement(number).await;
    made
}

/// A transaction was committed; an error says that its connection was lost before that was known.
pub(crate) fn committed() -> Result<()> {
    #[cfg(feature = "testing")]
    return scene::committed();
    #[cfg(not(feature = "testing"))]
    Ok(())
}

/// What follows serves this step.
pub(crate) fn about(step: &str, direction: Direction) {
    #[cfg(feature = "testing")]
    scene::with(|scene| scene.about(step, direction.word()));
    #[cfg(not(feature = "testing"))]
    let _ = (step, direction);
}

/// What follows serves this event.
pub(crate) fn heard(event: &str) {
    #[cfg(feature = "testing")]
    scene::with(|scene| scene.about(event, "heard"));
    #[cfg(not(feature = "testing"))]
    let _ = event;
}

/// The step is about to be made in this database: its refusal or fault, if there is to be one.
pub(crate) fn step(step: &str, direction: Direction) -> Result<()> {
    about(step, direction);
    #[cfg(feature = "testing")]
    return scene::step(step, direction);
    #[cfg(not(feature = "testing"))]
    Ok(())
}

/// What became of a call instead of its own answer.
pub(crate) enum Instead {
    /// A refusal or a fault.
    Error(Error),
    /// No answer in time.
    Silence,
}

/// The call is about to be made: handed back to be made, or not.
pub(crate) async fn call<F: Future>(step: &str, direction: Direction, call: F) -> Result<F, Instead> {
    #[cfg(feature = "testing")]
    return scene::call(step, direction, call).await;
    #[cfg(not(feature = "testing"))]
    {
        let _ = (step, direction);
        // Never constructed outside tests.
        let _ = (Instead::Silence, Instead::Error);
        Ok(call)
    }
}

/// Whether a test planted this defect for itself alone.
#[cfg(feature = "plant")]
pub(crate) fn is_planted(name: &str) -> bool {
    #[cfg(feature = "testing")]
    return scene::is_planted(name);
    #[cfg(not(feature = "testing"))]
    {
        let _ = name;
        false
    }
}
