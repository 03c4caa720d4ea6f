//! Connections from their client's side: what is sent, and what comes back. Time is simulated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use tidemill_base::{ByteSize, Clock, Timestamp};
use tidemill_http::{Answer, Budget, Door, Handler, Limits, Request, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Answers with what it was sent; waits for ever at `/wait`.
#[derive(Default)]
struct Echo {
    waiting: AtomicUsize,
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Handler for Echo {
    async fn answer(&self, request: Request<'_>) -> Answer {
        if request.path == "/wait" {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _waits = Waits(&self.waiting);
            std::future::pending::<()>().await;
        }
        if request.path == "/turn" {
            tokio::task::yield_now().await;
        }
        let body = match request.body {
            Ok(body) => format!(
                "{} {} {} {}",
                request.method,
                request.path,
                request.query.unwrap_or("-"),
                String::from_utf8_lossy(body)
            ),
            Err(untaken) => untaken.to_string(),
        };
        if request.path == "/large" {
            return Answer::new(StatusCode::OK, "text/plain", vec![b'x'; 100_000]);
        }
        Answer::new(StatusCode::OK, "text/plain", body)
    }
}

struct Client {
    stream: DuplexStream,
    door: Arc<Door<Echo>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Client {
    fn new() -> Self {
        let limits = Limits {
            head: ByteSize::kib(16),
            body: ByteSize::kib(64),
            head_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
        };
        let budget = Budget::new(ByteSize::kib(100));
        let clock = Clock::manual(Timestamp::from_millis(1_445_412_480_000));
        let door = Arc::new(Door { handler: Echo::default(), limits, budget, clock });
        let (stream, theirs) = duplex(PIPE);
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&door);
        let task = tokio::spawn(async move { serve(theirs, &served, stopped).await });
        Self { stream, door, stop, task }
    }

    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// How many bytes are taken of what is sent again and again.
    async fn taken(&mut self, text: &[u8]) -> usize {
        let mut taken = 0;
        let rest = |taken: usize| &text[taken % text.len()..];
        let patience = Duration::from_millis(1);
        while let Ok(more) = timeout(patience, self.stream.write(rest(taken))).await {
            taken += more.unwrap();
        }
        taken
    }

    /// What comes until the connection ends.
    async fn rest(&mut self) -> String {
        let mut said = String::new();
        self.stream.read_to_string(&mut said).await.unwrap();
        said
    }

    /// What is answered to this, with nothing after it.
    async fn asked(text: impl AsRef<[u8]>) -> String {
        let mut client = Self::new();
        client.send(text).await;
        client.stream.shutdown().await.unwrap();
        client.rest().await
    }

    /// One answer, as text.
    async fn answer(&mut self) -> String {
        let mut said = Vec::new();
        let mut bytes = [0; 1];
        while !said.ends_with(b"\r\n\r\n") {
            assert_eq!(self.stream.read(&mut bytes).await.unwrap(), 1, "the connection ended");
            said.push(bytes[0]);
        }
        let head = String::from_utf8(said).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        head + std::str::from_utf8(&body).unwrap()
    }
}

/// How many bytes are on their way at most.
const PIPE: usize = 32 << 10;
/// How many bytes a connection may take in before their turn comes.
const AHEAD: usize = 17 << 10;
const CLOSE: &str = "connection: close\r\n";

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_with_a_head_and_what_belongs_to_it() {
    let mut client = Client::new();
    client.send("POST /a?b HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(
        client.answer().await,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\
         date: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\nPOST /a b abc"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_in_order_however_they_are_cut() {
    let chunks = "4;x=y\r\nsome\r\n1\r\n!\r\n0\r\nx-sum: 1\r\n\r\n";
    let text = format!(
        "POST /1 HTTP/1.1\r\ncontent-length: 5\r\n\r\nfirst\
         POST /2 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}\
         \r\nGET /3 HTTP/1.1\r\n\r\n\
         GET /4 HTTP/1.1\r\nconnection: close\r\n\r\nGET /5 HTTP/1.1\r\n\r\n"
    );
    for part in [1, 2, 3, 7, 40, 100, text.len()] {
        let mut client = Client::new();
        for part in text.as_bytes().chunks(part) {
            client.send(part).await;
            tokio::task::yield_now().await;
        }
        let said = client.rest().await;
        let bodies: Vec<&str> = ["POST /1 - first", "POST /2 - some!", "GET /3 - ", "GET /4 - "]
            .into_iter()
            .filter(|body| said.contains(body))
            .collect();
        assert_eq!((bodies.len(), said.matches("HTTP/1.1 200").count()), (4, 4), "{part}: {said}");
        assert_eq!(said.matches(CLOSE).count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_head_is_answered_to_who_asks_for_it_and_old_clients_are_told_apart() {
    let head = Client::asked("HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(head.contains("content-length: 9\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let old = Client::asked("GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n") && old.contains(CLOSE), "{old}");
    let mut kept = Client::new();
    for _ in 0..2 {
        kept.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
        assert!(kept.answer().await.contains("connection: keep-alive\r\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_refused_and_the_connection_ends() {
    for (bad, status) in [
        ("\x16\x03\x01\x02\x00".to_owned(), "400"),
        ("GET host:1 HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101)), "431"),
        (format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(17 << 10)), "431"),
        (format!("GET /{}", "b".repeat(17 << 10)), "431"),
    ] {
        let said = Client::asked(&bad).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {said}");
        assert!(said.contains(CLOSE) && said.matches("HTTP/1.1").count() <= 2, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_refused_by_its_announcement_or_where_it_grows_too_large() {
    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 65537\r\n\r\n").await;
    let said = client.answer().await;
    assert!(said.ends_with("the request body is larger than 64 KiB") && said.contains(CLOSE));
    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..33 {
        client.send("800\r\n").await;
        client.send(vec![b'x'; 2048]).await;
        client.send("\r\n").await;
    }
    assert!(client.answer().await.ends_with("the request body is larger than 64 KiB"));
    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 65536\r\n\r\n").await;
    let mut go_on = [0; 25];
    client.stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(vec![b'y'; 65536]).await;
    assert!(client.answer().await.ends_with("yyy"));
    assert_eq!(client.door.budget.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_too_much_together_are_refused_one_by_one() {
    let mut client = Client::new();
    let held = client.door.budget.take(90_000).unwrap();
    let post = "POST / HTTP/1.1\r\ncontent-length: 20000\r\n\r\n";
    client.send(post).await;
    client.send(vec![b'x'; 20_000]).await;
    assert!(client.answer().await.contains("take all the memory they may"));
    drop(held);
    let mut client = Client::new();
    client.send(post).await;
    client.send(vec![b'x'; 20_000]).await;
    assert!(client.answer().await.ends_with('x'));
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "it measures simulated time")]
async fn who_does_not_go_on_is_cut_off() {
    let began = Instant::now();
    assert_eq!(Client::new().rest().await, "", "it rests from the beginning");
    assert_eq!(began.elapsed().as_secs(), 60);

    let began = Instant::now();
    let mut client = Client::new();
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.answer().await;
    assert_eq!(client.rest().await, "", "it rests after a request");
    assert!((60..=120).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    let began = Instant::now();
    let mut client = Client::new();
    for byte in "GET / HTTP/1.1".bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(4)).await;
    }
    assert!(client.rest().await.starts_with("HTTP/1.1 408 "), "a head that does not end");
    assert!((60..=62).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nabc").await;
    assert!(client.answer().await.ends_with("did not arrive within 30s"));
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_answer_is_cut_off() {
    let mut client = Client::new();
    client.send("GET /large HTTP/1.1\r\n\r\n").await;
    let ended = (&mut client.task).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_up_when_its_client_hangs_up() {
    let mut client = Client::new();
    client.send("GET /wait HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n").await;
    let waiting = |client: &Client| client.door.handler.waiting.load(Ordering::SeqCst);
    while waiting(&client) == 0 {
        tokio::task::yield_now().await;
    }
    client.stream.shutdown().await.unwrap();
    client.task.await.unwrap().unwrap();
    assert_eq!(client.door.handler.waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_between_two_requests() {
    let mut client = Client::new();
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.answer().await;
    client.stop.send_replace(true);
    assert_eq!(client.rest().await, "", "one that rests is closed");
    assert!(client.door.clock.is_manual());

    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab").await;
    tokio::task::yield_now().await;
    client.stop.send_replace(true);
    client.send("c").await;
    let said = client.answer().await;
    assert!(said.ends_with("POST / - abc") && said.contains(CLOSE), "{said}");
    assert_eq!(client.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_told_of_the_end_however_much_it_did_before_its_first_rest() {
    for requests in 1..=140 {
        let mut client = Client::new();
        client.send("GET / HTTP/1.1\r\n\r\n".repeat(requests)).await;
        for _ in 0..requests {
            client.answer().await;
        }
        tokio::task::yield_now().await;
        client.stop.send_replace(true);
        let ended = timeout(Duration::from_hours(1), &mut client.task).await;
        assert!(ended.is_ok(), "{requests} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_no_longer_however_much_it_did_before() {
    for requests in 1..=140 {
        let mut client = Client::new();
        client.send("GET / HTTP/1.1\r\n\r\n".repeat(requests)).await;
        for _ in 0..requests {
            client.answer().await;
        }
        let ended = timeout(Duration::from_mins(3), &mut client.task).await;
        assert!(ended.is_ok(), "{requests} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_more_than_it_reads_is_not_listened_to() {
    let mut client = Client::new();
    let request = b"GET /turn HTTP/1.1\r\n\r\n";
    let taken = client.taken(&request.repeat(1000)).await;
    // Those whose answers are on their way had their turn, and are shorter than their answers.
    assert!(taken <= PIPE + AHEAD + PIPE, "{taken}");
    assert!(client.answer().await.ends_with("GET /turn - "));
}

#[tokio::test(start_paused = true)]
async fn what_stands_behind_a_large_body_is_left_where_it_is() {
    let mut client = Client::new();
    let head = "POST /wait HTTP/1.1\r\ncontent-length: 33000\r\n\r\n";
    client.send(head).await;
    let taken = client.taken(&[b'x'; 1000]).await;
    assert!((33_000..=33_000 + PIPE + AHEAD).contains(&taken), "{taken}");
    assert_eq!(client.door.budget.held(), 33_000);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_may_send_all_it_has_before_it_listens() {
    let mut client = Client::new();
    client.send("POST / HTTP/1.1\r\ncontent-length: 4000000\r\n\r\n").await;
    client.send(vec![b'x'; 4_000_000]).await;
    assert!(client.rest().await.ends_with("the request body is larger than 64 KiB"));
}
