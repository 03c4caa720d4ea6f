//! A connection, from its first request to its end.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BufMut, Bytes, BytesMut};
use http::Method;
use tidemill_base::{ByteSize, Headers};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

use crate::answer::{Answer, Asked};
use crate::budget::{Held, Spent};
use crate::chunks::{Chunks, Progress};
use crate::head::{Framing, Head, Malformed, Version};
use crate::idle::Idle;
use crate::patient::Patient;
use crate::room::{self, ROOM, make_room};
use crate::{Door, Handler, Limits, Request, Untaken};

/// Above this an answer's body is not copied behind its head.
const LARGE: usize = 16 << 10;
/// How long it is waited, when a connection ends, for more of what the client still sends.
const PAUSE: Duration = Duration::from_secs(1);
/// How long that may take in all.
const FAREWELL: Duration = Duration::from_secs(10);

/// A request's body, or why it was not taken.
type Taken = Result<Body, Untaken>;

/// A request's body.
struct Body {
    at: Place,
    /// Counts it until the request is answered.
    _held: Option<Held>,
}

/// Where a body is.
enum Place {
    /// So many bytes behind the head.
    Here(usize),
    /// In chunks it came, and was put together.
    Apart(Vec<u8>),
}

/// Answers one request after another, until the client ends that, or `stop` does between two.
///
/// # Errors
/// If the stream fails, or the client takes no answer.
pub async fn serve<S, H>(stream: S, door: &Door<H>, stop: watch::Receiver<bool>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let mut line = Line::new(stream, &door.limits, stop);
    let mut buffer = BytesMut::new();
    let mut taken = None;
    loop {
        let head = match Head::read(&buffer) {
            Ok(Some(head)) if head.length <= door.limits.head.as_usize() => head,
            Ok(None) if buffer.len() < door.limits.head.as_usize() => {
                match line.hear(&mut buffer, door.limits.head).await? {
                    Heard::More => continue,
                    Heard::End => return Ok(()),
                    Heard::Late => return line.refuse(Malformed::TooSlow, door).await,
                }
            }
            Ok(_) => return line.refuse(Malformed::TooLarge(door.limits.head), door).await,
            Err(malformed) => return line.refuse(malformed, door).await,
        };
        let Some(body) = taken.take().or_else(|| at_hand(&head, &buffer, &door.limits)) else {
            let coming = Coming::behind(&head, buffer.len());
            taken = Some(line.take(coming, &mut buffer, door).await?);
            continue;
        };
        let (given, end) = match body.as_ref().map(|body| &body.at) {
            Ok(Place::Here(length)) => {
                let end = head.length + length;
                (Ok(&buffer[head.length..end]), end)
            }
            Ok(Place::Apart(bytes)) => (Ok(bytes.as_slice()), head.length),
            Err(untaken) => (Err(*untaken), head.length),
        };
        let is_taken = given.is_ok();
        let request = Request {
            method: &head.method,
            path: head.path,
            query: head.query,
            headers: Headers::from(head.headers.as_slice()),
            body: given,
        };
        let behind = buffer.len() - end;
        let answer = {
            // Pinned where it is made: it is large, and would be moved where it is handed on.
            let answer = pin!(door.handler.answer(request));
            line.unless_hung_up(answer, behind).await?
        };
        let Some(answer) = answer else { return Ok(()) };
        let keeps = head.keeps && is_taken && !line.idle.is_stopped();
        let asked = Asked { method: &head.method, version: head.version, keeps };
        line.answer(answer, asked, door).await?;
        drop((head, body));
        if !keeps {
            drop(buffer);
            return linger(line.stream).await;
        }
        line.next(&mut buffer, end);
    }
}

/// A body that needs nothing more to come: most do not.
fn at_hand(head: &Head<'_>, buffer: &[u8], limits: &Limits) -> Option<Taken> {
    let Framing::Length(length) = head.framing else { return None };
    if length > limits.body.as_u64() {
        return Some(Err(Untaken::TooLarge(limits.body)));
    }
    let length = usize::try_from(length).ok()?;
    // What fits into the room that each connection has is not counted.
    let body = Body { at: Place::Here(length), _held: None };
    (head.length + length <= buffer.len().min(ROOM)).then_some(Ok(body))
}

/// What a head says of the body that has not come yet.
#[derive(Clone, Copy)]
struct Coming {
    /// How long the head is.
    head: usize,
    framing: Framing,
    /// Whether the client waits to be told to send it.
    expects: bool,
}

impl Coming {
    /// The body of a request of which `here` bytes have come.
    fn behind(head: &Head<'_>, here: usize) -> Self {
        let expects = head.expects && here == head.length;
        Self { head: head.length, framing: head.framing, expects }
    }
}

/// What came of listening for a head.
enum Heard {
    More,
    /// The client is gone, or has rested too long, or we stop.
    End,
    /// A head began and did not end in time.
    Late,
}

impl Heard {
    /// Of so many bytes read.
    fn of(read: usize) -> Self {
        if read == 0 { Self::End } else { Self::More }
    }
}

/// A connection's stream, and what belongs to it from one request to the next.
struct Line<S> {
    stream: Patient<S>,
    idle: Idle,
    /// Rings when the head must be here that has begun to come.
    late: Option<Pin<Box<Sleep>>>,
    head_timeout: Duration,
    /// What came while a request was being answered.
    ahead: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    fn new(stream: S, limits: &Limits, stop: watch::Receiver<bool>) -> Self {
        Self {
            stream: Patient::new(stream, limits.write_timeout),
            idle: Idle::new(limits.head_timeout, stop),
            late: None,
            head_timeout: limits.head_timeout,
            ahead: Vec::new(),
        }
    }

    /// Reads some more of a head, of at most `limit`. It ends in a line's end, so it is not looked
    /// at again for less: who sends a byte at a time would have it read as often.
    async fn hear(&mut self, buffer: &mut BytesMut, limit: ByteSize) -> io::Result<Heard> {
        if buffer.is_empty() {
            return self.rest(buffer).await;
        }
        make_room(buffer);
        let Self { stream, late, head_timeout, .. } = self;
        let late = late.get_or_insert_with(|| Box::pin(sleep(*head_timeout)));
        let mut seen = buffer.len();
        poll_fn(|cx| {
            while let Poll::Ready(read) = pin!(stream.read_buf(buffer)).poll(cx) {
                let is_enough = buffer[seen..].contains(&b'\n') || buffer.len() >= limit.as_usize();
                if is_enough || !matches!(read, Ok(1..)) {
                    return Poll::Ready(read.map(Heard::of));
                }
                seen = buffer.len();
                make_room(buffer);
            }
            late.as_mut().poll(cx).map(|()| Ok(Heard::Late))
        })
        .await
    }

    /// Waits for the next request to begin. Meanwhile the connection has no room of its own.
    async fn rest(&mut self, buffer: &mut BytesMut) -> io::Result<Heard> {
        let Self { stream, idle, .. } = self;
        poll_fn(|cx| {
            room::lend(buffer);
            if let Poll::Ready(read) = pin!(stream.read_buf(buffer)).poll(cx) {
                return Poll::Ready(read.map(Heard::of));
            }
            room::give_back(buffer);
            idle.poll(cx).map(|()| Ok(Heard::End))
        })
        .await
    }

    /// Takes a body that did not come with its head.
    async fn take<H>(
        &mut self,
        coming: Coming,
        buffer: &mut BytesMut,
        door: &Door<H>,
    ) -> io::Result<Taken> {
        if coming.expects {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            self.stream.flush().await?;
        }
        let (limits, held) = (&door.limits, door.budget.hold());
        let taken = async {
            match coming.framing {
                Framing::Length(length) => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    self.fill(coming.head, length, buffer, held).await
                }
                Framing::Chunked => self.gather(coming.head, buffer, limits.body, held).await,
            }
        };
        let patience = limits.body_timeout;
        let taken = timeout(patience, taken).await.unwrap_or(Err(Untaken::TooSlow(patience)));
        if taken.is_err() {
            // What came of it is not counted any more, so it is not kept.
            *buffer = BytesMut::from(&buffer[..coming.head]);
        }
        Ok(taken)
    }

    /// Reads until `length` bytes stand behind the head.
    async fn fill(
        &mut self,
        head: usize,
        length: usize,
        buffer: &mut BytesMut,
        mut held: Held,
    ) -> Taken {
        let mut counted = 0;
        loop {
            let here = buffer.len() - head;
            held.more(here - counted).map_err(|Spent| Untaken::TooMuch)?;
            counted = here;
            if here >= length {
                return Ok(Body { at: Place::Here(length), _held: Some(held) });
            }
            // Not more than twice what has come: an announcement costs nothing to make.
            if buffer.capacity() == buffer.len() {
                buffer.reserve((length - here).min(buffer.len().max(ROOM)));
            }
            // Nor what follows: it would not be counted.
            self.read(&mut buffer.limit(length - here)).await?;
        }
    }

    /// Reads the chunks that stand behind the head, and leaves what follows them there.
    async fn gather(
        &mut self,
        head: usize,
        buffer: &mut BytesMut,
        limit: ByteSize,
        mut held: Held,
    ) -> Taken {
        let (mut chunks, mut body) = (Chunks::default(), Vec::new());
        let mut raw = buffer.split_off(head);
        loop {
            let (used, progress) = chunks.step(&raw)?;
            match progress {
                Progress::Bytes(bytes) => {
                    if body.len() + bytes.len() > limit.as_usize() {
                        return Err(Untaken::TooLarge(limit));
                    }
                    held.more(bytes.len()).map_err(|Spent| Untaken::TooMuch)?;
                    body.extend_from_slice(bytes);
                    raw.advance(used);
                }
                Progress::More => {
                    raw.advance(used);
                    raw.reserve(ROOM);
                    self.read(&mut raw).await?;
                }
                Progress::Done => {
                    raw.advance(used);
                    buffer.extend_from_slice(&raw);
                    return Ok(Body { at: Place::Apart(body), _held: Some(held) });
                }
            }
        }
    }

    async fn read(&mut self, buffer: &mut impl BufMut) -> Result<(), Untaken> {
        match self.stream.read_buf(buffer).await {
            Ok(read) if read > 0 => Ok(()),
            _ => Err(Untaken::BrokenOff),
        }
    }

    /// Waits for an answer, unless the client hangs up first: nobody would get it then. So many
    /// bytes have come `behind` the request already.
    async fn unless_hung_up(
        &mut self,
        mut answer: Pin<&mut impl Future<Output = Answer>>,
        behind: usize,
    ) -> io::Result<Option<Answer>> {
        let Self { stream, ahead, .. } = self;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(Some(answer)));
            }
            // What else is sent meanwhile is kept, up to a point, to see the end behind it.
            while behind + ahead.len() < ROOM {
                let mut bytes = [const { MaybeUninit::uninit() }; 512];
                let mut bytes = ReadBuf::uninit(&mut bytes);
                match pin!(&mut *stream).poll_read(cx, &mut bytes) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) if bytes.filled().is_empty() => {
                        return Poll::Ready(Ok(None));
                    }
                    Poll::Ready(Ok(())) => ahead.extend_from_slice(bytes.filled()),
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn answer<H>(
        &mut self,
        answer: Answer,
        asked: Asked<'_>,
        door: &Door<H>,
    ) -> io::Result<()> {
        let mut out = BytesMut::new();
        room::lend(&mut out);
        let body = answer.write(asked, &door.clock, &mut out);
        self.send(&mut out, body).await?;
        room::give_back(&mut out);
        Ok(())
    }

    /// Sends `head`, and `body` after it.
    async fn send(&mut self, head: &mut BytesMut, mut body: Bytes) -> io::Result<()> {
        if body.len() <= LARGE {
            head.extend_from_slice(&body);
            self.stream.write_all(head).await?;
        } else {
            let mut whole = bytes::Buf::chain(&**head, &mut body);
            self.stream.write_all_buf(&mut whole).await?;
        }
        self.stream.flush().await
    }

    /// Answers what is no request, and ends.
    async fn refuse<H>(mut self, malformed: Malformed, door: &Door<H>) -> io::Result<()> {
        let text = format!("{malformed}\n");
        let answer = Answer::new(malformed.status(), "text/plain; charset=utf-8", text);
        let asked = Asked { method: &Method::GET, version: Version::Http11, keeps: false };
        self.answer(answer, asked, door).await?;
        linger(self.stream).await
    }

    /// Goes on to the next request, which stands behind `end` if it has come.
    fn next(&mut self, buffer: &mut BytesMut, end: usize) {
        self.late = None;
        self.idle.serves();
        if end > ROOM {
            // A large request is over; what it took is not this connection's to keep.
            let rest = &buffer[end..];
            let mut fresh = BytesMut::with_capacity(rest.len().max(ROOM));
            fresh.extend_from_slice(rest);
            *buffer = fresh;
        } else {
            buffer.advance(end);
        }
        buffer.extend_from_slice(&std::mem::take(&mut self.ahead));
    }
}

/// Ends a stream so that the other side gets what it was sent: to close on something unread would
/// reset the connection, and lose it.
///
/// # Errors
/// If the stream fails.
pub async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let farewell = async {
        stream.shutdown().await?;
        let mut rest = vec![0; ROOM];
        while let Ok(read) = timeout(PAUSE, stream.read(&mut rest)).await {
            if read? == 0 {
                break;
            }
        }
        Ok(())
    };
    // Who does not take it in is closed all the same.
    timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_keeps_nothing_of_a_large_request() {
        let wait = Duration::from_secs(1);
        let (most, body) = (ByteSize::kib(64), ByteSize::mib(1));
        let (head_timeout, body_timeout, write_timeout) = (wait, wait, wait);
        let limits = Limits { head: most, body, head_timeout, body_timeout, write_timeout };
        let (_client, stream) = tokio::io::duplex(ROOM);
        let mut line = Line::new(stream, &limits, watch::channel(false).1);
        // It took all the room there was, so that no room tells of it.
        let mut buffer = BytesMut::zeroed(body.as_usize());
        line.ahead.extend_from_slice(b"GET");
        line.next(&mut buffer, body.as_usize());
        assert_eq!(&*buffer, b"GET");
        make_room(&mut buffer);
        assert_eq!(buffer.capacity(), ROOM);
    }
}
