//! Who does what when several come at once, and when some of them go away.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use super::*;

/// Doubles numbers, and writes down which it was given together.
struct Doubler {
    given: Mutex<Vec<Vec<u32>>>,
    /// For how many it was waited at once, in all.
    waited: AtomicUsize,
    synced: watch::Sender<Option<Result<(), &'static str>>>,
}

struct Doubles;

impl Errands for Doubles {
    type By = Doubler;
    type Wanted = u32;
    type Outcome = u32;
    type Failure = &'static str;
    type Upto = ();

    fn weight(number: &u32) -> usize {
        *number as usize
    }

    fn run(by: &Doubler, wanted: Vec<u32>) -> (Vec<u32>, ()) {
        assert!(!wanted.contains(&13), "thirteen cannot be doubled");
        by.given.lock().unwrap().push(wanted.clone());
        (wanted.into_iter().map(|number| number * 2).collect(), ())
    }

    async fn durable(by: &Doubler, (): (), many: usize) -> Result<(), &'static str> {
        by.waited.fetch_add(many, Ordering::Relaxed);
        let mut synced = by.synced.subscribe();
        let outcome = synced.wait_for(Option::is_some).await;
        outcome.map_err(|_| "nobody syncs")?.unwrap_or(Ok(()))
    }
}

thread_local! {
    static DESK: Desk<Doubles> = const { Desk::new(None) };
}

type Asked = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;

fn doubler() -> &'static Doubler {
    let (given, waited) = (Mutex::default(), AtomicUsize::new(0));
    Box::leak(Box::new(Doubler { given, waited, synced: watch::Sender::new(None) }))
}

fn ask(by: &'static Doubler, number: u32) -> Asked {
    Box::pin(together::<Doubles>(&DESK, by, number))
}

fn poll(asked: &mut Asked) -> Poll<Result<u32, &'static str>> {
    asked.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Those who ask for these, each of whom had a turn.
fn asked(by: &'static Doubler, numbers: &[u32]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = numbers.iter().map(|number| ask(by, *number)).collect();
    for one in &mut asked {
        assert!(poll(one).is_pending());
    }
    asked
}

fn given(by: &Doubler) -> Vec<Vec<u32>> {
    by.given.lock().unwrap().clone()
}

#[test]
fn what_several_want_the_first_does_at_one_go() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2, 3]);
    assert!(poll(&mut asked[1]).is_pending());
    assert_eq!(given(by), [[0; 0]; 0]);
    assert!(poll(&mut asked[0]).is_pending());
    assert_eq!(given(by), [[1, 2, 3]]);
    assert!(poll(&mut asked[2]).is_pending());
    by.synced.send_replace(Some(Ok(())));
    let told: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(told, [2, 4, 6].map(|number| Poll::Ready(Ok(number))));
    assert_eq!(by.waited.load(Ordering::Relaxed), 3);
    assert_eq!(given(by).len(), 1);
}

#[test]
fn the_others_are_woken_once_it_is_durable() {
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let by = doubler();
    let mut first = ask(by, 1);
    assert!(poll(&mut first).is_pending());
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut other = ask(by, 2);
    assert!(other.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(poll(&mut first).is_pending());
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    by.synced.send_replace(Some(Ok(())));
    assert!(poll(&mut first).is_ready());
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(&mut other), Poll::Ready(Ok(4)));
}

#[test]
fn what_is_not_durable_everybody_is_told() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2]);
    by.synced.send_replace(Some(Err("the disk failed")));
    let told: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(told, [Poll::Ready(Err("the disk failed")); 2]);
}

#[test]
fn one_who_went_away_is_left_out() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2, 3]);
    drop(asked.remove(1));
    by.synced.send_replace(Some(Ok(())));
    let told: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(told, [2, 6].map(|number| Poll::Ready(Ok(number))));
    assert_eq!(given(by), [[1, 3]]);
}

#[test]
fn if_the_first_goes_away_before_it_began_each_does_its_own() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2, 3, 4]);
    drop(asked.remove(0));
    drop(asked.remove(0));
    by.synced.send_replace(Some(Ok(())));
    let told: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(told, [6, 8].map(|number| Poll::Ready(Ok(number))));
    assert_eq!(given(by), [[3], [4]]);
}

#[test]
fn if_the_first_goes_away_at_the_sync_each_waits_for_it_and_nothing_is_done_twice() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2, 3]);
    assert!(poll(&mut asked[0]).is_pending());
    drop(asked.remove(0));
    assert!(asked.iter_mut().all(|one| poll(one).is_pending()));
    by.synced.send_replace(Some(Ok(())));
    let told: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(told, [4, 6].map(|number| Poll::Ready(Ok(number))));
    assert_eq!(given(by), [[1, 2, 3]]);
}

#[test]
fn if_the_first_fails_at_it_nobody_waits_for_ever() {
    let by = doubler();
    let mut asked = asked(by, &[13, 2]);
    for mut one in asked.drain(..) {
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut one))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(one))).is_ok());
    }
    assert_eq!(given(by), [[0; 0]; 0]);
}

#[test]
fn one_who_goes_on_in_another_thread_serves_those_whom_it_came_with() {
    let by = doubler();
    let mut asked = asked(by, &[1, 2]);
    by.synced.send_replace(Some(Ok(())));
    let mut first = asked.remove(0);
    let elsewhere = std::thread::spawn(move || poll(&mut first));
    assert_eq!(elsewhere.join().unwrap(), Poll::Ready(Ok(2)));
    assert_eq!(poll(&mut asked[0]), Poll::Ready(Ok(4)));
    // Whoever comes now begins anew.
    let mut next = ask(by, 5);
    assert!(poll(&mut next).is_pending());
    assert_eq!(poll(&mut next), Poll::Ready(Ok(10)));
    assert_eq!(given(by), [vec![1, 2], vec![5]]);
}

#[test]
fn no_more_than_so_many_go_together() {
    let by = doubler();
    let numbers: Vec<u32> = (100..).take(MOST + 1).collect();
    let mut asked = asked(by, &numbers);
    by.synced.send_replace(Some(Ok(())));
    assert!(asked.iter_mut().map(poll).filter(Poll::is_ready).count() == MOST + 1);
    assert_eq!(given(by).iter().map(Vec::len).collect::<Vec<_>>(), [MOST, 1]);
}

#[test]
fn what_is_heavy_goes_with_those_before_it_and_nobody_joins_it() {
    let by = doubler();
    let heavy = u32::try_from(HEAVY).unwrap();
    let mut asked = asked(by, &[1, heavy, 2]);
    by.synced.send_replace(Some(Ok(())));
    assert!(asked.iter_mut().map(poll).all(|told| told.is_ready()));
    assert_eq!(given(by), [vec![1, heavy], vec![2]]);
}
