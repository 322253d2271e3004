//! Positions that were asked for lately: a client that sends its last position with every request asks the producer once, and is
//! answered while the producer is down.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::position::Position;
use crate::subscription::Wanted;

/// Positions remembered: some hundred bytes each.
const POSITIONS_MAX: usize = 1_024;

/// Where cursors have to stand for a position. That stays true: within an epoch messages keep their places.
#[derive(Debug, Default)]
pub(super) struct Resolved(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    wanted: HashMap<Position, Vec<Wanted>>,
    /// The oldest first.
    order: VecDeque<Position>,
}

impl Resolved {
    pub(super) fn get(&self, position: &Position) -> Option<Vec<Wanted>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.wanted.get(position).cloned()
    }

    pub(super) fn keep(&self, position: &Position, wanted: &[Wanted]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.wanted.insert(position.clone(), wanted.to_vec()).is_some() {
            return;
        }
        known.order.push_back(position.clone());
        if known.order.len() > POSITIONS_MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.wanted.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_positions_are_forgotten() {
        let resolved = Resolved::default();
        let position = |n: usize| Position::new("product", 1, n as u64);
        let wanted = [Wanted::new("copies", "product", "product.products", 1, 7)];
        for n in 1..=POSITIONS_MAX + 1 {
            resolved.keep(&position(n), &wanted);
            resolved.keep(&position(n), &wanted);
        }
        assert_eq!(resolved.get(&position(1)), None);
        assert_eq!(resolved.get(&position(2)).as_deref(), Some(&wanted[..]));
        assert_eq!(resolved.get(&position(POSITIONS_MAX + 1)).as_deref(), Some(&wanted[..]));
    }
}
