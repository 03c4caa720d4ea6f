//! What programs print, read line by line into the log. Who prints faster than the disk should
//! have to bear is not read for a while, and so waits.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tidemill_base::Clock;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Pen;
use crate::process::logbook::{LINE, Stream};

/// So much may be printed a second.
const RATE: u64 = 4 << 20;
/// So much may be printed at once.
const BURST: u64 = 16 << 20;

/// How much may be printed: what is not, gathers up to a limit.
#[derive(Debug)]
pub(super) struct Flow {
    left: u64,
    at: Duration,
}

impl Flow {
    pub(super) fn new(now: Duration) -> Self {
        Self { left: BURST, at: now }
    }

    /// Takes so many bytes, and says how long to wait before the next.
    fn take(&mut self, now: Duration, bytes: u64) -> Duration {
        let since = u64::try_from(now.saturating_sub(self.at).as_micros()).unwrap_or(u64::MAX);
        let gained = since.saturating_mul(RATE) / 1_000_000;
        self.left = self.left.saturating_add(gained).min(BURST);
        self.at = now;
        if let Some(left) = self.left.checked_sub(bytes) {
            self.left = left;
            return Duration::ZERO;
        }
        let missing = bytes - std::mem::take(&mut self.left);
        let wait = Duration::from_micros(missing.saturating_mul(1_000_000) / RATE);
        // What is waited for is spent already.
        self.at = now + wait;
        wait
    }
}

/// Reads a pipe into the log until nobody can write to it any more; then what it gives is done.
pub(super) fn follow(
    pipe: OwnedFd,
    stream: Stream,
    unit: String,
    pen: Pen,
    flow: Rc<RefCell<Flow>>,
    clock: Clock,
) -> JoinHandle<()> {
    tokio::task::spawn_local(async move {
        let Ok(mut pipe) = Receiver::from_owned_fd(pipe) else { return };
        let mut buffer = vec![0; LINE];
        let mut begun: Vec<u8> = Vec::new();
        while let Ok(count) = pipe.read(&mut buffer).await {
            if count == 0 {
                break;
            }
            for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                match part.strip_suffix(b"\n") {
                    Some(line) if begun.is_empty() => pen.write(stream, false, &unit, line),
                    Some(line) => {
                        begun.extend_from_slice(line);
                        pen.write(stream, false, &unit, &begun);
                        begun.clear();
                    }
                    None => begun.extend_from_slice(part),
                }
            }
            if begun.len() >= LINE {
                pen.write(stream, true, &unit, &begun);
                begun.clear();
            }
            let wait = flow.borrow_mut().take(clock.monotonic(), count as u64);
            if !wait.is_zero() {
                sleep(wait).await;
            }
        }
        if !begun.is_empty() {
            pen.write(stream, false, &unit, &begun);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_prints_too_much_waits_as_long_as_it_takes_to_be_allowed() {
        let second = Duration::from_secs(1);
        let mut flow = Flow::new(Duration::ZERO);
        assert_eq!(flow.take(Duration::ZERO, BURST), Duration::ZERO);
        assert_eq!(flow.take(Duration::ZERO, RATE), second);
        // After the wait there is nothing left over.
        assert_eq!(flow.take(second, RATE), second);
        assert_eq!(flow.take(second * 100, BURST), Duration::ZERO);
    }
}
