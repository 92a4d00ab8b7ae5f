//! Memory of large chunks, used again: what an allocator keeps of buffers that come and go is more than they are.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::lanes::MEMORY;

/// Bytes that are kept for later.
const MOST: usize = MEMORY as usize;
/// Smaller ones are no burden.
const LARGE: usize = 1 << 20;

/// Buffers that nobody uses now. Cheap to clone; the clones share them.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// Goes back to where it is from when the last of its bytes are dropped.
struct Lent {
    buffer: Vec<u8>,
    to: Buffers,
}

impl Buffers {
    /// An empty buffer for so many bytes.
    pub fn lend(&self, bytes: usize) -> Vec<u8> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.iter().position(|buffer| bytes >= LARGE && (bytes..=2 * bytes).contains(&buffer.capacity())) {
            Some(fits) => idle.swap_remove(fits),
            None => {
                // In the place of one that is too small, so that they do not become more.
                drop((bytes >= LARGE).then(|| idle.pop()));
                Vec::with_capacity(bytes)
            }
        }
    }

    /// The content as bytes.
    pub fn fill(&self, buffer: Vec<u8>) -> Bytes {
        match buffer.capacity() >= LARGE {
            true => Bytes::from_owner(Lent { buffer, to: self.clone() }),
            false => buffer.into(),
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
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut idle = self.to.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = idle.iter().map(Vec::capacity).sum();
        if kept + buffer.capacity() <= MOST {
            idle.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_is_used_again_and_a_small_one_is_not_kept() {
        let buffers = Buffers::default();
        let mut first = buffers.lend(LARGE);
        first.push(7);
        let place = first.as_ptr();
        let bytes = buffers.fill(first);
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(clone[..], [7]);
        let second = buffers.lend(LARGE);
        assert_ne!(second.as_ptr(), place, "it is still in use");
        drop(clone);
        let again = buffers.lend(LARGE / 2 + LARGE / 2);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        drop(buffers.fill(buffers.lend(10)));
        assert!(buffers.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_larger_one_takes_the_place_of_a_smaller_one() {
        let buffers = Buffers::default();
        for size in 1..10 {
            drop(buffers.fill(buffers.lend(size * LARGE)));
            assert_eq!(buffers.0.lock().unwrap().len(), 1);
        }
    }
}
