//! DescribeAccountLimits and DescribeTerminationPolicyTypes.

use tidemill_api::autoscaling::{
    DescribeAccountLimitsAnswer, DescribeTerminationPolicyTypesAnswer,
};
use tidemill_scaling::group::{CONFIGURATIONS, GROUPS};

use super::{AutoScaling, settings};
use crate::context::Context;

pub(super) fn limits(service: &AutoScaling, cx: &Context<'_>) -> DescribeAccountLimitsAnswer {
    let (account, region) = (cx.account(), &cx.region);
    let (groups, configurations) = service.groups.look(|state| {
        let configurations = state.configurations_of(account, region).count();
        (state.groups_of(account, region).count(), configurations)
    });
    let number = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
    DescribeAccountLimitsAnswer {
        max_number_of_auto_scaling_groups: number(GROUPS),
        max_number_of_launch_configurations: number(CONFIGURATIONS),
        number_of_auto_scaling_groups: number(groups),
        number_of_launch_configurations: number(configurations),
    }
}

pub(super) fn termination_policies() -> DescribeTerminationPolicyTypesAnswer {
    let names = settings::TERMINATION.iter().map(|(name, _)| (*name).to_owned());
    DescribeTerminationPolicyTypesAnswer { termination_policy_types: Some(names.collect()) }
}
