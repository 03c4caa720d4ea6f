//! What the service is told: flags over environment over file over defaults.
//!
//! One table, [`Given`], is the command line, the environment and the file at once, so that none
//! of the three can know a setting that another lacks. [`Settings`] is what comes of merging them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer};
use tidemill_base::{AccountId, ByteSize};
use tidemill_journal::SyncMode;
use tidemill_services::ScalingMode;

/// Which clock the service goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClockKind {
    /// The machine's.
    System,
    /// One that stands still until POST /_tidemill/clock moves it, for tests.
    Manual,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What was given, on the command line, in the environment or in the file.
#[derive(Args, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Given {
    /// Address to serve on [default: 127.0.0.1:4566]
    ///
    /// Anything but loopback needs credentials: make them first with `tidemill init`.
    #[arg(long, short, value_name = "ADDR", value_parser = address, env = "TIDEMILL_LISTEN")]
    #[serde(deserialize_with = "address_text")]
    pub(crate) listen: Option<SocketAddr>,

    /// Folder that holds all the data; made if it is missing [default: tidemill-data]
    #[arg(long, short, value_name = "DIR", env = "TIDEMILL_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Account of whoever calls an open service with a key that names none: twelve digits
    /// [default: 000000000000]
    #[arg(long, value_name = "ID", env = "TIDEMILL_ACCOUNT")]
    #[serde(deserialize_with = "text")]
    pub(crate) account: Option<AccountId>,

    /// When an answer may leave: `durable` (its data is on the disk) or `written` (the operating
    /// system has it: survives a crash of Tidemill, not of the machine) [default: durable]
    #[arg(long, value_name = "MODE", env = "TIDEMILL_SYNC")]
    #[serde(deserialize_with = "text")]
    pub(crate) sync: Option<SyncMode>,

    /// Certificate chain to serve TLS with, a PEM file
    #[arg(long, value_name = "FILE", env = "TIDEMILL_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, a PEM file
    #[arg(long, value_name = "FILE", env = "TIDEMILL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Base of the queue URLs that clients are given, such as `https://queues.example.org`
    /// [default: the host each client used]
    #[arg(long, value_name = "URL", env = "TIDEMILL_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,

    /// Believe X-Forwarded-Host and X-Forwarded-Proto (behind a proxy that sets them)
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_TRUST_FORWARDED")]
    pub(crate) trust_forwarded: Option<bool>,

    /// A name, with all under it, by which clients reach an open service besides localhost, names
    /// without a dot and addresses; may be given several times. Others are refused, since pages in
    /// browsers can have their own names lead here
    #[arg(long, value_name = "NAME", env = "TIDEMILL_ALLOW_HOST", value_delimiter = ',')]
    pub(crate) allow_host: Option<Vec<String>>,

    /// Largest request body, compressed or not; larger ones are refused unread [default: 8MiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_MAX_BODY")]
    #[serde(deserialize_with = "text")]
    pub(crate) max_body: Option<ByteSize>,

    /// Largest head of a request, and what a connection buffers at most; at least 8KiB
    /// [default: 64KiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_MAX_HEADERS")]
    #[serde(deserialize_with = "text")]
    pub(crate) max_headers: Option<ByteSize>,

    /// Memory for the requests under way and for large answers until they are sent, all together;
    /// what comes beyond is answered 503, and tried again by clients [default: 256MiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_REQUEST_MEMORY")]
    #[serde(deserialize_with = "text")]
    pub(crate) request_memory: Option<ByteSize>,

    /// Most connections at once; one more is answered 503 and closed [default: 10000];
    /// at most the limit of open files less those that the data and the instances need
    #[arg(long, value_name = "N", env = "TIDEMILL_MAX_CONNECTIONS")]
    pub(crate) max_connections: Option<usize>,

    /// How long a client may take to send a request's headers, and how long a connection may
    /// rest between two requests [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_HEADER_TIMEOUT")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) header_timeout: Option<Duration>,

    /// How long a client may take to send a request's body [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_BODY_TIMEOUT")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) body_timeout: Option<Duration>,

    /// How long a client may take nothing of an answer before its connection is cut [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_WRITE_TIMEOUT")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) write_timeout: Option<Duration>,

    /// How long a stopping server waits for requests in flight [default: 25s]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_SHUTDOWN_GRACE")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) shutdown_grace: Option<Duration>,

    /// Threads that serve requests [default: one fewer than there are cores]
    #[arg(long, value_name = "N", env = "TIDEMILL_THREADS")]
    pub(crate) threads: Option<usize>,

    /// Memory that keeps recent message bodies [default: 16MiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_RECENT_BODIES")]
    #[serde(deserialize_with = "text")]
    pub(crate) recent_bodies: Option<ByteSize>,

    /// Memory for the metrics of CloudWatch, a quarter of it for alarms at most; before they take
    /// more, metrics are kept for half as long [default: 128MiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_METRICS_MEMORY")]
    #[serde(deserialize_with = "text")]
    pub(crate) metrics_memory: Option<ByteSize>,

    /// What must stay free on the disk; with less, nothing is taken in, and only receives and
    /// deletions go on [default: 256MiB]
    #[arg(long, value_name = "SIZE", env = "TIDEMILL_DISK_RESERVE")]
    #[serde(deserialize_with = "text")]
    pub(crate) disk_reserve: Option<ByteSize>,

    /// Which mind scales a group whose tags do not say: AWS's policies alone, or the fast one,
    /// which looks at the group's queue [default: aws]
    #[arg(long, value_name = "aws|fast", env = "TIDEMILL_SCALING_MODE")]
    #[serde(deserialize_with = "text")]
    pub(crate) scaling_mode: Option<ScalingMode>,

    /// How long the disk may take for a write or a sync before changes are refused [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_DISK_PATIENCE")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) disk_patience: Option<Duration>,

    /// Run instances of EC2, as processes of this machine; without it EC2 answers that they are
    /// turned off [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_INSTANCES")]
    pub(crate) instances: Option<bool>,

    /// Folder that holds the instances: what they run, their logs, their homes
    /// [default: `instances` in the data folder]
    #[arg(long, value_name = "DIR", env = "TIDEMILL_INSTANCES_DIR")]
    pub(crate) instances_dir: Option<PathBuf>,

    /// User that instances run as where their units name none; only root can run them as another
    /// [default: nobody]
    #[arg(long, value_name = "USER", env = "TIDEMILL_INSTANCES_USER")]
    pub(crate) instances_user: Option<String>,

    /// Allow units to name root as their user [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_INSTANCES_AS_ROOT")]
    pub(crate) instances_as_root: Option<bool>,

    /// Most instances at once [default: 100]
    #[arg(long, value_name = "N", env = "TIDEMILL_MAX_INSTANCES")]
    pub(crate) max_instances: Option<usize>,

    /// Stop the instances when the service stops, and start them again when it starts; otherwise
    /// they go on without it [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_STOP_INSTANCES")]
    pub(crate) stop_instances: Option<bool>,

    /// How long a key is good that an instance is given for its role; a new one is given six times
    /// as often [default: 6h]
    #[arg(long, value_name = "TIME", value_parser = span, env = "TIDEMILL_ROLE_SESSION")]
    #[serde(deserialize_with = "span_text")]
    pub(crate) role_session: Option<Duration>,

    /// What is logged: error, warn, info, debug or trace, also by part, as in
    /// `info,tidemill_journal=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "TIDEMILL_LOG")]
    pub(crate) log: Option<String>,

    /// How log lines look [default: auto]
    #[arg(long, value_enum, value_name = "FORMAT", env = "TIDEMILL_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// The clock to go by; a manual one serves only on loopback [default: system]
    #[arg(long, value_enum, value_name = "CLOCK", env = "TIDEMILL_CLOCK")]
    pub(crate) clock: Option<ClockKind>,

    /// Allow POST /_tidemill/reset, which empties the service between two tests; only on loopback
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_ALLOW_RESET")]
    pub(crate) allow_reset: Option<bool>,

    /// Allow POST /_tidemill/faults, which makes the disk fail; for tests, only on loopback
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "TIDEMILL_ALLOW_FAULTS", hide = true)]
    pub(crate) allow_faults: Option<bool>,
}

/// Takes, for each setting, the first that is given.
macro_rules! first_given {
    ($first:ident, $second:ident: $($setting:ident),* $(,)?) => {
        Given { $($setting: $first.$setting.or($second.$setting)),* }
    };
}

impl Given {
    /// What was given here, and where nothing was, what was given there.
    fn or(self, file: Self) -> Self {
        first_given!(self, file: listen, data_dir, account, sync, tls_cert, tls_key, public_url,
            trust_forwarded, allow_host, max_body, max_headers, request_memory, max_connections,
            header_timeout, body_timeout, write_timeout, shutdown_grace, threads, recent_bodies,
            metrics_memory, disk_reserve, disk_patience, instances, instances_dir, instances_user,
            instances_as_root, max_instances, stop_instances, role_session, scaling_mode, log,
            log_format, clock, allow_reset, allow_faults)
    }

    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read the configuration file {}", file.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("the configuration file {} is not right", file.display()))
    }
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// How instances are run.
#[derive(Clone, Debug)]
pub(crate) struct Instances {
    pub(crate) dir: PathBuf,
    pub(crate) user: String,
    pub(crate) as_root: bool,
    pub(crate) most: usize,
    /// Whether they stop when the service does.
    pub(crate) stop: bool,
    /// How long a key of a role is good.
    pub(crate) role_session: Duration,
}

/// What the service goes by.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    /// That of whoever names none.
    pub(crate) account: AccountId,
    pub(crate) sync: SyncMode,
    pub(crate) tls: Option<TlsFiles>,
    /// Scheme and host.
    pub(crate) public_url: Option<(String, String)>,
    pub(crate) trust_forwarded: bool,
    /// By which names, besides those that nobody else can have, it may be reached while it is open.
    pub(crate) allow_host: Vec<String>,
    pub(crate) max_body: ByteSize,
    pub(crate) max_headers: ByteSize,
    pub(crate) request_memory: ByteSize,
    /// None: as many as are usual and can be.
    pub(crate) max_connections: Option<usize>,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) threads: Option<usize>,
    pub(crate) recent_bodies: ByteSize,
    pub(crate) metrics_memory: ByteSize,
    pub(crate) disk_reserve: ByteSize,
    pub(crate) disk_patience: Duration,
    /// None: there are no instances.
    pub(crate) instances: Option<Instances>,
    /// Of groups whose tags do not say.
    pub(crate) scaling_mode: ScalingMode,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) clock: ClockKind,
    pub(crate) allow_reset: bool,
    pub(crate) allow_faults: bool,
}

/// The limits of a role's session. AWS's shortest is 15 minutes; a test will not wait so long.
const SHORTEST_SESSION: Duration = Duration::from_secs(1);
const LONGEST_SESSION: Duration = Duration::from_hours(12);

/// The data folder of whoever names no other.
pub(crate) const DATA_DIR: &str = "tidemill-data";

impl Settings {
    /// Merges what was given on the command line or in the environment with the file, if there
    /// is one, and with the defaults.
    pub(crate) fn of(given: Given, file: Option<&Path>) -> anyhow::Result<Self> {
        let file = file.map_or_else(|| Ok(Given::default()), Given::read)?;
        let given = given.or(file);
        let tls = match (given.tls_cert, given.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => bail!("tls-cert and tls-key go together: give both, or neither"),
        };
        let data_dir = given.data_dir.unwrap_or_else(|| DATA_DIR.into());
        let instances = Instances {
            dir: given.instances_dir.unwrap_or_else(|| data_dir.join("instances")),
            user: given.instances_user.unwrap_or_else(|| "nobody".to_owned()),
            as_root: given.instances_as_root.unwrap_or(false),
            most: given.max_instances.unwrap_or(100),
            stop: given.stop_instances.unwrap_or(false),
            role_session: given.role_session.unwrap_or(Duration::from_hours(6)),
        };
        let settings = Self {
            listen: given.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4566))),
            data_dir,
            account: given.account.unwrap_or(AccountId::DEFAULT),
            sync: given.sync.unwrap_or(SyncMode::Durable),
            tls,
            public_url: given.public_url.as_deref().map(checked_url).transpose()?,
            trust_forwarded: given.trust_forwarded.unwrap_or(false),
            allow_host: given.allow_host.unwrap_or_default(),
            max_body: given.max_body.unwrap_or(ByteSize::mib(8)),
            max_headers: given.max_headers.unwrap_or(ByteSize::kib(64)),
            request_memory: given.request_memory.unwrap_or(ByteSize::mib(256)),
            max_connections: given.max_connections,
            header_timeout: given.header_timeout.unwrap_or(Duration::from_mins(1)),
            body_timeout: given.body_timeout.unwrap_or(Duration::from_secs(30)),
            write_timeout: given.write_timeout.unwrap_or(Duration::from_secs(30)),
            shutdown_grace: given.shutdown_grace.unwrap_or(Duration::from_secs(25)),
            threads: given.threads,
            metrics_memory: given.metrics_memory.unwrap_or(ByteSize::mib(128)),
            recent_bodies: given.recent_bodies.unwrap_or(ByteSize::mib(16)),
            disk_reserve: given.disk_reserve.unwrap_or(ByteSize::mib(256)),
            disk_patience: given.disk_patience.unwrap_or(Duration::from_secs(5)),
            instances: Some(instances).filter(|_| given.instances.unwrap_or(true)),
            scaling_mode: given.scaling_mode.unwrap_or_default(),
            log: given.log.unwrap_or_else(|| "info".to_owned()),
            log_format: given.log_format.unwrap_or(LogFormat::Auto),
            clock: given.clock.unwrap_or(ClockKind::System),
            allow_reset: given.allow_reset.unwrap_or(false),
            allow_faults: given.allow_faults.unwrap_or(false),
        };
        settings.checked()
    }

    fn checked(self) -> anyhow::Result<Self> {
        let loopback = self.listen.ip().is_loopback();
        if !loopback && self.clock == ClockKind::Manual {
            bail!("a manual clock serves only on loopback: listen on 127.0.0.1, or drop `clock`");
        }
        if !loopback && self.allow_reset {
            bail!("allow-reset serves only on loopback: listen on 127.0.0.1, or drop it");
        }
        if !loopback && self.allow_faults {
            bail!("allow-faults serves only on loopback: listen on 127.0.0.1, or drop it");
        }
        let life = self.instances.as_ref().map(|instances| instances.role_session);
        if life.is_some_and(|life| !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&life)) {
            bail!("role-session must be between 1 second and 12 hours");
        }
        if self.disk_patience.is_zero() {
            bail!("disk-patience must be more than nothing: every sync takes a moment");
        }
        if self.threads == Some(0) {
            bail!("threads must be at least 1");
        }
        if self.max_connections == Some(0) {
            bail!("max-connections must be at least 1");
        }
        if self.max_headers < ByteSize::kib(8) || self.max_headers > ByteSize::mib(1) {
            bail!("max-headers must be 8KiB to 1MiB: each connection may hold as much");
        }
        if self.request_memory < self.max_body {
            bail!("request-memory must be at least max-body, or a request might never fit");
        }
        // A message of 1 MiB must fit, whatever the protocol adds to it.
        if self.max_body < ByteSize::mib(2) {
            bail!("max-body must be at least 2MiB: a message may have 1 MiB before it is encoded");
        }
        if self.max_body > ByteSize::mib(1024) {
            bail!("max-body must be at most 1GiB: a request is held in memory whole");
        }
        Ok(self)
    }
}

fn checked_url(url: &str) -> anyhow::Result<(String, String)> {
    let parsed: http::Uri = url.parse().with_context(|| format!("public-url {url:?}"))?;
    let plain = parsed.query().is_none() && parsed.path() == "/";
    match (parsed.scheme_str(), parsed.authority()) {
        (Some(scheme @ ("http" | "https")), Some(host)) if plain => {
            Ok((scheme.to_owned(), host.to_string()))
        }
        _ => bail!("public-url is a scheme and a host, such as https://queues.example.org"),
    }
}

/// Reads an address to listen on. `localhost` is the one name that means the same everywhere.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let local = port.map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    local.or_else(|| text.parse().ok()).ok_or_else(|| {
        "an address is an IP address and a port, such as 127.0.0.1:4566, or 0.0.0.0:4566 for \
         every network that the machine is on"
            .to_owned()
    })
}

fn span(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

fn text<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn address_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    address(&text).map(Some).map_err(serde::de::Error::custom)
}

fn span_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    span(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Given, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn the_command_line_goes_over_the_file_and_the_file_over_the_defaults() {
        let flags = Given { max_body: Some(ByteSize::mib(3)), ..Given::default() };
        let given = flags.or(file("max-body = '4MiB'\nheader-timeout = '5s'").unwrap());
        assert_eq!(given.max_body, Some(ByteSize::mib(3)));
        assert_eq!(given.header_timeout, Some(Duration::from_secs(5)));
        assert_eq!(given.body_timeout, None);
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error_that_names_it() {
        let error = file("lisen = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(error.contains("lisen") && error.contains("listen"), "{error}");
    }

    #[test]
    fn an_account_has_twelve_digits() {
        let given = file("account = '123456789012'").unwrap();
        assert_eq!(given.account.map(AccountId::as_u64), Some(123_456_789_012));
        for bad in ["12345678901", "1234567890123", "12345678901x", ""] {
            let told = file(&format!("account = '{bad}'")).unwrap_err().to_string();
            assert!(told.contains("an account id is twelve decimal digits"), "{told}");
        }
    }

    #[test]
    fn an_address_has_an_ip_and_a_port() {
        assert_eq!(address("localhost:80"), Ok("127.0.0.1:80".parse().unwrap()));
        assert_eq!(address("[::1]:80"), Ok("[::1]:80".parse().unwrap()));
        for bad in ["4566", ":4566", "localhost", "127.0.0.1", "127.0.0.1:99999", "host:80"] {
            let told = address(bad).unwrap_err();
            assert!(told.contains("127.0.0.1:4566"), "{bad}: {told}");
        }
    }

    #[test]
    fn test_controls_are_refused_away_from_loopback() {
        let listen = Some("0.0.0.0:4566".parse().unwrap());
        let clock = Given { listen, clock: Some(ClockKind::Manual), ..Given::default() };
        assert!(Settings::of(clock, None).is_err());
        let reset = Given { listen, allow_reset: Some(true), ..Given::default() };
        assert!(Settings::of(reset, None).is_err());
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let given = Given { tls_cert: Some("cert.pem".into()), ..Given::default() };
        assert!(Settings::of(given, None).unwrap_err().to_string().contains("go together"));
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        let checked = checked_url("https://a.b:1/").unwrap();
        assert_eq!(checked, ("https".to_owned(), "a.b:1".to_owned()));
        for bad in ["a.b", "ftp://a.b", "http://a.b/path", "http://a.b?x"] {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
    }
}
