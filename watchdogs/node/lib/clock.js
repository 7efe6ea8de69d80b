'use strict';
// Time as the watchdog counts it: milliseconds of the monotonic clock, which has the same zero in every thread of a process
// and does not jump when the wall clock is set.

/** @returns {number} ms on the monotonic clock */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/**
 * @param {number} at ms on the monotonic clock
 * @returns {string} the same moment by the wall clock, RFC 3339 in UTC
 */
function wall(at) {
  return new Date(Date.now() + at - now()).toISOString();
}

module.exports = { now, wall };
