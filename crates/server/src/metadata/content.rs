//! What an instance is told of itself: leaves of text under paths, and lists of what is below one.

use std::collections::BTreeSet;

use serde_json::json;
use tidemill_base::Timestamp;
use tidemill_fleet::{Instance, Phase, USUAL};
use tidemill_identity::SessionKey;

use crate::roles;

/// The versions that the service has always had, of which every date is as good as another.
const VERSIONS: &str = "1.0\nlatest";
/// Where an instance reads what its group has it go to.
const TARGET: &str = "meta-data/autoscaling/target-lifecycle-state";
/// Where every instance is found.
const ADDRESS: &str = "127.0.0.1";

/// What is at `path`, if anything is; `key` is that of the instance's role, `target` the state that
/// its group has it go to, if it is of one.
pub(super) fn find(
    instance: &Instance,
    key: Option<&SessionKey>,
    target: Option<&str>,
    path: &str,
) -> Option<Vec<u8>> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Some(VERSIONS.into());
    }
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    if !is_version(version) {
        return None;
    }
    if rest == "user-data" {
        // As it was given, whatever is in it.
        return instance.recipe.user_data.clone().filter(|data| !data.is_empty());
    }
    let mut leaves = leaves(instance, key);
    let state = target.map(|target| (TARGET.to_owned(), target.to_owned()));
    leaves.extend(state);
    if let Some((_, text)) = leaves.iter().find(|(leaf, _)| leaf == rest) {
        return Some(text.clone().into_bytes());
    }
    let below = |leaf: &str| {
        let below =
            if rest.is_empty() { leaf } else { leaf.strip_prefix(rest)?.strip_prefix('/')? };
        let (step, deeper) = below.split_once('/').map_or((below, false), |(step, _)| (step, true));
        Some(if deeper { format!("{step}/") } else { step.to_owned() })
    };
    let list: BTreeSet<String> = leaves.iter().filter_map(|(leaf, _)| below(leaf)).collect();
    let list: Vec<String> = list.into_iter().collect();
    (!list.is_empty()).then(|| list.join("\n").into_bytes())
}

fn is_version(version: &str) -> bool {
    let dated = version.len() == 10 && version.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    matches!(version, "latest" | "1.0") || dated
}

/// Everything but the user data, by path.
fn leaves(instance: &Instance, key: Option<&SessionKey>) -> Vec<(String, String)> {
    let recipe = &instance.recipe;
    let region = instance.owner.region.as_str();
    let zone = recipe.zone.clone().unwrap_or_else(|| format!("{region}a"));
    let image = recipe.image.as_deref().unwrap_or("process");
    let kind = recipe.kind.as_deref().unwrap_or(USUAL);
    let id = instance.id.to_string();
    let mut leaves: Vec<(String, String)> = [
        ("ami-id", image.to_owned()),
        ("ami-launch-index", instance.index.to_string()),
        ("hostname", "localhost".to_owned()),
        ("instance-action", action(instance.phase).to_owned()),
        ("instance-id", id.clone()),
        ("instance-life-cycle", "on-demand".to_owned()),
        ("instance-type", kind.to_owned()),
        ("local-hostname", "localhost".to_owned()),
        ("local-ipv4", ADDRESS.to_owned()),
        ("placement/availability-zone", zone.clone()),
        ("placement/region", region.to_owned()),
        ("profile", "default-hvm".to_owned()),
        ("reservation-id", instance.reservation.to_string()),
        ("services/domain", "amazonaws.com".to_owned()),
        ("services/partition", "aws".to_owned()),
    ]
    .map(|(path, text)| (format!("meta-data/{path}"), text))
    .into();
    let groups: Vec<&str> = recipe.group_names.iter().flatten().map(String::as_str).collect();
    if !groups.is_empty() {
        leaves.push(("meta-data/security-groups".to_owned(), groups.join("\n")));
    }
    // Whether it may ask for its tags is said when it is launched.
    let tags = recipe.metadata.as_ref().and_then(|options| options.tags.as_deref());
    if tags == Some("enabled") {
        let tag = |(name, value): (&String, &String)| {
            (format!("meta-data/tags/instance/{name}"), value.clone())
        };
        leaves.extend(instance.tags.iter().map(tag));
    }
    if let Some((key, profile)) = key.zip(recipe.profile.as_ref()) {
        let info = roles::profile(instance, profile, key);
        leaves.push(("meta-data/iam/info".to_owned(), format!("{info:#}")));
        let path = format!("meta-data/iam/security-credentials/{}", key.session.role);
        leaves.push((path, format!("{:#}", roles::for_metadata(key))));
    }
    let document = json!({
        "accountId": instance.owner.account.to_string(),
        "architecture": std::env::consts::ARCH.replace("aarch64", "arm64"),
        "availabilityZone": zone,
        "imageId": image,
        "instanceId": id,
        "instanceType": kind,
        "pendingTime": told(instance.launched),
        "privateIp": ADDRESS,
        "region": region,
        "version": "2017-09-30",
    });
    let document = format!("{document:#}");
    leaves.push(("dynamic/instance-identity/document".to_owned(), document));
    leaves
}

fn action(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending | Phase::Running => "none",
        Phase::Stopping | Phase::Stopped => "stop",
        Phase::ShuttingDown | Phase::Terminated => "terminate",
    }
}

fn told(at: Timestamp) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at.as_secs());
    humantime::format_rfc3339_seconds(at).to_string()
}
