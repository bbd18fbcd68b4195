//! Random choices out of a string of bytes, so that proptest can shrink whole messages by shrinking
//! the bytes: no bytes left means the smallest choice.

use bytes::Bytes;

pub(super) struct Dice<'a> {
    bytes: &'a [u8],
}

impl<'a> Dice<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    pub(super) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Small, large and at the edges.
    pub(super) fn u64(&mut self) -> u64 {
        match self.below(4) {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => u64::from(self.byte()) << 40,
            _ => u64::from_be_bytes([(); 8].map(|()| self.byte())),
        }
    }

    pub(super) fn u32(&mut self) -> u32 {
        (self.u64() >> 7) as u32
    }

    pub(super) fn i64(&mut self) -> i64 {
        self.u64() as i64
    }

    pub(super) fn u128(&mut self) -> u128 {
        u128::from(self.u64()) << 64 | u128::from(self.u64())
    }

    pub(super) fn bytes(&mut self) -> Bytes {
        let count = self.below(5);
        (0..count).map(|_| self.byte()).collect()
    }

    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Letters, never empty.
    pub(super) fn name(&mut self) -> String {
        let count = 1 + self.below(4);
        (0..count).map(|_| char::from(b'a' + self.below(26))).collect()
    }

    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(4);
        (0..count).map(|_| one(self)).collect()
    }

    pub(super) fn list_of_one_or_more<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let first = one(self);
        let mut all = vec![first];
        all.extend(self.list(one));
        all
    }

    pub(super) fn maybe<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| one(self))
    }

    /// A place in a list; lists in samples are shorter than 256.
    pub(super) fn place<T>(&mut self, list: &[T]) -> u32 {
        u32::from(self.byte()) % (list.len() as u32)
    }
}
