//! The AWS APIs as Rust types, made at build time from `models/`.
//!
//! Floor 2. Each module is one API: `SERVICE` is its schema, `Request` and `Response` have a
//! variant an operation, so that a service that forgets one does not compile, and `errors` holds
//! what it may answer. A required member is plain, because a request without it never gets past
//! `Request::decode`; any other is an `Option`. To see a module, read its model, or `cargo doc`.

/// What the compiler cannot derive for an enumeration that takes any text.
macro_rules! open_enumeration {
    ($name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self::Unknown("".into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl wire::Decode for $name {
            fn decode(
                decoder: &mut dyn wire::Decoder,
                member: &'static wire::schema::Member,
            ) -> wire::decode::Read<Self> {
                let text = <String as wire::Decode>::decode(decoder, member)?;
                Ok(Self::from(text))
            }
        }
        impl wire::Encode for $name {
            fn encode(
                &self,
                encoder: &mut dyn wire::Encoder,
                member: &'static wire::schema::Member,
            ) {
                encoder.string(member, self.as_str());
            }
        }
    };
}

macro_rules! apis {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[allow(
                missing_docs, dead_code, unused_imports, clippy::pedantic,
                clippy::large_enum_variant,
                reason = "made from a model, which has no prose and does not know what is unused"
            )]
            pub mod $name {
                use tidemill_wire as wire;
                use wire::Encode as _;

                include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
            }
        )*
    };
}

apis! {
    /// Amazon EC2 Auto Scaling.
    autoscaling
    /// Amazon CloudWatch.
    cloudwatch
    /// Amazon EC2: its instances.
    ec2
    /// Amazon SNS.
    sns
    /// Amazon SQS.
    sqs
    /// AWS STS.
    sts
}

/// Every API, for [`tidemill_wire::identify`].
pub static SERVICES: &[&tidemill_wire::Service] = &[
    &sqs::SERVICE,
    &sts::SERVICE,
    &cloudwatch::SERVICE,
    &ec2::SERVICE,
    &autoscaling::SERVICE,
    &sns::SERVICE,
];
