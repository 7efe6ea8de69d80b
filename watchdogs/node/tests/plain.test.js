'use strict';
// Plain functions and sections: results, errors and identities are those of the function.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { cpSync, mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { alarms } = require('./alarms.js');
const { Collector } = require('./support/collector.js');

const PACKAGE = path.join(__dirname, '..');

/**
 * Runs a script to its end.
 *
 * @param {string} script
 * @param {Record<string, string>} [env]
 */
function node(script, env = {}) {
  const args = ['-e', script];
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: PACKAGE, env: { ...process.env, ...env }, timeout: 20_000 });
}

describe('a watched function', () => {
  it('looks, returns and fails as before', async () => {
    process.env.OVERRUN_ENDPOINT = 'http://127.0.0.1:1';
    const { section, watch } = require('../index.js');
    const original = Object.assign((/** @type {number} */ a, /** @type {number} */ b) => a + b, { mark: 1 });
    const watched = watch(original, { limitMs: 5000 });
    assert.deepEqual([watched(1, 2), watched.name, watched.length, watched.mark], [3, original.name, 2, 1]);
    const error = new Error('bad order');
    const fails = () => Promise.reject(error);
    await assert.rejects(watch(fails, { limitMs: 5000 })(), error);
    const throws = () => {
      throw error;
    };
    assert.throws(() => watch(throws, { limitMs: 5000 })(), error);
    assert.equal(section('sum', () => 3), 3);
    assert.equal(await section('later', async () => 3), 3);
    assert.throws(() => section('bad', throws), error);
  });

  it('raises no false alarm', async () => {
    assert.deepEqual(await alarms({ fast: 5000, withinMargin: 40 }), []);
  });

  it('does not keep its process alive, and an unhandled failure stays unhandled', () => {
    const script = (/** @type {string} */ body) => `const { watch } = require('./index.js'); ${body}`;
    const began = Date.now();
    const done = node(script(`watch(async () => {}, { limitMs: 60000 })()`));
    assert.deepEqual([done.status, done.stdout], [0, ''], done.stderr);
    assert.ok(Date.now() - began < 15_000);
    assert.equal(node(script(`watch(async () => { throw new Error('x') }, { limitMs: 60000 })()`)).status, 1);
  });

  it('costs a cold start no more files than it needs for a first request', () => {
    const first = `const handler = require('./index.js').lambda(async () => 1);
      handler({}, { awsRequestId: 'r-1', getRemainingTimeInMillis: () => 3000 });
      const path = require('node:path');
      console.log(Object.keys(require.cache).map((file) => path.relative('.', file)).join());`;
    assert.equal(node(first).stdout, 'index.js,lib/wrap/lambda.js,lib/requests.js,lib/slots.js,lib/watchdog.js\n');
  });

  it('is told to have ended although its process ends with it', async () => {
    const collector = await Collector.start();
    const before = 'while (process.cpuUsage().user < 6e5);';
    const script = `${before} require('./index.js').watch(() => new Promise((r) => setTimeout(r, 3000)), { limitMs: 5000, marginMs: 150 })()`;
    const child = spawn(process.execPath, ['-e', script], { cwd: PACKAGE, env: { ...process.env, OVERRUN_ENDPOINT: collector.url } });
    await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual(collector.events.map(({ kind }) => kind), ['near_miss', 'closed']);
    assert.ok(collector.events[0].cpu_ms < 500, 'what the process had used before is not its own');
    assert.ok(collector.events[0].request_id, 'it has a name by which its events find each other');
    collector.stop();
  });

  it('is watched from the main thread where a bundler left the worker out', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'overrun-'));
    cpSync(path.join(PACKAGE, 'index.js'), path.join(folder, 'index.js'));
    cpSync(path.join(PACKAGE, 'lib'), path.join(folder, 'lib'), { recursive: true });
    rmSync(path.join(folder, 'lib/worker/main.js'));
    const script = `require('${folder}/index.js').watch(() => new Promise((r) => setTimeout(r, 3000, 'done')), { limitMs: 4000, marginMs: 1900 })().then(console.log)`;
    const { status, stdout, stderr } = node(script, { OVERRUN_ENDPOINT: 'http://127.0.0.1:1' });
    rmSync(folder, { recursive: true });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /"kind":"fired"/);
    assert.match(stdout, /^done$/m);
    assert.match(stderr, /external/);
  });

  it('says what is wrong also where a bundler has taken `require` away', () => {
    const bundled = `const source = require('node:fs').readFileSync('lib/say.js', 'utf8'); const module = {};
      new Function('module', 'require', source)(module, () => { throw new Error('Dynamic require of "node:fs" is not supported'); });
      module.exports.sayOnce('nothing is watched');`;
    assert.equal(node(bundled).stderr, 'overrun watchdog: nothing is watched\n');
  });
});
