'use strict';
// Every way to run out of time, once each; `npm run catch` runs them many times.

const assert = require('node:assert/strict');
const { after, before, describe, it } = require('node:test');
const { run, TESTED } = require('./catch.js');
const { CASES } = require('./support/cases.js');
const { Collector } = require('./support/collector.js');
const { stuck } = require('./support/stuck.js');

describe('a function that is killed at its deadline is heard before', { concurrency: 4 }, () => {
  /** @type {{ collector: Collector, stuck: import('./support/cases.js').Stuck, times: typeof TESTED }} */
  let around;
  before(async () => {
    around = { collector: await Collector.start(), stuck: await stuck(), times: TESTED };
  });
  after(() => {
    around.collector.stop();
    around.stuck.stop();
  });
  for (const one of CASES) {
    it(one.way, async () => {
      const { lacks, events, errors } = await run(one, around);
      assert.deepEqual(lacks, [], `${errors}\n${JSON.stringify(events, null, 1)}`);
    });
  }
});
