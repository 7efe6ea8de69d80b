'use strict';
// Every way to run out of time, and what has to be known of it before the kill.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const FUNCTION = path.join(__dirname, 'function.js');
const source = readFileSync(FUNCTION, 'utf8').split('\n');

/** @typedef {Awaited<ReturnType<typeof import('./stuck.js').stuck>>} Stuck */
/**
 * @typedef {object} Case
 * @property {string} way
 * @property {(stuck: Stuck) => object} [event] the rest of the input
 * @property {string} [line] the mark of the line on which the stack has to end
 * @property {string} [operation] the open call
 * @property {number | null} [timeoutMs] its client timeout
 * @property {boolean} [isBlocked] the loop does not turn
 */

/** @type {Case[]} */
const CASES = [
  { way: 'sleep' },
  { way: 'socket', event: ({ port }) => ({ port }) },
  { way: 'http', event: ({ url }) => ({ url }), operation: 'GET', timeoutMs: null },
  { way: 'http_timeout', event: ({ url }) => ({ url }), operation: 'GET', timeoutMs: 30_000 },
  { way: 'fetch', event: ({ url }) => ({ url }), operation: 'GET', timeoutMs: null },
  { way: 'fetch_timeout', event: ({ url }) => ({ url }), operation: 'POST', timeoutMs: 30_000 },
  { way: 'connect', event: ({ deafPort }) => ({ port: deafPort }), operation: 'connect' },
  { way: 'http_connect', event: ({ deafPort }) => ({ port: deafPort }), operation: 'connect', timeoutMs: null },
  { way: 'dns', event: ({ server }) => ({ server }), operation: 'dns', timeoutMs: null },
  { way: 'cpu', line: 'cpu', isBlocked: true },
  { way: 'regex', line: 'regex', isBlocked: true },
  { way: 'atomics', line: 'atomics', isBlocked: true },
  { way: 'deadlock', line: 'deadlock', isBlocked: true },
  { way: 'exec', isBlocked: true },
  { way: 'async_deadlock' },
  { way: 'never' },
];

/**
 * What is missing from the events of a request that was killed.
 *
 * @param {Case} expected
 * @param {Record<string, any>[]} events
 * @param {number} killedAt ms since 1970
 * @returns {string[]}
 */
function missing(expected, events, killedAt) {
  const fired = events.filter((event) => event.kind === 'fired' && event.arrived_at < killedAt);
  if (fired.length === 0) return ['no `fired` before the kill'];
  const lacks = [];
  if (fired.some((event) => event.left_ms < 0)) lacks.push('`left_ms` is negative');
  if (events.some((event) => event.kind === 'closed')) lacks.push('told as closed');
  const stacks = fired.flatMap((event) => event.stacks ?? []);
  if (stacks.some((stack) => stack.blocked) !== Boolean(expected.isBlocked)) lacks.push(`blocked is not ${Boolean(expected.isBlocked)}`);
  if (expected.line) {
    const line = source.findIndex((text) => text.endsWith(`// stuck: ${expected.line}`)) + 1;
    const innermost = stacks.map((stack) => stack.frames.at(-1));
    if (!innermost.some((frame) => frame?.file === FUNCTION && frame.line === line)) lacks.push(`the stack does not end on line ${line}`);
  }
  if (expected.operation) {
    const call = fired.flatMap((event) => event.in_flight ?? []).find(({ operation }) => operation === expected.operation);
    if (!call) lacks.push(`no open \`${expected.operation}\``);
    else if ('timeoutMs' in expected && call.client_timeout_ms !== expected.timeoutMs) lacks.push(`client timeout ${call.client_timeout_ms}`);
  }
  return lacks;
}

module.exports = { CASES, FUNCTION, missing };
