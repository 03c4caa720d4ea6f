//! Randomness, handed in from outside so that a run can be played again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// A source of random bytes: the operating system's entropy in production, a seed in tests.
///
/// Cloning shares the source. It is a ChaCha12 stream, fit for secrets when seeded by the
/// operating system.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<ChaCha12Rng>>);

impl Chance {
    /// A source seeded by the operating system.
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(ChaCha12Rng::from_os_rng())))
    }

    /// A source that gives the same bytes for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha12Rng::seed_from_u64(seed))))
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number.
    pub fn number(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(Chance::seeded(7).bytes::<32>(), Chance::seeded(7).bytes::<32>());
        assert_ne!(Chance::seeded(7).bytes::<32>(), Chance::seeded(8).bytes::<32>());
    }

    #[test]
    fn the_system_source_does_not_repeat_itself() {
        assert_ne!(Chance::system().bytes::<32>(), Chance::system().bytes::<32>());
    }
}
