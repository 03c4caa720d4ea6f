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
mod deliver;
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
mod together;

pub(crate) use deliver::{Letter, Undelivered, deliver};
pub(crate) use message::{check_token, is_text};
pub(crate) use policy::is_policy;

use std::sync::Arc;

use tidemill_api::sqs::{Request, Response};
use tidemill_base::{AccountId, Region};
use tidemill_queue::{Engine, QueueId, QueueKey, Settings};
use tidemill_wire::Fault;
use tokio::sync::Mutex;

use crate::context::{Context, Principal};

/// The queue that a text names: an ARN, a URL with any host, or a name. Account and region are
/// those given where the text names none.
pub(crate) fn named(text: &str, account: AccountId, region: &Region) -> Option<QueueKey> {
    if text.starts_with("arn:") {
        return queue_arn::read(text).ok();
    }
    queue_url::read(text, account, region).ok()
}

/// The queue that an ARN names.
pub(crate) fn of_arn(arn: &str) -> Option<QueueKey> {
    queue_arn::read(arn).ok()
}

/// A queue's ARN.
pub(crate) fn arn(key: &QueueKey) -> String {
    queue_arn::QueueArn(key).to_string()
}

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
        match request {
            Q::SendMessage(it) => send_message::one(self, cx, it).await.map(A::SendMessage),
            Q::ReceiveMessage(it) => {
                receive_message::handle(self, cx, it).await.map(A::ReceiveMessage)
            }
            Q::DeleteMessage(it) => {
                delete_message::one(self, cx, it).await.map(|()| A::DeleteMessage)
            }
            Q::SendMessageBatch(it) => {
                send_message::batch(self, cx, it).await.map(A::SendMessageBatch)
            }
            Q::DeleteMessageBatch(it) => {
                delete_message::batch(self, cx, it).await.map(A::DeleteMessageBatch)
            }
            Q::ChangeMessageVisibility(it) => change_message_visibility::one(self, cx, it)
                .await
                .map(|()| A::ChangeMessageVisibility),
            Q::ChangeMessageVisibilityBatch(it) => change_message_visibility::batch(self, cx, it)
                .await
                .map(A::ChangeMessageVisibilityBatch),
            Q::CreateQueue(it) => create_queue::handle(self, cx, it).await.map(A::CreateQueue),
            Q::DeleteQueue(it) => delete_queue::handle(self, cx, it).await.map(|()| A::DeleteQueue),
            Q::PurgeQueue(it) => purge_queue::handle(self, cx, it).await.map(|()| A::PurgeQueue),
            Q::GetQueueUrl(it) => get_queue_url::handle(self, cx, &it).map(A::GetQueueUrl),
            Q::ListQueues(it) => list_queues::handle(self, cx, &it).map(A::ListQueues),
            Q::GetQueueAttributes(it) => {
                get_queue_attributes::handle(self, cx, it).map(A::GetQueueAttributes)
            }
            Q::SetQueueAttributes(it) => {
                set_queue_attributes::handle(self, cx, it).await.map(|()| A::SetQueueAttributes)
            }
            Q::TagQueue(it) => tags::add(self, cx, it).await.map(|()| A::TagQueue),
            Q::UntagQueue(it) => tags::remove(self, cx, it).await.map(|()| A::UntagQueue),
            Q::ListQueueTags(it) => list_queue_tags::handle(self, cx, &it).map(A::ListQueueTags),
            Q::AddPermission(it) => {
                add_permission::handle(self, cx, it).await.map(|()| A::AddPermission)
            }
            Q::RemovePermission(it) => {
                remove_permission::handle(self, cx, &it).await.map(|()| A::RemovePermission)
            }
            Q::ListDeadLetterSourceQueues(it) => {
                list_dead_letter_source_queues::handle(self, cx, &it)
                    .map(A::ListDeadLetterSourceQueues)
            }
            Q::StartMessageMoveTask(it) => {
                start_message_move_task::handle(self, cx, &it).await.map(A::StartMessageMoveTask)
            }
            Q::ListMessageMoveTasks(it) => {
                list_message_move_tasks::handle(self, cx, &it).map(A::ListMessageMoveTasks)
            }
            Q::CancelMessageMoveTask(it) => {
                cancel_message_move_task::handle(self, cx, &it).await.map(A::CancelMessageMoveTask)
            }
        }
    }

    /// The queue that a caller's QueueUrl means, if the caller may use it.
    fn queue(&self, cx: &Context<'_>, url: &str) -> Result<(QueueId, QueueKey), Fault> {
        if url.is_empty() {
            return Err(fault::missing_parameter("QueueUrl"));
        }
        // On AWS what is no queue's URL is not there, just as a queue that nobody made.
        let key =
            queue_url::read(url, cx.account(), &cx.region).map_err(|_| fault::no_such_queue())?;
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

/// Policies are kept and not yet obeyed: a queue is its own account's alone.
fn may_use(principal: &Principal, key: &QueueKey) -> bool {
    principal.is_of(key.account)
}
