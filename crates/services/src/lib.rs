//! The AWS APIs, one folder each: the only place where wire and engines meet.
//!
//! A handler checks what the model cannot say, calls the engine, and translates its answer. It
//! holds no state and makes no decision that the engine could make.

pub mod autoscaling;
pub mod cloudwatch;
mod context;
mod disk;
pub mod ec2;
pub mod sns;
pub mod sqs;
pub mod sts;
mod token;

pub use autoscaling::{AutoScaling, Mode as ScalingMode, target_of};
pub use cloudwatch::{CloudWatch, QueueMinutes};
pub use context::{BaseUrl, Context, Principal, RoleSession, holder_of, instance_of};
pub use ec2::Ec2;
pub use sns::{Sns, Told};
pub use sqs::Sqs;
