//! Large buffers that are used again.
//!
//! A push passes through buffers of about a megabyte, hundreds of them a second. Taken fresh each time, every
//! page of them is cleared by the kernel once more, and what was given back lies idle meanwhile: on a busy
//! node an eighth of the processor time, and a hundred megabytes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Smaller ones are the allocator's business: it has them at hand.
const LEAST_BYTES: usize = 64 << 10;

/// Buffers between two uses. Clones share them.
#[derive(Debug, Clone)]
pub struct BufferPool(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    most_bytes: usize,
    idle: Mutex<Vec<Vec<u8>>>,
}

/// A buffer that goes back when nobody reads it any more.
struct Lent {
    buffer: Vec<u8>,
    shelf: Arc<Shelf>,
}

impl BufferPool {
    /// Keeps idle buffers of so many bytes together.
    pub fn new(most_bytes: usize) -> Self {
        Self(Arc::new(Shelf { most_bytes, idle: Mutex::default() }))
    }

    /// A buffer of this length. What is in it is of no meaning.
    pub fn filled(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.take(len);
        // Bytes that were used before are not cleared again.
        buffer.resize(len, 0);
        buffer
    }

    /// An empty buffer with room for so many bytes.
    pub fn empty(&self, room: usize) -> Vec<u8> {
        let mut buffer = self.take(room);
        buffer.clear();
        buffer
    }

    /// Shares what is in a buffer, which is used again when the last reader lets go.
    pub fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, shelf: Arc::clone(&self.0) })
    }

    fn take(&self, room: usize) -> Vec<u8> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.iter().position(|buffer| buffer.capacity() >= room) {
            Some(place) if room >= LEAST_BYTES => idle.swap_remove(place),
            // Rounded up, so that buffers of nearly the same size serve each other.
            _ if room >= LEAST_BYTES => Vec::with_capacity(room.next_multiple_of(4 * LEAST_BYTES)),
            _ => Vec::with_capacity(room),
        }
    }
}

impl Shelf {
    fn give_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() < LEAST_BYTES {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let held: usize = idle.iter().map(Vec::capacity).sum();
        if held + buffer.capacity() <= self.most_bytes {
            idle.push(buffer);
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shelf.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 300 << 10;

    fn idle(pool: &BufferPool) -> Vec<usize> {
        pool.0.idle.lock().unwrap().iter().map(Vec::capacity).collect()
    }

    #[test]
    fn a_buffer_comes_back_with_its_last_reader() {
        let pool = BufferPool::new(1 << 20);
        let mut buffer = pool.filled(LARGE);
        buffer.fill(7);
        let address = buffer.as_ptr();
        let all = pool.share(buffer);
        let part = all.slice(10..20);
        drop(all);
        assert_eq!((part.as_ref(), idle(&pool).len()), (&[7; 10][..], 0));
        drop(part);
        assert_eq!(idle(&pool).len(), 1);

        let again = pool.empty(LARGE - 1);
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        drop(pool.share(again));
        assert_eq!(pool.filled(LARGE).len(), LARGE);
    }

    #[test]
    fn idle_buffers_have_a_bound_and_small_ones_are_not_kept() {
        let pool = BufferPool::new(1 << 20);
        let buffers: Vec<Bytes> = (0..5).map(|_| pool.share(pool.empty(LARGE))).collect();
        drop(buffers);
        assert!(idle(&pool).iter().sum::<usize>() <= 1 << 20);
        let kept = idle(&pool).len();
        drop(pool.share(pool.empty(100)));
        assert_eq!(idle(&pool).len(), kept);
        assert_eq!(pool.empty(2 << 20).capacity(), 2 << 20, "none is large enough");
    }
}
