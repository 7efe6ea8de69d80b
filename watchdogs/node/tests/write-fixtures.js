'use strict';
// Writes what the SDK sends to `tests/fixtures/watchdog/node/`, where the collector's tests read it: `npm run fixtures`.
// As it was sent, but for the paths of this machine.

const { mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { run } = require('./catch.js');
const { CASES } = require('./support/cases.js');
const { Collector } = require('./support/collector.js');
const { stuck } = require('./support/stuck.js');

const PACKAGE = path.join(__dirname, '..');
const FOLDER = path.join(PACKAGE, '..', '..', 'tests', 'fixtures', 'watchdog', 'node');
const WRITTEN = ['cpu', 'exec', 'fetch_timeout', 'http', 'http_connect', 'sleep'];

/** @param {Record<string, any>[]} events */
function lines(events) {
  const sent = events.map(({ arrived_at: _, ...event }) => JSON.stringify(event));
  return `${sent.join('\n').replaceAll(PACKAGE, '/srv/app/node_modules/@overrun/watchdog')}\n`;
}

async function main() {
  const around = { collector: await Collector.start(), stuck: await stuck() };
  mkdirSync(FOLDER, { recursive: true });
  for (const one of CASES.filter(({ way }) => WRITTEN.includes(way))) {
    const { lacks, events } = await run(one, around);
    if (lacks.length > 0) throw new Error(`${one.way}: ${lacks.join('; ')}`);
    writeFileSync(path.join(FOLDER, `${one.way}.jsonl`), lines(events));
  }
  around.collector.stop();
  around.stuck.stop();
}

if (require.main === module) main();

module.exports = { FOLDER, WRITTEN };
