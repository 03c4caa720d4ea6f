//! Where a thread's requests come together, to be done at one go.
//!
//! What a request costs by itself, a turn of the engine's lock, a place among those who wait for
//! the disk, a wake-up, many can share. The first that comes lets the thread's other requests have
//! their turn, who leave here what they want done and wait; then it does all of it, waits for the
//! disk once, and tells everybody. Should it go away meanwhile, because its client did, each of the
//! others looks after itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

/// At most so many go together, and no more once they weigh so much: whoever comes then begins
/// anew, and nobody holds the engine's lock for long.
const MOST: usize = 64;
const HEAVY: usize = 256 * 1024;

/// A kind of thing that is done for many at once.
pub(super) trait Errands: Sized + 'static {
    /// Who does it.
    type By;
    /// What one wants done.
    type Wanted;
    /// What came of it. To be told once it is durable.
    type Outcome;
    /// Why it is not durable.
    type Failure: Clone;
    /// Up to where the log has to be durable.
    type Upto: Copy;

    /// How many bytes it has to do with.
    fn weight(wanted: &Self::Wanted) -> usize;

    /// Does it for all: an outcome each, in their order.
    fn run(by: &Self::By, wanted: Vec<Self::Wanted>) -> (Vec<Self::Outcome>, Self::Upto);

    /// Waits until the log is durable up to there, for so many at once.
    fn durable(
        by: &Self::By,
        upto: Self::Upto,
        many: usize,
    ) -> impl Future<Output = Result<(), Self::Failure>> + Send;
}

/// Where those of a thread come together who have not begun yet.
pub(super) type Desk<E> = RefCell<Option<Arc<Party<E>>>>;

/// Those who go together.
pub(super) struct Party<E: Errands>(Mutex<State<E>>);

struct State<E: Errands> {
    stage: Stage<E>,
    /// Of all that was ever wanted.
    weight: usize,
    /// How to wake those who wait for the first one, each at its place.
    wakers: Vec<Option<Waker>>,
}

enum Stage<E: Errands> {
    /// Still to be done; those who went away have taken theirs with them.
    Gathers(Vec<Option<E::Wanted>>),
    /// The first one is at it.
    Works,
    /// Done, and on its way to the disk.
    Syncs(Vec<Option<E::Outcome>>, E::Upto),
    /// On the disk, or never.
    Done(Vec<Option<E::Outcome>>, Result<(), E::Failure>),
    /// The first one failed at it: what came of it is not known.
    Lost,
    /// The first one went away: each does its own.
    Scattered(Vec<Option<E::Wanted>>),
    /// The first one went away: each waits for the disk itself.
    Left(Vec<Option<E::Outcome>>, E::Upto),
}

/// What one who waited is told.
enum Told<E: Errands> {
    Done(E::Outcome, Result<(), E::Failure>),
    Alone(E::Wanted),
    Unsynced(E::Outcome, E::Upto),
}

/// Has something done together with what others of this thread want. All that come to a desk have
/// it done by the same one.
///
/// # Errors
/// If it is not durable.
pub(super) async fn together<E: Errands>(
    desk: &'static LocalKey<Desk<E>>,
    by: &E::By,
    wanted: E::Wanted,
) -> Result<E::Outcome, E::Failure> {
    let (party, place) = desk.with_borrow_mut(|desk| join(desk, wanted));
    if place == 0 {
        return Leader(party).lead(by).await;
    }
    let told = {
        let mut member = Member { party, place: Some(place) };
        poll_fn(|cx| member.poll(cx)).await
    };
    match told {
        Told::Done(outcome, synced) => synced.map(|()| outcome),
        Told::Unsynced(outcome, upto) => E::durable(by, upto, 1).await.map(|()| outcome),
        Told::Alone(wanted) => {
            let (mut outcomes, upto) = E::run(by, vec![wanted]);
            E::durable(by, upto, 1).await?;
            Ok(outcomes.pop().expect("what was done for one has one outcome"))
        }
    }
}

/// Joins those who have not begun; the first of new ones if there are none, or enough.
fn join<E: Errands>(desk: &mut Option<Arc<Party<E>>>, wanted: E::Wanted) -> (Arc<Party<E>>, usize) {
    let weight = E::weight(&wanted);
    if let Some(party) = desk {
        let state = &mut *party.state();
        if let Stage::Gathers(all) = &mut state.stage
            && all.len() < MOST
            && state.weight < HEAVY
        {
            all.push(Some(wanted));
            let place = all.len() - 1;
            state.weight += weight;
            state.wakers.push(None);
            return (Arc::clone(party), place);
        }
    }
    let stage = Stage::Gathers(vec![Some(wanted)]);
    let party = Arc::new(Party(Mutex::new(State { stage, weight, wakers: vec![None] })));
    *desk = Some(Arc::clone(&party));
    (party, 0)
}

impl<E: Errands> Party<E> {
    /// Nothing that is done under this lock can fail half-way.
    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on to another stage, and wakes everybody.
    fn go_on(&self, next: impl FnOnce(Stage<E>) -> Stage<E>) {
        let wakers = {
            let mut state = self.state();
            let before = std::mem::replace(&mut state.stage, Stage::Works);
            state.stage = next(before);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The first of a party.
struct Leader<E: Errands>(Arc<Party<E>>);

impl<E: Errands> Leader<E> {
    async fn lead(self, by: &E::By) -> Result<E::Outcome, E::Failure> {
        // The other requests that this thread has at hand have their turn first.
        tokio::task::yield_now().await;
        let Stage::Gathers(all) = std::mem::replace(&mut self.0.state().stage, Stage::Works) else {
            unreachable!("nobody but the first one goes on");
        };
        // Those who went away left their places, which the others' outcomes must not move into.
        let is_here: Vec<bool> = all.iter().map(Option::is_some).collect();
        let (outcomes, upto) = E::run(by, all.into_iter().flatten().collect());
        let (many, mut outcomes) = (outcomes.len(), outcomes.into_iter());
        let mut placed: Vec<Option<E::Outcome>> =
            is_here.into_iter().map(|here| if here { outcomes.next() } else { None }).collect();
        let own = placed[0].take().expect("the first one is here");
        self.0.state().stage = Stage::Syncs(placed, upto);
        let synced = E::durable(by, upto, many).await;
        self.0.go_on(|stage| match stage {
            Stage::Syncs(outcomes, _) => Stage::Done(outcomes, synced.clone()),
            stage => stage,
        });
        synced.map(|()| own)
    }
}

impl<E: Errands> Drop for Leader<E> {
    fn drop(&mut self) {
        if matches!(self.0.state().stage, Stage::Done(..)) {
            return;
        }
        self.0.go_on(|stage| match stage {
            Stage::Gathers(mut all) => {
                all[0] = None;
                Stage::Scattered(all)
            }
            Stage::Syncs(outcomes, upto) => Stage::Left(outcomes, upto),
            _ => Stage::Lost,
        });
    }
}

/// Another one, at its place until it was told.
struct Member<E: Errands> {
    party: Arc<Party<E>>,
    place: Option<usize>,
}

impl<E: Errands> Member<E> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Told<E>> {
        let place = self.place.expect("it is not polled again once it was told");
        let mut state = self.party.state();
        let told = match &mut state.stage {
            Stage::Done(outcomes, synced) => {
                outcomes[place].take().map(|outcome| Told::Done(outcome, synced.clone()))
            }
            Stage::Left(outcomes, upto) => {
                outcomes[place].take().map(|outcome| Told::Unsynced(outcome, *upto))
            }
            Stage::Scattered(all) => all[place].take().map(Told::Alone),
            // As the first one does, whose connection ended like that.
            Stage::Lost => panic!("the request that did it for others failed"),
            Stage::Gathers(_) | Stage::Works | Stage::Syncs(..) => {
                match &mut state.wakers[place] {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
        };
        self.place = None;
        Poll::Ready(told.expect("each is told once"))
    }
}

impl<E: Errands> Drop for Member<E> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        if let Stage::Gathers(all) | Stage::Scattered(all) = &mut self.party.state().stage {
            all[place] = None;
        }
    }
}

#[cfg(test)]
mod tests;
