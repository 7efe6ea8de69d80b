'use strict';
// Events as they are on the wire (docs/wire/watchdog.md): what is not known is left out. What few events need is loaded then:
// the sooner the worker runs, the earlier it can tell of a first request.

const { now } = require('../slots.js');

/**
 * @typedef {object} Told a request of which something is told
 * @property {number} slot
 * @property {number} generation
 * @property {number} startedAt ms, monotonic
 * @property {number} budgetMs
 * @property {number} deadline ms, monotonic
 * @property {number} marginMs
 * @property {number} cpuMs processor time of the process when the request began
 * @property {string} deadlineAt
 * @property {import('../watchdog.js').Profile | undefined} profile
 * @property {string} requestId
 * @property {string | undefined} traceId
 * @property {string | undefined} method
 * @property {string | undefined} path without secrets
 * @property {boolean} isSent whether an event is on its way or there
 */
/** @typedef {Record<string, unknown>} Event */

/**
 * @param {{ slot: number, generation: number, startedAt: number, budgetMs: number, deadline: number, marginMs: number, cpuMs: number }} open
 * @param {import('../slots.js').Texts} claimed
 * @param {import('../watchdog.js').Profile | undefined} profile
 * @param {import('./redact.js').Redactor} redactor
 * @returns {Told}
 */
function told(open, claimed, profile, redactor) {
  return {
    ...open,
    deadlineAt: wall(open.deadline),
    profile,
    // Neither platform nor caller named it: it gets a name of its own, so that its events find each other.
    requestId: claimed.id || require('node:crypto').randomUUID(),
    traceId: claimed.traceId || undefined,
    method: claimed.method || undefined,
    path: redactor.text(claimed.path, 0) || undefined,
    isSent: false,
  };
}

/**
 * What every event says.
 *
 * @param {string} kind
 * @param {Told} request
 * @param {string} [observedAt]
 * @returns {Event}
 */
function basic(kind, request, observedAt) {
  const limit = request.profile?.identity.limit_ms;
  return {
    kind,
    request_id: request.requestId,
    trace_id: request.traceId,
    method: request.method,
    path: request.path,
    ...request.profile?.identity,
    // Looked up here, where nobody waits for it.
    instance: request.profile?.identity.instance ?? require('node:os').hostname(),
    observed_at: observedAt ?? new Date().toISOString(),
    // Where the platform states a deadline, that is what was left of its limit, which it does not state.
    budget_at_entry_ms: limit === undefined ? round(request.budgetMs) : undefined,
    deadline_at: request.deadlineAt,
    margin_ms: request.marginMs,
  };
}

/**
 * An event of a request that runs.
 *
 * @param {'near_miss' | 'fired'} kind
 * @param {Told} request
 * @param {number} lagMs how late the event loop is at least, in ms
 * @returns {Event}
 */
function running(kind, request, lagMs) {
  const at = now();
  return {
    ...basic(kind, request),
    elapsed_ms: round(at - request.startedAt),
    left_ms: round(request.deadline - at),
    memory_bytes: process.memoryUsage.rss(),
    cpu_ms: round(cpuMs() - request.cpuMs),
    loop_lag_ms: round(lagMs),
  };
}

/**
 * Adds what the main thread says of a request.
 *
 * @param {Event} event
 * @param {import('../look.js').Seen} seen
 * @param {import('./redact.js').Redactor} redactor
 * @returns {Event}
 */
function withSeen(event, seen, redactor) {
  const fired = event.kind === 'fired';
  return {
    ...event,
    in_flight: seen.in_flight.map((call) => ({ ...call, target: call.target && redactor.text(call.target, 0) })),
    open_handles: fired ? seen.open_handles : undefined,
    original_event: fired && seen.input ? input(seen.input, redactor) : undefined,
  };
}

/**
 * @param {{ value: unknown, whole: boolean }} of
 * @param {import('./redact.js').Redactor} redactor
 */
function input(of, redactor) {
  const value = redactor.clean(of.value);
  if (of.whole) return value;
  const digest = require('node:crypto').createHash('sha256').update(JSON.stringify(value)).digest('hex');
  return { too_large: true, sha256_of_beginning: digest };
}

/**
 * @param {Told} request
 * @param {import('../requests.js').ToldTracepoint[]} tracepoints
 * @returns {Event[]}
 */
function tracepoints(request, tracepoints) {
  return tracepoints.map(({ section, phase, observed_at }) => ({ ...basic('tracepoint', request, observed_at), section, phase }));
}

/**
 * The end of a request.
 *
 * @param {Told} request
 * @param {import('../requests.js').Outcome} outcome
 * @param {number} at ms since 1970
 * @returns {Event}
 */
function closed(request, outcome, at) {
  const elapsed = now() - request.startedAt - (Date.now() - at);
  return {
    ...basic('closed', request, new Date(at).toISOString()),
    elapsed_ms: round(Math.max(0, elapsed)),
    left_ms: round(request.budgetMs - elapsed),
    outcome,
  };
}

/**
 * The main thread, which serves every request.
 *
 * @param {true | undefined} blocked undefined: not known
 * @param {import('../stack.js').Frame[]} frames innermost last
 */
function mainThread(blocked, frames) {
  return [{ name: 'main', serving: true, blocked, frames }];
}

/** Processor time that the process has used, all threads of it, in ms. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/**
 * @param {number} at ms on the monotonic clock
 * @returns {string} the same moment by the wall clock, RFC 3339 in UTC
 */
function wall(at) {
  return new Date(Date.now() + at - now()).toISOString();
}

/** @param {number} ms */
function round(ms) {
  return Math.round(ms * 10) / 10;
}

module.exports = { cpuMs, told, running, withSeen, tracepoints, closed, mainThread };
