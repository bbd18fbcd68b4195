//! Listing objects and folders, in bounded pages.

use futures_util::StreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::attempt::Request;
use super::long_names::{goes_on, rejoin, split};
use super::read::info;
use super::{Inner, ObjectInfo, Store};
use crate::error::{Operation, StoreError};
use crate::key::Folder;

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Below the folder. It comes from outside: parsers of names say what it is.
    pub name: String,
    pub info: ObjectInfo,
}

/// Some objects of a folder, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub objects: Vec<Listed>,
    /// There are further ones after the last.
    pub has_more: bool,
}

impl Store {
    /// Objects of a folder, and of folders in it, by name: at most so many of those after a name. A store that does not
    /// sort gives all of them at once, because it has read them anyway. A listing may lag behind what was written, and
    /// what is written meanwhile may be in it or not.
    pub async fn list(
        &self,
        folder: &Folder,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let shown = folder.to_string();
        let request = Request::new(Operation::List, &shown, 0);
        let root = self.folder(folder);
        let offset = after.map(|name| joined(&root, name));
        let listed = self.0.attempt(request, || self.0.list_once(&root, offset.as_ref(), limit));
        self.0.measured(request, listed).await
    }

    /// The names of the folders in a folder, in order.
    pub async fn folders(&self, folder: &Folder) -> Result<Vec<String>, StoreError> {
        let shown = folder.to_string();
        let request = Request::new(Operation::List, &shown, 0);
        let root = self.folder(folder);
        let listed = async {
            let (mut names, mut to_read) = (Vec::new(), vec![root.clone()]);
            while let Some(folder) = to_read.pop() {
                let list = || self.0.backing.objects().list_with_delimiter(some(&folder));
                for inner in self.0.attempt(request, list).await?.common_prefixes {
                    if goes_on(&inner) {
                        to_read.push(inner);
                    } else {
                        names.extend(below(&root, &inner).map(rejoin));
                    }
                }
            }
            Ok(names)
        };
        let mut names = self.0.measured(request, listed).await?;
        names.sort();
        Ok(names)
    }
}

impl Inner {
    /// A failure begins the page anew: where a store that does not sort was cut off, nobody knows.
    async fn list_once(
        &self,
        root: &Path,
        offset: Option<&Path>,
        limit: usize,
    ) -> object_store::Result<Listing> {
        let objects = self.backing.objects();
        let mut found = match offset {
            Some(offset) => objects.list_with_offset(some(root), offset),
            None => objects.list(some(root)),
        };
        let mut metas: Vec<ObjectMeta> = Vec::new();
        let sorts = self.backing.lists_in_order();
        while let Some(meta) = found.next().await {
            metas.push(meta?);
            // One more than is asked for says whether there are more. Only a store that sorts can stop.
            if metas.len() > limit && sorts {
                break;
            }
        }
        metas.sort_by(|a, b| a.location.cmp(&b.location));
        let has_more = sorts && metas.len() > limit;
        if has_more {
            metas.truncate(limit);
        }
        Ok(Listing { objects: metas.iter().filter_map(|meta| relative(root, meta)).collect(), has_more })
    }
}

fn relative(root: &Path, meta: &ObjectMeta) -> Option<Listed> {
    let name = below(root, &meta.location).map(rejoin)?;
    Some(Listed { name, info: info(meta) })
}

/// The name of what is in a folder.
fn below<'a>(root: &Path, inner: &'a Path) -> Option<&'a str> {
    if root.as_ref().is_empty() {
        return Some(inner.as_ref());
    }
    inner.as_ref().strip_prefix(root.as_ref())?.strip_prefix('/')
}

/// The place in the listing behind which a page begins. A name that cannot be one is passed over.
fn joined(root: &Path, name: &str) -> Path {
    Path::parse(format!("{root}/{}", split(name))).unwrap_or_else(|_| root.clone())
}

fn some(root: &Path) -> Option<&Path> {
    (!root.as_ref().is_empty()).then_some(root)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larch_proto::Partition;
    use larch_runtime::Env;
    use larch_telemetry::Registry;
    use larch_types::{FactId, TenantId};

    use super::*;
    use crate::backing::Backing;
    use crate::directory::Directory;
    use crate::key::{FactKind, FactName, Key};
    use crate::store::StoreOptions;

    /// A directory is read whole for every page, so there is one.
    #[tokio::test]
    async fn pages_of_a_directory_and_of_a_store_that_sorts() {
        let root = tempfile::tempdir().unwrap();
        let directory = Backing::directory(Arc::new(Directory::open(root.path()).unwrap()));
        for (backing, pages) in
            [(directory, vec![(25, false)]), (Backing::memory(), vec![(20, true), (5, false)])]
        {
            let store = Store::new(backing, StoreOptions::default(), Env::system(), &Registry::default());
            let tenant: TenantId = "t".parse().unwrap();
            for id in 0..25 {
                let name = FactName { kind: FactKind::Add, id: FactId::from_u128(id) };
                store.put(&Key::fact(&tenant, Partition::Wide, name), "x".into()).await.unwrap();
            }
            let (mut found, mut after): (_, Option<String>) = (Vec::new(), None);
            loop {
                let folder = Folder::facts(&tenant, Partition::Wide);
                let page = store.list(&folder, after.as_deref(), 20).await.unwrap();
                found.push((page.objects.len(), page.has_more));
                after = page.objects.last().map(|last| last.name.clone());
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(found, pages);
        }
    }
}
