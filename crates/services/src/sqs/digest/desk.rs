//! Where a thread's requests leave the bodies whose digests they want, to be taken together.
//!
//! A request leaves its body and lets the thread's other requests have their turn, who do the
//! same. The first that is back digests all that lie there.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tidemill_queue::Digest;

thread_local! {
    static DESK: RefCell<Vec<Arc<Slip>>> = const { RefCell::new(Vec::new()) };
}

/// A body, and its digest once somebody has computed it.
#[derive(Debug)]
struct Slip {
    body: Bytes,
    digest: OnceLock<Digest>,
}

/// A slip on the desk. Dropped before it is done, it is taken away again.
struct Left(Arc<Slip>);

impl Drop for Left {
    fn drop(&mut self) {
        if self.0.digest.get().is_none() {
            DESK.with_borrow_mut(|desk| desk.retain(|slip| !Arc::ptr_eq(slip, &self.0)));
        }
    }
}

/// The digest of a body, computed with those that others of this thread want.
pub(super) async fn digest(body: &Bytes) -> Digest {
    let left = Left(Arc::new(Slip { body: body.clone(), digest: OnceLock::new() }));
    DESK.with_borrow_mut(|desk| desk.push(Arc::clone(&left.0)));
    tokio::task::yield_now().await;
    if left.0.digest.get().is_none() {
        DESK.with_borrow_mut(clear);
    }
    // It lies on another desk if the request was moved to another thread.
    *left.0.digest.get_or_init(|| super::of_body(body))
}

/// Digests all that lie there.
fn clear(desk: &mut Vec<Arc<Slip>>) {
    let digests = super::of_bodies(desk.iter().map(|slip| slip.body.as_ref()));
    for (slip, digest) in desk.drain(..).zip(digests) {
        // Whose request went on in another thread may have it by now.
        slip.digest.get_or_init(|| digest);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn lying() -> usize {
        DESK.with_borrow(Vec::len)
    }

    #[tokio::test]
    async fn those_who_ask_at_once_are_digested_by_the_first_that_is_back() {
        let bodies = ["a", "b", "c"].map(|text| Bytes::from_static(text.as_bytes()));
        let mut asked = Vec::from(bodies.each_ref().map(|body| Box::pin(digest(body))));
        let mut context = Context::from_waker(Waker::noop());
        for one in &mut asked {
            assert!(one.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(lying(), 3);
        for (one, body) in asked.iter_mut().zip(&bodies) {
            let done = one.as_mut().poll(&mut context);
            assert_eq!(done, Poll::Ready(super::super::of_body(body)));
            assert_eq!(lying(), 0);
        }
    }

    #[tokio::test]
    async fn one_who_goes_away_leaves_nothing() {
        let body = Bytes::from_static(b"a");
        {
            let mut asked = pin!(digest(&body));
            assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!(lying(), 1);
        }
        assert_eq!(lying(), 0);
    }

    #[test]
    fn one_who_goes_on_in_another_thread_is_digested_there_and_leaves_the_desk_in_order() {
        let (moved, stays) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        let mut asked = Box::pin(async move { digest(&moved).await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut context).is_pending());
        let elsewhere = std::thread::spawn(move || {
            asked.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        assert_eq!(elsewhere.join().unwrap(), Poll::Ready(super::super::of_body(b"a")));
        assert_eq!(lying(), 1);
        let mut asked = pin!(digest(&stays));
        assert!(asked.as_mut().poll(&mut context).is_pending());
        assert_eq!(asked.as_mut().poll(&mut context), Poll::Ready(super::super::of_body(b"b")));
        assert_eq!(lying(), 0);
    }
}
