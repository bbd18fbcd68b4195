//! A buffer that is filled in blocks: what is put there may write more than it is, and what comes next
//! writes over it. Copies of a fixed length are a few instructions; most pieces and values are shorter
//! than one block.

pub(super) const BLOCK: usize = 16;

pub(super) struct Joiner {
    bytes: Vec<u8>,
    len: usize,
}

impl Joiner {
    /// `len` is what all will have at most.
    pub(super) fn new(len: usize) -> Self {
        Self { bytes: vec![0; len + BLOCK], len: 0 }
    }

    /// Makes room for so many bytes more.
    pub(super) fn reserve(&mut self, len: usize) {
        let wanted = self.len + len + BLOCK;
        if wanted > self.bytes.len() {
            self.bytes.resize(wanted.max(2 * self.bytes.len()), 0);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes at a place and of a length, with zeros behind them up to the end of their last block.
    pub(super) fn put_padded(&mut self, padded: &[u8], (start, len): (usize, usize)) {
        let mut done = 0;
        while done < len {
            self.put_block(done, &padded[start + done..]);
            done += BLOCK;
        }
        self.len += len;
    }

    /// The first bytes of a block.
    pub(super) fn put_start(&mut self, block: &[u8; BLOCK], len: usize) {
        self.put_block(0, block);
        self.len += len;
    }

    fn put_block(&mut self, ahead: usize, from: &[u8]) {
        let at = self.len + ahead;
        self.bytes[at..at + BLOCK].copy_from_slice(&from[..BLOCK]);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Room for so many bytes.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.len;
        self.len += len;
        &mut self.bytes[start..start + len]
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.bytes
    }
}
