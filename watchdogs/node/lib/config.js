'use strict';
// Settings of the process, read from environment variables once, and what is the same for all requests of one wrapper. What
// cannot be read is said once and left at its default.

/**
 * @typedef {object} Settings
 * @property {string} endpoint where the collector listens
 * @property {string | undefined} token sent as `Authorization: Bearer`
 * @property {number | undefined} marginMs how long before the deadline `fired` is sent; undefined: by the memory of the function
 * @property {number} nearMissShare the share of the budget after which the first event is sent, between 0 and 1
 * @property {string | undefined} stack the group of functions that this one belongs to
 * @property {string | undefined} release the release of the user's code
 * @property {string[]} redact further words that make a name sensitive
 * @property {boolean} originalEvent whether the input of a request is sent
 * @property {boolean} inspector whether a blocked main thread may be interrupted for its stack
 */

const ENDPOINT = 'http://127.0.0.1:4318';
const NEAR_MISS_SHARE = 0.5;
/** Below this an event does not reach the collector in time on a small function (7 % of a processor). */
const MARGIN_MS_MIN = 150;
const MARGIN_MS = 500;
/** Under 256 MB a function has so little processor time that everything takes longer. */
const MARGIN_MS_SMALL = 1000;
const MEMORY_MB_SMALL = 256;

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Settings | null} null when it is switched off
 */
function settings(env) {
  if (isSet(env.OVERRUN_DISABLED)) return null;
  return {
    endpoint: endpoint(env.OVERRUN_ENDPOINT),
    token: env.OVERRUN_TOKEN || undefined,
    marginMs: number('OVERRUN_MARGIN_MS', env.OVERRUN_MARGIN_MS, 1, 900_000),
    nearMissShare: number('OVERRUN_NEAR_MISS_SHARE', env.OVERRUN_NEAR_MISS_SHARE, 0.01, 1) ?? NEAR_MISS_SHARE,
    stack: env.OVERRUN_STACK || undefined,
    release: env.OVERRUN_RELEASE || undefined,
    redact: (env.OVERRUN_REDACT || '').split(',').map((word) => word.trim()).filter(Boolean),
    originalEvent: env.OVERRUN_ORIGINAL_EVENT === undefined || isSet(env.OVERRUN_ORIGINAL_EVENT),
    inspector: env.OVERRUN_INSPECTOR === undefined || isSet(env.OVERRUN_INSPECTOR),
  };
}

/**
 * The margin before the deadline, in ms.
 *
 * @param {number | undefined} wanted
 * @param {NodeJS.ProcessEnv} env
 */
function margin(wanted, env) {
  if (wanted === undefined) {
    const memory = Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
    return memory > 0 && memory < MEMORY_MB_SMALL ? MARGIN_MS_SMALL : MARGIN_MS;
  }
  if (wanted < MARGIN_MS_MIN) require('./say.js').sayOnce(`expected a margin of at least ${MARGIN_MS_MIN} ms, found ${wanted}; ${MARGIN_MS_MIN} ms is used`);
  return Math.max(wanted, MARGIN_MS_MIN);
}

/** @param {string | undefined} text */
function isSet(text) {
  return text !== undefined && !['', '0', 'false', 'no', 'off'].includes(text.toLowerCase());
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} min
 * @param {number} max
 */
function number(name, text, min, max) {
  if (!text) return undefined;
  const value = Number(text);
  if (value >= min && value <= max) return value;
  require('./say.js').sayOnce(`expected \`${name}\` to be a number from ${min} to ${max}, found \`${text}\`; its default is used`);
  return undefined;
}

/** @param {string | undefined} text */
function endpoint(text) {
  if (!text) return ENDPOINT;
  try {
    if (['http:', 'https:'].includes(new URL(text).protocol)) return text;
  } catch {
    // Told below.
  }
  require('./say.js').sayOnce(`expected \`OVERRUN_ENDPOINT\` to be an http or https URL, found \`${text}\`; ${ENDPOINT} is used`);
  return ENDPOINT;
}

/**
 * @typedef {object} Profile
 * @property {number} number how slots refer to it
 * @property {number} marginMs
 * @property {number} nearMissShare
 * @property {Identity} identity
 */
/**
 * @typedef {object} Identity fields of every event, named as on the wire; undefined is left out
 * @property {string} [function]
 * @property {string} [version]
 * @property {string} [release]
 * @property {string} [stack]
 * @property {string} [platform]
 * @property {string} [instance] undefined: the name of the machine
 * @property {number} [pid]
 * @property {number} [limit_ms]
 */
/**
 * @typedef {object} Options what every wrapper takes
 * @property {number} [marginMs] how long before the deadline `fired` is sent, at least 150
 * @property {number} [nearMissShare] the share of the budget after which the first event is sent, 0 to 1
 * @property {string} [name] the function's name
 * @property {string} [platform] the product whose limit is watched
 */

let last = 0;

/**
 * @param {Settings} settings
 * @param {Options} options
 * @param {NodeJS.ProcessEnv} env
 * @param {number} [limitMs] the limit, where the platform does not state the deadline itself
 * @returns {Profile}
 */
function profile(settings, options, env, limitMs) {
  last += 1;
  return {
    number: last,
    marginMs: margin(options.marginMs ?? settings.marginMs, env),
    nearMissShare: options.nearMissShare ?? settings.nearMissShare,
    identity: {
      function: options.name ?? env.AWS_LAMBDA_FUNCTION_NAME,
      version: env.AWS_LAMBDA_FUNCTION_VERSION,
      release: settings.release,
      stack: settings.stack,
      platform: options.platform,
      instance: env.AWS_LAMBDA_LOG_STREAM_NAME,
      pid: process.pid,
      limit_ms: limitMs,
    },
  };
}

module.exports = { settings, margin, profile };
