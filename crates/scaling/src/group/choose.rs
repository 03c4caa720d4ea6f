//! Who goes when a group shrinks.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use tidemill_base::Timestamp;

use super::Group;
use super::ids::InstanceId;
use super::member::{Lifecycle, Member, Origin};
use super::settings::{Source, Termination};

/// Who goes, so many at most: nobody that is spared, and who does not serve yet before who does.
pub(super) fn choose(group: &Group, many: usize, now: Timestamp) -> Vec<InstanceId> {
    let may_go = |member: &&Member| {
        member.state.is_coming() || member.state == Lifecycle::InService && !group.spares(member)
    };
    let all = in_order(group, group.members().filter(may_go), now);
    all.into_iter().take(many).map(|member| member.id).collect()
}

/// These instances, in the order in which they go.
pub(super) fn in_order<'a>(
    group: &Group,
    members: impl Iterator<Item = &'a Member>,
    now: Timestamp,
) -> Vec<&'a Member> {
    let mut all: Vec<&Member> = members.collect();
    all.sort_by(|one, other| {
        // One that comes has nothing to lose.
        let coming = |member: &Member| !member.state.is_coming();
        let mut order = coming(one).cmp(&coming(other));
        for policy in &group.settings.termination {
            order = order.then_with(|| by(*policy, group, (one, other), now));
        }
        order.then_with(|| one.joined.cmp(&other.joined)).then_with(|| one.id.cmp(&other.id))
    });
    all
}

/// Whose turn it is before the other's.
fn by(
    policy: Termination,
    group: &Group,
    (one, other): (&Member, &Member),
    now: Timestamp,
) -> Ordering {
    let then = |policy| by(policy, group, (one, other), now);
    match policy {
        Termination::Default => then(Termination::OldestConfiguration)
            .then_with(|| then(Termination::OldestTemplate))
            .then_with(|| then(Termination::ClosestToNextHour)),
        Termination::OldestInstance => one.joined.cmp(&other.joined),
        Termination::NewestInstance => other.joined.cmp(&one.joined),
        Termination::OldestConfiguration => {
            configuration(group, one).cmp(&configuration(group, other))
        }
        Termination::OldestTemplate => template(group, one).cmp(&template(group, other)),
        Termination::ClosestToNextHour => hour(one, now).cmp(&hour(other, now)),
        Termination::Allocation => Ordering::Equal,
    }
}

/// Where what an instance is made from stands: first what the group does not launch from any more,
/// then what it does; of either, the older first, by a number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Former(u64),
    Current(u64),
    /// The policy says nothing of it.
    Any,
}

/// By the configuration that it is made from: an older one was made before. Who is made from a
/// configuration is older than who is made from a template.
fn configuration(group: &Group, member: &Member) -> Age {
    let Origin::Configuration(name, made) = &member.origin else { return Age::Any };
    // One that nobody knows the time of is older than all.
    let made = made.map_or(0, Timestamp::as_millis);
    match group.source() {
        Source::Configuration(current) if current == name => Age::Current(made),
        Source::Configuration(_) | Source::Template(_) => Age::Former(made),
    }
}

/// By the template that it is made from: another one than the group's is older, and then an older
/// version. Versions of different templates say nothing of each other.
fn template(group: &Group, member: &Member) -> Age {
    match (&member.origin, group.source()) {
        (Origin::Template(own), Source::Template(current)) if own.id == current.id => {
            let number = own.version.as_deref().and_then(|number| number.parse().ok());
            Age::Current(number.unwrap_or(0))
        }
        (Origin::Configuration(own, _), Source::Configuration(current)) if own == current => {
            Age::Current(0)
        }
        (Origin::Elsewhere, _) => Age::Any,
        (Origin::Template(_) | Origin::Configuration(..), _) => Age::Former(0),
    }
}

/// How far an instance is in its hour: who is closest to the next comes first.
fn hour(member: &Member, now: Timestamp) -> Reverse<u64> {
    let hour = Duration::from_hours(1).as_secs();
    Reverse(now.since(member.joined).as_secs() % hour)
}
