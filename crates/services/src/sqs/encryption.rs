//! Encryption at rest, as attributes: accepted and reported, since clients and templates ask for
//! it by habit. What lies on the disk is as safe as the disk.

use tidemill_queue::{Settings, SettingsChange};
use tidemill_wire::Fault;

use super::attributes::{self, Attributes};
use super::fault;

pub(super) const SQS_SSE: &str = "SqsManagedSseEnabled";
pub(super) const KMS_KEY: &str = "KmsMasterKeyId";
pub(super) const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";

/// The reuse period of a queue that has a key and names none, in seconds.
const USUAL_REUSE: &str = "300";

/// Reads the attributes that speak of encryption.
///
/// Kept is what differs from a queue of which nobody asked anything, which is encrypted by SQS
/// itself: asking for just that again is no difference.
pub(super) fn read(given: &Attributes, change: &mut SettingsChange) -> Result<(), Fault> {
    let get = |name| attributes::find(given, name);
    let mut keep = |name: &str, value: Option<&str>| {
        change.extras.insert(name.to_owned(), value.map(str::to_owned));
    };
    let sqs = get(SQS_SSE).map(|value| attributes::boolean(SQS_SSE, value)).transpose()?;
    let key = get(KMS_KEY);
    if sqs == Some(true) && key.is_some_and(|key| !key.is_empty()) {
        return Err(fault::two_encryptions());
    }
    if let Some(period) = get(KMS_REUSE) {
        attributes::number(KMS_REUSE, period, 60, 86_400)?;
        keep(KMS_REUSE, Some(period));
    }
    match (sqs, key) {
        (Some(true), _) => {
            keep(SQS_SSE, None);
            keep(KMS_KEY, None);
            keep(KMS_REUSE, None);
        }
        (_, Some("")) => {
            keep(KMS_KEY, None);
            keep(KMS_REUSE, None);
        }
        (_, Some(key)) => {
            keep(KMS_KEY, Some(key));
            keep(SQS_SSE, Some("false"));
        }
        (_, None) => {}
    }
    if sqs == Some(false) {
        keep(SQS_SSE, Some("false"));
    }
    Ok(())
}

/// The attributes that a queue has.
pub(super) fn show(settings: &Settings) -> Vec<(&'static str, String)> {
    let extra = |name: &str| settings.extras.get(name).map(String::as_str);
    let mut shown = vec![(SQS_SSE, extra(SQS_SSE).unwrap_or("true").to_owned())];
    if let Some(key) = extra(KMS_KEY) {
        shown.push((KMS_KEY, key.to_owned()));
        shown.push((KMS_REUSE, extra(KMS_REUSE).unwrap_or(USUAL_REUSE).to_owned()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(settings: &Settings, pairs: &[(&str, &str)]) -> Settings {
        let given = pairs.iter().map(|(name, value)| ((*name).into(), (*value).to_owned()));
        let mut change = SettingsChange::default();
        read(&given.collect(), &mut change).unwrap();
        change.applied_to(settings)
    }

    fn shown(settings: &Settings) -> Vec<String> {
        show(settings).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn a_kms_key_takes_the_place_of_the_queues_own_encryption_and_leaves_nothing_behind() {
        let new = Settings::default();
        assert_eq!(shown(&new), ["true"]);
        let keyed = changed(&new, &[(KMS_KEY, "alias/x")]);
        assert_eq!(shown(&keyed), ["false", "alias/x", "300"]);
        let longer = changed(&keyed, &[(KMS_REUSE, "600")]);
        assert_eq!(shown(&longer), ["false", "alias/x", "600"]);
        let bare = changed(&longer, &[(KMS_KEY, ""), (KMS_REUSE, "300")]);
        assert_eq!(shown(&bare), ["false"]);
        assert_eq!(changed(&longer, &[(SQS_SSE, "True")]), new);
    }

    #[test]
    fn asking_for_what_a_queue_has_anyway_is_no_difference() {
        let given = [(SQS_SSE.to_owned().into(), "true".to_owned())].into_iter().collect();
        let mut change = SettingsChange::default();
        read(&given, &mut change).unwrap();
        assert_eq!(change.first_difference(&Settings::default()), None);
    }

    #[test]
    fn two_kinds_at_once_are_refused() {
        let both = [(SQS_SSE, "true"), (KMS_KEY, "alias/x")];
        let both = both.map(|(name, value)| (name.to_owned().into(), value.to_owned()));
        assert!(read(&both.into_iter().collect(), &mut SettingsChange::default()).is_err());
    }
}
