//! Instance types: names for how much an instance may use.

use tidemill_base::ByteSize;

/// A type of instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// The processors that it would have. They are told, and not enforced.
    pub processors: u32,
    /// The memory that its processes may hold together.
    pub memory: ByteSize,
}

/// The type of whoever names none.
pub const USUAL: &str = "t3.micro";

/// Processes that an instance may have for each of its processors.
const PROCESSES: u32 = 512;

const fn kind(name: &'static str, processors: u32, mib: u64) -> Kind {
    Kind { name, processors, memory: ByteSize::mib(mib) }
}

/// Every type that there is.
pub const KINDS: &[Kind] = &[
    kind("t2.nano", 1, 512),
    kind("t2.micro", 1, 1024),
    kind("t2.small", 1, 2048),
    kind("t2.medium", 2, 4096),
    kind("t2.large", 2, 8192),
    kind("t3.nano", 2, 512),
    kind("t3.micro", 2, 1024),
    kind("t3.small", 2, 2048),
    kind("t3.medium", 2, 4096),
    kind("t3.large", 2, 8192),
    kind("t3.xlarge", 4, 16_384),
    kind("t3.2xlarge", 8, 32_768),
    kind("t4g.nano", 2, 512),
    kind("t4g.micro", 2, 1024),
    kind("t4g.small", 2, 2048),
    kind("t4g.medium", 2, 4096),
    kind("t4g.large", 2, 8192),
    kind("m5.large", 2, 8192),
    kind("m5.xlarge", 4, 16_384),
    kind("m5.2xlarge", 8, 32_768),
    kind("m5.4xlarge", 16, 65_536),
    kind("m6i.large", 2, 8192),
    kind("m6i.xlarge", 4, 16_384),
    kind("m6i.2xlarge", 8, 32_768),
    kind("m7i.large", 2, 8192),
    kind("m7i.xlarge", 4, 16_384),
    kind("c5.large", 2, 4096),
    kind("c5.xlarge", 4, 8192),
    kind("c5.2xlarge", 8, 16_384),
    kind("c6i.large", 2, 4096),
    kind("c6i.xlarge", 4, 8192),
    kind("c7i.large", 2, 4096),
    kind("c7i.xlarge", 4, 8192),
    kind("r5.large", 2, 16_384),
    kind("r5.xlarge", 4, 32_768),
    kind("r6i.large", 2, 16_384),
    kind("r6i.xlarge", 4, 32_768),
];

impl Kind {
    /// The type called `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// How many processes an instance of it may have.
    pub const fn processes(&self) -> u32 {
        self.processors * PROCESSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_there_once_and_so_is_the_usual_one() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        assert!(Kind::find(USUAL).is_some());
        assert_eq!(Kind::find("t3.colossal"), None);
    }
}
