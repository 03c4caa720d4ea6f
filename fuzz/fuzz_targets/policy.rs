//! Any text as a queue's policy, and any label as a permission's, is refused or kept: what was
//! kept can be added to, taken from and read again.
//! `cargo +nightly fuzz run policy`

#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidemill_api::sqs::{
    AddPermissionRequest, CreateQueueRequest, GetQueueAttributesRequest, RemovePermissionRequest,
    Request, Response, SetQueueAttributesRequest,
};
use tidemill_base::{AccountId, Chance, Clock, Region, Timestamp};
use tidemill_journal::{MemoryDriver, Options};
use tidemill_queue::{Config, Engine};
use tidemill_services::{BaseUrl, Context, Principal, Sqs};
use tidemill_wire::{Fault, Protocol};
use tokio::runtime::{Builder, Runtime};

const URL: &str = "http://localhost/000000000000/q";

struct Service {
    runtime: Runtime,
    sqs: Sqs,
}

impl Service {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let (chance, linger) = (Chance::seeded(1), Duration::from_hours(1));
        let journal = Options { chance: chance.clone(), linger, ..Options::default() };
        let config = Config { journal, clock, chance, ..Config::default() };
        let engine = Engine::open(MemoryDriver::new(), config).expect("an empty store opens");
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let service = Self { runtime, sqs: Sqs::new(engine) };
        let queue_name = Some("q".to_owned());
        let create = CreateQueueRequest { queue_name, ..CreateQueueRequest::default() };
        service.call(Request::CreateQueue(create)).expect("the name is new");
        service
    }

    fn call(&self, request: Request) -> Result<Response, Fault> {
        let context = Context {
            principal: Principal::Anyone(AccountId::DEFAULT),
            region: Region::default(),
            base_url: BaseUrl { scheme: "http", host: "localhost" },
            protocol: Protocol::AwsJson10,
            trace_header: None,
        };
        self.runtime.block_on(self.sqs.handle(&context, request))
    }

    fn set(&self, policy: &str) -> Result<Response, Fault> {
        let attributes = Some([("Policy".into(), policy.to_owned())].into_iter().collect());
        let queue_url = URL.to_owned();
        self.call(Request::SetQueueAttributes(SetQueueAttributesRequest { queue_url, attributes }))
    }

    fn policy(&self) -> Option<String> {
        let request = GetQueueAttributesRequest {
            queue_url: URL.to_owned(),
            attribute_names: Some(vec!["Policy".into()]),
        };
        match self.call(Request::GetQueueAttributes(request)) {
            Ok(Response::GetQueueAttributes(it)) => {
                let mut attributes = it.attributes.into_iter().flatten();
                attributes.next().map(|(_, policy)| policy)
            }
            other => panic!("the queue is there: {other:?}"),
        }
    }
}

fuzz_target!(|input: (&str, &str)| {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    let service = SERVICE.get_or_init(Service::new);
    let (policy, label) = input;
    service.set("").expect("no policy is one");
    assert_eq!(service.policy(), None);
    if service.set(policy).is_ok() {
        let kept = service.policy().unwrap_or_default();
        if !kept.is_empty() {
            serde_json::from_str::<serde_json::Value>(&kept).expect("a policy is JSON");
        }
    }
    let granted = service.call(Request::AddPermission(AddPermissionRequest {
        queue_url: URL.to_owned(),
        label: label.to_owned(),
        aws_account_ids: Some(vec!["123456789012".to_owned()]),
        actions: Some(vec!["SendMessage".to_owned()]),
    }));
    if granted.is_ok() {
        let kept = service.policy().expect("a permission is part of a policy");
        serde_json::from_str::<serde_json::Value>(&kept).expect("a policy is JSON");
        service.set(&kept).expect("what was read can be written");
        let remove = RemovePermissionRequest { queue_url: URL.to_owned(), label: label.to_owned() };
        service.call(Request::RemovePermission(remove)).expect("what was granted is there");
    }
});
