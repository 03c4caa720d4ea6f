//! Everything that is known of instances and templates: the fold of the records.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use tidemill_journal::cbor::Fold;

use crate::id::{InstanceId, TemplateId};
use crate::instance::{Instance, Phase};
use crate::owner::Owner;
use crate::recipe::Tags;
use crate::record::{Event, Resource};
use crate::template::Template;

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct State {
    #[n(0)]
    templates: BTreeMap<TemplateId, Template>,
    #[n(1)]
    instances: BTreeMap<InstanceId, Instance>,
}

impl State {
    /// The instance of this id.
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(&id)
    }

    /// The instances of an owner, in the order of their ids.
    pub fn instances_of<'a>(&'a self, owner: &'a Owner) -> impl Iterator<Item = &'a Instance> {
        self.instances.values().filter(move |instance| instance.owner == *owner)
    }

    /// Every instance, whoever's it is.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// The template of this id.
    pub fn template(&self, id: TemplateId) -> Option<&Template> {
        self.templates.get(&id)
    }

    /// The templates of an owner, in the order of their ids.
    pub fn templates_of<'a>(&'a self, owner: &'a Owner) -> impl Iterator<Item = &'a Template> {
        self.templates.values().filter(move |template| template.owner == *owner)
    }

    /// Every template, whoever's it is.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    fn tags_mut(&mut self, resource: Resource) -> Option<&mut Tags> {
        match resource {
            Resource::Instance(id) => self.instances.get_mut(&id).map(|one| &mut one.tags),
            Resource::Template(id) => self.templates.get_mut(&id).map(|one| &mut one.tags),
        }
    }
}

impl Fold for State {
    type Event = Event;

    fn happened(&mut self, event: Event) -> Option<()> {
        match event {
            Event::TemplateMade(template) => {
                self.templates.insert(template.id, template);
            }
            Event::VersionMade(made) => {
                let template = self.templates.get_mut(&made.template)?;
                template.latest = made.version.number;
                template.versions.insert(made.version.number, made.version);
            }
            Event::DefaultSet(set) => self.templates.get_mut(&set.template)?.default = set.version,
            Event::VersionsDropped(dropped) => {
                let template = self.templates.get_mut(&dropped.template)?;
                template.versions.retain(|number, _| !dropped.versions.contains(number));
            }
            Event::TemplateDropped(id) => {
                self.templates.remove(&id)?;
            }
            Event::Launched(instances) => {
                self.instances.extend(instances.into_iter().map(|one| (one.id, one)));
            }
            Event::Moved(moved) => {
                let instance = self.instances.get_mut(&moved.instance)?;
                if moved.phase == Phase::Pending && moved.boot > instance.boot {
                    instance.launched = moved.at;
                }
                (instance.phase, instance.boot) = (moved.phase, moved.boot);
                (instance.since, instance.reason) = (moved.at, moved.reason);
                instance.abrupt = moved.abrupt;
            }
            Event::Tagged(tagged) => self.tags_mut(tagged.resource)?.extend(tagged.tags),
            Event::Untagged(untagged) => {
                let tags = self.tags_mut(untagged.resource)?;
                tags.retain(|name, _| !untagged.names.contains(name));
            }
            Event::Forgotten(id) => {
                self.instances.remove(&id)?;
            }
            Event::Cleared => *self = Self::default(),
        }
        Some(())
    }
}
