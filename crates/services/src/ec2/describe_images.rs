//! DescribeImages: what instances can stand on. There is one thing: processes of this machine.

use tidemill_api::ec2::{DescribeImagesRequest, DescribeImagesResult, Image, errors};
use tidemill_wire::Fault;

use super::instance::architecture;
use super::page::page;
use super::recipe::{PROCESS, is_image};
use super::{Call, filter};

pub(super) fn handle(
    _: &Call<'_>,
    it: &DescribeImagesRequest,
) -> Result<DescribeImagesResult, Fault> {
    let ids = it.image_ids.as_deref().unwrap_or_default();
    if let Some(unknown) = ids.iter().find(|id| !is_image(id)) {
        return Err(Fault::new(
            &errors::INVALID_AMIID_NOT_FOUND,
            format!("The image id '[{unknown}]' does not exist"),
        ));
    }
    // Everybody may use what is there, and it is nobody's own. Nothing of it is deprecated or
    // disabled, so that it makes no difference who asks for such things, too.
    let executable = it.executable_users.as_deref().unwrap_or_default();
    let owners = it.owners.as_deref().unwrap_or_default();
    let shared = |names: &[String], wanted: &str| {
        names.is_empty() || names.iter().any(|name| name == wanted)
    };
    let named: Vec<&str> = match ids {
        [] => vec![PROCESS],
        ids => ids.iter().map(String::as_str).collect(),
    };
    let mut passed = Vec::new();
    if shared(executable, "all") && shared(owners, "amazon") {
        for id in named {
            let values = |name: &str| match name {
                "image-id" | "name" => filter::one(id),
                "state" => filter::one("available"),
                "is-public" => filter::one(true),
                "image-type" => filter::one("machine"),
                "architecture" => filter::one(architecture()),
                "owner-alias" => filter::one("amazon"),
                "root-device-type" => filter::one("instance-store"),
                "virtualization-type" => filter::one("hvm"),
                _ => name.strip_prefix("tag:").map(|_| Vec::new()),
            };
            if filter::passes(it.filters.as_deref(), values)? {
                passed.push((id.to_owned(), image(id)));
            }
        }
    }
    passed.sort_by(|one, other| one.0.cmp(&other.0));
    passed.dedup_by(|one, other| one.0 == other.0);
    let (images, next_token) = page(passed, it.next_token.as_deref(), (it.max_results, 1, 1000))?;
    Ok(DescribeImagesResult { images: Some(images), next_token })
}

fn image(id: &str) -> Image {
    Image {
        architecture: Some(architecture().as_str().into()),
        creation_date: Some("2026-01-01T00:00:00.000Z".to_owned()),
        description: Some("Supervised processes of the machine that Tidemill runs on".to_owned()),
        hypervisor: Some("xen".into()),
        image_id: Some(id.to_owned()),
        image_location: Some(format!("tidemill/{PROCESS}")),
        image_owner_alias: Some("amazon".to_owned()),
        image_type: Some("machine".into()),
        name: Some(PROCESS.to_owned()),
        owner_id: Some("000000000000".to_owned()),
        platform_details: Some("Linux/UNIX".to_owned()),
        public: Some(true),
        root_device_type: Some("instance-store".into()),
        state: Some("available".into()),
        virtualization_type: Some("hvm".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_driver_or_any_id_that_one_may_have() {
        for id in [PROCESS, "ami-process", "ami-0123456789abcdef0", "ami-12345678"] {
            assert!(is_image(id), "{id}");
        }
        for id in ["", "ami-", "ami-xyz", "docker", "ami-0123"] {
            assert!(!is_image(id), "{id}");
        }
    }
}
