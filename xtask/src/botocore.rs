//! Reads a service's model out of an installed botocore.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

/// The newest model of the API in `data/folder`, as botocore holds it.
pub(crate) fn model(botocore: &Path, folder: &str) -> anyhow::Result<Value> {
    let folder = botocore.join("data").join(folder);
    let mut versions = fs::read_dir(&folder)
        .with_context(|| format!("no model in {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    versions.sort();
    let Some(version) = versions.pop() else { bail!("no version in {}", folder.display()) };
    let packed = version.join("service-2.json.gz");
    let mut text = String::new();
    if packed.exists() {
        flate2::read::GzDecoder::new(fs::File::open(&packed)?).read_to_string(&mut text)?;
    } else {
        text = fs::read_to_string(version.join("service-2.json"))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", version.display()))
}

/// The text at `path` (keys parted by `/`), or nothing.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    path.split('/').fold(value, |value, key| &value[key]).as_str().unwrap_or_default()
}

/// Whether `key` is there and true.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value[key].as_bool().unwrap_or(false)
}
