//! Launch templates: recipes under a name, in versions that never change.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use crate::id::TemplateId;
use crate::owner::Owner;
use crate::recipe::{Recipe, Tags};

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Template {
    /// Its id.
    #[n(0)]
    pub id: TemplateId,
    /// Whose it is.
    #[n(1)]
    pub owner: Owner,
    /// Its name, like no other of its owner's.
    #[n(2)]
    pub name: String,
    /// When it was made.
    #[n(3)]
    pub made: Timestamp,
    /// Its versions by number.
    #[n(4)]
    pub versions: BTreeMap<u64, Version>,
    /// The version of whoever names none.
    #[n(5)]
    pub default: u64,
    /// The number of its newest version, which may be gone.
    #[n(6)]
    pub latest: u64,
    /// Its tags.
    #[n(7)]
    pub tags: Tags,
    /// What its maker knows the request by, and a checksum of that.
    #[n(8)]
    pub token: Option<(String, u32)>,
}

/// A version of a template.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Version {
    /// Its number, from 1.
    #[n(0)]
    pub number: u64,
    /// What its maker says of it.
    #[n(1)]
    pub description: Option<String>,
    /// When it was made.
    #[n(2)]
    pub made: Timestamp,
    /// What it says.
    #[n(3)]
    pub recipe: Recipe,
    /// What its maker knows the request by, and a checksum of that.
    #[n(4)]
    pub token: Option<(String, u32)>,
}

/// Which version of a template is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The default one.
    Default,
    /// The newest.
    Latest,
    /// That of this number.
    Number(u64),
}

impl Template {
    /// The version that is meant, if it is there.
    pub fn version(&self, which: Which) -> Option<&Version> {
        match which {
            Which::Default => self.versions.get(&self.default),
            Which::Latest => self.versions.values().next_back(),
            Which::Number(number) => self.versions.get(&number),
        }
    }
}
