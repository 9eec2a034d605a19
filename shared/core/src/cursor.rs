//! The cursor of a box as a contiguous low-water mark: how far *everything* is committed.
//!
//! Updates come in batches (one live container, or one slice of a difference); a batch carries the state of the boxes after it.
//! Conversations commit out of order among each other, so batches are settled out of order too; the mark only ever moves over an unbroken
//! run of settled batches. Invariant: the state that [`LowWater::settle`] returns has nothing unsettled before it.
//! A crash therefore replays what was in flight, and the watermarks turn the replays away. What a cursor must never do is skip.

use std::collections::VecDeque;

/// A batch that is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Batch<S> {
    unsettled: usize,
    state_after: S,
}

/// Tracks batches in the order in which they came. `S` is the cursor that holds after a batch.
#[derive(Debug)]
pub struct LowWater<S> {
    first: u64,
    batches: VecDeque<Batch<S>>,
}

impl<S> Default for LowWater<S> {
    fn default() -> Self {
        Self {
            first: 0,
            batches: VecDeque::new(),
        }
    }
}

impl<S> LowWater<S> {
    /// A batch of `items` updates has come in. Each is settled once; with no items the batch waits only for those before it.
    pub fn open(&mut self, items: usize, state_after: S) -> Ticket {
        let ticket = Ticket(self.first + self.batches.len() as u64);
        self.batches.push_back(Batch {
            unsettled: items,
            state_after,
        });
        ticket
    }

    /// One update of the batch is committed, or known to need nothing.
    ///
    /// # Panics
    /// When a batch is settled more often than it has items: an acknowledgement for nothing would let the cursor skip.
    pub fn settle(&mut self, ticket: Ticket) {
        let at = ticket.0.checked_sub(self.first).map(|at| at as usize);
        let batch = at.and_then(|at| self.batches.get_mut(at));
        let Some(batch) = batch.filter(|batch| batch.unsettled > 0) else {
            panic!("{ticket:?} was settled more often than it has items");
        };
        batch.unsettled -= 1;
    }

    /// Takes the settled run at the front; returns the state after it, if there is one.
    pub fn advance(&mut self) -> Option<S> {
        let mut reached = None;
        while self
            .batches
            .front()
            .is_some_and(|batch| batch.unsettled == 0)
        {
            reached = self.batches.pop_front().map(|batch| batch.state_after);
            self.first += 1;
        }
        reached
    }

    /// Batches in flight.
    pub fn in_flight(&self) -> usize {
        self.batches.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_moves_only_over_an_unbroken_run() {
        let mut water = LowWater::default();
        let a = water.open(2, 10);
        let b = water.open(1, 20);
        water.settle(b);
        assert_eq!(water.advance(), None, "b is settled, a is not");
        water.settle(a);
        assert_eq!(water.advance(), None, "a has another item");
        water.settle(a);
        assert_eq!(water.advance(), Some(20));
        assert_eq!(water.advance(), None);
    }

    #[test]
    fn an_empty_batch_moves_the_mark_in_its_turn() {
        let mut water = LowWater::default();
        let a = water.open(1, 10);
        water.open(0, 30);
        assert_eq!(water.advance(), None);
        water.settle(a);
        assert_eq!(water.advance(), Some(30));
        assert_eq!(water.in_flight(), 0);
    }

    #[test]
    #[should_panic(expected = "more often than it has items")]
    fn settling_twice_is_a_bug_and_stops() {
        let mut water = LowWater::default();
        let a = water.open(1, 10);
        water.settle(a);
        water.settle(a);
    }
}
