// `sqs-consumer`, the loop that most JavaScript services run, against a service whose clock the
// tests move. Its heartbeat beats by the machine's clock, once a second at the least.

import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";

import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import { advance, counts, polls, queue, receive, send, sqs, until } from "./mill.js";

/** A consumer that starts now and is stopped, its last poll cut short, when the test ends. */
function consume(t, options) {
  const consumer = Consumer.create({ sqs, ...options });
  consumer.errors = [];
  for (const event of ["error", "processing_error", "timeout_error"]) {
    consumer.on(event, (error) => consumer.errors.push(error));
  }
  t.after(() => consumer.stop({ abort: true }));
  consumer.start();
  return consumer;
}

const empty = async (queueUrl) => {
  const { waiting, inFlight } = await counts(queueUrl);
  return waiting === 0 && inFlight === 0;
};

test("messages are handled ten at a time, and deleted", async (t) => {
  const queueUrl = await queue();
  await send(queueUrl, ..."abcdefghij");
  await send(queueUrl, ..."klmnopqrst");
  const batches = [];
  const handleMessageBatch = async (messages) => {
    batches.push(messages.map((message) => message.Body).join(""));
    return messages;
  };
  const consumer = consume(t, { queueUrl, batchSize: 10, handleMessageBatch });
  await until(() => empty(queueUrl), "the queue is empty");
  assert.deepEqual(batches, ["abcdefghij", "klmnopqrst"]);
  assert.deepEqual(consumer.errors, []);
});

test("of a batch only what the handler returns is deleted", async (t) => {
  const queueUrl = await queue({ VisibilityTimeout: "30" });
  await send(queueUrl, "keep", "drop");
  const handleMessageBatch = async (messages) =>
    messages.filter((message) => message.Body === "drop");
  const consumer = consume(t, { queueUrl, batchSize: 10, handleMessageBatch });
  await once(consumer, "response_processed");
  assert.deepEqual(await counts(queueUrl), { waiting: 0, inFlight: 1 });
});

test("a message whose handler throws comes back after its timeout", async (t) => {
  const queueUrl = await queue({ VisibilityTimeout: "30" });
  await send(queueUrl, "difficult");
  const seen = [];
  const handleMessage = async (message) => {
    seen.push(message.Attributes.ApproximateReceiveCount);
    if (seen.length === 1) throw new Error("not today");
    return message;
  };
  const messageSystemAttributeNames = ["ApproximateReceiveCount"];
  const consumer = consume(t, { queueUrl, handleMessage, messageSystemAttributeNames });
  await once(consumer, "processing_error");
  assert.deepEqual(await counts(queueUrl), { waiting: 0, inFlight: 1 });
  await advance("30s");
  await once(consumer, "message_processed");
  assert.deepEqual(seen, ["1", "2"]);
  assert.ok(await empty(queueUrl));
});

test("a consumer that lets go of what failed sees it again at once", async (t) => {
  const queueUrl = await queue({ VisibilityTimeout: "30" });
  await send(queueUrl, "difficult");
  let tries = 0;
  const handleMessage = async (message) => {
    tries += 1;
    if (tries < 3) throw new Error("not yet");
    return message;
  };
  const consumer = consume(t, { queueUrl, handleMessage, terminateVisibilityTimeout: true });
  await once(consumer, "message_processed");
  assert.equal(tries, 3);
});

test("a heartbeat keeps a message hidden past its timeout", async (t) => {
  const queueUrl = await queue();
  await send(queueUrl, "long");
  let beats = 0;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const handleMessage = async (message) => {
    await finished;
    return message;
  };
  const counting = {
    send: async (command, options) => {
      const answer = await sqs.send(command, options);
      if (command.constructor.name === "ChangeMessageVisibilityCommand") beats += 1;
      return answer;
    },
  };
  const consumer = consume(t, {
    sqs: counting,
    queueUrl,
    handleMessage,
    visibilityTimeout: 30,
    heartbeatInterval: 1,
  });
  await once(consumer, "message_received");
  for (const beat of [1, 2]) {
    await advance("20s");
    await until(() => beats >= beat, "the heart beats");
  }
  // 40 s are over, the message was to be hidden for 30.
  await advance("20s");
  assert.deepEqual(await receive(queueUrl), []);
  finish();
  await once(consumer, "message_processed");
  assert.ok(await empty(queueUrl));
  assert.deepEqual(consumer.errors, []);
});

test("a message of a FIFO group that fails is handled again before those behind it", async (t) => {
  const queueUrl = await queue({ FifoQueue: "true", ContentBasedDeduplication: "true" }, ".fifo");
  for (const MessageBody of ["a1", "a2", "b1", "a3"]) {
    const MessageGroupId = MessageBody[0];
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody, MessageGroupId }));
  }
  const seen = { a: [], b: [] };
  const handleMessage = async (message) => {
    const group = seen[message.Body[0]];
    group.push(message.Body);
    if (group.length === 1) throw new Error("not at first");
    return message;
  };
  consume(t, {
    queueUrl,
    handleMessage,
    terminateVisibilityTimeout: true,
    suppressFifoWarning: true,
  });
  await until(() => empty(queueUrl), "the queue is empty");
  assert.deepEqual(seen, { a: ["a1", "a1", "a2", "a3"], b: ["b1", "b1"] });
});

test("what a consumer fails at too often goes to the dead-letter queue", async (t) => {
  const dead = await queue();
  const name = dead.split("/").at(-1);
  const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${name}`;
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
  const queueUrl = await queue({ RedrivePolicy });
  await send(queueUrl, "hopeless", "fine");
  let tries = 0;
  const handleMessage = async (message) => {
    if (message.Body === "fine") return message;
    tries += 1;
    throw new Error("never");
  };
  consume(t, { queueUrl, handleMessage, terminateVisibilityTimeout: true });
  const [message] = await receive(dead, { WaitTimeSeconds: 20 });
  assert.equal(message.Body, "hopeless");
  assert.equal(message.Attributes.ApproximateReceiveCount, "3");
  const source = message.Attributes.DeadLetterQueueSourceArn.split(":").at(-1);
  assert.equal(source, queueUrl.split("/").at(-1));
  assert.equal(tries, 2);
  await until(() => empty(queueUrl), "the queue is empty");
});

test("a consumer that stops finishes what it has, and takes nothing more", async (t) => {
  const queueUrl = await queue();
  await send(queueUrl, "in hand");
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const handleMessage = async (message) => {
    await finished;
    return message;
  };
  const consumer = consume(t, { queueUrl, handleMessage, pollingCompleteWaitTimeMs: 30_000 });
  await once(consumer, "message_received");
  const stopped = once(consumer, "stopped");
  consumer.stop();
  await send(queueUrl, "too late");
  finish();
  await stopped;
  assert.deepEqual(await counts(queueUrl), { waiting: 1, inFlight: 0 });
  assert.deepEqual(consumer.errors, []);
});

test("a consumer that is cut off in a poll takes no message with it", async (t) => {
  const queueUrl = await queue();
  const handleMessage = async (message) => message;
  const consumer = consume(t, { queueUrl, handleMessage });
  await until(async () => (await polls(queueUrl)) === 1, "it polls");
  const stopped = once(consumer, "stopped");
  consumer.stop({ abort: true });
  await stopped;
  await send(queueUrl, "for the next");
  const [message] = await receive(queueUrl, { WaitTimeSeconds: 20 });
  assert.equal(message.Body, "for the next");
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
});
