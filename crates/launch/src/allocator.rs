//! What the allocator of the binaries is told.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// How long memory that was freed may lie idle before the system has it back. A second, as mimalloc takes
/// it to be, is as long as a busy ingester takes to fill and cut a tenant's arena: it would hold the memory
/// of both. Measured in bench/RESULTS.md.
const PURGE_DELAY_MILLIS: c_long = 10;

/// `mi_option_purge_delay` in mimalloc.h. The bindings do not name it.
const PURGE_DELAY: mi_option_t = 15;

/// Does nothing where `MIMALLOC_PURGE_DELAY` says otherwise.
#[expect(
    unsafe_code,
    reason = "settings of the allocator are calls into C; without this one a node holds 60 MB more"
)]
pub(crate) fn give_memory_back_soon() {
    // SAFETY: it writes a number into a table of the allocator, which checks that the option is in it. No
    // other thread runs yet.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MILLIS) }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[expect(unsafe_code, reason = "reads a number out of the allocator's table")]
    fn get(option: mi_option_t) -> c_long {
        // SAFETY: as above; it only reads.
        unsafe { mi_option_get(option) }
    }

    /// Options have numbers that are not promised: what is there before says whether it is still this one.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        let all: Vec<c_long> = (0..30).map(get).collect();
        assert_eq!(get(PURGE_DELAY), 1000, "the default of mimalloc 3; all are {all:?}");
        give_memory_back_soon();
        assert_eq!(get(PURGE_DELAY), PURGE_DELAY_MILLIS);
        let changed = (0..30).filter(|option| get(*option) != all[*option as usize]);
        assert_eq!(changed.collect::<Vec<_>>(), [PURGE_DELAY]);
    }
}
