//! Which comes after which: what waits for others, behind those.

use std::collections::BTreeSet;

/// The places of those that wait for the others at these places, in an order in which each comes
/// behind those that it waits for, and the earlier one first. Those that wait for themselves,
/// through others too, and those that wait for them, are left out.
pub(super) fn ordered(waits_for: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut left: Vec<usize> = waits_for.iter().map(BTreeSet::len).collect();
    let mut waiting = vec![Vec::new(); waits_for.len()];
    for (place, others) in waits_for.iter().enumerate() {
        for other in others {
            waiting[*other].push(place);
        }
    }
    let mut order: Vec<usize> = (0..left.len()).filter(|place| left[*place] == 0).collect();
    let mut done = 0;
    while let Some(place) = order.get(done) {
        done += 1;
        for next in &waiting[*place] {
            left[*next] -= 1;
            if left[*next] == 0 {
                order.push(*next);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(waits_for: &[&[usize]]) -> Vec<usize> {
        let sets: Vec<_> = waits_for.iter().map(|it| it.iter().copied().collect()).collect();
        ordered(&sets)
    }

    #[test]
    fn each_comes_behind_those_that_it_waits_for() {
        assert_eq!(order(&[&[2], &[0, 2], &[], &[]]), [2, 3, 0, 1]);
        assert!(order(&[]).is_empty());
    }

    #[test]
    fn a_circle_and_those_that_wait_for_it_are_left_out() {
        assert_eq!(order(&[&[1], &[0], &[1], &[], &[4]]), [3]);
    }
}
