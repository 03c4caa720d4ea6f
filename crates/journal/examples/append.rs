//! How fast the log takes records: so many threads, each appending a group and waiting until it
//! is durable, in a directory of its own, which must not exist.
//!
//! `cargo run --release -p tidemill-journal --example append -- THREADS GROUP BYTES SECONDS MODE
//! DIR`: what is left out at the end is 1 thread, 1 record a group of 1024 bytes, for 3 seconds,
//! durable, in `target/append-bench`.

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_base::Clock;
use tidemill_journal::{Event, FileDriver, Journal, Kind, Options, SyncMode};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let threads: u64 = next("1").parse()?;
    let group_size: u64 = next("1").parse()?;
    let bytes: usize = next("1024").parse()?;
    let time = Duration::from_secs(next("3").parse()?);
    let sync: SyncMode = next("durable").parse()?;
    let dir = std::path::PathBuf::from(next("target/append-bench"));
    if dir.exists() {
        return Err(format!("{} exists", dir.display()).into());
    }
    let options = Options { sync, ..Options::default() };
    let fold = |_: Event<'_>| Ok::<_, Infallible>(());
    let journal = Journal::open(FileDriver::new(&dir), options, fold)?;

    let clock = Clock::system();
    let (cpu, appended) = (cpu_time(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let body = vec![7; bytes];
                while clock.monotonic() < time && journal.is_poisoned().is_none() {
                    let append = journal.append(|group| {
                        for _ in 0..group_size {
                            group.push(Kind(1), 0, |buffer| buffer.extend_from_slice(&body));
                        }
                    });
                    let Ok(end) = append.map(|appended| appended.end) else { return };
                    if journal.wait_durable(end).is_ok() {
                        appended.fetch_add(group_size, Ordering::Relaxed);
                    }
                    trim(&journal);
                }
            });
        }
    });
    report(&journal, clock.monotonic(), cpu_time().saturating_sub(cpu), appended.into_inner());
    journal.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Lets go of everything older than a few segments, as a queue that is drained does.
fn trim(journal: &Journal) {
    let segments = journal.segments();
    if let [old, _, _, .., last] = &segments[..]
        && last.range.start <= journal.durable()
    {
        // Two threads may try; one finds the segment gone.
        drop(journal.checkpoint(last.range.start, &[], &[old.id]));
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn report(journal: &Journal, took: Duration, cpu: Duration, appended: u64) {
    let stats = journal.stats();
    let seconds = took.as_secs_f64();
    println!(
        "{:.0} records/s, {:.0} syncs/s, {:.2} us CPU a record, mean sync {:.0} us",
        appended as f64 / seconds,
        stats.syncs as f64 / seconds,
        cpu.as_secs_f64() * 1e6 / appended as f64,
        stats.sync_latency.total.as_secs_f64() * 1e6 / stats.syncs.max(1) as f64,
    );
    for (bound, count) in stats.sync_latency.buckets().filter(|(_, count)| *count > 0) {
        match bound {
            Some(bound) => println!("  up to {bound:?}: {count}"),
            None => println!("  longer: {count}"),
        }
    }
}

/// What this process has used of the processors; nothing where that cannot be told.
fn cpu_time() -> Duration {
    // Fields 14 and 15, in hundredths of a second, counted from after the name in parentheses.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
