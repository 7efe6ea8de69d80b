'use strict';
// The one watchdog of a process. Started by the first wrapper, not by the import.

const { profile, settings } = require('./config.js');
const { sayOnce } = require('./say.js');

/**
 * @typedef {object} Watchdog
 * @property {import('./requests.js').Requests} requests
 * @property {(options: import('./config.js').Options, limitMs?: number) => import('./config.js').Profile} profile
 */

/** @type {Watchdog | null | undefined} undefined: not started; null: switched off, or it could not start */
let started;

/** @returns {Watchdog | null} */
function watchdog() {
  if (started === undefined) {
    try {
      started = start(process.env);
    } catch (error) {
      sayOnce(`could not start: ${error instanceof Error ? error.message : error}; nothing is watched. A bundler has to leave \`@overrun/watchdog\` external`);
      started = null;
    }
  }
  return started;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Watchdog | null}
 */
function start(env) {
  const set = settings(env);
  if (set === null) return null;
  const { Slots } = require('./slots.js');
  const { Requests } = require('./requests.js');
  const { watchCalls } = require('./channels.js');
  const { watchFetch } = require('./fetch.js');
  const { Link } = require('./link.js');
  const slots = new Slots();
  const link = new Link(set, slots, env);
  const requests = new Requests(slots, link);
  link.start(requests);
  watchCalls(requests);
  watchFetch(requests);
  return {
    requests,
    profile: (options, limitMs) => {
      const made = profile(set, options, env, limitMs);
      link.profile(made);
      return made;
    },
  };
}

/** @returns {Watchdog | null} the one that runs, without starting it */
function running() {
  return started ?? null;
}

module.exports = { watchdog, running };
