//! The protocols: how a request says what it wants, and what an answer looks like.

/// A protocol that AWS clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// JSON bodies, the operation in `X-Amz-Target`; version 1.0.
    AwsJson10,
    /// The same, version 1.1.
    AwsJson11,
    /// A form in, XML out.
    Query,
    /// A form in, JSON out: what a Query client gets that accepts `application/json`.
    QueryJson,
    /// Query's dialect for EC2.
    Ec2Query,
    /// Method and path say the operation; JSON bodies.
    RestJson,
    /// CBOR bodies, the operation in the path.
    RpcV2Cbor,
}

impl Protocol {
    /// The content type of its answers.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::AwsJson10 => "application/x-amz-json-1.0",
            Self::AwsJson11 => "application/x-amz-json-1.1",
            Self::Query => "text/xml",
            Self::Ec2Query => "text/xml;charset=UTF-8",
            Self::RestJson | Self::QueryJson => "application/json",
            Self::RpcV2Cbor => "application/cbor",
        }
    }

    /// Whether a request is a form.
    pub const fn is_form(self) -> bool {
        matches!(self, Self::Query | Self::QueryJson | Self::Ec2Query)
    }
}
