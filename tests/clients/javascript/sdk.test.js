// AWS's JavaScript SDK, version 3, against the service that AWS_ENDPOINT_URL names. The SDK checks
// the MD5 of each body that it sends and receives, and fails where one is not what it computed.

import assert from "node:assert/strict";
import test from "node:test";

import {
  BatchEntryIdsNotDistinct,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  paginateListQueues,
  PurgeQueueCommand,
  QueueDoesNotExist,
  QueueNameExists,
  ReceiptHandleIsInvalid,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSServiceException,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";

import { counts, polls, queue, receive, send, sqs, until } from "./mill.js";

const ATTRIBUTES = {
  Title: { DataType: "String", StringValue: "The Whistler — é ☕" },
  WeeksOn: { DataType: "Number.int", StringValue: "6" },
  Cover: { DataType: "Binary.png", BinaryValue: new Uint8Array([0, 1, 128, 255]) },
};

test("a message keeps its body, its attributes and their bytes", async () => {
  const QueueUrl = await queue();
  const MessageBody = 'one "mug" & <two>\r\n\tétoile 🌊';
  const sent = await sqs.send(
    new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes: ATTRIBUTES }),
  );
  const [message, ...others] = await receive(QueueUrl);
  assert.deepEqual(others, []);
  assert.equal(message.Body, MessageBody);
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.MD5OfBody, sent.MD5OfMessageBody);
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  const found = Object.entries(message.MessageAttributes).map(([name, value]) => [
    name,
    value.DataType,
    value.StringValue ?? [...value.BinaryValue],
  ]);
  assert.deepEqual(found.sort(), [
    ["Cover", "Binary.png", [0, 1, 128, 255]],
    ["Title", "String", "The Whistler — é ☕"],
    ["WeeksOn", "Number.int", "6"],
  ]);
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
  assert.match(message.Attributes.SentTimestamp, /^\d{13}$/);
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  assert.deepEqual(await counts(QueueUrl), { waiting: 0, inFlight: 0 });
});

test("batches of ten are sent, extended and deleted", async () => {
  const QueueUrl = await queue();
  const bodies = Array.from({ length: 10 }, (_, n) => `body ${n}`);
  const sent = await send(QueueUrl, ...bodies);
  assert.equal(sent.Successful.length, 10);
  assert.equal(sent.Failed, undefined);
  const messages = await receive(QueueUrl);
  assert.deepEqual(messages.map((message) => message.Body), bodies);
  const handles = messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle }));
  const Entries = handles.map((entry) => ({ ...entry, VisibilityTimeout: 600 }));
  const changed = await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  assert.equal(changed.Successful.length, 10);
  assert.deepEqual(await counts(QueueUrl), { waiting: 0, inFlight: 10 });
  handles[3].ReceiptHandle = "garbage";
  const deleted = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: handles }));
  assert.equal(deleted.Successful.length, 9);
  assert.equal(deleted.Failed.length, 1);
  const [failed] = deleted.Failed;
  assert.deepEqual([failed.Id, failed.SenderFault], ["3", true]);
  assert.equal(failed.Code, "ReceiptHandleIsInvalid");
});

test("a batch of attributes passes the SDK's checks of MD5", async () => {
  const QueueUrl = await queue();
  const entry = { MessageBody: "with attributes", MessageAttributes: ATTRIBUTES };
  const Entries = [{ Id: "a", ...entry }, { Id: "b", ...entry, DelaySeconds: 1 }];
  const { Successful } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  assert.equal(Successful[0].MD5OfMessageAttributes, Successful[1].MD5OfMessageAttributes);
  const [now] = await receive(QueueUrl);
  const [later] = await receive(QueueUrl, { WaitTimeSeconds: 20 });
  assert.deepEqual(later.MessageAttributes, now.MessageAttributes);
  assert.notEqual(later.MessageId, now.MessageId);
});

test("a long poll ends when a message comes", async () => {
  const QueueUrl = await queue();
  const polling = receive(QueueUrl, { WaitTimeSeconds: 20 });
  await until(async () => (await polls(QueueUrl)) === 1, "the long poll waits");
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "at last" }));
  const [message] = await polling;
  assert.equal(message.Body, "at last");
});

test("a message that is let go comes back at once, counted twice", async () => {
  const QueueUrl = await queue();
  await send(QueueUrl, "again");
  const [{ ReceiptHandle }] = await receive(QueueUrl);
  await sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const [message] = await receive(QueueUrl);
  assert.equal(message.Attributes.ApproximateReceiveCount, "2");
});

test("a FIFO queue keeps each group's order and sends nothing twice", async () => {
  const QueueUrl = await queue({ FifoQueue: "true" }, ".fifo");
  const entry = (Id, MessageBody, MessageGroupId, MessageDeduplicationId = MessageBody) => ({
    Id,
    MessageBody,
    MessageGroupId,
    MessageDeduplicationId,
  });
  const Entries = [entry("1", "a1", "a"), entry("2", "b1", "b"), entry("3", "a2", "a")];
  const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  const numbers = sent.Successful.map((entry) => BigInt(entry.SequenceNumber));
  assert.ok(numbers[0] < numbers[1] && numbers[1] < numbers[2], `${numbers} rise`);
  const single = (...fields) => {
    const { Id, ...message } = entry("", ...fields);
    return sqs.send(new SendMessageCommand({ QueueUrl, ...message }));
  };
  const twin = await single("a1", "a");
  assert.equal(twin.MessageId, sent.Successful[0].MessageId);

  const messages = await receive(QueueUrl);
  assert.deepEqual(messages.map((message) => message.Body), ["a1", "a2", "b1"]);
  const { MessageGroupId, MessageDeduplicationId, SequenceNumber } = messages[0].Attributes;
  assert.deepEqual([MessageGroupId, MessageDeduplicationId], ["a", "a1"]);
  assert.equal(BigInt(SequenceNumber), numbers[0]);

  // While the group has a message in hand, nothing of it is handed out.
  await single("a3", "a");
  assert.deepEqual(await receive(QueueUrl), []);
  const handles = messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle }));
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: handles }));
  const [next] = await receive(QueueUrl);
  assert.equal(next.Body, "a3");
  await assert.rejects(
    sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x", MessageGroupId: "a" })),
    { name: "InvalidParameterValue", message: /ContentBasedDeduplication/ },
  );
});

test("queues are listed page by page, found by name, tagged, emptied and deleted", async () => {
  const made = await Promise.all([queue(), queue(), queue()]);
  const QueueNamePrefix = `javascript-${process.pid}-`;
  const listed = [];
  const pages = paginateListQueues({ client: sqs, pageSize: 1 }, { QueueNamePrefix });
  for await (const page of pages) listed.push(...page.QueueUrls);
  for (const QueueUrl of made) assert.ok(listed.includes(QueueUrl), `${QueueUrl} in ${listed}`);
  const [QueueUrl] = made;
  const QueueName = QueueUrl.split("/").at(-1);
  const found = await sqs.send(new GetQueueUrlCommand({ QueueName }));
  assert.equal(found.QueueUrl, QueueUrl);
  await sqs.send(new TagQueueCommand({ QueueUrl, Tags: { colour: "blue" } }));
  const { Tags } = await sqs.send(new ListQueueTagsCommand({ QueueUrl }));
  assert.deepEqual(Tags, { colour: "blue" });
  await send(QueueUrl, "a", "b");
  await sqs.send(new PurgeQueueCommand({ QueueUrl }));
  assert.deepEqual(await counts(QueueUrl), { waiting: 0, inFlight: 0 });
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  const none = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: QueueName + "-none" }));
  assert.equal(none.QueueUrls, undefined);
});

test("refusals are the SDK's own exceptions", async () => {
  const QueueUrl = await queue({ VisibilityTimeout: "30" });
  const QueueName = QueueUrl.split("/").at(-1);
  const refused = async (command, Kind, message) => {
    const error = await sqs.send(command).then(
      () => assert.fail("the call was answered"),
      (error) => error,
    );
    assert.ok(error instanceof Kind, `${error.name}: ${error.message}`);
    assert.equal(error.$metadata.httpStatusCode >= 400, true);
    if (message) assert.match(error.message, message);
    return error;
  };
  const missing = new GetQueueUrlCommand({ QueueName: "no-such-queue" });
  const error = await refused(missing, QueueDoesNotExist, /^The specified queue does not exist\.$/);
  assert.equal(error.name, "QueueDoesNotExist");
  assert.equal(error.Error.Code, "AWS.SimpleQueueService.NonExistentQueue");
  assert.equal(error.$fault, "client");
  const other = new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout: "31" } });
  await refused(other, QueueNameExists, /VisibilityTimeout/);
  const garbage = new DeleteMessageCommand({ QueueUrl, ReceiptHandle: "garbage" });
  await refused(garbage, ReceiptHandleIsInvalid, /garbage/);
  const twins = [1, 2].map(() => ({ Id: "same", MessageBody: "x" }));
  const twice = new SendMessageBatchCommand({ QueueUrl, Entries: twins });
  await refused(twice, BatchEntryIdsNotDistinct, /same/);
  const Attributes = { VisibilityTimeout: "43201" };
  const wrong = new SetQueueAttributesCommand({ QueueUrl, Attributes });
  await refused(wrong, SQSServiceException);
});
