//! Keys of other versions: moved to where they live now, or dropped, each with one warning.

use larch_types::Fate;

use crate::{Problem, Schema, Tree};

impl Tree {
    /// To be called once all sources are merged.
    pub fn apply_old_keys(&mut self, schema: &Schema) {
        for (path, old) in schema.old_keys() {
            let Some(node) = self.take(path) else { continue };
            let origin = node.origin.clone();
            let text = match old.fate {
                Fate::Meaningless(why) => format!("ignored: {why}"),
                Fate::MovedTo(target) if self.put_if_absent(target, node) => {
                    format!("deprecated config key, read as {target}")
                }
                Fate::MovedTo(target) => format!("deprecated config key, ignored because {target} is set"),
            };
            self.warn(Problem::new(origin, path.clone(), text));
        }
    }
}
