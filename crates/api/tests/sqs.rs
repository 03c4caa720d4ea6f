//! SQS on the wire, in both of its protocols, by the doors that the server uses.

#![allow(clippy::unwrap_used, reason = "a test")]

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidemill_api::sqs::{self, QueueAttributeName, Request, Response};
use tidemill_api::{SERVICES, sts};
use tidemill_wire::{
    Call, Fault, Head, Map, Protocol, Reply, Unidentified, encode_fault, identify,
};

const FORM: &str = "application/x-www-form-urlencoded";

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}

fn target(operation: &str) -> HeaderMap {
    let target = HeaderName::from_static("x-amz-target");
    let operation = format!("AmazonSQS.{operation}");
    headers(&[(CONTENT_TYPE, "application/x-amz-json-1.0"), (target, &operation)])
}

fn head<'a>(path: &'a str, headers: &'a HeaderMap) -> Head<'a> {
    Head { method: &Method::POST, path, query: None, headers: headers.into() }
}

fn json(operation: &str, body: &str) -> (Call, Result<Request, Fault>) {
    let headers = target(operation);
    let head = head("/", &headers);
    let call = identify(SERVICES, &head, body.as_bytes(), Some("sqs")).unwrap();
    assert_eq!(call.protocol, Protocol::AwsJson10);
    (call, Request::decode(&call, &head, body.as_bytes()))
}

fn query_at(path: &str, body: &str) -> Result<(Call, Result<Request, Fault>), Unidentified> {
    let headers = headers(&[(CONTENT_TYPE, FORM)]);
    let head = head(path, &headers);
    let call = identify(SERVICES, &head, body.as_bytes(), None)?;
    assert_eq!(call.protocol, Protocol::Query);
    Ok((call, Request::decode(&call, &head, body.as_bytes())))
}

fn query(body: &str) -> (Call, Result<Request, Fault>) {
    query_at("/", body).unwrap()
}

fn text(reply: &Reply) -> &str {
    str::from_utf8(&reply.body).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).unwrap_or_default()
}

#[test]
fn a_message_reads_the_same_from_json_and_from_a_form() {
    let (_, from_json) = json(
        "SendMessage",
        r#"{"QueueUrl": "http://h/1/q", "MessageBody": "a\r\n\u00e9", "DelaySeconds": 5,
            "Unheard": {"of": [1]}, "MessageGroupId": null,
            "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": "AAH/"},
                                  "m": {"DataType": "String", "StringValue": "x"}}}"#,
    );
    let (_, from_form) = query(
        "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F1%2Fq\
         &MessageAttribute.2.Value.DataType=String&MessageAttribute.2.Value.StringValue=x\
         &MessageAttribute.2.Name=m&MessageAttribute.1.Name=n&DelaySeconds=5\
         &MessageAttribute.1.Value.BinaryValue=AAH%2F&MessageAttribute.1.Value.DataType=Binary\
         &MessageBody=a%0D%0A%C3%A9",
    );
    assert_eq!(from_json, from_form);
    let Ok(Request::SendMessage(request)) = from_json else { panic!("{from_json:?}") };
    assert_eq!(request.message_body, "a\r\né");
    assert_eq!(request.delay_seconds, Some(5));
    let attributes = request.message_attributes.unwrap();
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["n", "m"]);
    assert_eq!(attributes["n"].binary_value.as_deref(), Some(&[0, 1, 255][..]));
}

#[test]
fn a_batch_of_old_clients_reads_in_the_order_of_its_numbers() {
    let (_, request) = query(
        "Action=DeleteMessageBatch&QueueUrl=u&DeleteMessageBatchRequestEntry.10.Id=c\
         &DeleteMessageBatchRequestEntry.10.ReceiptHandle=3\
         &DeleteMessageBatchRequestEntry.2.ReceiptHandle=2&DeleteMessageBatchRequestEntry.2.Id=b\
         &DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=1",
    );
    let Ok(Request::DeleteMessageBatch(request)) = request else { panic!("{request:?}") };
    let ids: Vec<&str> = request.entries.iter().flatten().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[test]
fn a_missing_parameter_is_named() {
    let (_, request) = json("SendMessage", r#"{"QueueUrl": "u"}"#);
    let fault = request.unwrap_err();
    assert_eq!(fault.error.name, "MissingRequiredParameterException");
    assert_eq!(fault.message, "The request must contain the parameter MessageBody.");
    let (_, request) = query(
        "Action=SendMessageBatch&QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a\
         &SendMessageBatchRequestEntry.1.MessageBody=x\
         &SendMessageBatchRequestEntry.2.MessageBody=x",
    );
    assert_eq!(
        request.unwrap_err().message,
        "The request must contain the parameter SendMessageBatchRequestEntry.2.Id."
    );
}

#[test]
fn a_body_that_is_not_the_models_is_a_serialization_exception() {
    let of_other_kinds = [r#"{"QueueUrl": {}}"#, r#"{"DelaySeconds": "5"}"#];
    for body in ["{", "[]", "{} x", "\u{0}"].into_iter().chain(of_other_kinds) {
        let (call, request) = json("SendMessage", body);
        let reply = encode_fault(call.protocol, Some(call.service), &request.unwrap_err(), "id");
        assert_eq!(reply.status, 400);
        assert!(text(&reply).contains("#SerializationException\""), "{body}");
    }
}

#[test]
fn a_number_or_a_truth_value_is_taken_for_the_text_of_it() {
    let (_, request) = json("SendMessage", r#"{"QueueUrl": 1, "MessageBody": true}"#);
    let Ok(Request::SendMessage(request)) = request else { panic!("{request:?}") };
    assert_eq!((request.queue_url.as_str(), request.message_body.as_str()), ("1", "true"));
}

#[test]
fn received_messages_are_written_in_both_protocols() {
    let mut attributes = Map::default();
    attributes.insert("SenderId".into(), "AID".to_owned());
    let message = sqs::Message {
        message_id: Some("m".into()),
        body: Some("a\r<b>\"&".into()),
        attributes: Some(attributes),
        ..sqs::Message::default()
    };
    let response =
        Response::ReceiveMessage(sqs::ReceiveMessageResult { messages: Some(vec![message]) });
    let (call, _) = json("ReceiveMessage", r#"{"QueueUrl": "u"}"#);
    let reply = response.encode(&call, "id");
    assert_eq!(header(&reply, "content-type"), "application/x-amz-json-1.0");
    assert_eq!(header(&reply, "x-amzn-requestid"), "id");
    assert_eq!(
        text(&reply),
        r#"{"Messages":[{"MessageId":"m","Body":"a\r<b>\"&","Attributes":{"SenderId":"AID"}}]}"#
    );
    let (call, _) = query("Action=ReceiveMessage&QueueUrl=u");
    assert_eq!(
        text(&response.encode(&call, "id")),
        "<?xml version=\"1.0\"?><ReceiveMessageResponse \
         xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><ReceiveMessageResult><Message>\
         <MessageId>m</MessageId><Body>a&#xD;&lt;b&gt;&quot;&amp;</Body>\
         <Attribute><Name>SenderId</Name><Value>AID</Value></Attribute></Message>\
         </ReceiveMessageResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>\
         </ReceiveMessageResponse>"
    );
}

#[test]
fn what_is_empty_is_absent() {
    let empty = Response::ReceiveMessage(sqs::ReceiveMessageResult { messages: Some(vec![]) });
    let (call, _) = json("ReceiveMessage", r#"{"QueueUrl": "u"}"#);
    assert_eq!(text(&empty.encode(&call, "id")), "{}");
    let (call, _) = query("Action=ReceiveMessage&QueueUrl=u");
    assert!(text(&empty.encode(&call, "id")).contains("><ReceiveMessageResult/><"));
    let (call, _) = json("DeleteMessageBatch", r#"{"QueueUrl": "u", "Entries": []}"#);
    let empty = Response::DeleteMessageBatch(sqs::DeleteMessageBatchResult::default());
    assert_eq!(text(&empty.encode(&call, "id")), "{}");
    let (call, _) = json("DeleteMessage", "{}");
    assert_eq!(text(&Response::DeleteMessage.encode(&call, "id")), "");
}

#[test]
fn a_refusal_carries_the_name_and_the_old_code() {
    let fault = Fault::new(&sqs::errors::QUEUE_DOES_NOT_EXIST, "Gone.").in_query("Long gone.");
    let reply = encode_fault(Protocol::AwsJson10, Some(&sqs::SERVICE), &fault, "id");
    assert_eq!(reply.status, 400);
    assert_eq!(
        text(&reply),
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"Gone."}"#
    );
    assert_eq!(
        header(&reply, "x-amzn-query-error"),
        "AWS.SimpleQueueService.NonExistentQueue;Sender"
    );
    let reply = encode_fault(Protocol::Query, Some(&sqs::SERVICE), &fault, "id");
    assert_eq!(
        text(&reply),
        "<?xml version=\"1.0\"?><ErrorResponse \
         xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>\
         <Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>Long gone.</Message>\
         <Detail/></Error><RequestId>id</RequestId></ErrorResponse>"
    );
}

#[test]
fn at_a_queues_url_the_path_names_the_queue_unless_a_parameter_does() {
    let (_, request) = query_at("/000000000000/q", "Action=DeleteQueue").unwrap();
    let Ok(Request::DeleteQueue(request)) = request else { panic!("{request:?}") };
    assert_eq!(request.queue_url, "/000000000000/q");
    let (_, request) = query_at("/000000000000/q", "Action=DeleteQueue&QueueUrl=other").unwrap();
    let Ok(Request::DeleteQueue(request)) = request else { panic!("{request:?}") };
    assert_eq!(request.queue_url, "other");
}

#[test]
fn an_action_that_is_not_for_a_queue_is_not_valid_at_its_url() {
    for (path, action) in [("/1/q", "ListQueues"), ("/1/q", "CreateQueue"), ("/", "Fly")] {
        let refusal = query_at(path, &format!("Action={action}")).unwrap_err();
        assert_eq!(refusal.fault.error.code, "InvalidAction");
        let message = format!("The action {action} is not valid for this endpoint.");
        assert_eq!(refusal.fault.message, message);
    }
}

#[test]
fn a_request_without_an_action_is_answered_in_xml() {
    let headers = headers(&[(ACCEPT, "application/json")]);
    let head = Head { method: &Method::GET, path: "/1/q", query: None, headers: (&headers).into() };
    let refusal = identify(SERVICES, &head, b"", Some("sqs")).unwrap_err();
    let reply = encode_fault(refusal.protocol, refusal.service, &refusal.fault, "id");
    assert_eq!((reply.status.as_u16(), header(&reply, "content-type")), (404, "text/xml"));
    assert_eq!(text(&reply).trim(), "<UnknownOperationException/>");
}

#[test]
fn an_unknown_target_is_an_unknown_operation() {
    let headers = target("Fly");
    let refusal = identify(SERVICES, &head("/", &headers), b"{}", Some("sqs")).unwrap_err();
    let reply = encode_fault(refusal.protocol, refusal.service, &refusal.fault, "id");
    assert_eq!(reply.status, 404);
    assert!(text(&reply).contains("com.amazon.coral.service#UnknownOperationException"));
}

#[test]
fn a_get_with_its_parameters_in_the_url_can_ask_for_json() {
    let headers = headers(&[(ACCEPT, "application/json")]);
    let query = Some("Action=GetQueueAttributes&QueueUrl=u&AttributeName.1=All");
    let head = Head { method: &Method::GET, path: "/", query, headers: (&headers).into() };
    let call = identify(SERVICES, &head, b"", Some("sqs")).unwrap();
    let Ok(Request::GetQueueAttributes(request)) = Request::decode(&call, &head, b"") else {
        panic!("it is GetQueueAttributes");
    };
    assert_eq!(request.attribute_names, Some(vec![QueueAttributeName::All]));
    let reply = Response::GetQueueAttributes(sqs::GetQueueAttributesResult::default());
    let reply = reply.encode(&call, "id");
    assert_eq!(header(&reply, "content-type"), "application/json");
    assert_eq!(
        text(&reply),
        "{\"GetQueueAttributesResponse\":{\"GetQueueAttributesResult\":{},\
         \"ResponseMetadata\":{\"RequestId\":\"id\"}}}"
    );
}

#[test]
fn services_that_share_a_protocol_are_told_apart() {
    let headers = headers(&[(CONTENT_TYPE, FORM)]);
    let head = head("/", &headers);
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    for signed_for in [None, Some("sts")] {
        let call = identify(SERVICES, &head, body, signed_for).unwrap();
        assert_eq!(call.service.name, "sts");
        assert!(matches!(
            sts::Request::decode(&call, &head, body),
            Ok(sts::Request::GetCallerIdentity(_))
        ));
    }
    assert!(identify(SERVICES, &head, body, Some("sqs")).is_err());
}

#[test]
fn a_broken_constraint_is_a_validation_error_elsewhere() {
    let headers = headers(&[(CONTENT_TYPE, FORM)]);
    let head = head("/", &headers);
    let body = b"Action=AssumeRole&RoleSessionName=x&DurationSeconds=1";
    let call = identify(SERVICES, &head, body, Some("sts")).unwrap();
    let fault = sts::Request::decode(&call, &head, body).unwrap_err();
    assert_eq!(fault.error.code, "ValidationError");
    assert_eq!(
        fault.message,
        "3 validation errors detected: Value 'x' at 'roleSessionName' failed to satisfy \
         constraint: Member must have length greater than or equal to 2; Value '1' at \
         'durationSeconds' failed to satisfy constraint: Member must have value greater than or \
         equal to 900; Value null at 'roleArn' failed to satisfy constraint: Member must not be \
         null"
    );
}

#[test]
fn a_value_that_the_model_does_not_know_is_kept() {
    let (_, request) =
        json("GetQueueAttributes", r#"{"QueueUrl": "u", "AttributeNames": ["Foobar"]}"#);
    let Ok(Request::GetQueueAttributes(request)) = request else { panic!("{request:?}") };
    assert_eq!(request.attribute_names.unwrap()[0].as_str(), "Foobar");
}

#[test]
fn every_pattern_of_every_model_can_be_run() {
    fn check(place: &tidemill_wire::schema::Member, depth: u8) {
        use tidemill_wire::schema::Kind;
        if let Some(pattern) = &place.shape.pattern {
            assert!(pattern.regex().is_some(), "{}", pattern.source());
        }
        match place.shape.kind {
            _ if depth == 0 => {}
            Kind::Structure(members) => members.iter().for_each(|one| check(one, depth - 1)),
            Kind::List(item) => check(item, depth - 1),
            Kind::Map(key, value) => [key, value].into_iter().for_each(|one| check(one, depth - 1)),
            _ => {}
        }
    }
    for operation in SERVICES.iter().flat_map(|service| service.operations) {
        check(operation.input, 8);
    }
}

#[test]
fn a_secret_is_written_to_its_owner_and_not_to_a_log() {
    let secret = tidemill_wire::Secret::from("wJalrXUt".to_owned());
    let credentials = sts::Credentials { secret_access_key: secret, ..Default::default() };
    assert!(!format!("{credentials:?}").contains("wJalrXUt"));
    let credentials = Some(credentials);
    let response = sts::Response::GetSessionToken(sts::GetSessionTokenResponse {
        credentials,
        ..Default::default()
    });
    let headers = headers(&[(CONTENT_TYPE, FORM)]);
    let call = identify(SERVICES, &head("/", &headers), b"Action=GetSessionToken", None).unwrap();
    let reply = response.encode(&call, "id");
    assert!(text(&reply).contains("<SecretAccessKey>wJalrXUt</SecretAccessKey>"));
}
