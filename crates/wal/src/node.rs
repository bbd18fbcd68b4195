//! Who this is: a name that is made together with the log and lies beside it.

use std::io;

use larch_runtime::Env;
use larch_types::NodeId;

use crate::dir::{Dir, FileName};
use crate::error::OpenError;

/// The id as text, alone.
const NAME: &str = "node";
const UNFINISHED: &str = "node.new";

/// The id that lies in the directory, if any.
pub(crate) fn read(dir: &dyn Dir) -> Result<Option<NodeId>, OpenError> {
    let failed = |source| OpenError::Read { file: NAME.to_owned(), source };
    let file = match dir.open(&name(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // An id has 26 letters. Some editors end the line, and a longer file is no id.
    let mut text = [0; 32];
    let read = file.read_at(0, &mut text).map_err(failed)?;
    let text = std::str::from_utf8(&text[..read]).map_err(|_| OpenError::Node)?;
    text.trim_end().parse().map(Some).map_err(|_| OpenError::Node)
}

/// Makes an id that is there after a power cut, whole or not at all.
pub(crate) fn make(dir: &dyn Dir, env: &Env) -> Result<NodeId, OpenError> {
    let id = env.new_node_id();
    let failed = |source| OpenError::Io { action: "make the node id", source };
    match dir.remove(&name(UNFINISHED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = || -> io::Result<()> {
        let mut file = dir.create(&name(UNFINISHED))?;
        file.append(id.to_string().as_bytes())?;
        file.sync()?;
        dir.rename(&name(UNFINISHED), &name(NAME))?;
        dir.sync()
    };
    written().map_err(failed)?;
    Ok(id)
}

/// Forgets the id, so that the next start is another node. The log must be closed.
pub fn forget_node(dir: &dyn Dir) -> io::Result<()> {
    match dir.remove(&name(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| dir.sync()),
    }
}

#[expect(clippy::expect_used, reason = "the names are constants of this file")]
fn name(text: &'static str) -> FileName {
    text.parse().expect("a file name")
}
