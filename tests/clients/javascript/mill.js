// What the tests share: the SDK's client as an application makes it, a queue of a test's own, and
// the service's own controls. The endpoint, the region and the key come from the environment.

import { setTimeout as pause } from "node:timers/promises";

import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";

export const sqs = new SQSClient({});

let queues = 0;

/** Creates a queue that nobody else uses, and returns its URL. */
export async function queue(Attributes = {}, suffix = "") {
  queues += 1;
  const QueueName = `javascript-${process.pid}-${queues}${suffix}`;
  return (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl;
}

/** Sends up to ten bodies as one batch. */
export async function send(QueueUrl, ...bodies) {
  const Entries = bodies.map((MessageBody, n) => ({ Id: `${n}`, MessageBody }));
  return sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
}

/** Receives what there is, and says every attribute. */
export async function receive(QueueUrl, more = {}) {
  const { Messages } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
      ...more,
    }),
  );
  return Messages ?? [];
}

/** How many messages wait, and how many are in flight. */
export async function counts(QueueUrl) {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  const [waiting, inFlight] = AttributeNames.map((name) => Number(answer.Attributes[name]));
  return { waiting, inFlight };
}

/** How many long polls wait at a queue. */
export async function polls(QueueUrl) {
  const label = `queue="${QueueUrl.split("/").at(-1)}"`;
  const metrics = await (await fetch(`${process.env.AWS_ENDPOINT_URL}/metrics`)).text();
  const ours = (line) =>
    line.startsWith("tidemill_queue_waiting_receivers{") && line.includes(label);
  return Number(metrics.split("\n").find(ours)?.split(" ").at(-1) ?? 0);
}

/** Moves the service's manual clock, as in `advance("15m")`. */
export async function advance(span) {
  const answer = await fetch(`${process.env.AWS_ENDPOINT_URL}/_tidemill/clock`, {
    method: "POST",
    body: JSON.stringify({ advance: span }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Waits until `condition` holds, and returns what it found. */
export async function until(condition, what) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const found = await condition();
    if (found) return found;
    await pause(10);
  }
  throw new Error(`waited 30 s in vain until ${what}`);
}
