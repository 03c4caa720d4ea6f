//! What a caller did wrong, as facts. Whoever speaks to the caller has words for them.

use crate::id::{InstanceId, TemplateId};
use crate::instance::Phase;
use crate::template::Which;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are no such instances.
    #[error("there are no such instances: {0:?}")]
    NoInstances(Vec<InstanceId>),
    /// There is no template of this id.
    #[error("there is no template {0}")]
    NoTemplate(TemplateId),
    /// There is no template of this name.
    #[error("there is no template called {0}")]
    NoTemplateCalled(String),
    /// The template does not have this version.
    #[error("the template {template} has no version {version:?}")]
    NoVersion {
        /// Which template.
        template: TemplateId,
        /// Which version.
        version: Which,
    },
    /// Another template has this name.
    #[error("another template is called {0}")]
    NameTaken(String),
    /// The default version cannot be deleted.
    #[error("version {0} is the default")]
    IsDefault(u64),
    /// An instance in this state cannot do that.
    #[error("instance {id} is {phase:?}")]
    WrongPhase {
        /// Which instance.
        id: InstanceId,
        /// How it is.
        phase: Phase,
    },
    /// The instance was launched so that it cannot be terminated.
    #[error("instance {0} may not be terminated")]
    KeepsLiving(InstanceId),
    /// The instance was launched so that it cannot be stopped.
    #[error("instance {0} may not be stopped")]
    KeepsRunning(InstanceId),
    /// The token was used for another request.
    #[error("the token {0} was used for another request")]
    OtherRequest(String),
    /// So many instances may there be.
    #[error("there may be {0} instances")]
    TooMany(usize),
    /// So many templates may an owner have.
    #[error("there may be {0} templates")]
    TooManyTemplates(usize),
    /// So many versions may a template have.
    #[error("a template may have {0} versions")]
    TooManyVersions(usize),
    /// More tags than there may be.
    #[error("there may be {0} tags")]
    TooManyTags(usize),
}
