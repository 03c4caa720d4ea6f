//! `tidemill logs`: what an instance's programs print.

use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Logs;
use crate::client::Client;
use crate::serve::now;

/// How often to ask for more.
const PAUSE: Duration = Duration::from_millis(300);

pub(crate) fn run(logs: &Logs) -> anyhow::Result<()> {
    let client = Client::new(&logs.endpoint)?;
    let since = logs.since.map(|span| (now() - span).as_millis());
    let mut after = Value::Null;
    // What is asked for first ends where the log ended then, or whoever prints fast is never left.
    let (mut last, mut end) = (logs.lines, None);
    let mut out = io::stdout().lock();
    loop {
        let asked = json!({
            "Instance": logs.instance,
            "After": after,
            "Since": since,
            "Boot": logs.boot,
            "Last": last.take(),
            "Programs": logs.raw,
            "Region": client.region(),
        });
        let mut answer = client.own("/_tidemill/logs", &asked)?;
        let lines = answer["Lines"].as_array().map_or(&[][..], Vec::as_slice);
        for line in lines {
            print(&mut out, line, logs.raw)?;
        }
        out.flush()?;
        let end = *end.get_or_insert(place(&answer["End"]));
        let nothing = lines.is_empty();
        after = answer["Next"].take();
        if !logs.follow && (nothing || place(&after) >= end) {
            return Ok(());
        }
        if nothing {
            thread::sleep(PAUSE);
        }
    }
}

/// A place in a log: its file, and the offset in that.
fn place(told: &Value) -> (u64, u64) {
    let number = |index: usize| told[index].as_u64().unwrap_or_default();
    (number(0), number(1))
}

fn print(out: &mut impl io::Write, line: &Value, raw: bool) -> io::Result<()> {
    let text = line["Text"].as_str().unwrap_or_default();
    if raw {
        let end = if line["GoesOn"] == true { "" } else { "\n" };
        return write!(out, "{text}{end}");
    }
    let at = Duration::from_millis(line["At"].as_u64().unwrap_or_default());
    let at = humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + at);
    writeln!(out, "{at} {}: {text}", line["Unit"].as_str().unwrap_or_default())
}
