//! Buffers that are used again: what one layer gives back the next one takes.
//!
//! Sizes are rounded up to classes an eighth apart, so that layers of nearly the same size share; a driver takes far
//! longer to make a buffer than a kernel to fill it. Everything runs on one queue in the order it was recorded, so a
//! buffer may be taken again as soon as its last reader is recorded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::device::Gpu;
use super::fault::GpuFault;

/// Bytes of a word: every element on the GPU takes one, whatever its type in the file.
pub const WORD_BYTES: u64 = 4;

#[derive(Default)]
struct Shelf {
    /// Free buffers by size.
    free: BTreeMap<u64, Vec<wgpu::Buffer>>,
    /// Bytes in all buffers, free or not.
    held_bytes: u64,
    /// The most `held_bytes` has been.
    peak_bytes: u64,
}

/// The buffers of one device.
#[derive(Clone, Default)]
pub(crate) struct Pool(Rc<RefCell<Shelf>>);

struct Inner {
    buffer: wgpu::Buffer,
    shelf: Weak<RefCell<Shelf>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let bytes = self.buffer.size();
        match self.shelf.upgrade() {
            Some(shelf) => shelf.borrow_mut().free.entry(bytes).or_default().push(self.buffer.clone()),
            // In the browser the memory would otherwise stay until the garbage collector comes by.
            None => self.buffer.destroy(),
        }
    }
}

/// A part of GPU memory that goes back to its pool with its last owner.
#[derive(Clone)]
pub struct Block(Rc<Inner>);

impl Block {
    /// The whole of it, to be bound.
    pub(crate) fn buffer(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }
}

/// Rounds up to a size that others are likely to want too: an eighth of a power of two apart.
pub(crate) fn class_of(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (1u64 << (63 - bytes.leading_zeros())) / 8;
    bytes.next_multiple_of(step.max(256))
}

impl Pool {
    /// Memory for so many words, with whatever was in it before.
    pub(crate) fn take(&self, gpu: &Gpu, words: u64) -> Result<Block, GpuFault> {
        let limit = gpu.largest_binding();
        let bytes = words.saturating_mul(WORD_BYTES);
        if bytes > limit {
            return Err(GpuFault::TooLarge { what: "one tensor in bytes", value: bytes, limit });
        }
        let size = class_of(bytes).min(limit / WORD_BYTES * WORD_BYTES);
        let mut shelf = self.0.borrow_mut();
        let free = shelf.free.get_mut(&size).and_then(Vec::pop);
        let buffer = free.unwrap_or_else(|| {
            shelf.held_bytes += size;
            shelf.peak_bytes = shelf.peak_bytes.max(shelf.held_bytes);
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_DST
                    | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        });
        Ok(Block(Rc::new(Inner { buffer, shelf: Rc::downgrade(&self.0) })))
    }

    /// Whether so many words would take a new buffer and all together more than `most` bytes.
    pub(crate) fn exceeds(&self, words: u64, most: u64) -> bool {
        let size = class_of(words.saturating_mul(WORD_BYTES));
        let shelf = self.0.borrow();
        shelf.free.get(&size).is_none_or(Vec::is_empty) && shelf.held_bytes.saturating_add(size) > most
    }

    /// Gives the free buffers back to the driver.
    pub(crate) fn trim(&self) {
        let mut shelf = self.0.borrow_mut();
        for (bytes, buffers) in std::mem::take(&mut shelf.free) {
            shelf.held_bytes -= bytes * buffers.len() as u64;
            buffers.iter().for_each(wgpu::Buffer::destroy);
        }
    }

    /// Bytes held now, and the most that were held.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let shelf = self.0.borrow();
        (shelf.held_bytes, shelf.peak_bytes)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.free.values().flatten().for_each(wgpu::Buffer::destroy);
    }
}

#[cfg(test)]
mod tests {
    use super::class_of;

    #[test]
    fn classes_lie_an_eighth_apart_and_waste_no_more() {
        assert_eq!(class_of(0), 256);
        assert_eq!(class_of(257), 512);
        assert_eq!(class_of(1 << 20), 1 << 20);
        assert_eq!(class_of((1 << 20) + 4), (1 << 20) + (1 << 17));
        for bytes in (1..100).map(|i| i * 77_777) {
            let class = class_of(bytes);
            assert!(class >= bytes && class.is_multiple_of(4) && class - bytes <= bytes / 8 + 256, "{bytes}");
        }
    }
}
