//! How much memory bodies may take, over all requests: what is promised to one is not there for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

use super::Refusal;

/// Bytes that requests under way may hold together.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Total>);

#[derive(Debug)]
struct Total {
    bytes: AtomicUsize,
    bytes_max: usize,
    gauge: IntGauge,
}

/// What one request holds; given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes_max: usize, gauge: IntGauge) -> Self {
        Self(Arc::new(Total { bytes: AtomicUsize::new(0), bytes_max, gauge }))
    }

    /// A reservation of nothing yet.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    fn report(&self, bytes: usize) {
        self.0.gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl Reservation {
    /// Takes `bytes` more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let total = &self.budget.0;
        let grown = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= total.bytes_max);
        match total.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, grown) {
            Ok(before) => {
                self.bytes += bytes;
                self.budget.report(before + bytes);
                Ok(())
            }
            Err(_) => Err(Refusal::Busy),
        }
    }
}

impl Reservation {
    /// Gives `bytes` back.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        let before = self.budget.0.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.budget.report(before - bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_another_cannot_take_until_it_is_given_back() {
        let gauge = IntGauge::new("bytes", "bytes").expect("a valid name");
        let budget = Budget::new(10, gauge.clone());
        let (mut first, mut second) = (budget.reservation(), budget.reservation());
        assert!(first.grow(6).is_ok() && second.grow(4).is_ok());
        assert!(matches!(second.grow(1), Err(Refusal::Busy)));
        assert_eq!(gauge.get(), 10);
        drop(first);
        assert!(second.grow(6).is_ok());
        drop(second);
        assert_eq!(gauge.get(), 0);
    }
}
