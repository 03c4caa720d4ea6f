//! Queue ARNs: `arn:PARTITION:sqs:REGION:ACCOUNT:NAME`, written and read.

use std::fmt;

use tidemill_queue::QueueKey;

/// Why a text is no queue's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadQueueArn {
    /// It is no ARN at all, or nothing that a queue can be called.
    Malformed,
    /// It is something's of another service.
    OtherService,
}

/// A queue's ARN, to be written.
pub(super) struct QueueArn<'a>(pub(super) &'a QueueKey);

impl fmt::Display for QueueArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueKey { account, region, name } = self.0;
        write!(f, "arn:aws:sqs:{region}:{account}:{name}")
    }
}

/// Reads an ARN; its partition does not matter.
pub(super) fn read(text: &str) -> Result<QueueKey, BadQueueArn> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, name] = parts[..] else {
        return Err(BadQueueArn::Malformed);
    };
    if arn != "arn" || partition.is_empty() {
        return Err(BadQueueArn::Malformed);
    }
    if service != "sqs" {
        return Err(BadQueueArn::OtherService);
    }
    let malformed = BadQueueArn::Malformed;
    Ok(QueueKey {
        account: account.parse().map_err(|_| malformed)?,
        region: region.parse().map_err(|_| malformed)?,
        name: name.parse().map_err(|_| malformed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_that_is_written_reads_back() {
        let text = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo";
        let key = read(text).unwrap();
        assert_eq!(QueueArn(&key).to_string(), text);
        assert_eq!(read("arn:aws-cn:sqs:eu-west-1:123456789012:orders.fifo"), Ok(key));
    }

    #[test]
    fn what_is_no_queues_arn_says_why() {
        for text in ["", "dummy", "arn:aws:sqs:r:1:q", "arn:aws:sqs:r:123456789012:a b", "arn:::"] {
            assert_eq!(read(text), Err(BadQueueArn::Malformed), "{text:?}");
        }
        let topic = "arn:aws:sns:us-east-1:123456789012:topic";
        assert_eq!(read(topic), Err(BadQueueArn::OtherService));
    }
}
