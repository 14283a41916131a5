// A real BullMQ under way: `node bullmq_worker.mjs PORT` adds jobs to the queue `q`, and a worker runs them and notes
// each in the list `ran`, until standard input ends.

import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');
const connection = { host: '127.0.0.1', port: Number(process.argv[2]), maxRetriesPerRequest: null };
const JOBS = 600;

const ledger = new Redis(connection);
const queue = new Queue('q', { connection });
await queue.addBulk(Array.from({ length: JOBS }, (_, number) => ({ name: 't', data: number, opts: { delay: number % 2 ? 300 : 0 } })));
const worker = new Worker('q', async (job) => {
  await ledger.rpush('ran', String(job.data));
  await new Promise((resolve) => setTimeout(resolve, 5));
}, { connection, concurrency: 2 });
process.stdin.on('end', async () => {
  await worker.close();
  process.exit(0);
}).resume();
