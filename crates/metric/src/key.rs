//! What people call a metric.

use std::sync::Arc;

use tidemill_base::{AccountId, Region};

/// One dimension of a metric: a name and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension {
    /// What it tells.
    pub name: Arc<str>,
    /// What it says.
    pub value: Arc<str>,
}

/// The name of a metric. Metrics are listed in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// What kind of thing was measured.
    pub namespace: Arc<str>,
    /// What was measured.
    pub name: Arc<str>,
    /// Of which thing: another set of dimensions is another metric.
    dimensions: Arc<[Dimension]>,
}

impl MetricKey {
    /// The metric of these names. The order of the dimensions does not matter.
    pub fn new(
        account: AccountId,
        region: Region,
        namespace: &str,
        name: &str,
        mut dimensions: Vec<Dimension>,
    ) -> Self {
        dimensions.sort_unstable();
        let dimensions = dimensions.into();
        Self { account, region, namespace: namespace.into(), name: name.into(), dimensions }
    }

    /// Its dimensions, by name.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        let texts = |one: &Dimension| one.name.len() + one.value.len() + size_of::<Dimension>();
        let dimensions: usize = self.dimensions.iter().map(texts).sum();
        size_of::<Self>() + self.namespace.len() + self.name.len() + dimensions
    }
}

impl Dimension {
    /// The dimension `name` with this value.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}
