//! What each request to the API and to the service's own routes passes first: the limits of load, then the wait for what it names.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::causal::Causal;
use crate::entity::gate::{Gate, discard};

/// Shared by all routes of a service: together they have the limits.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) gate: Gate,
    pub(super) causal: Causal,
}

pub(super) async fn within(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let (pass, request) = match front.gate.enter(request) {
        Ok(entered) => entered,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = front.causal.wait(request.headers()).await {
        discard(request.into_body());
        return problem.into_response();
    }
    let mut answer = next.run(request).await;
    front.causal.stamp(&mut answer);
    pass.leave(answer)
}
