//! How many pushes are in the process and how many bytes they hold, and how many may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larch_telemetry::{Registry, Spec};

/// Bytes of all pushes at a time. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Inflight(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bound: u64,
    used: AtomicU64,
    most_pushes: u64,
    pushes: AtomicU64,
}

const INFLIGHT: Spec<0> = Spec {
    name: "larch_distributor_inflight_bytes",
    help: "Bytes of pushes that are being worked on, compressed or decompressed as they are held.",
    labels: [],
};

const PUSHES: Spec<0> =
    Spec { name: "larch_distributor_inflight_pushes", help: "Pushes that are being worked on.", labels: [] };

/// Pushes at a time where no bound is set. More wait for their bodies than are worked on; each of these
/// takes some 20 KB of memory besides its bytes.
const DEFAULT_PUSHES: u32 = 10_000;

/// The bound where none is set. A push of the largest size may come to twice as much once decompressed; a
/// few of these at a time must not take all memory there is.
const DEFAULT_BOUND: u64 = 1 << 30;

/// The bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The bytes of one push. They count until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    inflight: Inflight,
    bytes: u64,
}

impl Inflight {
    /// A bound of 0 stands for the default.
    pub(crate) fn new(bound: u64, most_pushes: u32, metrics: &Registry) -> Self {
        let bound = if bound == 0 { DEFAULT_BOUND } else { bound };
        let most_pushes = u64::from(if most_pushes == 0 { DEFAULT_PUSHES } else { most_pushes });
        let (used, pushes) = (AtomicU64::new(0), AtomicU64::new(0));
        let inflight = Self(Arc::new(Inner { bound, used, most_pushes, pushes }));
        let shown = inflight.clone();
        metrics.gauge_fn(INFLIGHT, move || vec![([], shown.0.used.load(Ordering::Relaxed) as f64)]);
        let shown = inflight.clone();
        metrics.gauge_fn(PUSHES, move || vec![([], shown.0.pushes.load(Ordering::Relaxed) as f64)]);
        inflight
    }

    /// One more push, if there may be one.
    pub(crate) fn hold(&self) -> Result<HeldBytes, Full> {
        let before = self.0.pushes.fetch_add(1, Ordering::Relaxed);
        // From here on it is counted off when it is dropped.
        let held = HeldBytes { inflight: self.clone(), bytes: 0 };
        if before >= self.0.most_pushes { Err(Full) } else { Ok(held) }
    }
}

impl HeldBytes {
    /// Counts more bytes, before memory is taken for them. A push that is alone is not held against the
    /// bound: its own limits allow it, and it would otherwise never pass.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = bytes as u64;
        let Inner { bound, used, .. } = &*self.inflight.0;
        let before = used.fetch_add(bytes, Ordering::Relaxed);
        let is_alone = before == self.bytes;
        if !is_alone && before.saturating_add(bytes) > *bound {
            used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Counts bytes no longer, once their memory is given back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.bytes);
        self.inflight.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.bytes -= bytes;
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.inflight.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.inflight.0.pushes.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_they_are_dropped() {
        let inflight = Inflight::new(10, 0, &Registry::default());
        let mut first = inflight.hold().unwrap();
        let mut second = inflight.hold().unwrap();
        assert_eq!(first.grow(7), Ok(()));
        assert_eq!(second.grow(4), Err(Full));
        assert_eq!(second.grow(3), Ok(()));
        first.shrink(2);
        assert_eq!(second.grow(2), Ok(()));
        drop(first);
        let mut third = inflight.hold().unwrap();
        assert_eq!(third.grow(6), Err(Full));
        assert_eq!(third.grow(5), Ok(()));
        drop((second, third));
        assert_eq!(inflight.0.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn pushes_are_bounded() {
        let inflight = Inflight::new(0, 2, &Registry::default());
        let first = inflight.hold().unwrap();
        let second = inflight.hold().unwrap();
        assert_eq!(inflight.hold().err(), Some(Full));
        assert_eq!(inflight.hold().err(), Some(Full), "who is turned away does not count");
        drop(first);
        let third = inflight.hold().unwrap();
        assert_eq!(inflight.hold().err(), Some(Full));
        drop((second, third));
        assert_eq!(inflight.0.pushes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_is_alone_may_be_larger() {
        let inflight = Inflight::new(10, 0, &Registry::default());
        let mut large = inflight.hold().unwrap();
        let mut small = inflight.hold().unwrap();
        assert_eq!(large.grow(6), Ok(()));
        assert_eq!(large.grow(20), Ok(()));
        assert_eq!(small.grow(1), Err(Full));
        assert_eq!(large.grow(20), Ok(()));
        large.shrink(40);
        assert_eq!(small.grow(1), Ok(()));
        assert_eq!(large.grow(20), Err(Full), "another came in");
        drop(small);
        assert_eq!(large.grow(20), Ok(()));
    }

    #[test]
    fn zero_stands_for_the_default() {
        let inflight = Inflight::new(0, 0, &Registry::default());
        let (mut one, mut other) = (inflight.hold().unwrap(), inflight.hold().unwrap());
        assert_eq!(one.grow(1), Ok(()));
        assert_eq!(other.grow(1 << 30), Err(Full));
        assert_eq!(other.grow((1 << 30) - 1), Ok(()));
    }
}
