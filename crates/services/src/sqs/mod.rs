//! SQS: one operation a file, and the list of them all.

mod add_permission;
mod attributes;
mod batch;
mod by_receipt;
mod cancel_message_move_task;
mod change_message_visibility;
mod create_queue;
mod delete_message;
mod delete_queue;
mod digest;
mod encryption;
mod fault;
mod fifo;
mod get_queue_attributes;
mod get_queue_url;
mod list_dead_letter_source_queues;
mod list_message_move_tasks;
mod list_queue_tags;
mod list_queues;
mod message;
mod message_attributes;
mod move_task;
mod page;
mod policy;
mod purge_queue;
mod queue_arn;
mod queue_url;
mod receive_message;
mod redrive;
mod remove_permission;
mod send_message;
mod sequence_number;
mod set_queue_attributes;
mod start_message_move_task;
mod tags;
mod task_handle;

use std::sync::Arc;

use tidemill_api::sqs::{Request, Response};
use tidemill_base::Region;
use tidemill_queue::{Engine, QueueId, QueueKey, Settings};
use tidemill_wire::Fault;
use tokio::sync::Mutex;

use crate::context::{Context, Principal};

/// The service over its engine.
#[derive(Clone)]
pub struct Sqs {
    engine: Engine,
    /// Held from reading settings to changing them by what was read: of two permissions that are
    /// added at once, none is lost.
    editing: Arc<Mutex<()>>,
}

impl Sqs {
    /// The service that serves the queues of `engine`.
    pub fn new(engine: Engine) -> Self {
        Self { engine, editing: Arc::default() }
    }

    /// The queue that a text names, by name or by URL, if `principal` may use it: a queue of its
    /// own account and of `region` where the text says neither.
    pub fn find(&self, text: &str, principal: &Principal, region: &Region) -> Option<QueueId> {
        let key = queue_url::read(text, principal.account(), region).ok()?;
        may_use(principal, &key).then(|| self.engine.find(&key))?
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        Ok(match request {
            Q::SendMessage(it) => A::SendMessage(send_message::one(self, cx, it).await?),
            Q::ReceiveMessage(it) => {
                A::ReceiveMessage(receive_message::handle(self, cx, it).await?)
            }
            Q::DeleteMessage(it) => {
                delete_message::one(self, cx, it).await?;
                A::DeleteMessage
            }
            Q::SendMessageBatch(it) => {
                A::SendMessageBatch(send_message::batch(self, cx, it).await?)
            }
            Q::DeleteMessageBatch(it) => {
                A::DeleteMessageBatch(delete_message::batch(self, cx, it).await?)
            }
            Q::ChangeMessageVisibility(it) => {
                change_message_visibility::one(self, cx, it).await?;
                A::ChangeMessageVisibility
            }
            Q::ChangeMessageVisibilityBatch(it) => A::ChangeMessageVisibilityBatch(
                change_message_visibility::batch(self, cx, it).await?,
            ),
            Q::CreateQueue(it) => A::CreateQueue(create_queue::handle(self, cx, it).await?),
            Q::DeleteQueue(it) => {
                delete_queue::handle(self, cx, it).await?;
                A::DeleteQueue
            }
            Q::PurgeQueue(it) => {
                purge_queue::handle(self, cx, it).await?;
                A::PurgeQueue
            }
            Q::GetQueueUrl(it) => A::GetQueueUrl(get_queue_url::handle(self, cx, &it)?),
            Q::ListQueues(it) => A::ListQueues(list_queues::handle(self, cx, &it)?),
            Q::GetQueueAttributes(it) => {
                A::GetQueueAttributes(get_queue_attributes::handle(self, cx, it)?)
            }
            Q::SetQueueAttributes(it) => {
                set_queue_attributes::handle(self, cx, it).await?;
                A::SetQueueAttributes
            }
            Q::TagQueue(it) => {
                tags::add(self, cx, it).await?;
                A::TagQueue
            }
            Q::UntagQueue(it) => {
                tags::remove(self, cx, it).await?;
                A::UntagQueue
            }
            Q::ListQueueTags(it) => A::ListQueueTags(list_queue_tags::handle(self, cx, &it)?),
            Q::AddPermission(it) => {
                add_permission::handle(self, cx, it).await?;
                A::AddPermission
            }
            Q::RemovePermission(it) => {
                remove_permission::handle(self, cx, &it).await?;
                A::RemovePermission
            }
            Q::ListDeadLetterSourceQueues(it) => A::ListDeadLetterSourceQueues(
                list_dead_letter_source_queues::handle(self, cx, &it)?,
            ),
            Q::StartMessageMoveTask(it) => {
                A::StartMessageMoveTask(start_message_move_task::handle(self, cx, &it).await?)
            }
            Q::ListMessageMoveTasks(it) => {
                A::ListMessageMoveTasks(list_message_move_tasks::handle(self, cx, &it)?)
            }
            Q::CancelMessageMoveTask(it) => {
                A::CancelMessageMoveTask(cancel_message_move_task::handle(self, cx, &it).await?)
            }
        })
    }

    /// The queue that a caller's QueueUrl means, if the caller may use it.
    fn queue(&self, cx: &Context<'_>, url: &str) -> Result<(QueueId, QueueKey), Fault> {
        if url.is_empty() {
            return Err(fault::missing_parameter("QueueUrl"));
        }
        let key = queue_url::read(url, cx.account(), &cx.region)
            .map_err(|_| fault::invalid_address(url))?;
        self.named(cx, key)
    }

    /// The queue of this name, if the caller may use it.
    fn named(&self, cx: &Context<'_>, key: QueueKey) -> Result<(QueueId, QueueKey), Fault> {
        if !may_use(&cx.principal, &key) {
            return Err(fault::access_denied(&cx.principal));
        }
        let id = self.engine.find(&key).ok_or_else(fault::no_such_queue)?;
        Ok((id, key))
    }

    /// What a queue is set to.
    fn settings(&self, id: QueueId) -> Result<Arc<Settings>, Fault> {
        self.engine.settings(id).map_err(|refusal| fault::of(refusal.into(), ""))
    }
}

/// Policies are kept and not yet obeyed: a queue is its own account's alone. An open service asks
/// nobody.
fn may_use(principal: &Principal, key: &QueueKey) -> bool {
    match principal {
        Principal::Root(account) => *account == key.account,
        Principal::Anyone(_) => true,
    }
}
