'use strict';
// Lambda handlers of every kind keep their results, and tell what they should and no more.

const assert = require('node:assert/strict');
const { afterEach, beforeEach, describe, it } = require('node:test');
const { RUNTIME } = require('./catch.js');
const { Collector } = require('./support/collector.js');
const { RuntimeApi } = require('./support/runtime-api.js');

const LIMIT_MS = 4000;
const PATIENT_MS = 30_000;
/** Half a margin before the limit. */
const LATE_MS = 3000;
const MARGIN = { OVERRUN_MARGIN_MS: '1900' };

describe('a Lambda handler', () => {
  /** @type {Collector} */
  let collector;
  /** @type {RuntimeApi | undefined} */
  let api;
  beforeEach(async () => {
    collector = await Collector.start();
  });
  afterEach(async () => {
    await api?.stop();
    collector.stop();
  });
  /** @param {Record<string, string>} [env] */
  const start = async (env) => {
    api = await RuntimeApi.start(RUNTIME, { OVERRUN_ENDPOINT: collector.url, ...MARGIN, ...env });
    return api;
  };
  /** @param {string} id */
  const kinds = (id) => collector.of(id).map(({ kind }) => kind).sort().join();

  it('that is fast sends nothing but the greeting', async () => {
    const api = await start();
    assert.equal((await api.invoke({ way: 'fast' }, PATIENT_MS)).body, '"done"');
    const failed = await api.invoke({ way: 'fails' }, PATIENT_MS);
    assert.deepEqual([failed.outcome, JSON.parse(failed.body).errorMessage], ['failed', 'bad order']);
    await api.invoke({ way: 'brief', ms: 1500 }, LIMIT_MS * 4);
    assert.deepEqual(collector.events, []);
    assert.equal(collector.posts, 1);
  });

  it('that ends within the margin has fired, and is closed', async () => {
    const api = await start();
    const ended = await api.invoke({ way: 'brief', ms: LATE_MS }, LIMIT_MS);
    assert.equal(ended.outcome, 'answered');
    const closed = await collector.event(({ kind }) => kind === 'closed');
    assert.equal(kinds(ended.requestId), 'closed,fired,near_miss,tracepoint,tracepoint');
    assert.equal(closed.outcome, 'ok');
    assert.ok(closed.left_ms > 0 && closed.left_ms < 1900, JSON.stringify(closed));
    const fired = collector.events.find(({ kind }) => kind === 'fired');
    assert.equal(fired?.platform, 'aws_lambda');
    assert.equal(fired?.function, 'checkout');
    assert.equal(fired?.trace_id, '1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b');
    assert.deepEqual(fired?.original_event, { way: 'brief', ms: LATE_MS });
    assert.equal(fired?.limit_ms, undefined, 'what Lambda does not say is not made up');
  });

  it('that blocks the loop and ends all the same is held up by milliseconds', async () => {
    const bare = await start({ BARE: '1' });
    const without = await bare.invoke({ way: 'exec_brief', seconds: LATE_MS / 1000 }, LIMIT_MS);
    await bare.stop();
    const api = await start();
    await api.invoke({ way: 'brief', ms: 400 }, PATIENT_MS);
    const ended = await api.invoke({ way: 'exec_brief', seconds: LATE_MS / 1000 }, LIMIT_MS);
    assert.equal(ended.outcome, 'answered');
    assert.ok(ended.tookMs < without.tookMs + 400, `${ended.tookMs} ms, bare ${without.tookMs} ms`);
  });

  it('that calls back is watched until the loop is empty', async () => {
    const api = await start({ KIND: 'callback' });
    const ended = await api.invoke({ ms: 300 }, PATIENT_MS);
    assert.deepEqual([ended.outcome, ended.body], ['answered', '"done"']);
    const killed = await api.invoke({}, LIMIT_MS);
    assert.equal(killed.outcome, 'killed');
    const fired = collector.of(killed.requestId).find(({ kind }) => kind === 'fired');
    assert.ok(fired?.open_handles.some((/** @type {string} */ handle) => handle.startsWith('Timeout')), JSON.stringify(fired));
    const closed = collector.of(killed.requestId).find(({ kind }) => kind === 'closed');
    assert.ok(closed && closed.elapsed_ms < 500 && closed.outcome === 'ok', JSON.stringify(closed));
  });

  it('that streams is watched until its stream has ended', async () => {
    const api = await start({ KIND: 'stream' });
    const ended = await api.invoke({ ms: LATE_MS }, LIMIT_MS);
    assert.deepEqual([ended.outcome, ended.body], ['answered', 'begun done']);
    await collector.event(({ kind }) => kind === 'closed');
    assert.equal(kinds(ended.requestId), 'closed,fired,near_miss');
  });

  it('that was frozen after its answer does not fire when it thaws', async () => {
    const api = await start();
    await api.invoke({ way: 'brief', ms: 100 }, LIMIT_MS);
    api.process?.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS + 300));
    api.process?.kill('SIGCONT');
    assert.equal((await api.invoke({ way: 'brief', ms: 100 }, LIMIT_MS)).outcome, 'answered');
    assert.deepEqual(collector.events, []);
  });

  it('runs bare when it is switched off', async () => {
    const api = await start({ OVERRUN_DISABLED: '1' });
    await api.invoke({ way: 'brief', ms: LATE_MS }, LIMIT_MS);
    assert.equal(collector.posts, 0);
  });

  it('says once what is wrong with its settings, and runs', async () => {
    const api = await start({ OVERRUN_MARGIN_MS: 'soon', OVERRUN_NEAR_MISS_SHARE: '7', OVERRUN_ENDPOINT: 'collector:4318' });
    for (let count = 0; count < 3; count += 1) await api.invoke({ way: 'fast' }, 200);
    for (const said of ['`OVERRUN_MARGIN_MS`', '`OVERRUN_NEAR_MISS_SHARE`', '`OVERRUN_ENDPOINT`', 'twice the margin']) {
      assert.equal(api.errors.split(said).length, 2, `${said} once in: ${api.errors}`);
    }
  });

  it('loads nothing of the options of the main thread into the watcher', async () => {
    const agent = `data:text/javascript,process.stderr.write('loaded ')`;
    const api = await start({ NODE_OPTIONS: `--import "${agent}"` });
    await api.invoke({ way: 'brief', ms: 300 }, LIMIT_MS);
    assert.equal(api.errors.split('loaded').length, 2, api.errors);
  });
});
