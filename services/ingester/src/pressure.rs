//! A tenant's pushes wait a little while its rows come faster than they can be cut.
//!
//! Without it, all rows of a fast tenant that come during a cut pile up in memory, and the more there are the
//! longer the next cut takes.

use std::time::Duration;

use futures_util::future::{Either, select};
use larch_runtime::Env;

use crate::cut::CUT_BYTES;
use crate::tenant::Tenant;

/// A cut of usual size takes less, also on a busy machine. A push goes on after that: whoever sends
/// it should hear within a second, and what memory may hold in all has a bound of its own.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// # Cancel safety
/// It only waits.
pub(crate) async fn wait_for_cuts(env: &Env, tenant: &Tenant) {
    if !is_behind(tenant) {
        return;
    }
    let mut deadline = std::pin::pin!(env.sleep(LONGEST_WAIT));
    loop {
        let cut = tenant.cut_done.notified();
        let mut cut = std::pin::pin!(cut);
        // From here on no cut that ends is missed.
        cut.as_mut().enable();
        if !is_behind(tenant) {
            return;
        }
        if let Either::Right(_) = select(cut, &mut deadline).await {
            return;
        }
    }
}

/// Whether there are rows enough for half of the next cut while the one before has not ended.
fn is_behind(tenant: &Tenant) -> bool {
    let held = tenant.shelf.holdings();
    held.cuts > 0 && (held.raw_bytes >= CUT_BYTES / 2 || held.arena_bytes >= CUT_BYTES)
}

#[cfg(test)]
mod tests {
    use larch_proto::WalPosition;
    use larch_testkit::sim::run;
    use larch_types::{Monotonic, TenantId};

    use super::*;
    use crate::testing::push;

    /// A tenant with one cut on its way and enough for another.
    fn tenant_that_is_behind() -> Tenant {
        let tenant = Tenant::new("t".parse::<TenantId>().unwrap());
        let line = "x".repeat(1 << 20);
        for number in 0..98 {
            let request = push(number as u128, &[("{app=\"a\"}", number, line.as_str())]);
            tenant
                .apply(&request, WalPosition(number as u64 + 1), Monotonic::from_start(Duration::ZERO))
                .unwrap();
            if number == 64 {
                assert!(!is_behind(&tenant), "nothing is being cut");
                tenant.shelf.begin_cut();
                assert!(!is_behind(&tenant), "the next cut is not half full");
            }
        }
        assert!(is_behind(&tenant));
        tenant
    }

    #[test]
    fn pushes_wait_for_a_cut_and_not_for_ever() {
        run(1, |world| async move {
            let tenant = tenant_that_is_behind();
            let since = || world.env.clock.monotonic();
            let begun = since();
            wait_for_cuts(&world.env, &tenant).await;
            assert_eq!(since().since(begun), LONGEST_WAIT);

            let begun = since();
            let finish = async {
                world.env.sleep(Duration::from_millis(100)).await;
                tenant.shelf.finish_cut(Vec::new(), Some(WalPosition(99)));
                tenant.cut_done.notify_waiters();
            };
            futures_util::future::join(wait_for_cuts(&world.env, &tenant), finish).await;
            assert_eq!(since().since(begun), Duration::from_millis(100));
            wait_for_cuts(&world.env, &tenant).await;
            assert_eq!(since().since(begun), Duration::from_millis(100), "nobody waits now");
        });
    }
}
