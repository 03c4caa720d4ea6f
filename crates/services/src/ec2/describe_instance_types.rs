//! DescribeInstanceTypes: how much an instance may use.

use tidemill_api::ec2::{
    DescribeInstanceTypesRequest, DescribeInstanceTypesResult, InstanceTypeInfo, MemoryInfo,
    ProcessorInfo, VCpuInfo,
};
use tidemill_fleet::{KINDS, Kind};
use tidemill_wire::Fault;

use super::instance::architecture;
use super::page::page;
use super::{fault, filter};

pub(super) fn handle(
    it: &DescribeInstanceTypesRequest,
) -> Result<DescribeInstanceTypesResult, Fault> {
    let names = it.instance_types.as_deref().unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| Kind::find(name).is_none()) {
        return Err(fault::invalid(format!(
            "The following supplied instance types do not exist: [{unknown}]"
        )));
    }
    let mut passed = Vec::new();
    for kind in KINDS {
        let wanted = names.is_empty() || names.iter().any(|name| name == kind.name);
        let values = |name: &str| match name {
            "instance-type" => filter::one(kind.name),
            "current-generation" => filter::one(true),
            "bare-metal" => filter::one(false),
            "burstable-performance-supported" => filter::one(is_burstable(kind)),
            "memory-info.size-in-mib" => filter::one(mib(kind)),
            "vcpu-info.default-vcpus" => filter::one(kind.processors),
            "processor-info.supported-architecture" => filter::one(architecture()),
            _ => None,
        };
        if wanted && filter::passes(it.filters.as_deref(), values)? {
            passed.push((kind.name.to_owned(), shown(kind)));
        }
    }
    passed.sort_by(|one, other| one.0.cmp(&other.0));
    let (types, next_token) = page(passed, it.next_token.as_deref(), (it.max_results, 5, 100))?;
    Ok(DescribeInstanceTypesResult { instance_types: Some(types), next_token })
}

fn mib(kind: &Kind) -> u64 {
    kind.memory.as_u64() >> 20
}

fn is_burstable(kind: &Kind) -> bool {
    kind.name.starts_with('t')
}

fn shown(kind: &Kind) -> InstanceTypeInfo {
    let processors = i32::try_from(kind.processors).ok();
    InstanceTypeInfo {
        instance_type: Some(kind.name.to_owned()),
        current_generation: Some(true),
        free_tier_eligible: Some(false),
        supported_usage_classes: Some(vec!["on-demand".into()]),
        bare_metal: Some(false),
        processor_info: Some(ProcessorInfo {
            supported_architectures: Some(vec![architecture().as_str().into()]),
        }),
        v_cpu_info: Some(VCpuInfo {
            default_v_cpus: processors,
            default_cores: processors,
            default_threads_per_core: Some(1),
        }),
        memory_info: Some(MemoryInfo { size_in_mi_b: i64::try_from(mib(kind)).ok() }),
        instance_storage_supported: Some(false),
        burstable_performance_supported: Some(is_burstable(kind)),
    }
}
