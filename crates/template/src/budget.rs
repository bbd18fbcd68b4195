//! Bounds on what one execution may do. A template and the text it works on come from outside.

/// The output, and every text on the way to it, may be this long. Log lines are far shorter.
pub(crate) const MAX_TEXT_BYTES: usize = 4 << 20;

/// Evaluated nodes, plus one for every 64 bytes that functions read or write: about a tenth of a second.
const MAX_STEPS: usize = 1_000_000;

const BYTES_PER_STEP: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverBudget {
    #[error("template takes too many steps (more than {MAX_STEPS})")]
    Steps,
    #[error("text is too long (more than {MAX_TEXT_BYTES} bytes)")]
    Bytes,
}

#[derive(Debug)]
pub(crate) struct Budget {
    steps_left: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { steps_left: MAX_STEPS }
    }

    pub(crate) fn step(&mut self) -> Result<(), OverBudget> {
        self.steps(1)
    }

    pub(crate) fn steps(&mut self, count: usize) -> Result<(), OverBudget> {
        self.steps_left = self.steps_left.checked_sub(count).ok_or(OverBudget::Steps)?;
        Ok(())
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<(), OverBudget> {
        self.steps(count / BYTES_PER_STEP)
    }
}

/// Appends unless the text becomes too long.
pub(crate) fn append(out: &mut Vec<u8>, text: &[u8]) -> Result<(), OverBudget> {
    if out.len() + text.len() > MAX_TEXT_BYTES {
        return Err(OverBudget::Bytes);
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Appends `count` times the same byte.
pub(crate) fn append_padding(out: &mut Vec<u8>, byte: u8, count: usize) -> Result<(), OverBudget> {
    if count > MAX_TEXT_BYTES - out.len().min(MAX_TEXT_BYTES) {
        return Err(OverBudget::Bytes);
    }
    out.resize(out.len() + count, byte);
    Ok(())
}
