//! The command line, as `tidemill --help` tells it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tidemill_base::{AccountId, ByteSize};

use crate::settings::Given;

/// Amazon SQS and the machinery around it, self-hosted, in one binary.
///
/// Start the service, point any AWS SDK or the AWS CLI at it, and go on as on AWS:
///
///     tidemill serve
///     export AWS_ENDPOINT_URL=http://127.0.0.1:4566
///     aws sqs create-queue --queue-name orders
#[derive(Parser, Debug)]
#[command(name = "tidemill", version, verbatim_doc_comment, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
pub(crate) enum Command {
    /// Run the service
    ///
    /// Each setting is also an environment variable, and a key of the configuration file. A flag
    /// goes over the environment, the environment over the file, the file over the default. An
    /// unknown key in the file is an error.
    Serve(Serve),
    /// Make a root access key and print it, once; from then on every request must be signed
    ///
    /// The service must not be running on the data folder. The key goes into a client's
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The secret cannot be shown again; run the
    /// command once more to make another key.
    Init(Init),
    /// Say whether the data in a folder is whole, and salvage it if it is not
    ///
    /// Reads every record of every segment, and every snapshot. Changes nothing unless --salvage
    /// is given. The service must not be running on the folder. Exit code: 0 whole, 1 damaged,
    /// 2 could not be checked.
    Check(Check),
    /// Copy the data of a service, while it runs or not, to a folder that it opens as its own
    ///
    /// The copy holds at least what was acknowledged before, and is read whole before it gets its
    /// name. The service is not asked and goes on meanwhile. What is at DEST is never overwritten.
    /// An interrupted copy is called DEST.unfinished, and can be removed.
    ///
    /// To restore: stop the service, and start it on the copy, or on a copy of that.
    Backup(Backup),
    /// Send messages to a queue
    Send(Send),
    /// Receive messages from a queue
    ///
    /// Without --delete the messages come back when their visibility timeout ends, as for any
    /// consumer that receives and does not delete.
    Receive(Receive),
    /// Show a queue's messages without receiving them
    ///
    /// Nothing changes: no receive is counted, no message becomes invisible. Shows waiting,
    /// delayed and in-flight messages, oldest first.
    Peek(Peek),
    /// Move a dead-letter queue's messages back to where they came from, and watch them go
    ///
    /// Starts a move task and shows how far it is until it ends. To leave it alone, interrupt the
    /// command: the task goes on in the service.
    Redrive(Redrive),
    /// Delete every message of a queue; at most once in 60 seconds a queue
    Purge(Purge),
    /// Measure how fast an endpoint of SQS is, this service's or any other
    ///
    /// Makes a queue of its own and removes it at the end, also after Ctrl-C. Sends all the
    /// messages, then receives, then deletes them; at last half of the clients send while the
    /// other half receive and delete, and it is measured how long each message was under way
    /// ("(delivery)"). A FIFO queue is received and deleted in one phase, since a message in flight
    /// keeps its group back. Exit code 1 if anything failed or did not come.
    ///
    /// The credentials are those of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    /// AWS_SESSION_TOKEN. An endpoint of AWS bills each request.
    Bench(Bench),
    /// List the instances, and what each of their units does
    Ps(Ps),
    /// Show what an instance's programs print
    ///
    /// The times are UTC. What the instance says of itself, as that a program was started again, is
    /// shown too, by `instance` or by the unit that it is about.
    Logs(Logs),
    /// Give an instance no more messages, and wait until it has none
    ///
    /// Its receives are answered with nothing from now on, and what it has is left to it. The
    /// service forgets that when it starts again. Then, or with --off, it is given messages again.
    Drain(Drain),
    /// Watch the queues, the groups of Auto Scaling and the instances
    ///
    /// In and out are messages sent and deleted in a second. Where the output is no terminal, each
    /// look is printed below the one before.
    Top(Top),
    /// Run an instance: what the service starts for each
    #[command(hide = true)]
    Shim(Shim),
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Configuration file (TOML); its keys are the flags' names
    #[arg(long, short, value_name = "FILE", env = "TIDEMILL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) given: Given,
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Folder that holds the data
    #[arg(long, short, value_name = "DIR", env = "TIDEMILL_DATA_DIR",
          default_value = crate::settings::DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// Account whose root the key is: twelve digits
    #[arg(long, value_name = "ID", env = "TIDEMILL_ACCOUNT", default_value_t = AccountId::DEFAULT)]
    pub(crate) account: AccountId,
    /// Print only the two `export` lines, for `eval`
    #[arg(long)]
    pub(crate) export: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The data folder
    #[arg(value_name = "DATA_DIR")]
    pub(crate) data_dir: PathBuf,
    /// Copy what is damaged aside, mark it as lost, and leave a folder that opens
    #[arg(long)]
    pub(crate) salvage: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The data folder
    #[arg(value_name = "DATA_DIR")]
    pub(crate) data_dir: PathBuf,
    /// The folder to make
    #[arg(value_name = "DEST")]
    pub(crate) to: PathBuf,
}

/// Where the service is, and as whom to speak to it.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "it is the name of the flag and of AWS's variable")]
pub(crate) struct Endpoint {
    /// Address of the service
    #[arg(
        long,
        visible_alias = "endpoint",
        value_name = "URL",
        env = "AWS_ENDPOINT_URL",
        default_value = "http://127.0.0.1:4566"
    )]
    pub(crate) endpoint_url: String,
    /// Region of the queue [default: AWS_DEFAULT_REGION, else us-east-1]
    #[arg(long, value_name = "REGION", env = "AWS_REGION")]
    pub(crate) region: Option<String>,
    /// Access key; where the service is open, any, or an account's twelve digits. Its secret is
    /// taken from AWS_SECRET_ACCESS_KEY only, and not shown
    #[arg(long, value_name = "ID", env = "AWS_ACCESS_KEY_ID", default_value = "tidemill")]
    pub(crate) access_key_id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// The queue: its name or its URL
    pub(crate) queue: String,
    /// The messages' bodies, one message each
    #[arg(required_unless_present = "lines")]
    pub(crate) body: Vec<String>,
    /// Send each line of a file as a message; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub(crate) lines: Option<PathBuf>,
    /// How long the messages wait before they can be received, at most 15m
    #[arg(long, value_name = "TIME", value_parser = at_most::<900>)]
    pub(crate) delay: Option<Duration>,
    /// A string attribute of each message; may be given several times
    #[arg(long = "attribute", short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) attributes: Vec<(String, String)>,
    /// Group of the messages: a FIFO queue keeps each group in order, a standard queue shares its
    /// receivers fairly among groups
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// What a FIFO queue knows the message by for five minutes; needed unless the queue goes by
    /// content
    #[arg(long, value_name = "ID", conflicts_with = "lines")]
    pub(crate) deduplication_id: Option<String>,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Receive {
    /// The queue: its name or its URL
    pub(crate) queue: String,
    /// Most messages to receive
    #[arg(long, short = 'n', value_name = "N", default_value = "1")]
    pub(crate) max: NonZeroUsize,
    /// How long to wait for the first message, at most 20s
    #[arg(long, value_name = "TIME", value_parser = at_most::<20>, default_value = "0s")]
    pub(crate) wait: Duration,
    /// How long the messages stay invisible to others, at most 12h [default: the queue's]
    #[arg(long, value_name = "TIME", value_parser = at_most::<43_200>)]
    pub(crate) visibility: Option<Duration>,
    /// Delete each message once it is printed
    #[arg(long)]
    pub(crate) delete: bool,
    /// Print whole messages, one JSON object a line, instead of bodies
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Peek {
    /// The queue: its name or its URL
    pub(crate) queue: String,
    /// Most messages to show
    #[arg(long, short = 'n', value_name = "N", default_value = "10")]
    pub(crate) max: NonZeroUsize,
    /// Print whole messages, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Redrive {
    /// The dead-letter queue: its name or its URL
    pub(crate) queue: String,
    /// Queue to move the messages to [default: the one each came from]
    #[arg(long, value_name = "QUEUE")]
    pub(crate) to: Option<String>,
    /// Most messages to move in a second, 1 to 500 [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) per_second: Option<u16>,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Purge {
    /// The queue: its name or its URL
    pub(crate) queue: String,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Ps {
    /// Also those that are stopped or terminated
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The instance: its id, or its tag `Name`
    pub(crate) instance: String,
    /// Go on as more is printed, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what was printed so long ago at most, as in 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) since: Option<Duration>,
    /// Only what was printed in this start of the instance: 1 is its first, 0 its last
    #[arg(long, short, value_name = "N")]
    pub(crate) boot: Option<u32>,
    /// Only the last lines, so many of them, at most 5000
    #[arg(long, short = 'n', value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub(crate) lines: Option<u16>,
    /// Only what programs printed, as they did
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Drain {
    /// The instance: its id, or its tag `Name`
    pub(crate) instance: String,
    /// Give it messages again
    #[arg(long)]
    pub(crate) off: bool,
    /// Do not wait until it has none
    #[arg(long, conflicts_with = "off")]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Top {
    /// Look once, for one interval, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Print one JSON object a look
    #[arg(long)]
    pub(crate) json: bool,
    /// How long from one look to the next
    #[arg(long, short, value_name = "TIME", value_parser = humantime::parse_duration,
          default_value = "1s")]
    pub(crate) interval: Duration,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(crate) struct Shim {
    /// The instance's folder
    #[arg(value_name = "DIR", required_unless_present = "exec")]
    pub(crate) folder: Option<PathBuf>,
    /// Become a program of the instance, as the shim says
    #[arg(long, value_name = "ORDER")]
    pub(crate) exec: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Clients, each of which sends its next request when its last is answered
    #[arg(long, short, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=2048))]
    pub(crate) clients: u16,
    /// Messages of a phase
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: u64,
    /// Size of a message's body, 16 B to 1MiB
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    pub(crate) size: ByteSize,
    /// Messages of a request: with 1, the operations are SendMessage and DeleteMessage; with more,
    /// those that take batches
    #[arg(long, short, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(crate) batch: u8,
    /// Measure a FIFO queue
    #[arg(long)]
    pub(crate) fifo: bool,
    /// Message groups of the FIFO queue [default: one a client]
    #[arg(long, value_name = "N", requires = "fifo",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) groups: Option<u16>,
    /// Requests a second, of all clients together; a latency then counts from when the request
    /// was due, so that time spent waiting for a free client is not hidden. What is received
    /// while others send goes at its own pace [default: as many as can be]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
}

/// Reads a time as SQS has them: whole seconds, and not more than `MOST` of them.
fn at_most<const MOST: u64>(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let most = Duration::from_secs(MOST);
    if time <= most && time.subsec_nanos() == 0 {
        return Ok(time);
    }
    Err(format!("at most {}, in whole seconds", humantime::format_duration(most)))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("an attribute is given as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_is_whole_seconds_up_to_its_most() {
        assert_eq!(at_most::<900>("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(at_most::<900>("0s"), Ok(Duration::ZERO));
        assert!(at_most::<900>("901s").unwrap_err().contains("15m"));
        assert!(at_most::<900>("1500ms").unwrap_err().contains("whole seconds"));
        assert!(at_most::<900>("5").is_err());
    }

    #[test]
    fn an_attribute_is_a_name_and_a_value() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("=b").is_err());
        assert!(pair("a").is_err());
    }
}
