// BullMQ on Node, the form of adapter.py: `node bullmq_node.mjs JSON`, JSON lines on standard output, ended with
// standard input. addBulk of a thousand; completed jobs are removed, by default it keeps them for ever.

import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const config = JSON.parse(process.argv[2]);
const require = createRequire(`${process.cwd()}/`); // the bench starts us where the peer is installed
const { Queue, Worker } = require('bullmq');
const CONCURRENCY = 50;
const CHUNK = 1000;
const OPTIONS = { removeOnComplete: true };

process.on('uncaughtException', (error) => {
  console.error(error.message.split('\n')[0]); // the bench shows the last line
  process.exit(1);
});
process.stdin.on('end', () => process.exit(0)).resume();

const report = (said) => writeSync(1, `${JSON.stringify(said)}\n`);

function connection() {
  const url = new URL(config.url);
  const more = { maxRetriesPerRequest: null };
  return url.protocol === 'unix:'
    ? { path: fileURLToPath(`file://${url.pathname}`), ...more }
    : { host: url.hostname, port: Number(url.port || 6379), ...more };
}

const seconds = (start) => Number(process.hrtime.bigint() - start) / 1e9;
const versionOf = (name) => require(`${name}/package.json`).version;

async function enqueue() {
  const payloads = JSON.parse(readFileSync(config.payloads));
  const queue = new Queue('bench', { connection: connection() });
  const one = (data) => queue.add('job', data, OPTIONS);
  for (const data of payloads.splice(0, config.warm)) await one(data);
  const start = process.hrtime.bigint();
  for (const data of payloads.splice(0, config.single)) await one(data);
  const turn = process.hrtime.bigint();
  for (let at = 0; at < payloads.length; at += CHUNK) {
    await queue.addBulk(payloads.slice(at, at + CHUNK).map((data) => ({ name: 'job', data, opts: OPTIONS })));
  }
  report({
    single: config.single,
    single_seconds: Number(turn - start) / 1e9,
    jobs: payloads.length,
    seconds: seconds(turn),
    versions: { node: process.versions.node, bullmq: versionOf('bullmq'), ioredis: versionOf('ioredis') },
    settings: `concurrency ${CONCURRENCY}, removeOnComplete`,
  });
}

function work() {
  const seen = new Set();
  let first;
  let runs = 0;
  new Worker('bench', async (job) => {
    first ??= process.hrtime.bigint();
    runs += 1;
    seen.add(job.data.contact);
    if (seen.size === config.expected) report({ jobs: seen.size, runs, seconds: seconds(first) });
  }, { connection: connection(), concurrency: CONCURRENCY });
}

await { enqueue, work }[config.role]();
