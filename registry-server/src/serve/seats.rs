//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The addresses that have connections, and no others.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<IpAddr, usize>>);

impl Seats {
    /// Takes a seat, unless the address has `most` of them.
    pub fn take(&self, address: IpAddr, most: usize) -> bool {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.get(&address).copied().unwrap_or_default();
        // Whoever is refused leaves nothing behind.
        let is_free = taken < most;
        if is_free {
            seats.insert(address, taken + 1);
        }
        is_free
    }

    /// Gives a seat up.
    pub fn give_up(&self, address: IpAddr) {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = seats.get_mut(&address) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_seats_and_is_forgotten_without_one() {
        let (seats, address) = (Seats::default(), IpAddr::from([192, 0, 2, 1]));
        assert_eq!([1, 2, 3].map(|_| seats.take(address, 2)), [true, true, false]);
        assert!(seats.take([192, 0, 2, 2].into(), 2));
        seats.give_up(address);
        assert!(seats.take(address, 2));
        for address in [[192, 0, 2, 1], [192, 0, 2, 1], [192, 0, 2, 2]] {
            seats.give_up(address.into());
        }
        assert!(!seats.take([192, 0, 2, 3].into(), 0), "none is free");
        assert!(seats.0.lock().expect("a lock").is_empty(), "who has none takes no memory");
    }
}
