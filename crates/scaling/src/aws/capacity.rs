//! What a calculation starts from, and how the wishes of several policies become one capacity.

use crate::{Limits, Workers};

/// A group as calculations see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// What the group was last told to have.
    pub desired: Workers,
    /// In service, and warmed up.
    pub ready: Workers,
    /// Launched, and not warmed up yet: in no metric, and no base of a calculation.
    pub warming: Workers,
    /// Still ending.
    pub terminating: Workers,
}

impl Fleet {
    /// What growth is calculated from.
    pub fn base_out(self) -> Workers {
        self.ready
    }

    /// What shrinking is calculated from: who is still ending counts.
    pub fn base_in(self) -> Workers {
        self.ready + self.terminating
    }

    /// Growth to what was calculated: what is warming up counts towards it, and nothing is taken
    /// back.
    pub fn grown(self, calculated: Workers) -> Workers {
        calculated.max(self.desired)
    }

    /// Shrinking to what was calculated, which waits until everything is warm, and adds nothing.
    pub fn shrunk(self, calculated: Workers) -> Workers {
        if self.warming > Workers::NONE { self.desired } else { calculated.min(self.desired) }
    }
}

/// What one policy wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// It has no data; it takes part in nothing.
    Unknown,
    /// It may make the group grow but not shrink, and has no wish to let it grow.
    Abstains,
    /// So many: more, fewer or as many as there are.
    Capacity(Workers),
}

/// One capacity out of what all policies wish. Where one wants growth, the largest wish; the group
/// shrinks only where all that take part want that, to the largest of their wishes.
pub fn agree(desired: Workers, limits: Limits, proposals: &[Proposal]) -> Workers {
    let wishes = proposals.iter().filter_map(|proposal| match proposal {
        Proposal::Capacity(wish) => Some(*wish),
        Proposal::Unknown | Proposal::Abstains => None,
    });
    limits.clamp(wishes.max().unwrap_or(desired))
}

/// How many instances of one weight are launched so that `capacity` becomes `desired` at least.
/// The last of them may go beyond, and beyond the group's largest size with it.
pub fn launches(capacity: Workers, desired: Workers, weight: Workers) -> Workers {
    Workers::new((desired - capacity).count().div_ceil(weight.count().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(desired: u32, (min, max): (u32, u32), wishes: &[u32]) -> u32 {
        let limits = Limits::new(Workers::new(min), Workers::new(max)).unwrap();
        let wishes: Vec<_> =
            wishes.iter().map(|wish| Proposal::Capacity(Workers::new(*wish))).collect();
        agree(Workers::new(desired), limits, &wishes).count()
    }

    #[test]
    fn policies_agree_as_in_the_guide() {
        // The processor asks for one more, the queue for two.
        assert_eq!(agreed(4, (0, 100), &[5, 6]), 6);
        // Of eight three fewer, or a quarter fewer.
        assert_eq!(agreed(8, (0, 100), &[5, 6]), 6);
        // The limits have the last word.
        assert_eq!(agreed(2, (0, 3), &[5]), 3);
        assert_eq!(agreed(3, (2, 100), &[1]), 2);
        // One that is content keeps the others from shrinking the group.
        assert_eq!(agreed(8, (0, 100), &[5, 8]), 8);
    }

    #[test]
    fn who_knows_nothing_or_may_not_shrink_takes_no_part() {
        let limits = Limits::new(Workers::NONE, Workers::new(10)).unwrap();
        let (eight, six) = (Workers::new(8), Workers::new(6));
        assert_eq!(agree(eight, limits, &[Proposal::Unknown, Proposal::Abstains]), eight);
        let wishes = [Proposal::Abstains, Proposal::Capacity(six), Proposal::Unknown];
        assert_eq!(agree(eight, limits, &wishes), six);
    }

    #[test]
    fn the_last_heavy_instance_may_go_beyond_the_largest_size() {
        // Largest size 12, ten there, five more: two are missing, and one instance counts six.
        let limits = Limits::new(Workers::NONE, Workers::new(12)).unwrap();
        let desired = limits.clamp(Workers::new(15));
        let launched = launches(Workers::new(10), desired, Workers::new(6));
        assert_eq!((desired, launched), (Workers::new(12), Workers::new(1)));
    }

    #[test]
    fn what_is_warming_up_is_not_launched_again() {
        // Four are ready. One more each minute comes to five, and stays five while that one warms
        // up; two more are six.
        let mut fleet =
            Fleet { desired: Workers::new(4), ready: Workers::new(4), ..Fleet::default() };
        let mut launched = Vec::new();
        for more in [1, 1, 2] {
            let desired = fleet.grown(fleet.base_out() + Workers::new(more));
            launched.push((desired.count(), (desired - fleet.desired).count()));
            fleet.warming = desired - fleet.ready;
            fleet.desired = desired;
        }
        assert_eq!(launched, [(5, 1), (5, 0), (6, 1)]);
        // Nothing is taken away before they are warm.
        assert_eq!(fleet.shrunk(Workers::new(1)), Workers::new(6));
    }

    #[test]
    fn who_is_still_ending_counts_where_the_group_shrinks() {
        let fleet =
            Fleet { ready: Workers::new(4), terminating: Workers::new(2), ..Fleet::default() };
        assert_eq!((fleet.base_in(), fleet.base_out()), (Workers::new(6), Workers::new(4)));
    }
}
