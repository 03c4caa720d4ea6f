//! A server under measurement: a child process, its address, and the processor time it used.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::client::Client;
use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running server; it ends when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
}

/// What a journal has done since it was opened.
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// Syncs to the disk.
    pub syncs: u64,
    /// The time they took together.
    pub syncing: Duration,
    /// Bytes that were appended.
    pub written: u64,
}

impl Server {
    /// Starts the bare handler.
    pub async fn bare() -> anyhow::Result<Self> {
        let mut command = Command::new(beside("bare")?);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let address = BufReader::new(stdout).lines().next_line().await?;
        Ok(Self { child, address: address.context("the bare handler did not start")? })
    }

    /// Starts Tidemill on a folder, and waits until it serves.
    pub async fn tidemill(data: &Path, sync: &str) -> anyhow::Result<Self> {
        let mut server = Self::start(data, sync)?;
        server.serving().await?;
        Ok(server)
    }

    /// Starts Tidemill on a folder.
    pub fn start(data: &Path, sync: &str) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(beside("tidemill")?)
            .args(["serve", "--listen", &address, "--sync", sync, "--log", "warn", "--data-dir"])
            .arg(data)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, address })
    }

    /// Waits until it serves. Fails if it ends instead.
    pub async fn serving(&mut self) -> anyhow::Result<()> {
        while tokio::net::TcpStream::connect(&self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("tidemill ended at its start: {status}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Asks it to end.
    pub async fn ask_to_stop(&self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server has ended")?;
        let asked = Command::new("kill").arg(pid.to_string()).status().await?;
        anyhow::ensure!(asked.success(), "the server could not be asked to end");
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.ask_to_stop().await?;
        let ended = self.child.wait().await?;
        anyhow::ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }

    /// Kills it at once, as a crash would.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// User and system time the server has used.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let pid = self.child.id().context("the server has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The command's name, in parentheses, may hold blanks: count from behind it.
        let (_, fields) = stat.rsplit_once(") ").context("a stat line names its command")?;
        let ticks = |index: usize| -> anyhow::Result<u64> {
            Ok(fields.split(' ').nth(index).context("a stat line has 52 fields")?.parse()?)
        };
        // A tick is 10 ms on every Linux there is (USER_HZ).
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
    }

    /// What the journal has done so far. Nothing of a bare handler.
    pub async fn journal(&self) -> anyhow::Result<Journal> {
        let text = self.metrics().await?;
        let name = "tidemill_journal_sync_duration_seconds";
        let syncs = sum(&text, &format!("{name}_count")) as u64;
        let syncing = Duration::from_secs_f64(sum(&text, &format!("{name}_sum")));
        let written = sum(&text, "tidemill_journal_bytes_total") as u64;
        Ok(Journal { syncs, syncing, written })
    }

    /// Long polls that wait, at all queues together.
    pub async fn waiting_receivers(&self) -> anyhow::Result<usize> {
        Ok(sum(&self.metrics().await?, "tidemill_queue_waiting_receivers") as usize)
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let mut client = Client::connect(&self.address).await?;
        let get = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        Ok(String::from_utf8_lossy(client.call(get.as_bytes()).await?).into_owned())
    }

    /// Memory it holds, in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let pid = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).context("VmRSS")?;
        Ok(kib.parse()?)
    }
}

/// The sum of a metric's values, whatever their labels.
fn sum(text: &str, name: &str) -> f64 {
    let value = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
        rest.strip_prefix(' ')?.parse().ok()
    };
    text.lines().filter_map(value).sum()
}

/// A program in the folder of this one.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        // Not the whole workspace: the service would get what only the simulation needs.
        let packages = "-p tidemill -p tidemill-bench -p tidemill-proof";
        bail!("{} is missing: build it with `cargo build --release {packages}`", path.display());
    }
    Ok(path)
}
