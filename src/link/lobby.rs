//! Where connections that a peer has opened wait for a link that has none.
//!
//! They come in by the peer's door, which has looked at them, and each goes to one link. What finds
//! no link within its time is closed; nothing here waits for more than that.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::BytesMut;
use tokio::sync::Notify;

use super::tls::Stream;

/// Connections of one peer that wait at once. A peer opens one per link, and those that wait are the
/// few whose link has not noticed yet that its last connection is gone.
const WAITING_MAX: usize = 16;

/// A connection that the peer has opened, and what it has said on it so far.
pub(super) struct Arrived {
    pub(super) stream: Stream,
    pub(super) input: BytesMut,
    pub(super) from: SocketAddr,
    /// Until when it may wait for a link.
    pub(super) until: Instant,
}

/// The connections of one peer that wait.
#[derive(Default)]
pub(super) struct Lobby {
    waiting: Mutex<VecDeque<Arrived>>,
    came: Notify,
}

impl Lobby {
    /// Lets a connection wait.
    ///
    /// # Errors
    /// As many as may wait do so already; it comes back.
    pub(super) fn admit(&self, arrived: Arrived) -> Result<(), Box<Arrived>> {
        let mut waiting = self.lock();
        if waiting.len() == WAITING_MAX {
            return Err(Box::new(arrived));
        }
        waiting.push_back(arrived);
        drop(waiting);
        self.came.notify_one();
        Ok(())
    }

    /// The connection that has waited longest, for a link that has none. Safe to cancel: none is
    /// lost by it.
    pub(super) async fn next(&self) -> Arrived {
        loop {
            let came = self.came.notified();
            if let Some(arrived) = self.lock().pop_front() {
                return arrived;
            }
            came.await;
        }
    }

    /// Takes out those that have waited in vain.
    pub(super) fn take_overdue(&self, now: Instant) -> Vec<Arrived> {
        let mut waiting = self.lock();
        // All wait equally long, so the oldest come first.
        let overdue = waiting.iter().take_while(|own| own.until <= now).count();
        waiting.drain(..overdue).collect()
    }

    /// When [`Self::take_overdue`] has something to take, if no link does before.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.lock().front().map(|arrived| arrived.until)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        // A push or a pop leaves the queue whole, so a panic elsewhere spoils nothing.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn arrived(until: Instant) -> Arrived {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        Arrived {
            from: stream.peer_addr().unwrap(),
            stream: Stream::Plain(stream),
            input: BytesMut::new(),
            until,
        }
    }

    #[tokio::test]
    async fn each_connection_goes_to_one_link_and_a_link_that_gives_up_takes_none() {
        let (lobby, now) = (Arc::new(Lobby::default()), Instant::now());
        let link = |lobby: &Arc<Lobby>| {
            let lobby = Arc::clone(lobby);
            tokio::spawn(async move { lobby.next().await.from })
        };
        let (first, second, third) = (link(&lobby), link(&lobby), link(&lobby));
        tokio::task::yield_now().await;
        second.abort();
        let mut sources = Vec::new();
        for _ in 0..2 {
            let arrived = arrived(now).await;
            sources.push(arrived.from);
            assert!(lobby.admit(arrived).is_ok());
        }
        let mut taken = [first.await.unwrap(), third.await.unwrap()];
        taken.sort();
        sources.sort();
        assert_eq!(taken[..], sources[..]);
        assert!(lobby.next_overdue().is_none());
    }

    #[tokio::test]
    async fn what_no_link_takes_is_overdue_at_its_time_and_the_room_is_bounded() {
        let (lobby, now) = (Lobby::default(), Instant::now());
        for _ in 0..WAITING_MAX {
            assert!(lobby.admit(arrived(now).await).is_ok());
        }
        assert!(lobby.admit(arrived(now).await).is_err());
        assert_eq!(lobby.next_overdue(), Some(now));
        assert!(
            lobby
                .take_overdue(now - Duration::from_millis(1))
                .is_empty()
        );
        assert_eq!(lobby.take_overdue(now).len(), WAITING_MAX);
    }
}
