//! What may be done with launch templates.

use std::collections::BTreeMap;

use super::{Fleet, FleetError};
use crate::id::TemplateId;
use crate::owner::Owner;
use crate::recipe::{Recipe, Tags};
use crate::record::{DefaultSet, Event, VersionMade, VersionsDropped};
use crate::refusal::Refusal;
use crate::state::State;
use crate::template::{Template, Version, Which};

/// Most templates of an owner.
const TEMPLATES: usize = 5000;
/// Most versions of a template.
const VERSIONS: usize = 10_000;

/// A template to be made.
#[derive(Clone, Debug)]
pub struct NewTemplate {
    /// Its name.
    pub name: String,
    /// What is said of its first version.
    pub description: Option<String>,
    /// What its first version says.
    pub recipe: Recipe,
    /// Its tags.
    pub tags: Tags,
    /// What its maker knows the request by, and a checksum of that.
    pub token: Option<(String, u32)>,
}

/// A version to be made.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Whose version.
    pub template: TemplateId,
    /// The version that it takes what it does not say from.
    pub source: Option<Which>,
    /// What is said of it.
    pub description: Option<String>,
    /// What it says.
    pub recipe: Recipe,
    /// What its maker knows the request by, and a checksum of that.
    pub token: Option<(String, u32)>,
}

/// Whether a request was made before under its token.
fn made_before(
    known: Option<&(String, u32)>,
    token: Option<&(String, u32)>,
) -> Result<bool, Refusal> {
    match (known, token) {
        (Some(known), Some(token)) if known.0 == token.0 && known.1 == token.1 => Ok(true),
        (Some(known), Some(token)) if known.0 == token.0 => {
            Err(Refusal::OtherRequest(token.0.clone()))
        }
        _ => Ok(false),
    }
}

impl Fleet {
    /// Makes a template. One that was made by the same request before is given again.
    ///
    /// # Errors
    /// If its name is taken, its owner has too many, its token was used for another, or the journal
    /// accepts nothing more.
    pub async fn create_template(
        &self,
        owner: &Owner,
        new: NewTemplate,
    ) -> Result<TemplateId, FleetError> {
        let mut id = TemplateId::random(&self.0.chance);
        let now = self.now();
        let decide = |state: &State| {
            for known in state.templates_of(owner) {
                if made_before(known.token.as_ref(), new.token.as_ref())? {
                    id = known.id;
                    return Ok(Vec::new());
                }
            }
            if state.templates_of(owner).any(|known| known.name == new.name) {
                return Err(Refusal::NameTaken(new.name));
            }
            if state.templates_of(owner).count() >= TEMPLATES {
                return Err(Refusal::TooManyTemplates(TEMPLATES));
            }
            let (recipe, description) = (new.recipe, new.description);
            let first = Version { number: 1, description, made: now, recipe, token: None };
            Ok(vec![Event::TemplateMade(Template {
                id,
                owner: owner.clone(),
                name: new.name,
                made: now,
                versions: BTreeMap::from([(1, first)]),
                default: 1,
                latest: 1,
                tags: new.tags,
                token: new.token,
            })])
        };
        self.0.commit(decide).await?;
        Ok(id)
    }

    /// Makes a version, and gives its number.
    ///
    /// # Errors
    /// If the template or the source is not there, the template has too many, or the journal
    /// accepts nothing more.
    pub async fn create_version(&self, owner: &Owner, new: NewVersion) -> Result<u64, FleetError> {
        let mut number = 0;
        let now = self.now();
        let decide = |state: &State| {
            let template = state.owned_template(owner, new.template)?;
            for version in template.versions.values() {
                if made_before(version.token.as_ref(), new.token.as_ref())? {
                    number = version.number;
                    return Ok(Vec::new());
                }
            }
            if template.versions.len() >= VERSIONS {
                return Err(Refusal::TooManyVersions(VERSIONS));
            }
            let recipe = match new.source {
                None => new.recipe,
                Some(which) => {
                    let source = template.version(which);
                    let source = source
                        .ok_or(Refusal::NoVersion { template: template.id, version: which })?;
                    new.recipe.over(&source.recipe)
                }
            };
            number = template.latest + 1;
            let (description, token) = (new.description, new.token);
            let version = Version { number, description, made: now, recipe, token };
            Ok(vec![Event::VersionMade(VersionMade { template: template.id, version })])
        };
        self.0.commit(decide).await?;
        Ok(number)
    }

    /// Makes a version the default one.
    ///
    /// # Errors
    /// If it or its template is not there, or the journal accepts nothing more.
    pub async fn set_default(
        &self,
        owner: &Owner,
        template: TemplateId,
        version: Which,
    ) -> Result<(), FleetError> {
        let decide = |state: &State| {
            let found = state.owned_template(owner, template)?.version(version);
            let found = found.ok_or(Refusal::NoVersion { template, version })?.number;
            Ok(vec![Event::DefaultSet(DefaultSet { template, version: found })])
        };
        self.0.commit(decide).await
    }

    /// Deletes a template with all of its versions, and gives what it was.
    ///
    /// # Errors
    /// If it is not there, or the journal accepts nothing more.
    pub async fn delete_template(
        &self,
        owner: &Owner,
        id: TemplateId,
    ) -> Result<Template, FleetError> {
        let mut gone = None;
        let decide = |state: &State| {
            gone = Some(state.owned_template(owner, id)?.clone());
            Ok(vec![Event::TemplateDropped(id)])
        };
        self.0.commit(decide).await?;
        Ok(gone.expect("what was deleted was there"))
    }

    /// Deletes versions of a template. Says of each that it is gone, or why not.
    ///
    /// # Errors
    /// If the template is not there, or the journal accepts nothing more.
    pub async fn delete_versions(
        &self,
        owner: &Owner,
        id: TemplateId,
        versions: &[u64],
    ) -> Result<Vec<(u64, Result<(), Refusal>)>, FleetError> {
        let mut results = Vec::new();
        let decide = |state: &State| {
            let template = state.owned_template(owner, id)?;
            for number in versions {
                let version = Which::Number(*number);
                results.push((
                    *number,
                    match template.versions.get(number) {
                        None => Err(Refusal::NoVersion { template: id, version }),
                        Some(_) if template.default == *number => Err(Refusal::IsDefault(*number)),
                        Some(_) => Ok(()),
                    },
                ));
            }
            let gone = results.iter().filter(|(_, result)| result.is_ok());
            let versions: Vec<u64> = gone.map(|(number, _)| *number).collect();
            if versions.is_empty() {
                return Ok(Vec::new());
            }
            Ok(vec![Event::VersionsDropped(VersionsDropped { template: id, versions })])
        };
        self.0.commit(decide).await?;
        Ok(results)
    }
}
