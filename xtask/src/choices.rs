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
    /// Structures whose members we do not look at: that one is there is all that is read of it.
    pub(crate) opaque: &'static [&'static str],
    /// Strings whose known values, of which there are too many, are left out.
    pub(crate) open: &'static [&'static str],
    /// Structures that we only write, with the members that we fill.
    pub(crate) only: &'static [(&'static str, &'static [&'static str])],
}

impl Choice {
    /// Whether the model keeps a member of a structure.
    pub(crate) fn keeps(&self, structure: &str, member: &str) -> bool {
        if self.opaque.contains(&structure) {
            return false;
        }
        let only = self.only.iter().find(|(name, _)| *name == structure);
        only.is_none_or(|(_, members)| members.contains(&member))
    }
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
        opaque: &[],
        open: &[],
        only: &[],
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
            "PutCompositeAlarm",
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
        opaque: &[],
        open: &[],
        only: &[],
    },
    Choice {
        name: "ec2",
        folder: "ec2",
        namespace: "com.amazonaws.ec2",
        protocols: &[],
        // What a parameter may be is said in words of EC2's own.
        head: &["checks missing-parameter"],
        operations: &[
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "CreateTags",
            "DeleteLaunchTemplate",
            "DeleteLaunchTemplateVersions",
            "DeleteTags",
            "DescribeImages",
            "DescribeInstanceStatus",
            "DescribeInstanceTypes",
            "DescribeInstances",
            "DescribeLaunchTemplateVersions",
            "DescribeLaunchTemplates",
            "DescribeTags",
            "GetConsoleOutput",
            "ModifyLaunchTemplate",
            "RebootInstances",
            "RunInstances",
            "StartInstances",
            "StopInstances",
            "TerminateInstances",
        ],
        checks: &[],
        xml: &[],
        optional: &[],
        errors: &[
            "error AuthFailure code=AuthFailure status=401",
            "error DependencyViolation code=DependencyViolation status=400",
            "error DryRunOperation code=DryRunOperation status=412",
            "error IdempotentParameterMismatch code=IdempotentParameterMismatch status=400",
            "error IncorrectInstanceState code=IncorrectInstanceState status=400",
            "error InstanceLimitExceeded code=InstanceLimitExceeded status=400",
            "error InternalError code=InternalError status=500 receiver",
            "error InvalidAMIIDNotFound code=InvalidAMIID.NotFound status=400",
            "error InvalidID code=InvalidID status=400",
            "error InvalidInstanceIDMalformed code=InvalidInstanceID.Malformed status=400",
            "error InvalidInstanceIDNotFound code=InvalidInstanceID.NotFound status=400",
            "error TemplateIdMalformed code=InvalidLaunchTemplateId.Malformed status=400",
            "error TemplateIdNotFound code=InvalidLaunchTemplateId.NotFound status=400",
            "error TemplateVersionNotFound code=InvalidLaunchTemplateId.VersionNotFound status=400",
            "error TemplateNameTaken code=InvalidLaunchTemplateName.AlreadyExistsException \
             status=400",
            "error TemplateNameMalformed code=InvalidLaunchTemplateName.MalformedException \
             status=400",
            "error TemplateNameNotFound code=InvalidLaunchTemplateName.NotFoundException \
             status=400",
            "error InvalidNextToken code=InvalidNextToken status=400",
            "error InvalidParameterCombination code=InvalidParameterCombination status=400",
            "error InvalidParameterValue code=InvalidParameterValue status=400",
            "error InvalidUserDataMalformed code=InvalidUserData.Malformed status=400",
            "error MissingParameter code=MissingParameter status=400",
            "error OperationNotPermitted code=OperationNotPermitted status=400",
            "error RequestLimitExceeded code=RequestLimitExceeded status=503 receiver",
            "error TagLimitExceeded code=TagLimitExceeded status=400",
            "error Unavailable code=Unavailable status=503 receiver",
            "error UnsupportedOperation code=UnsupportedOperation status=400",
        ],
        opaque: EC2_OPAQUE,
        open: &["InstanceType"],
        only: EC2_ONLY,
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
        opaque: &[],
        open: &[],
        only: &[],
    },
];

/// What no process has: it is refused, whatever is in it.
const EC2_OPAQUE: &[&str] = &[
    "BlockDeviceMapping",
    "CapacityReservationSpecification",
    "CpuOptionsRequest",
    "CreditSpecificationRequest",
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerator",
    "EnclaveOptionsRequest",
    "HibernationOptionsRequest",
    "InstanceIpv6Address",
    "InstanceMaintenanceOptionsRequest",
    "InstanceMarketOptionsRequest",
    "InstanceNetworkInterfaceSpecification",
    "InstanceNetworkPerformanceOptionsRequest",
    "InstanceRequirementsRequest",
    "InstanceSecondaryInterfaceSpecificationRequest",
    "LaunchTemplateBlockDeviceMappingRequest",
    "LaunchTemplateCapacityReservationSpecificationRequest",
    "LaunchTemplateCpuOptionsRequest",
    "LaunchTemplateElasticInferenceAccelerator",
    "LaunchTemplateEnclaveOptionsRequest",
    "LaunchTemplateHibernationOptionsRequest",
    "LaunchTemplateInstanceMaintenanceOptionsRequest",
    "LaunchTemplateInstanceMarketOptionsRequest",
    "LaunchTemplateInstanceNetworkInterfaceSpecificationRequest",
    "LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest",
    "LaunchTemplateLicenseConfigurationRequest",
    "LaunchTemplateNetworkPerformanceOptionsRequest",
    "LaunchTemplatePrivateDnsNameOptionsRequest",
    "LicenseConfigurationRequest",
    "OperatorRequest",
    "PrivateDnsNameOptionsRequest",
];

/// What we say of an instance and of what it is made from.
const EC2_ONLY: &[(&str, &[&str])] = &[
    (
        "Image",
        &[
            "Architecture",
            "CreationDate",
            "Description",
            "Hypervisor",
            "ImageId",
            "ImageLocation",
            "ImageOwnerAlias",
            "ImageType",
            "Name",
            "OwnerId",
            "PlatformDetails",
            "Public",
            "RootDeviceType",
            "State",
            "VirtualizationType",
        ],
    ),
    (
        "Instance",
        &[
            "AmiLaunchIndex",
            "Architecture",
            "ClientToken",
            "EbsOptimized",
            "Hypervisor",
            "IamInstanceProfile",
            "ImageId",
            "InstanceId",
            "InstanceType",
            "KeyName",
            "LaunchTime",
            "MetadataOptions",
            "Monitoring",
            "Placement",
            "PlatformDetails",
            "PrivateDnsName",
            "PrivateIpAddress",
            "PublicDnsName",
            "RootDeviceType",
            "SecurityGroups",
            "State",
            "StateReason",
            "StateTransitionReason",
            "SubnetId",
            "Tags",
            "VirtualizationType",
        ],
    ),
    (
        "InstanceStatus",
        &["AvailabilityZone", "InstanceId", "InstanceState", "InstanceStatus", "SystemStatus"],
    ),
    (
        "InstanceTypeInfo",
        &[
            "BareMetal",
            "BurstablePerformanceSupported",
            "CurrentGeneration",
            "FreeTierEligible",
            "InstanceStorageSupported",
            "InstanceType",
            "MemoryInfo",
            "ProcessorInfo",
            "SupportedUsageClasses",
            "VCpuInfo",
        ],
    ),
    (
        "LaunchTemplate",
        &[
            "CreateTime",
            "CreatedBy",
            "DefaultVersionNumber",
            "LatestVersionNumber",
            "LaunchTemplateId",
            "LaunchTemplateName",
            "Tags",
        ],
    ),
    (
        "LaunchTemplateVersion",
        &[
            "CreateTime",
            "CreatedBy",
            "DefaultVersion",
            "LaunchTemplateData",
            "LaunchTemplateId",
            "LaunchTemplateName",
            "VersionDescription",
            "VersionNumber",
        ],
    ),
    ("ProcessorInfo", &["SupportedArchitectures"]),
    ("Reservation", &["Groups", "Instances", "OwnerId", "ReservationId"]),
    (
        "ResponseLaunchTemplateData",
        &[
            "DisableApiStop",
            "DisableApiTermination",
            "EbsOptimized",
            "IamInstanceProfile",
            "ImageId",
            "InstanceInitiatedShutdownBehavior",
            "InstanceType",
            "KeyName",
            "MetadataOptions",
            "Monitoring",
            "Placement",
            "SecurityGroupIds",
            "SecurityGroups",
            "TagSpecifications",
            "UserData",
        ],
    ),
    ("VCpuInfo", &["DefaultCores", "DefaultThreadsPerCore", "DefaultVCpus"]),
];
