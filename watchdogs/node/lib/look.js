'use strict';
// What the main thread can say of its requests: asked by the watcher when one of them is slow. Runs on the main thread, also
// on top of what it is stuck in, so it is short, bounded, and calls nothing of the user's.

const { bounded } = require('./bounded.js');
const { connects } = require('./connects.js');
const { openHandles } = require('./handles.js');
const { told } = require('./requests.js');

/** Of a larger input a digest is sent (64 KiB, as the collector keeps). */
const INPUT_CHARS_MAX = 64 * 1024;

/** @typedef {{ slot: number, generation: number }} Place */
/**
 * @typedef {object} Seen
 * @property {number} slot
 * @property {InFlight[]} in_flight
 * @property {string[]} open_handles
 * @property {import('./requests.js').ToldTracepoint[]} tracepoints
 * @property {string} [answered_at] when the handler answered, if something has kept the request open since
 * @property {{ value: unknown, whole: boolean }} [input]
 */
/** @typedef {{ operation: string, target: string | undefined, started_at: string, client_timeout_ms: number | null | undefined }} InFlight */

/**
 * @param {import('./requests.js').Requests} requests
 * @param {boolean} withInput whether their input is wanted
 * @param {Place[]} places
 * @returns {Seen[]} what is known of those that are still open
 */
function look(requests, withInput, places) {
  const handles = places.length === 0 ? [] : openHandles(process.env);
  const seen = [];
  for (const { slot, generation } of places) {
    const request = requests.bySlot[slot];
    if (!request || request.generation !== generation) continue;
    seen.push({
      slot,
      in_flight: inFlight(request),
      open_handles: handles,
      tracepoints: told(request),
      answered_at: request.answeredAt === 0 ? undefined : new Date(request.answeredAt).toISOString(),
      input: withInput && request.input ? bounded(request.input(), INPUT_CHARS_MAX) : undefined,
    });
  }
  return seen;
}

/**
 * @param {import('./requests.js').Request} request
 * @returns {InFlight[]}
 */
function inFlight(request) {
  const calls = [...(request.calls?.values() ?? [])];
  const sockets = new Set(calls.map((call) => call.socket?.()));
  const open = [...calls.map((call) => call.describe()), ...connects.of(request, sockets)];
  return open.map((call) => ({
    operation: call.operation,
    target: call.target,
    started_at: new Date(call.startedAt).toISOString(),
    client_timeout_ms: call.clientTimeoutMs,
  }));
}

module.exports = { look };
