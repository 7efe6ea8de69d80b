'use strict';
// The parts that need no process of their own.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { bounded } = require('../lib/bounded.js');
const { Slots, SLOTS } = require('../lib/slots.js');
const { framesBelow } = require('../lib/stack.js');
const { margin, settings } = require('../lib/watchdog.js');
const { Redactor } = require('../lib/worker/redact.js');

describe('redaction', () => {
  const redactor = new Redactor(['Customer-ID']);
  /**
   * @param {unknown} value
   * @param {unknown} expected
   */
  const check = (value, expected) => assert.deepEqual(redactor.clean(value), expected);

  it('takes out values under sensitive names, at any depth', () => {
    check({ a: [{ 'X-Api-Key': 1, Cookie: { b: 2 }, password: null }] }, { a: [{ 'X-Api-Key': '[redacted]', Cookie: '[redacted]', password: null }] });
    check({ customerId: 7, customer: 7 }, { customerId: '[redacted]', customer: 7 });
  });
  it('takes them out of text, and of JSON in text', () => {
    check('/pay?token=abc&x=1', '/pay?token=[redacted]&x=1');
    check('Authorization: Bearer abc def', 'Authorization: [redacted]');
    check('password=abc then', 'password=[redacted] then');
    check('a=1 x-api_key=2 b: 3', 'a=1 x-api_key=[redacted] b: 3');
    check('see https://host/pay?order=7&access_token=abc', 'see https://host/pay?order=7&access_token=[redacted]');
    check('Set-Cookie: a=1; b=2\nok: 1', 'Set-Cookie: [redacted]\nok: 1');
    check('customer-id: 7', 'customer-id: [redacted]');
    check('{"body":"{\\"secret\\":\\"x\\"}"}', '{"body":"{\\"secret\\":\\"[redacted]\\"}"}');
  });
  it('takes out card numbers, and leaves other numbers alone', () => {
    check('card 4111 1111 1111 1111.', 'card [redacted].');
    check(4111111111111111, '[redacted]');
    check(['1795351193659', 1795351193659, '4111-1111-1111-1112'], ['1795351193659', 1795351193659, '4111-1111-1111-1112']);
    check('6f747a63-ce41-11e7-8cfe-3d61dad3d219', '6f747a63-ce41-11e7-8cfe-3d61dad3d219');
  });
});

describe('a bounded copy', () => {
  it('is whole when it fits', () => {
    const value = { a: [1, 'b', null, true], at: new Date(0), bytes: Buffer.from('abc'), none: undefined };
    assert.deepEqual(bounded(value, 1000), { value: { a: [1, 'b', null, true], at: '1970-01-01T00:00:00.000Z', bytes: '[3 bytes]', none: null }, whole: true });
    const evil = JSON.parse('{"__proto__": {"a": 1}}');
    assert.equal(JSON.stringify(bounded(evil, 1000).value), '{"__proto__":{"a":1}}');
  });
  it('ends for large, deep and circular values', () => {
    const circular = { self: /** @type {unknown} */ (null) };
    circular.self = circular;
    for (const value of ['x'.repeat(5000), Array(5000).fill(1), Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [n, n])), circular]) {
      const { value: copy, whole } = bounded(value, 1000);
      assert.equal(whole, false);
      assert.ok(JSON.stringify(copy).length < 3000);
    }
  });
});

describe('the stack below a function', () => {
  it('ends where that was called, and leaves the ways to print stacks as they were', () => {
    const own = (/** @type {Error} */ error) => `own ${error.message}`;
    Error.prepareStackTrace = own;
    const stuck = () => [1].map(function top() {
      return framesBelow(top);
    })[0];
    const frames = stuck();
    assert.equal(Error.prepareStackTrace, own);
    Reflect.deleteProperty(Error, 'prepareStackTrace');
    // `map` itself runs in between, and has no line.
    assert.deepEqual([frames.at(-1)?.function, frames.at(-1)?.file], ['stuck', __filename]);
    assert.ok(frames.every(({ file, line }) => file && line > 0), JSON.stringify(frames));
  });
  it('is not what waits for a promise', async () => {
    const top = () => framesBelow(top).map((frame) => frame.function);
    const runs = async () => {
      await null;
      return top();
    };
    const waits = async () => await runs();
    assert.deepEqual(await waits(), ['runs']);
  });
});

describe('settings', () => {
  it('have defaults, and can switch it off', () => {
    const set = settings({});
    assert.deepEqual([set?.endpoint, set?.nearMissShare, set?.originalEvent, set?.inspector], ['http://127.0.0.1:4318', 0.5, true, true]);
    assert.equal(settings({ OVERRUN_DISABLED: '1' }), null);
    assert.equal(settings({ OVERRUN_ORIGINAL_EVENT: '0' })?.originalEvent, false);
    assert.deepEqual(settings({ OVERRUN_REDACT: 'iban, tax' })?.redact, ['iban', 'tax']);
  });
  it('choose the margin by the memory of the function', () => {
    assert.equal(margin(undefined, {}), 500);
    assert.equal(margin(undefined, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128' }), 1000);
    assert.equal(margin(20, {}), 150);
  });
});

describe('slots', () => {
  const opened = { startedAt: 0, budgetMs: 3000, nearMs: 1500, marginMs: 500, profile: 1, id: 'r-1', traceId: 'ä', method: '', path: `/${'o'.repeat(600)}` };

  it('are claimed once, and not after their request has ended', () => {
    const slots = new Slots();
    const other = new Slots(slots.shared);
    const place = slots.open(opened);
    assert.ok(place);
    assert.deepEqual([...other.opened()].map(({ slot, nearMs }) => [slot, nearMs]), [[place.slot, 1500]]);
    assert.deepEqual(other.claim(place.slot, place.generation), { profile: 1, id: 'r-1', traceId: 'ä', method: '', path: `/${'o'.repeat(511)}` });
    assert.equal(other.claim(place.slot, place.generation), null);
    assert.equal(slots.close(place.slot), true);
    const again = slots.open(opened);
    assert.equal(again?.slot, place.slot);
    assert.equal(other.isOpen(place.slot, place.generation), false);
    assert.equal(other.claim(place.slot, place.generation), null, 'it is another request now');
    assert.equal(slots.close(place.slot), false);
  });
  it('are bounded', () => {
    const slots = new Slots();
    for (let count = 0; count < SLOTS; count += 1) assert.ok(slots.open(opened));
    assert.equal(slots.open(opened), null);
  });
});
