'use strict';
// What is sent today has no other fields than what the collector's tests read. If it has, on purpose: `npm run fixtures`.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { run, TESTED } = require('./catch.js');
const { CASES } = require('./support/cases.js');
const { Collector } = require('./support/collector.js');
const { stuck } = require('./support/stuck.js');
const { FOLDER, WRITTEN } = require('./write-fixtures.js');

/**
 * The fields of a kind of event, and of what is in them.
 *
 * @param {Record<string, any>[]} events
 */
function fields(events) {
  const names = (/** @type {any} */ value, /** @type {string} */ prefix) => {
    if (Array.isArray(value)) return value.flatMap((item) => names(item, `${prefix}[]`));
    if (typeof value !== 'object' || value === null) return [prefix];
    return Object.entries(value).flatMap(([name, member]) => names(member, `${prefix}.${name}`));
  };
  const all = events.flatMap(({ kind, original_event: _, open_handles: __, arrived_at: ___, ...event }) => names(event, kind));
  return [...new Set(all)].sort();
}

describe('the payloads in tests/fixtures/watchdog/node', { concurrency: 3 }, () => {
  /** @type {{ collector: Collector, stuck: import('./support/cases.js').Stuck, times: typeof TESTED }} */
  let around;
  before(async () => {
    around = { collector: await Collector.start(), stuck: await stuck(), times: TESTED };
  });
  after(() => {
    around.collector.stop();
    around.stuck.stop();
  });
  for (const one of CASES.filter(({ way }) => WRITTEN.includes(way))) {
    it(`are what is sent: ${one.way}`, async () => {
      const written = readFileSync(path.join(FOLDER, `${one.way}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
      const { events } = await run(one, around);
      // On a busy machine less may be known in time; nothing may be sent that the collector's tests have not read.
      const known = fields(written);
      assert.deepEqual(fields(events).filter((name) => !known.includes(name)), []);
    });
  }
});
