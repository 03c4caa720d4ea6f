//! What a shim is told, and what it tells: the files `plan` and `status` of an instance's folder,
//! in CBOR, each member under a number of its own. A new one gets the next number, so that a shim
//! of an older version still reads its plan, and its status is read by a newer server.

use minicbor::{Decode, Encode};

/// The variable that marks all processes of an instance.
pub(super) const MARK: &str = "TIDEMILL_MARK";

/// What an instance is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Plan {
    /// The instance.
    #[n(0)]
    pub id: String,
    /// Which start of it this is, from 1.
    #[n(1)]
    pub boot: u32,
    /// Its user data, as it was given.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub user_data: Vec<u8>,
    /// The variables that all of its programs are given.
    #[n(3)]
    pub environment: Vec<(String, String)>,
    /// Most bytes of memory that its processes may hold together.
    #[n(4)]
    pub memory: u64,
    /// Most processes.
    #[n(5)]
    pub processes: u32,
    /// Whom its programs run as where their unit names nobody; whoever runs the service, if none.
    #[n(6)]
    pub user: Option<String>,
    /// Whether a unit may name root.
    #[n(7)]
    pub allow_root: bool,
    /// What marks its processes, in their environment: nobody can guess it.
    #[n(8)]
    pub mark: String,
}

/// How an instance is, as its shim last wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Status {
    /// Which start of the instance it is of.
    #[n(0)]
    pub boot: u32,
    /// Whether its programs were started, and it was not asked to stop.
    #[n(1)]
    pub up: bool,
    /// Its units.
    #[n(2)]
    pub units: Vec<UnitStatus>,
    /// Why it could not be started, if it could not.
    #[n(3)]
    pub failure: Option<String>,
    /// How long a stop may take at most, in seconds.
    #[n(4)]
    pub patience: u64,
    /// How many processes it has.
    #[n(5)]
    pub processes: u32,
    /// How many bytes of memory they hold.
    #[n(6)]
    pub memory: u64,
    /// Whether nothing of it was left when its shim ended.
    #[n(7)]
    #[cbor(default)]
    pub ended: bool,
}

/// How a unit is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct UnitStatus {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// `active`, `activating`, `deactivating`, `inactive` or `failed`.
    #[n(1)]
    pub state: String,
    /// Its first process, if one runs.
    #[n(2)]
    pub pid: Option<u32>,
    /// How often it was started again by itself.
    #[n(3)]
    pub restarts: u32,
    /// How its last process ended, in words.
    #[n(4)]
    pub ended: Option<String>,
}

impl Plan {
    /// The variable and value that mark its processes.
    pub(super) fn marking(&self) -> String {
        format!("{MARK}={}", self.mark)
    }
}

impl Status {
    /// Whether a unit of it failed, and is not started again.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some() || self.units.iter().any(|unit| unit.state == "failed")
    }
}
