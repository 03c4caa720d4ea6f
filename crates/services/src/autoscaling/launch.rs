//! What instances of a group are launched from: a version of a launch template, or a launch
//! configuration, and the group's tags.

use tidemill_fleet::{Fleet, Launch, Owner, Recipe, Tags, USUAL, Which};
use tidemill_scaling::group::{ActivityId, Group, GroupKey, Origin, Source, State, TemplateSource};

use super::{fault, names};
use crate::ec2;

/// The tag that says which group an instance is of.
pub(super) const GROUP: &str = "aws:autoscaling:groupName";

/// Finds a launch template and the version that is meant: gives its id and name. An error is a
/// sentence for a person.
pub(super) fn find_template(
    fleet: &Fleet,
    key: &GroupKey,
    id: Option<&str>,
    name: Option<&str>,
    version: Option<&str>,
) -> Result<(String, String), String> {
    let of = ec2::template_of(id, name).map_err(|fault| fault::of_launch(&fault))?;
    let which = which(version)?;
    let owner = names::owner(key);
    let found = fleet.look(|state| {
        let name = state.find_template(&owner, &of)?.name.clone();
        let (id, _, recipe) = state.find_recipe(&owner, &(of, which))?;
        Ok((id.to_string(), name, recipe.clone()))
    });
    let (id, name, recipe) = found.map_err(|refusal| fault::of_launch(&ec2::refused(refusal)))?;
    ec2::check(&recipe).map_err(|fault| fault::of_launch(&fault))?;
    Ok((id, name))
}

fn which(version: Option<&str>) -> Result<Which, String> {
    let which = version.map_or(Ok(Which::Default), ec2::version);
    which.map_err(|fault| fault::of_launch(&fault))
}

/// The launch of one instance of a group, for this activity, and where it comes from.
pub(super) fn prepare(
    fleet: &Fleet,
    state: &State,
    (key, group): (&GroupKey, &Group),
    activity: ActivityId,
) -> Result<(Launch, Origin), String> {
    let owner = names::owner(key);
    let (mut recipe, template, origin) = match group.source() {
        Source::Template(source) => of_template(fleet, &owner, source)?,
        Source::Configuration(name) => {
            let named = GroupKey { name: name.clone(), ..key.clone() };
            let configuration = state.configuration(&named);
            let gone = || format!("The launch configuration {name} does not exist.");
            let configuration = configuration.ok_or_else(gone)?;
            let origin = Origin::Configuration(name.clone(), Some(configuration.made));
            (read(&configuration.recipe)?, None, origin)
        }
    };
    ec2::check(&recipe).map_err(|fault| fault::of_launch(&fault))?;
    recipe.kind.get_or_insert_with(|| USUAL.to_owned());
    // It would keep the group from terminating it, as it does not on AWS.
    recipe.keeps_living = None;
    recipe.zone = recipe.zone.or_else(|| group.settings.zones.first().cloned());
    if recipe.subnet.is_none() {
        let subnets = group.settings.subnets.as_deref().unwrap_or_default();
        let first = subnets.split(',').next().map(str::trim).filter(|subnet| !subnet.is_empty());
        recipe.subnet = first.map(str::to_owned);
    }
    let mut tags = tags(key, group);
    if let Origin::Template(source) = &origin {
        tags.insert("aws:ec2launchtemplate:id".to_owned(), source.id.clone());
        let version = source.version.clone().unwrap_or_default();
        tags.insert("aws:ec2launchtemplate:version".to_owned(), version);
    }
    let mut all = recipe.tags.unwrap_or_default();
    all.push(("instance".to_owned(), tags));
    recipe.tags = Some(all);
    // The activity sets the request apart; what is launched for it does not change it.
    let token = Some((activity.to_string(), 0));
    Ok((Launch { recipe, template, least: 1, most: 1, token }, origin))
}

/// The tags that a group gives its instances: those of its own that propagate, and one that says
/// which group it is.
pub(super) fn tags(key: &GroupKey, group: &Group) -> Tags {
    let propagated = group.tags.iter().filter(|(_, tag)| tag.propagates);
    let mut tags: Tags = propagated.map(|(name, tag)| (name.clone(), tag.value.clone())).collect();
    tags.insert(GROUP.to_owned(), key.name.clone());
    tags
}

/// The very version of a source that is meant now; none if there is none.
pub(super) fn pinned(fleet: &Fleet, key: &GroupKey, source: &Source) -> Option<Source> {
    let Source::Template(template) = source else { return Some(source.clone()) };
    match of_template(fleet, &names::owner(key), template) {
        Ok((_, _, Origin::Template(template))) => Some(Source::Template(template)),
        _ => None,
    }
}

type Found = (Recipe, Option<(tidemill_fleet::TemplateId, u64)>, Origin);

fn of_template(fleet: &Fleet, owner: &Owner, source: &TemplateSource) -> Result<Found, String> {
    let id = ec2::template_of(Some(&source.id), None).map_err(|fault| fault::of_launch(&fault))?;
    let which = which(source.version.as_deref())?;
    let found = fleet.look(|state| {
        let (id, number, recipe) = state.find_recipe(owner, &(id, which))?;
        Ok((recipe.clone(), id, number))
    });
    let (recipe, id, number) = found.map_err(|refusal| fault::of_launch(&ec2::refused(refusal)))?;
    let version = Some(number.to_string());
    let origin = Origin::Template(TemplateSource { version, ..source.clone() });
    Ok((recipe, Some((id, number)), origin))
}

/// A recipe as a launch configuration keeps it.
pub(super) fn write(recipe: &Recipe) -> Vec<u8> {
    minicbor::to_vec(recipe).expect("writing to memory does not fail")
}

/// Reads what [`write`] wrote.
pub(super) fn read(bytes: &[u8]) -> Result<Recipe, String> {
    minicbor::decode(bytes).map_err(|why| format!("The launch configuration is unreadable: {why}."))
}
