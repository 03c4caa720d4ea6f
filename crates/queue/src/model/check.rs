//! Whether a record can be: what the model says before it is folded.

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::pond::{self, Modelled, Pond};
use super::ponds::{Event, Ponds, group, number};
use crate::key::Sequence;
use crate::passage::CarryReason;
use crate::record::{Carried, DropReason, Header, Received, Record};
use crate::refusal::PURGE_PAUSE;

/// How many messages one receive gives at most.
const MOST: usize = 10;

/// What is wrong with a record, if anything is. `order` says whether what depends on the time's
/// having gone forward all along is looked at, too.
pub(super) fn check(ponds: &Ponds, event: &Event, order: bool) -> Result<(), String> {
    let Event { record, now, durable, .. } = event;
    let (now, durable) = (*now, *durable);
    if let Record::Created(created) = record {
        let is_taken = ponds.all.iter().any(|pond| pond.key == created.key);
        return expect(!is_taken, || "a second queue of that name".into());
    }
    let Some(number) = record.queue() else { return Ok(()) };
    let pond = ponds.get(number).ok_or_else(|| format!("no queue {}", number.0))?;
    match record {
        Record::Message(header) => sent(pond, header, now, order),
        Record::Moved(header) => find(pond, header.sequence).map(|_| ()),
        Record::Received(one) if order => received(pond, one, now, durable),
        Record::Received(one) => one.sequences.iter().try_for_each(|s| find(pond, *s).map(|_| ())),
        Record::Repeated { attempt, .. } if order => {
            let again = pond.repeats(super::ponds::number(*attempt), now);
            expect(again, || "there is nothing to repeat".into())
        }
        Record::Returned { sequences, .. } => sequences.iter().try_for_each(|sequence| {
            let message = find(pond, *sequence)?;
            let is_out = message.receives > 0 && (message.due > now || !order);
            expect(is_out, || format!("{sequence} was not out"))
        }),
        Record::Hidden { until, sequences, .. } => sequences.iter().try_for_each(|sequence| {
            let too_long = find(pond, *sequence)?.is_overtime(now, until.since(now));
            expect(!too_long || *until <= now, || format!("{sequence} is hidden for too long"))
        }),
        Record::Deleted { sequences, .. } => {
            sequences.iter().try_for_each(|sequence| find(pond, *sequence).map(|_| ()))
        }
        Record::Dropped { why: DropReason::Lost, .. } => Err("something was lost".into()),
        Record::Dropped { sequences, .. } => dropped(ponds, pond, sequences, now, durable),
        Record::Redriven { sequences, .. } => sequences.iter().try_for_each(|sequence| {
            let message = find(pond, *sequence)?;
            let is_there = message.seen_from < durable && (message.due <= now || !order);
            expect(is_there, || format!("{sequence} was not to be had"))
        }),
        Record::Purged { at, .. } => {
            let too_soon = pond.purged.is_some_and(|before| *at < before + PURGE_PAUSE);
            expect(!too_soon || !order, || "purged too soon after".into())
        }
        Record::Carried(one) => carried(ponds, pond, one, (now, durable), order),
        _ => Ok(()),
    }
}

fn expect(is_so: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what()) }
}

fn find(pond: &Pond, sequence: Sequence) -> Result<&Modelled, String> {
    let found = pond.messages.iter().find(|one| one.sequence == sequence);
    found.ok_or_else(|| format!("{sequence} is not there"))
}

fn sent(pond: &Pond, header: &Header, now: Timestamp, order: bool) -> Result<(), String> {
    let Header { sequence, sent, .. } = header;
    expect(*sequence == pond.next, || format!("{sequence} came for {}", pond.next))?;
    expect(*sent == now, || "sent at another time".into())?;
    let Some((mark, _)) = header.known else { return Ok(()) };
    let original = pond.original(group(header).unwrap_or_default(), number(mark), now);
    expect(original.is_none() || !order, || format!("{sequence} is a duplicate"))
}

fn received(
    pond: &Pond,
    received: &Received,
    now: Timestamp,
    durable: Position,
) -> Result<(), String> {
    let Received { attempt, sequences, .. } = received;
    if let Some(attempt) = attempt {
        let again = pond.repeats(number(*attempt), now);
        expect(!again, || "it repeats an earlier receive".into())?;
    }
    let mut heads = pond.heads(sequences.len(), now, durable);
    if !pond.is_fifo() {
        heads.sort_unstable();
    }
    expect(heads == *sequences, || format!("{sequences:?} were given, {heads:?} were next"))
}

fn dropped(
    ponds: &Ponds,
    pond: &Pond,
    sequences: &[Sequence],
    now: Timestamp,
    durable: Position,
) -> Result<(), String> {
    let goes_on = ponds.index(pond.number).and_then(|index| pond::target(&ponds.all, index));
    let goes_on = pond.keeps_expired && goes_on.is_some();
    expect(!goes_on, || "they were to go to the dead-letter queue".into())?;
    sequences.iter().try_for_each(|sequence| {
        let message = find(pond, *sequence)?;
        expect(is_old(pond, message, now, durable), || format!("{sequence} is not too old"))
    })
}

fn is_old(pond: &Pond, message: &Modelled, now: Timestamp, durable: Position) -> bool {
    message.ages_from + pond.settings.retention <= now && message.seen_from < durable
}

fn carried(
    ponds: &Ponds,
    source: &Pond,
    carried: &Carried,
    (now, durable): (Timestamp, Position),
    order: bool,
) -> Result<(), String> {
    let index = ponds.index(source.number);
    let target = index.and_then(|index| pond::target(&ponds.all, index));
    let target = target.map(|found| &ponds.all[found]).ok_or("there is no dead-letter queue")?;
    expect(target.number == carried.target, || "it goes elsewhere".into())?;
    expect(target.next == carried.first, || "another sequence is next".into())?;
    let redrive = source.settings.redrive.as_ref().ok_or("it has no dead-letter queue")?;
    let heads = source.heads(MOST, now, durable);
    carried.messages.iter().try_for_each(|one| {
        let message = find(source, one.sequence)?;
        expect(message.position == one.position, || "its record is elsewhere".into())?;
        expect(message.receives == one.receives, || "it was not received so often".into())?;
        let here = message.receives - message.receives_before;
        let is_next = heads.contains(&one.sequence) || !order;
        let exhausted = here >= redrive.max_receives && is_next;
        let is_over = source.keeps_expired && is_old(source, message, now, durable);
        let began_anew = message.ages_from != message.sent;
        let why = match carried.why {
            CarryReason::Exhausted => exhausted && !began_anew,
            CarryReason::TooOld => is_over || (exhausted && began_anew),
        };
        expect(why, || format!("{} had to stay", one.sequence))
    })
}
