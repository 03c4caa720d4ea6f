//! The groups of a queue: a name, what stands in it, and whatever a discipline keeps of it.
//!
//! A group exists only while it holds messages. They lie on shared pages, so that a copy, for a
//! snapshot, copies addresses: of a hundred thousand groups some 1,600. Which number a group has is
//! nobody's business outside: a snapshot names them anew, in the order in which it meets them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::rows::Chain;

/// The groups of one page.
const PAGE: usize = 64;

/// A group's number, while it exists. It may be another's later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId(NonZeroU32);

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group<G> {
    pub(crate) name: Arc<str>,
    /// Its messages that nobody has received yet.
    pub(crate) chain: Chain,
    /// How many messages it has, wherever they stand.
    pub(crate) members: usize,
    /// How many of them somebody has.
    pub(crate) in_flight: usize,
    /// What the queue's discipline keeps of it.
    pub(crate) own: G,
}

type Page<G> = Arc<Vec<Option<Group<G>>>>;

/// All that is persisted of groups, by number.
#[derive(Clone, Debug)]
pub(crate) struct GroupPages<G>(Vec<Page<G>>);

/// The groups of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Groups<G> {
    pages: GroupPages<G>,
    /// Numbers that are free again.
    free: Vec<GroupId>,
    names: BTreeMap<Arc<str>, GroupId>,
}

impl GroupId {
    /// As a number of four bytes; none is 0.
    pub(crate) fn pack(this: Option<Self>) -> u32 {
        this.map_or(0, |id| id.0.get())
    }

    pub(crate) fn unpack(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("memory ends before 2^32 groups do"))
    }

    /// Where its page is, and where on that it is.
    fn place(self) -> (usize, usize) {
        let index = usize::try_from(self.0.get() - 1).expect("an index that was a usize");
        (index / PAGE, index % PAGE)
    }
}

impl<G> GroupPages<G> {
    pub(crate) fn get(&self, id: GroupId) -> &Group<G> {
        let (page, at) = id.place();
        self.0[page][at].as_ref().expect("a group exists while anything speaks of it")
    }
}

impl<G> Default for Groups<G> {
    fn default() -> Self {
        Self { pages: GroupPages(Vec::new()), free: Vec::new(), names: BTreeMap::new() }
    }
}

impl<G: Clone> Groups<G> {
    pub(crate) fn pages(&self) -> &GroupPages<G> {
        &self.pages
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The group of this name; if there is none it begins, with what `begin` says.
    pub(crate) fn enter(&mut self, name: &Arc<str>, begin: impl FnOnce() -> G) -> GroupId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| self.extend());
        let chain = Chain::default();
        let group = Group { name: Arc::clone(name), chain, members: 0, in_flight: 0, own: begin() };
        let (page, at) = id.place();
        Arc::make_mut(&mut self.pages.0[page])[at] = Some(group);
        self.names.insert(Arc::clone(name), id);
        id
    }

    /// Makes room for one more.
    fn extend(&mut self) -> GroupId {
        let pages = &mut self.pages.0;
        if pages.last().is_none_or(|page| page.len() == PAGE) {
            pages.push(Arc::default());
        }
        let number = pages.len() - 1;
        let page = Arc::make_mut(&mut pages[number]);
        page.push(None);
        GroupId::at(number * PAGE + page.len() - 1)
    }

    pub(crate) fn get(&self, id: GroupId) -> &Group<G> {
        self.pages.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: GroupId) -> &mut Group<G> {
        let (page, at) = id.place();
        let slot = &mut Arc::make_mut(&mut self.pages.0[page])[at];
        slot.as_mut().expect("a group exists while anything speaks of it")
    }

    /// Ends a group that holds nothing any more.
    pub(crate) fn remove(&mut self, id: GroupId) {
        let (page, at) = id.place();
        if let Some(group) = Arc::make_mut(&mut self.pages.0[page])[at].take() {
            debug_assert_eq!(group.members, 0, "only an empty group ends");
            self.names.remove(&group.name);
            self.free.push(id);
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.names.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_group_until_the_group_ends() {
        let mut groups = Groups::default();
        let names: Vec<Arc<str>> = (0..200).map(|n: u32| n.to_string().into()).collect();
        let ids: Vec<_> = names.iter().map(|name| groups.enter(name, || 7)).collect();
        assert_eq!(groups.enter(&names[150], || 8), ids[150]);
        assert_eq!((groups.get(ids[150]).own, groups.ids().count()), (7, 200));
        groups.remove(ids[150]);
        // The number goes to whoever comes next.
        assert_eq!(groups.enter(&"new".into(), || 9), ids[150]);
        assert_eq!(&*groups.get(ids[150]).name, "new");
        assert_ne!(groups.enter(&names[150], || 10), ids[150]);
    }

    #[test]
    fn a_copy_of_the_pages_stays_as_it_was() {
        let mut groups = Groups::default();
        let id = groups.enter(&"a".into(), || 1);
        let copy = groups.pages().clone();
        groups.get_mut(id).own = 2;
        assert_eq!((copy.get(id).own, groups.get(id).own), (1, 2));
    }

    #[test]
    fn a_group_takes_little() {
        assert!(size_of::<Option<Group<(u64, bool)>>>() <= 88);
        assert_eq!(size_of::<Option<GroupId>>(), 4);
    }
}
