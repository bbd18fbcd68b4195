//! Who is there: the members that a process knows, as one view after another.

use std::sync::Arc;

use larch_types::{Address, NodeId};
use tokio::sync::watch;
use xxhash_rust::xxh3::Xxh3;

/// What a member does for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Takes rows and answers about them.
    Ingester,
    /// Has pieces of queries for workers to pull.
    WorkQueue,
    /// Knows what is in stored segments.
    Planner,
    /// Takes pushes, and shares a tenant's rate with others that do.
    Distributor,
}

/// One service of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub part: Part,
    pub node: NodeId,
    pub address: Address,
}

/// All members at one moment, by part and id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    members: Vec<Member>,
}

impl View {
    /// The members of one part, by id.
    pub fn of(&self, part: Part) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.part == part)
    }

    pub fn find(&self, part: Part, node: NodeId) -> Option<&Member> {
        self.of(part).find(|member| member.node == node)
    }

    /// Two processes that see the same ingesters have the same digest.
    pub fn ring_digest(&self) -> u64 {
        let mut hash = Xxh3::new();
        for member in self.of(Part::Ingester) {
            hash.update(&member.node.as_u128().to_le_bytes());
        }
        hash.digest()
    }
}

/// The view that is true now. Cheap to clone; all clones show the same members.
///
/// A process that is alone enters its own services, and nobody else does.
#[derive(Debug, Clone)]
pub struct Members(Arc<watch::Sender<Arc<View>>>);

impl Default for Members {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Arc::default())))
    }
}

impl Members {
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.borrow())
    }

    /// Shows each new view. Views that follow each other fast are shown as the last of them.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.0.subscribe()
    }

    /// A member that enters again, perhaps elsewhere, replaces itself.
    pub fn enter(&self, member: Member) {
        self.change(|members| {
            members.retain(|known| (known.part, known.node) != (member.part, member.node));
            members.push(member);
        });
    }

    pub fn leave(&self, part: Part, node: NodeId) {
        self.change(|members| members.retain(|known| (known.part, known.node) != (part, node)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Member>)) {
        self.0.send_modify(|view| {
            let mut members = view.members.clone();
            change(&mut members);
            members.sort_by_key(|member| (member.part, member.node));
            *view = Arc::new(View { members });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(part: Part, node: u128, address: &str) -> Member {
        Member { part, node: NodeId::from_u128(node), address: address.parse().unwrap() }
    }

    #[test]
    fn members_enter_move_and_leave() {
        let members = Members::default();
        let mut watched = members.watch();
        assert_eq!(members.view().of(Part::Ingester).count(), 0);
        members.enter(member(Part::Ingester, 2, "b:1"));
        members.enter(member(Part::Ingester, 1, "a:1"));
        members.enter(member(Part::WorkQueue, 1, "a:1"));
        assert!(watched.has_changed().unwrap());
        let view = Arc::clone(&watched.borrow_and_update());
        let nodes: Vec<u128> = view.of(Part::Ingester).map(|member| member.node.as_u128()).collect();
        assert_eq!(nodes, [1, 2]);

        members.enter(member(Part::Ingester, 1, "c:1"));
        let moved = members.view();
        assert_eq!(moved.find(Part::Ingester, NodeId::from_u128(1)).unwrap().address.as_str(), "c:1");
        assert_eq!(moved.ring_digest(), view.ring_digest(), "an address places nothing");

        members.leave(Part::Ingester, NodeId::from_u128(1));
        assert_eq!(members.view().of(Part::Ingester).count(), 1);
        assert_eq!(members.view().of(Part::WorkQueue).count(), 1);
        assert_ne!(members.view().ring_digest(), view.ring_digest());
    }
}
