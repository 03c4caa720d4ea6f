//! Metrics: what was measured, kept in buckets of time that grow coarser with age; and alarms, with
//! what happened to them. How an alarm stands is found out on the floor above.
//!
//! Floor 2. An engine like the others: it speaks in domain words, is given the time, and remembers
//! through a journal. [`State`] is pure and the fold of its records; [`Metrics`] keeps it.
//!
//! A value goes into one bucket of one *tier*: seconds, minutes, five minutes, hours. Age moves it
//! to coarser ones, and no statistic but the percentile loses anything by that.

#![cfg_attr(test, expect(clippy::float_cmp, reason = "what is added up here is exact"))]

mod alarm;
mod alarm_codec;
mod alarms;
mod buckets;
mod check;
mod codec;
mod engine;
mod key;
pub mod math;
mod point;
mod record;
mod series;
mod spread;
mod state;
mod summary;
mod tier;
mod unit;

pub use alarm::{
    Alarm, AlarmKey, AlarmSettings, Due, Happening, HistoryItem, Reason, Standing, Tags, Watched,
};
pub use alarms::Alarms;
pub use check::{BadSource, Check, Comparison, Gives, Measure, Missing, Query, Source, one_period};
pub use engine::{Error, Metrics, Stored};
pub use key::{Dimension, MetricKey};
pub use point::{Measurement, Point, Resolution};
pub use state::{Bucket, Listing, State};
pub use summary::Summary;
pub use tier::{Retention, Tier};
pub use unit::{BadUnit, Unit};
