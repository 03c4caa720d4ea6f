//! What an instance is made from. All of it is optional: a launch says some, its template the rest.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

/// Names and values.
pub type Tags = BTreeMap<String, String>;

/// What an instance is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recipe {
    /// The image's name. Every image is this machine.
    #[n(0)]
    pub image: Option<String>,
    /// The instance type's name.
    #[n(1)]
    pub kind: Option<String>,
    /// What it runs.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub user_data: Option<Vec<u8>>,
    /// The instance profile.
    #[n(3)]
    pub profile: Option<Profile>,
    /// The name of a key to log in with, which is kept and shown.
    #[n(4)]
    pub key_name: Option<String>,
    /// Security groups by id, kept and shown.
    #[n(5)]
    pub group_ids: Option<Vec<String>>,
    /// Security groups by name, kept and shown.
    #[n(6)]
    pub group_names: Option<Vec<String>>,
    /// Whether it is watched closely, kept and shown.
    #[n(7)]
    pub monitoring: Option<bool>,
    /// Whether its disks have a road of their own, kept and shown.
    #[n(8)]
    pub ebs_optimized: Option<bool>,
    /// Whether it cannot be terminated.
    #[n(9)]
    pub keeps_living: Option<bool>,
    /// Whether it cannot be stopped.
    #[n(10)]
    pub keeps_running: Option<bool>,
    /// `stop` or `terminate`, kept and shown: a process cannot shut its machine down.
    #[n(11)]
    pub on_shutdown: Option<String>,
    /// Tags, by the kind of resource that they are for.
    #[n(12)]
    pub tags: Option<Vec<(String, Tags)>>,
    /// How its metadata is asked for.
    #[n(13)]
    pub metadata: Option<MetadataOptions>,
    /// The availability zone, kept and shown.
    #[n(14)]
    pub zone: Option<String>,
    /// The subnet, kept and shown.
    #[n(15)]
    pub subnet: Option<String>,
}

/// An instance profile, by one of its names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Profile {
    /// By its ARN, as it was given.
    #[n(0)]
    Arn(#[n(0)] String),
    /// By its name.
    #[n(1)]
    Name(#[n(0)] String),
}

/// How an instance's metadata is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MetadataOptions {
    /// `required` or `optional`.
    #[n(0)]
    pub tokens: Option<String>,
    /// `enabled` or `disabled`.
    #[n(1)]
    pub endpoint: Option<String>,
    /// How far an answer goes, kept and shown.
    #[n(2)]
    pub hops: Option<i32>,
    /// `enabled` or `disabled`: whether tags are among it.
    #[n(3)]
    pub tags: Option<String>,
}

impl Recipe {
    /// This, and where it says nothing what `base` says.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        Self {
            image: self.image.or_else(|| base.image.clone()),
            kind: self.kind.or_else(|| base.kind.clone()),
            user_data: self.user_data.or_else(|| base.user_data.clone()),
            profile: self.profile.or_else(|| base.profile.clone()),
            key_name: self.key_name.or_else(|| base.key_name.clone()),
            group_ids: self.group_ids.or_else(|| base.group_ids.clone()),
            group_names: self.group_names.or_else(|| base.group_names.clone()),
            monitoring: self.monitoring.or(base.monitoring),
            ebs_optimized: self.ebs_optimized.or(base.ebs_optimized),
            keeps_living: self.keeps_living.or(base.keeps_living),
            keeps_running: self.keeps_running.or(base.keeps_running),
            on_shutdown: self.on_shutdown.or_else(|| base.on_shutdown.clone()),
            tags: self.tags.or_else(|| base.tags.clone()),
            metadata: self.metadata.or_else(|| base.metadata.clone()),
            zone: self.zone.or_else(|| base.zone.clone()),
            subnet: self.subnet.or_else(|| base.subnet.clone()),
        }
    }

    /// The tags that it has for a kind of resource.
    pub fn tags_for(&self, resource: &str) -> Tags {
        let all = self.tags.iter().flatten().filter(|(kind, _)| kind == resource);
        all.flat_map(|(_, tags)| tags.clone()).collect()
    }
}

impl Profile {
    /// The profile's name, which an ARN ends in.
    pub fn name(&self) -> &str {
        match self {
            Self::Arn(arn) => arn.rsplit('/').next().unwrap_or(arn),
            Self::Name(name) => name,
        }
    }
}
