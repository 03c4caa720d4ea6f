//! Who goes when a group shrinks.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use tidemill_base::Timestamp;

use super::Group;
use super::ids::InstanceId;
use super::member::{Lifecycle, Member, Origin};
use super::settings::Termination;

/// Who goes, so many at most: nobody that is protected, and who does not serve yet before who does.
pub(super) fn choose(group: &Group, many: usize, now: Timestamp) -> Vec<InstanceId> {
    let may_go = |member: &&Member| {
        member.state.is_coming() || member.state == Lifecycle::InService && !member.protected
    };
    let mut all: Vec<&Member> = group.members().filter(may_go).collect();
    all.sort_by(|one, other| {
        // One that comes has nothing to lose.
        let coming = |member: &Member| !member.state.is_coming();
        let mut order = coming(one).cmp(&coming(other));
        for policy in &group.settings.termination {
            order = order.then_with(|| by(*policy, one, other, now));
        }
        order.then_with(|| one.joined.cmp(&other.joined)).then_with(|| one.id.cmp(&other.id))
    });
    all.into_iter().take(many).map(|member| member.id).collect()
}

/// Whose turn it is before the other's.
fn by(policy: Termination, one: &Member, other: &Member, now: Timestamp) -> Ordering {
    match policy {
        Termination::Default => by(Termination::OldestConfiguration, one, other, now)
            .then_with(|| by(Termination::OldestTemplate, one, other, now))
            .then_with(|| by(Termination::ClosestToNextHour, one, other, now)),
        Termination::OldestInstance => one.joined.cmp(&other.joined),
        Termination::NewestInstance => other.joined.cmp(&one.joined),
        Termination::OldestConfiguration => {
            // Who is made from a configuration is older than who is made from a template.
            let kind = |member: &Member| !matches!(member.origin, Origin::Configuration(_));
            kind(one).cmp(&kind(other))
        }
        Termination::OldestTemplate => version(one).cmp(&version(other)),
        Termination::ClosestToNextHour => hour(one, now).cmp(&hour(other, now)),
        Termination::Allocation => Ordering::Equal,
    }
}

/// The version of a template that an instance is made from, of what is: an older one first.
fn version(member: &Member) -> u64 {
    match &member.origin {
        Origin::Template(template) => {
            template.version.as_deref().and_then(|number| number.parse().ok()).unwrap_or(0)
        }
        Origin::Configuration(_) | Origin::Elsewhere => u64::MAX,
    }
}

/// How far an instance is in its hour: who is closest to the next comes first.
fn hour(member: &Member, now: Timestamp) -> Reverse<u64> {
    let hour = Duration::from_hours(1).as_secs();
    Reverse(now.since(member.joined).as_secs() % hour)
}
