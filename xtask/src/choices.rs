//! What we take of each API, and the facts about it that botocore's model does not hold.

/// One API: which of its operations we have, and what is added to its model.
pub(crate) struct Choice {
    /// The model's file name, and the name of the Rust module.
    pub(crate) name: &'static str,
    /// The folder under botocore's `data/`.
    pub(crate) folder: &'static str,
    /// Before `#` in the JSON names of errors.
    pub(crate) namespace: &'static str,
    /// The protocols, best first; empty takes botocore's.
    pub(crate) protocols: &'static [&'static str],
    /// Further lines of the service's head.
    pub(crate) head: &'static [&'static str],
    /// The operations; empty takes all.
    pub(crate) operations: &'static [&'static str],
    /// Operations whose constraints are checked in another way than the service's: name, way.
    pub(crate) checks: &'static [(&'static str, &'static str)],
    /// XML names of what is younger than the last model that had them: shape, member, name. The
    /// member `item` is a list's item.
    pub(crate) xml: &'static [(&'static str, &'static str, &'static str)],
    /// What the model requires and the service misses in words of its own: shape, member.
    pub(crate) optional: &'static [(&'static str, &'static str)],
    /// Lines for errors that AWS answers although its model does not name them, or whose status is
    /// another than the model says. They come before, and instead of, the model's.
    pub(crate) errors: &'static [&'static str],
}

/// All APIs, one an entry.
pub(crate) const CHOICES: &[Choice] = &[
    Choice {
        name: "sqs",
        folder: "sqs",
        namespace: "com.amazonaws.sqs",
        protocols: &["json-1.0", "query"],
        head: &[
            // Only absent parameters are the model's business, and they have codes of their own.
            "checks missing-parameter",
            // An empty list or map is never sent.
            "omit-empty",
            // A Query call may go to the queue's own URL instead of naming it.
            "path-member QueueUrl",
            "xmlns http://queue.amazonaws.com/doc/2012-11-05/",
        ],
        operations: &[],
        checks: &[],
        xml: &[
            ("ReceiveMessageRequest", "MessageSystemAttributeNames", "MessageSystemAttributeName"),
            ("ListMessageMoveTasksResult", "Results", "ListMessageMoveTasksResultEntry"),
        ],
        optional: &[
            ("CreateQueueRequest", "QueueName"),
            // A form cannot tell an empty list from none: JSON can, and is told another thing.
            ("ChangeMessageVisibilityBatchRequest", "Entries"),
            ("DeleteMessageBatchRequest", "Entries"),
            ("SendMessageBatchRequest", "Entries"),
            // An entry that lacks these fails alone, the others may succeed.
            ("ChangeMessageVisibilityBatchRequestEntry", "ReceiptHandle"),
            ("DeleteMessageBatchRequestEntry", "ReceiptHandle"),
            ("SendMessageBatchRequestEntry", "MessageBody"),
            // Missed by other names than the model's.
            ("ChangeMessageVisibilityBatchRequestEntry", "Id"),
            ("AddPermissionRequest", "AWSAccountIds"),
            ("AddPermissionRequest", "Actions"),
            ("MessageAttributeValue", "DataType"),
            ("SetQueueAttributesRequest", "Attributes"),
        ],
        errors: &[
            "error InvalidParameterValueException code=InvalidParameterValue status=400",
            "error MissingRequiredParameterException code=MissingParameter status=400",
            "error ReceiptHandleIsInvalid code=ReceiptHandleIsInvalid status=404",
            "error ResourceNotFoundException code=ResourceNotFoundException status=404",
        ],
    },
    Choice {
        name: "cloudwatch",
        folder: "cloudwatch",
        namespace: "com.amazonaws.cloudwatch",
        protocols: &[],
        head: &[],
        operations: &[
            "DeleteAlarms",
            "DescribeAlarmHistory",
            "DescribeAlarms",
            "DescribeAlarmsForMetric",
            "DisableAlarmActions",
            "EnableAlarmActions",
            "GetMetricData",
            "GetMetricStatistics",
            "ListMetrics",
            "ListTagsForResource",
            "PutMetricAlarm",
            "PutMetricData",
            "SetAlarmState",
            "TagResource",
            "UntagResource",
        ],
        // What is about data is refused in the words of the API's first years.
        checks: &[
            ("GetMetricStatistics", "parameters"),
            ("ListMetrics", "parameters"),
            ("ListTagsForResource", "parameters"),
            ("PutMetricData", "parameters"),
            ("TagResource", "parameters"),
            ("UntagResource", "parameters"),
        ],
        xml: &[],
        optional: &[],
        errors: &[],
    },
    Choice {
        name: "sts",
        folder: "sts",
        namespace: "com.amazonaws.sts",
        protocols: &[],
        head: &[],
        operations: &[
            "AssumeRole",
            "DecodeAuthorizationMessage",
            "GetAccessKeyInfo",
            "GetCallerIdentity",
            "GetSessionToken",
        ],
        checks: &[],
        xml: &[],
        optional: &[],
        errors: &[],
    },
];
