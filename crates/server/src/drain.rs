//! `tidemill drain`: gives an instance no more messages, and waits until it has none.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cli::Drain;
use crate::client::Client;

/// How often to look.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn run(drain: &Drain) -> anyhow::Result<()> {
    let client = Client::new(&drain.endpoint)?;
    let asked = json!({
        "Instance": drain.instance,
        "Draining": !drain.off,
        "Region": client.region(),
    });
    let mut told = None;
    loop {
        let answer = client.own("/_tidemill/drain", &asked)?;
        let id = answer["InstanceId"].as_str().unwrap_or_default();
        let held = answer["Held"].as_u64().unwrap_or_default();
        if drain.off {
            println!("{id} is given messages again; it has {held}");
            return Ok(());
        }
        if told != Some(held) {
            println!("{id} is given no more messages; it has {held}");
            told = Some(held);
        }
        if held == 0 || drain.no_wait {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}
