//! A secret access key: never printed, wiped from memory when its last holder is gone.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret access key. Cloning shares the one copy in memory.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes over `secret`, which is wiped when the last clone is dropped.
    pub fn new(secret: String) -> Self {
        Self(Arc::new(Zeroizing::new(secret)))
    }

    /// The secret itself: for storing it, or for showing it the one time that it is made.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    /// Takes as long whether or not two secrets are alike; at once if they are one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hush".to_owned())), "Secret");
    }

    #[test]
    fn secrets_are_compared_by_what_they_hold() {
        let secret = Secret::new("hush".to_owned());
        assert_eq!(secret, Secret::new("hush".to_owned()));
        assert_ne!(secret, Secret::new("hush!".to_owned()));
        assert_ne!(secret, Secret::new("husk".to_owned()));
    }
}
