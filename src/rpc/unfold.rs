//! A stream that is the repetition of one asynchronous step, without a task of its own.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio_stream::Stream;
use tokio_util::sync::ReusableBoxFuture;

/// Something that yields items one after another.
pub(super) trait Steps: Sized + Send + 'static {
    /// What is yielded.
    type Item: Send + 'static;

    /// The next item with what comes after it; `None` is the end.
    fn step(self) -> impl Future<Output = Step<Self>> + Send;
}

/// What a step ends in.
pub(super) type Step<S> = Option<(<S as Steps>::Item, S)>;

/// The stream of the steps. It is driven by whoever polls it, so nothing is done for a caller that
/// does not read. One allocation serves all steps.
pub(super) struct Unfold<S: Steps> {
    /// `None` after the end.
    next: Option<ReusableBoxFuture<'static, Step<S>>>,
}

impl<S: Steps> Unfold<S> {
    pub(super) fn new(steps: S) -> Self {
        Self {
            next: Some(ReusableBoxFuture::new(steps.step())),
        }
    }
}

impl<S: Steps> Stream for Unfold<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        match ready!(next.poll(cx)) {
            Some((item, steps)) => {
                next.set(steps.step());
                Poll::Ready(Some(item))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}
