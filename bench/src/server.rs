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

impl Server {
    /// Starts the bare handler.
    pub async fn bare() -> anyhow::Result<Self> {
        let mut command = Command::new(beside("bare")?);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let address = BufReader::new(stdout).lines().next_line().await?;
        Ok(Self { child, address: address.context("the bare handler did not start")? })
    }

    /// Starts Tidemill on an empty folder, and waits until it serves.
    pub async fn tidemill(data: &Path, sync: &str) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(beside("tidemill")?)
            .args(["serve", "--listen", &address, "--sync", sync, "--log", "warn", "--data-dir"])
            .arg(data)
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self { child, address };
        while tokio::net::TcpStream::connect(&server.address).await.is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("tidemill ended at its start: {status}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
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

    /// The syncs to the disk so far, and the time they took. Nothing of a bare handler.
    pub async fn syncs(&self) -> anyhow::Result<(u64, Duration)> {
        let mut client = Client::connect(&self.address).await?;
        let get = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let text = String::from_utf8_lossy(client.call(get.as_bytes()).await?).into_owned();
        let value = |name: &str| -> Option<f64> {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        let name = "tidemill_journal_sync_duration_seconds";
        let count = value(&format!("{name}_count")).unwrap_or_default();
        let total = value(&format!("{name}_sum")).unwrap_or_default();
        Ok((count as u64, Duration::from_secs_f64(total)))
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

/// A program in the folder of this one.
fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is missing: build it with `cargo build --release --workspace`", path.display());
    }
    Ok(path)
}
