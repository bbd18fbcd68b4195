//! Blocks of the configuration, as those who own them take them.

use larch_config::{Reader, Schema};
use larch_types::Section;

/// Either collects which blocks there are, or reads them. One function of an owner serves both, so that
/// what is read is what was declared.
pub struct Blocks<'a, 's>(Mode<'a, 's>);

enum Mode<'a, 's> {
    Declare(&'a mut Schema),
    Read(&'a mut Reader<'s>),
}

impl<'a, 's> Blocks<'a, 's> {
    pub(crate) fn declaring(schema: &'a mut Schema) -> Self {
        Self(Mode::Declare(schema))
    }

    pub(crate) fn reading(reader: &'a mut Reader<'s>) -> Self {
        Self(Mode::Read(reader))
    }

    /// The block of this name, or its default while blocks are only collected. The empty name stands for
    /// the settings at the top of the file.
    pub fn section<S: Section>(&mut self, name: &str) -> S {
        match &mut self.0 {
            Mode::Declare(schema) => {
                schema.block::<S>(name);
                S::default()
            }
            Mode::Read(reader) => reader.section(name),
        }
    }
}
