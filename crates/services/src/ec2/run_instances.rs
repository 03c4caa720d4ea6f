//! RunInstances: launches instances from what the request says, and its template where it does not.

use tidemill_api::ec2::{Reservation, RunInstancesRequest};
use tidemill_fleet::{Launch, TemplateOf, USUAL, Which};
use tidemill_wire::Fault;

use super::{Call, fault, ids, instance, recipe};

/// Most characters of a client token.
const TOKEN: usize = 64;

pub(super) async fn handle(call: &Call<'_>, it: RunInstancesRequest) -> Result<Reservation, Fault> {
    let mut made = recipe::of_launch(&it)?;
    let mut template = None;
    if let Some(named) = &it.launch_template {
        let of = ids::template_of(
            named.launch_template_id.as_deref(),
            named.launch_template_name.as_deref(),
        )?;
        let which = named.version.as_deref().map_or(Ok(Which::Default), ids::version)?;
        let (id, number, base) = find(call, of, which)?;
        made = made.over(&base);
        template = Some((id, number));
    }
    recipe::check(&made)?;
    made.kind.get_or_insert_with(|| USUAL.to_owned());
    let (least, most) = counts(it.min_count, it.max_count)?;
    let user_data = it.user_data.as_ref().map_or("", |data| data.expose());
    let sum = || recipe::checksum(&format!("{it:?}"), user_data);
    let token = recipe::token(it.client_token.clone(), TOKEN)?.map(|token| (token, sum()));
    let launch = Launch { recipe: made, template, least, most, token };
    let launched = call.fleet.launch(&call.owner, launch).await.map_err(fault::of)?;
    let shown = launched.instances.iter().map(instance::shown).collect();
    Ok(instance::reservation(&call.owner, launched.reservation, shown))
}

fn find(
    call: &Call<'_>,
    of: TemplateOf,
    which: Which,
) -> Result<(tidemill_fleet::TemplateId, u64, tidemill_fleet::Recipe), Fault> {
    let found = call.fleet.look(|state| {
        let (id, number, recipe) = state.find_recipe(&call.owner, &(of, which))?;
        Ok((id, number, recipe.clone()))
    });
    found.map_err(fault::refused)
}

fn counts(least: i32, most: i32) -> Result<(usize, usize), Fault> {
    match (usize::try_from(least), usize::try_from(most)) {
        (Ok(least), Ok(most)) if (1..=most).contains(&least) => Ok((least, most)),
        _ => Err(fault::invalid(format!(
            "Value ({most}) for parameter maxCount is invalid, with minCount {least}: both are at \
             least 1, and maxCount is at least minCount."
        ))),
    }
}
