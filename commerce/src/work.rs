//! The beat of work that goes on in the background: a step, a pause, the next step.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The part of a pause by which it is longer or shorter, so that several machines do not all look at
/// the same moment.
const JITTER: f64 = 0.1;

/// When the next step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There was more to do than the step could.
    AtOnce,
    /// After the pause.
    Later,
}

/// Does a step again and again until it is told to stop. A step that has begun is ended.
pub async fn repeat<F>(interval: Duration, stop: CancellationToken, mut step: impl FnMut() -> F)
where
    F: Future<Output = Next>,
{
    while !stop.is_cancelled() {
        if step().await == Next::AtOnce {
            continue;
        }
        let pause = interval.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
}
