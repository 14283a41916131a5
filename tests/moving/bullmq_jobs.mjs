// Jobs of a real BullMQ in every state that `streamq import bullmq` meets, as the old messaging service made them.
// `node bullmq_jobs.mjs PORT`, started where the package is installed (`make peers`).

import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { FlowProducer, Queue, Worker } = require('bullmq');
const connection = { host: '127.0.0.1', port: Number(process.argv[2]), maxRetriesPerRequest: null };
const OPTIONS = { attempts: 3, backoff: { type: 'exponential', delay: 5000 } };
const DAY = 86_400_000;

const sms = new Queue('send-sms-queue', { connection, defaultJobOptions: OPTIONS });
const later = new Queue('scheduled-sms-queue', { connection, defaultJobOptions: OPTIONS });
const ai = new Queue('ai-response-queue', { connection });
const message = (number, more = {}) => ({
  phoneNumber: `+4930${number}`, message: `text ${number} ü`, scheduledFor: null, metadata: { n: number },
  contactId: `contact-${number % 3}`, workspaceId: 66338, ...more,
});

const tried = new Worker('send-sms-queue', async () => { throw new Error('of the test'); }, { connection, autorun: false });
await sms.add('send-sms', message(1), { delay: 0 });
const first = await tried.getNextJob('token');
await first.moveToFailed(new Error('of the test'), 'token', false); // tried once, delayed for its second attempt
await sms.add('send-sms', message(2));
await tried.getNextJob('token'); // active
for (let number = 3; number < 8; number += 1) await sms.add('send-sms', message(number));
await sms.add('send-sms', message(8), { jobId: 'order-991' });
await sms.add('send-sms', message(9), { lifo: true }); // in front of the others
for (const [number, priority] of [[20, 10], [21, 1], [22, 10], [23, 2]]) await sms.add('send-sms', message(number), { priority });
await sms.add('..', message(30)); // no name of a task here
await sms.add('send-sms', 'just text');

await later.add('scheduled-sms', message(40, { scheduledFor: '2099-01-01T00:00:00Z' }), { delay: 60 * DAY });
await later.add('scheduled-sms', message(41), { delay: DAY, priority: 5 });
await later.add('scheduled-sms', message(42), { delay: 1, jobId: 'due' }); // due when it is read
await later.upsertJobScheduler('nightly', { pattern: '0 9 * * 1-5', tz: 'Europe/Berlin' }, { name: 'report', data: { region: 'eu' } });
await later.upsertJobScheduler('often', { every: 90_000 }, { name: 'ping' });
await later.upsertJobScheduler('seconds', { pattern: '*/5 * * * * *' }, { name: 'ping' });
await later.pause();

await ai.add('ai-response', { message_id: 'm1' }, { deduplication: { id: 'm1', ttl: 60_000 } });
const flows = new FlowProducer({ connection });
await flows.add({ name: 'parent', queueName: 'ai-response-queue', data: {}, children: [{ name: 'child', queueName: 'ai-response-queue', data: {} }] });

await Promise.all([sms, later, ai, flows].map((each) => each.close()));
process.exit(0);
