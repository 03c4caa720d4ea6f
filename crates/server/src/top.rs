//! `tidemill top`: the queues, the groups and the instances, as they are from second to second.
//!
//! A frame is plain text made from two looks at the service; only who shows it knows of terminals.
//! On a terminal each frame goes over the one before, and no key is listened to: the last one stays
//! to be read when it is interrupted.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use console::{Color, Style, Term};
use serde_json::{Value, json};
use tidemill_base::Clock;

use crate::cli::Top;
use crate::client::Client;
use crate::logs::colour_wanted;
use crate::ps::state;
use crate::screen;

/// What clears a line from the cursor on: a line is written over the one before, since one that was
/// cleared first would flicker.
const REST: &str = "\u{1b}[K";

/// A line of a frame, and what colour it has where there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    text: String,
    tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Title,
    /// It works.
    Good,
    /// It is on its way.
    Passing,
    /// It is over.
    Faint,
}

pub(crate) fn run(top: &Top) -> anyhow::Result<()> {
    let client = Client::new(&top.endpoint)?;
    let asked = json!({ "Region": client.region() });
    let clock = Clock::system();
    let term = Some(Term::stdout()).filter(|term| term.is_term() && !top.once && !top.json);
    let look = || client.own("/_tidemill/top", &asked).map(|told| (told, clock.monotonic()));
    let mut drawn = 0;
    let (mut before, mut then) = look()?;
    loop {
        thread::sleep(top.interval);
        let (mut now, at) = look()?;
        rate(&mut now, &before, at.saturating_sub(then));
        let mut out = io::stdout().lock();
        if top.json {
            writeln!(out, "{now}")?;
        } else if let Some(term) = &term {
            drawn = draw(term, &frame(&now), drawn)?;
        } else {
            frame(&now).iter().try_for_each(|row| writeln!(out, "{}", row.text))?;
            writeln!(out)?;
        }
        out.flush()?;
        if top.once {
            return Ok(());
        }
        (before, then) = (now, at);
    }
}

impl Row {
    fn new(text: &str, tone: Tone) -> Self {
        Self { text: screen::row(text), tone }
    }
}

/// Says of each queue what came and went in a second since it was looked at before.
fn rate(now: &mut Value, before: &Value, span: Duration) {
    let queues = before["Queues"].as_array().into_iter().flatten();
    let formerly: HashMap<&str, &Value> =
        queues.filter_map(|one| Some((one["Name"].as_str()?, one))).collect();
    let formerly = |name: &Value, what: &str| formerly.get(name.as_str()?)?[what].as_u64();
    for queue in now["Queues"].as_array_mut().into_iter().flatten() {
        for (what, rate) in [("Sent", "InPerSecond"), ("Deleted", "OutPerSecond")] {
            let count = queue[what].as_u64().unwrap_or_default();
            // A queue that is new, or a service that began anew, begins at nothing.
            let formerly = formerly(&queue["Name"], what).filter(|formerly| *formerly <= count);
            let more = count - formerly.unwrap_or_default();
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
            // In tenths, rounded.
            let tenths = (more * 10_000 + millis / 2) / millis;
            let rate_is = json!(f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0);
            queue[rate] = rate_is;
        }
    }
}

/// What there is to see.
fn frame(told: &Value) -> Vec<Row> {
    let list = |name: &str| told[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut rows = vec![queue_row(
        ["QUEUE", "WAITING", "IN FLIGHT", "DELAYED", "IN/S", "OUT/S", "OLDEST"].map(str::to_owned),
        Tone::Title,
    )];
    rows.extend(list("Queues").iter().map(queue));
    let empty = || Row::new("", Tone::Plain);
    if !list("Groups").is_empty() {
        rows.push(empty());
        let head = ["GROUP", "MIN", "DESIRED", "MAX", "SERVING", "COMING", "STANDBY", "GOING"];
        rows.push(group_row(head.map(str::to_owned), Tone::Title));
        rows.extend(list("Groups").iter().map(group));
    }
    let now = told["Now"].as_u64().unwrap_or_default();
    let instances = list("Instances");
    let shown = |one: &&Value| one["State"] != "terminated";
    rows.push(empty());
    rows.push(instance_row(
        ["INSTANCE", "NAME", "STATE", "AGE", "HOLDS", "LAST LINE"].map(str::to_owned),
        Tone::Title,
    ));
    rows.extend(instances.iter().filter(shown).map(|one| instance(one, now)));
    rows
}

fn queue(queue: &Value) -> Row {
    let number = |name: &str| queue[name].as_u64().unwrap_or_default();
    let rate = |name: &str| format!("{:.1}", queue[name].as_f64().unwrap_or_default());
    let is_idle = number("Visible") + number("InFlight") + number("Delayed") == 0;
    let oldest = queue["OldestSeconds"].as_u64().map_or_else(|| "-".to_owned(), age);
    let cells = [
        queue["Name"].as_str().unwrap_or_default().to_owned(),
        number("Visible").to_string(),
        number("InFlight").to_string(),
        number("Delayed").to_string(),
        rate("InPerSecond"),
        rate("OutPerSecond"),
        oldest,
    ];
    queue_row(cells, if is_idle { Tone::Faint } else { Tone::Plain })
}

fn queue_row(
    [name, waiting, in_flight, delayed, rate_in, rate_out, oldest]: [String; 7],
    tone: Tone,
) -> Row {
    let numbers = format!("{waiting:>9}  {in_flight:>9}  {delayed:>9}");
    let text = format!("{name:<32}  {numbers}  {rate_in:>8}  {rate_out:>8}  {oldest:>9}");
    Row::new(&text, tone)
}

fn group(group: &Value) -> Row {
    let number = |name: &str| group[name].as_u64().unwrap_or_default();
    let tone = match (number("InService") == number("Desired"), number("Desired")) {
        (true, 0) => Tone::Faint,
        (true, _) => Tone::Good,
        (false, _) => Tone::Passing,
    };
    let counts = ["Min", "Desired", "Max", "InService", "Pending", "Standby", "Terminating"];
    let [min, desired, max, serving, coming, standby, going] =
        counts.map(|name| number(name).to_string());
    let name = group["Name"].as_str().unwrap_or_default().to_owned();
    group_row([name, min, desired, max, serving, coming, standby, going], tone)
}

fn group_row(
    [name, min, desired, max, serving, coming, standby, going]: [String; 8],
    tone: Tone,
) -> Row {
    let wanted = format!("{min:>9}  {desired:>9}  {max:>9}");
    let text = format!("{name:<32}  {wanted}  {serving:>8}  {coming:>8}  {standby:>9}  {going:>9}");
    Row::new(&text, tone)
}

fn instance(one: &Value, now: u64) -> Row {
    let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
    let launched = one["Launched"].as_u64().unwrap_or(now);
    let state = state(one);
    let tone = match &*state {
        "running" => Tone::Good,
        "stopped" => Tone::Faint,
        _ => Tone::Passing,
    };
    let held = one["Held"].as_u64().unwrap_or_default().to_string();
    let age = age(now.saturating_sub(launched) / 1000);
    instance_row([text("InstanceId"), text("Name"), state, age, held, text("LastLine")], tone)
}

fn instance_row([id, name, state, age, held, line]: [String; 6], tone: Tone) -> Row {
    let text = format!("{id:<19}  {name:<16}  {state:<12}  {age:>9}  {held:>5}  {line}");
    Row::new(&text, tone)
}

/// A span in its two largest units.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Draws a frame over the one before, which had so many lines; returns how many it has.
fn draw(term: &Term, rows: &[Row], before: usize) -> io::Result<usize> {
    let (height, width) = term.size();
    let (height, width) = (usize::from(height), usize::from(width));
    // The cursor stands below the last line.
    let room = height.saturating_sub(1).max(1);
    let mut text = String::new();
    for row in rows.iter().take(room) {
        text.push_str(&style(row.tone).apply_to(screen::cut(&row.text, width)).to_string());
        text.push_str(REST);
        text.push('\n');
    }
    term.move_cursor_up(before.min(room))?;
    term.write_str(&text)?;
    term.clear_to_end_of_screen()?;
    term.flush()?;
    Ok(rows.len().min(room))
}

fn style(tone: Tone) -> Style {
    let style = Style::new().force_styling(colour_wanted());
    match tone {
        Tone::Plain => style,
        Tone::Title => style.bold(),
        Tone::Good => style.fg(Color::Green),
        Tone::Passing => style.fg(Color::Yellow),
        Tone::Faint => style.dim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sent: u64, deleted: u64) -> Value {
        json!({
            "Now": 100_000,
            "Queues": [{
                "Name": "work", "Visible": 7, "InFlight": 2, "Delayed": 0, "OldestSeconds": 61,
                "Sent": sent, "Deleted": deleted,
            }],
            "Groups": [{
                "Name": "crew", "Min": 0, "Desired": 3, "Max": 9, "InService": 2, "Pending": 1,
                "Standby": 0, "Terminating": 0,
            }],
            "Instances": [
                { "InstanceId": "i-00000000000000abc", "Name": "w\u{1b}", "State": "running",
                  "Launched": 35_000, "Held": 2, "LastLine": "did\u{1b}[2J it" },
                { "InstanceId": "i-00000000000000abd", "Name": null, "State": "terminated",
                  "Launched": 35_000, "Held": 0, "LastLine": null },
            ],
        })
    }

    #[test]
    fn a_rate_is_what_came_and_went_in_a_second() {
        let mut now = told(250, 5);
        rate(&mut now, &told(200, 20), Duration::from_secs(2));
        let queue = &now["Queues"][0];
        // The service began anew, and what it counts with it.
        assert_eq!((&queue["InPerSecond"], &queue["OutPerSecond"]), (&json!(25.0), &json!(2.5)));
    }

    #[test]
    fn a_frame_shows_what_there_is_and_nothing_that_moves_the_cursor() {
        let mut now = told(250, 20);
        rate(&mut now, &told(200, 20), Duration::from_secs(1));
        let rows = frame(&now);
        assert_eq!(rows.len(), 8);
        let words = |row: &Row| {
            row.text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&rows[1]), "work 7 2 0 50.0 0.0 1m 1s");
        assert_eq!(words(&rows[4]), "crew 0 3 9 2 1 0 0");
        assert_eq!(words(&rows[7]), "i-00000000000000abc w running 1m 5s 2 did [2J it");
        let tones = [1, 4, 7].map(|index: usize| rows[index].tone);
        assert_eq!(tones, [Tone::Plain, Tone::Passing, Tone::Good]);
    }

    #[test]
    fn an_age_is_told_in_its_largest_units() {
        let told = [5, 65, 3_700, 90_000].map(age);
        assert_eq!(told, ["5s", "1m 5s", "1h 1m", "1d 1h"]);
    }
}
