'use strict';
// A collector that is away, hangs, or fails changes nothing for the function; its events are printed.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { RUNTIME } = require('./catch.js');
const { Collector } = require('./support/collector.js');
const { RuntimeApi } = require('./support/runtime-api.js');

const LIMIT_MS = 4000;
/** A handler that sleeps this long ends within the margin. */
const SLEEP_MS = 3000;
/** How much later an answer may come on a busy machine. */
const SLACK_MS = 400;

/** @param {Record<string, string>} env */
async function watched(env) {
  const api = await RuntimeApi.start(RUNTIME, env);
  try {
    const fast = await api.invoke({ way: 'fast' }, 10_000);
    const slow = await api.invoke({ way: 'brief', ms: SLEEP_MS }, LIMIT_MS);
    const next = await api.invoke({ way: 'fast' }, 10_000);
    const killed = await api.invoke({ way: 'sleep' }, LIMIT_MS);
    const printed = api.output.split('\n').filter((line) => line.startsWith('{"kind"')).map((line) => JSON.parse(line));
    return { answers: [fast, slow, next].map(({ body }) => body), slow, killed, printed, errors: api.errors };
  } finally {
    await api.stop();
  }
}

describe('a function whose collector', { concurrency: 4 }, () => {
  for (const behaviour of /** @type {const} */ (['is away', 'hangs', 'fails', 'refuses'])) {
    it(`${behaviour} answers as before, and prints its events`, async () => {
      const collector = behaviour === 'is away' ? null : await Collector.start(behaviour);
      const { answers, slow, killed, printed, errors } = await watched({ OVERRUN_MARGIN_MS: '1900', OVERRUN_ENDPOINT: collector?.url ?? 'http://127.0.0.1:1' });
      collector?.stop();
      assert.deepEqual(answers, ['"done"', 'null', '"done"'], errors);
      assert.ok(slow.tookMs < SLEEP_MS + SLACK_MS, `${slow.tookMs} ms`);
      assert.equal(killed.outcome, 'killed');
      const fired = printed.find(({ kind, request_id }) => kind === 'fired' && request_id === killed.requestId);
      assert.ok(fired, `${JSON.stringify(printed)} ${errors}`);
      assert.equal(fired.original_event, undefined, 'a log line stays short');
      assert.ok(errors.split('overrun watchdog').length <= 3, `said once: ${errors}`);
    });
  }
});
