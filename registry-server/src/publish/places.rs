//! How many publishes are taken in at once: in all, and from one address.
//!
//! Whoever sends slowly has a place for hours. So a place costs next to nothing, there are many, and nobody gets all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::error::ApiError;

/// How long somebody waits for a place before they hear that there is none.
const WAIT: Duration = Duration::from_secs(5);
/// How long a publish that was received waits for its turn to be unpacked.
const TURN: Duration = Duration::from_secs(30);

/// The places of those who send, and the turns of what was received.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: usize,
    /// Addresses somebody sends from, or waits to.
    addresses: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    turns: Arc<Semaphore>,
    wait: Duration,
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.senders.max(1))),
            each: limits.senders_per_address.max(1),
            addresses: Mutex::default(),
            turns: Arc::new(Semaphore::new(limits.publishes.max(1))),
            wait: WAIT,
        }
    }

    /// A place to send from this address; without one, from this machine.
    ///
    /// # Errors
    /// There is none for some seconds.
    pub async fn take(&self, address: Option<IpAddr>) -> Result<Place, ApiError> {
        let own = match address.map(|address| self.of(address)) {
            Some(own) => Some(self.wait_for(own, "this address sends as many publishes as it may").await?),
            None => None,
        };
        let all = self.wait_for(Arc::clone(&self.all), "as many publishes as this server takes are being sent").await?;
        Ok(Place { _own: own, _all: all })
    }

    /// The turn of a publish that was received: as many have one as memory is meant for.
    ///
    /// # Errors
    /// It does not come for a while.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| busy("other publishes take long"))
    }

    fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has a place or waits for one holds on to the semaphore.
        addresses.retain(|_, own| Arc::strong_count(own) > 1);
        Arc::clone(addresses.entry(address).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }

    async fn wait_for(&self, places: Arc<Semaphore>, message: &str) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = tokio::time::timeout(self.wait, places.acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| busy(message))
    }
}

fn busy(message: &str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(senders: usize, senders_per_address: usize) -> Places {
        let limits = Limits { senders, senders_per_address, ..Limits::default() };
        Places { wait: Duration::from_millis(20), ..Places::new(&limits) }
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[tokio::test]
    async fn an_address_that_sends_slowly_leaves_places_to_others() {
        let places = places(4, 2);
        let held = [places.take(address(1)).await.expect("a place"), places.take(address(1)).await.expect("a place")];
        let refused = places.take(address(1)).await.expect_err("it has two");
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(format!("{refused:?}").contains("this address"), "{refused:?}");
        let other = places.take(address(2)).await.expect("another has places of its own");
        let local = places.take(None).await.expect("this machine is no address");
        assert!(places.take(address(3)).await.is_err(), "there are four in all");
        drop(held);
        places.take(address(1)).await.expect("its places are free again");
        drop((other, local));
        places.take(address(4)).await.expect("a place");
        assert_eq!(places.addresses.lock().expect("a lock").len(), 1, "who is gone is forgotten");
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_becomes_free() {
        let places = Arc::new(Places { wait: Duration::from_secs(60), ..places(1, 1) });
        let first = places.take(address(1)).await.expect("a place");
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(address(1)).await.map(drop) }
        });
        drop(first);
        waiting.await.expect("it ends").expect("a place");
    }
}
