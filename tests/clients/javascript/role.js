// A worker as users write it: nothing in it says where its keys come from. Sends its one argument.

import { GetQueueUrlCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const sqs = new SQSClient({ maxAttempts: 1 });
const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "work" }));
await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: process.argv[2] }));
