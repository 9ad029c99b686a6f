//! The subscriber: takes MO from whichever router lives, books them, and acknowledges them a moment
//! later, so that each kill finds some that are not acknowledged yet.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sampan::rpc::proto::{
    Acknowledge, Event, ReceiveRequest, Subscribe, event::Kind, receive_request::Request,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    ledger::{Handed, Life},
    message::Shape,
};
use crate::{EndureError, router};

/// Acknowledgements that wait for the connection.
const ACKNOWLEDGEMENTS: usize = 1_024;
/// Events that it leaves unacknowledged: all that come within the moment.
const UNACKNOWLEDGED_MAX: u32 = 10_000;
/// The pause before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// The router that lives, or `None` between two.
#[derive(Clone, Debug, Default)]
pub(super) struct Living {
    pub(super) life: Life,
    pub(super) rpc: Option<String>,
}

/// What the subscriber has got.
#[derive(Default)]
pub(super) struct Booked {
    /// By the MO's number, in the order of the deliveries.
    pub(super) handed: HashMap<u64, Vec<Handed>>,
    pub(super) deliveries: u64,
    /// Texts that are none of the run's, and receipts, which nobody asked for.
    pub(super) strange: u64,
}

/// A running subscriber; it ends when it is dropped.
pub(super) struct Subscriber {
    booked: Arc<Mutex<Booked>>,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Takes MO from each router that `living` names, and acknowledges them after `hold`.
    pub(super) fn start(living: watch::Receiver<Living>, shape: Shape, hold: Duration) -> Self {
        let booked = Arc::new(Mutex::default());
        let task = Task {
            living,
            shape,
            hold,
            booked: Arc::clone(&booked),
        };
        Self {
            booked,
            task: tokio::spawn(task.run()),
        }
    }

    pub(super) fn booked(&self) -> MutexGuard<'_, Booked> {
        locked(&self.booked)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(booked: &Mutex<Booked>) -> MutexGuard<'_, Booked> {
    booked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A batch that was booked and is to be acknowledged.
struct Owed {
    due: Instant,
    delivery_ids: Vec<u64>,
    /// Where each delivery is booked: the MO and the place among its deliveries.
    places: Vec<(u64, usize)>,
}

struct Task {
    living: watch::Receiver<Living>,
    shape: Shape,
    hold: Duration,
    booked: Arc<Mutex<Booked>>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let living = self.living.borrow_and_update().clone();
            match living.rpc {
                // A call that failed is made again; what is missing in the end fails the verdict.
                Some(rpc) => drop(self.receive(living.life, &rpc).await),
                None => {
                    if self.living.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// Receives until the router is gone.
    async fn receive(&self, life: Life, rpc: &str) -> Result<(), EndureError> {
        let mut client = router::messaging(rpc).await?;
        let (requests, sent) = mpsc::channel(ACKNOWLEDGEMENTS);
        let subscribe = Subscribe {
            max_unacknowledged: UNACKNOWLEDGED_MAX,
            ..Subscribe::default()
        };
        // There is room, and the other end is in our hands.
        requests
            .send(request(Request::Subscribe(subscribe)))
            .await
            .ok();
        let call = client.receive(ReceiverStream::new(sent)).await?;
        let mut batches = call.into_inner();
        let mut owed: VecDeque<Owed> = VecDeque::new();
        loop {
            let due = owed.front().map(|first| first.due);
            tokio::select! {
                batch = batches.message() => match batch? {
                    Some(batch) => owed.push_back(self.book(life, batch.events)),
                    None => return Ok(()),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    let Some(Owed { delivery_ids, places, .. }) = owed.pop_front() else { continue };
                    let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
                    if requests.send(request(acknowledge)).await.is_err() {
                        return Ok(());
                    }
                    self.acknowledged(&places);
                }
            }
        }
    }

    fn book(&self, life: Life, events: Vec<Event>) -> Owed {
        let mut booked = locked(&self.booked);
        let mut owed = Owed {
            due: Instant::now() + self.hold,
            delivery_ids: Vec::with_capacity(events.len()),
            places: Vec::with_capacity(events.len()),
        };
        for event in events {
            booked.deliveries += 1;
            owed.delivery_ids.push(event.delivery_id);
            let text = match event.kind {
                Some(Kind::Message(message)) => message.text.unwrap_or_default(),
                _ => String::new(),
            };
            let Some(number) = self.shape.number(&text) else {
                booked.strange += 1;
                continue;
            };
            let handed = booked.handed.entry(number).or_default();
            owed.places.push((number, handed.len()));
            handed.push(Handed {
                life,
                redelivered: event.redelivered,
                acknowledged: None,
            });
        }
        owed
    }

    fn acknowledged(&self, places: &[(u64, usize)]) {
        let now = Instant::now();
        let mut booked = locked(&self.booked);
        for (number, place) in places {
            let handed = booked.handed.get_mut(number);
            if let Some(handed) = handed.and_then(|handed| handed.get_mut(*place)) {
                handed.acknowledged = Some(now);
            }
        }
    }
}

fn request(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}
