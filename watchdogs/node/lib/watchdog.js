'use strict';
// The one watchdog of a process: what it is set to, its start, and the main thread's end of the line to its watcher. Started by
// the first wrapper, not by the import.
//
// All of this is needed before the first request, as are `slots.js` and `requests.js`, and nothing else is: a cold start pays
// 0.3 ms for each further file, and for each message to the watcher.

const ENDPOINT = 'http://127.0.0.1:4318';
const NEAR_MISS_SHARE = 0.5;
/** Below this an event does not reach the collector in time on a small function (7 % of a processor). */
const MARGIN_MS_MIN = 150;
const MARGIN_MS = 500;
/** Under 256 MB a function has so little processor time that everything takes longer. */
const MARGIN_MS_SMALL = 1000;
const MEMORY_MB_SMALL = 256;

/** A bound on the watcher's memory, in MiB: it needs about 5. Beyond, it ends, and the function goes on without it. */
const HEAP_MB = 32;
/** How long the end of a process is put off until the end of its last slow request is told. Not on Lambda. */
const HOLD_MS_MAX = 1000;
/** Under this name the inspector finds `lookBlocked`. */
const LOOK_NAME = 'overrun.watchdog.look';

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

/** @typedef {{ frames: import('./stack.js').Frame[], seen: import('./look.js').Seen[] }} Interrupted what a blocked main thread says */
/** @typedef {{ type: 'ask', id: number, places: import('./look.js').Place[] } | { type: 'ended' }} ToMain */
/**
 * @typedef {{ type: 'profile', profile: Profile }
 *   | { type: 'answer', id: number, seen: import('./look.js').Seen[] }
 *   | { type: 'closed', end: import('./requests.js').Closed }} ToWorker
 */

/**
 * @typedef {object} Watchdog
 * @property {import('./requests.js').Requests} requests
 * @property {(options: Options, limitMs?: number) => Profile} profile
 */

/** @type {Watchdog | null | undefined} undefined: not started; null: switched off, or it could not start */
let started;

/**
 * What a wrapper watches its requests with.
 *
 * @param {Options} options
 * @param {number} [limitMs] the limit, where the platform does not state the deadline itself
 * @returns {{ requests: import('./requests.js').Requests, profile: Profile } | null}
 */
function watchdog(options, limitMs) {
  try {
    if (started === undefined) started = start(process.env);
    return started && { requests: started.requests, profile: started.profile(options, limitMs) };
  } catch (error) {
    require('./say.js').sayOnce(`could not start: ${error instanceof Error ? error.message : error}; nothing is watched. A bundler has to leave \`@overrun/watchdog\` external`);
    started = null;
    return null;
  }
}

/** @returns {Watchdog | null} the one that runs, without starting it */
function running() {
  return started ?? null;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Watchdog | null}
 */
function start(env) {
  const set = settings(env);
  if (set === null) return null;
  const { Slots } = require('./slots.js');
  const { Requests, watchCalls } = require('./requests.js');
  const slots = new Slots();
  const link = new Link(set, slots, env);
  const requests = new Requests(slots, link);
  link.requests = requests;
  watchCalls(requests);
  return {
    requests,
    profile: (options, limitMs) => {
      const made = profile(set, options, env, limitMs);
      link.profile(made);
      return made;
    },
  };
}

/**
 * The settings of the process, from its environment variables. What cannot be read is said once and left at its default.
 *
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

/** The number of the latest profile. */
let last = 0;

/**
 * What is the same for all requests of one wrapper.
 *
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

/** The watcher, as the main thread sees it. */
class Link {
  /**
   * @param {Settings} settings
   * @param {import('./slots.js').Slots} slots
   * @param {NodeJS.ProcessEnv} env
   */
  constructor(settings, slots, env) {
    this.settings = settings;
    this.slots = slots;
    this.env = env;
    /** @type {import('./requests.js').Requests | undefined} set before the first request is opened */
    this.requests = undefined;
    /** @type {import('node:worker_threads').Worker | undefined} */
    this.worker = undefined;
    /** @type {import('./worker/watch.js').Watch | undefined} */
    this.inProcess = undefined;
    /** @type {Profile[]} */
    this.profiles = [];
    this.held = 0;
  }

  start() {
    try {
      this.worker = this.startWorker();
    } catch (error) {
      this.watchInProcess(error);
    }
  }

  startWorker() {
    const { Worker, isMainThread } = require('node:worker_threads');
    Object.defineProperty(globalThis, Symbol.for(LOOK_NAME), { value: this.lookBlocked.bind(this), configurable: true });
    // As a line that loads the file, and not the file: of its path Node.js would make a URL first, half a millisecond's work.
    const worker = new Worker(`require(${JSON.stringify(`${__dirname}/worker/main.js`)})`, {
      name: 'overrun-watchdog',
      eval: true,
      // Without the options of the main thread: they may load agents, which have no business there.
      execArgv: [],
      env: {},
      // Its own: nothing is written to them, since both threads write to the files themselves, and piping them would make
      // `process.stdout` and `process.stderr` at once, which is 2 ms of a cold start.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      // The inspector reaches the main thread only, so it cannot help a user's own worker thread.
      workerData: {
        shared: this.slots.shared,
        settings: this.settings,
        canInspect: this.settings.inspector && isMainThread,
        lookName: LOOK_NAME,
        profiles: this.profiles,
      },
    });
    worker.on('message', (/** @type {ToMain} */ message) => {
      if (message.type === 'ask') this.post({ type: 'answer', id: message.id, seen: this.look(message.places) });
      else this.release();
    });
    worker.on('error', (error) => this.watchInProcess(error));
    // After the listeners: adding one counts as a wish to be kept alive.
    worker.unref();
    return worker;
  }

  /**
   * Without a worker thread: bundled without its file, forbidden, or out of memory.
   *
   * @param {unknown} error
   */
  watchInProcess(error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : error;
    require('./say.js').sayOnce(`no worker thread (${why}); a blocked event loop will not be seen. A bundler has to leave \`@overrun/watchdog\` external`);
    this.worker = undefined;
    this.inProcess = require('./in-process.js').watch(this.settings, this.slots, (places) => this.look(places));
    this.profiles.forEach((profile) => this.inProcess?.profiles.set(profile.number, profile));
    this.inProcess.tick();
  }

  /** @param {import('./look.js').Place[]} places */
  look(places) {
    if (this.requests === undefined) return [];
    // Loaded when a request is slow: it is no part of a cold start.
    return require('./look.js').look(this.requests, this.settings.originalEvent, places);
  }

  /**
   * Runs on top of whatever the main thread does.
   *
   * @param {import('./look.js').Place[]} places
   * @returns {string | null} JSON of an `Interrupted`; null when nothing runs: the loop turns, and answers by itself
   */
  lookBlocked(places) {
    const frames = require('./stack.js').framesBelow(this.lookBlocked);
    return frames.length === 0 ? null : JSON.stringify({ frames, seen: this.look(places) });
  }

  /**
   * Tells the watcher of a wrapper. The first one starts it: with what it has to know, which takes less than a message.
   *
   * @param {Profile} profile
   */
  profile(profile) {
    this.profiles.push(profile);
    if (this.profiles.length === 1) return this.start();
    this.post({ type: 'profile', profile });
    this.inProcess?.profiles.set(profile.number, profile);
  }

  wake() {
    if (this.inProcess) this.inProcess.tick();
    else this.slots.wake();
  }

  /** @param {import('./requests.js').Closed} end */
  closed(end) {
    if (this.inProcess) return this.inProcess.quietly(this.inProcess.closed(end));
    this.post({ type: 'closed', end });
    // A script that is done would take the watcher down with it. On Lambda, a loop that is kept alive may delay the answer.
    if (this.env.AWS_LAMBDA_RUNTIME_API === undefined) this.hold();
  }

  hold() {
    this.held += 1;
    this.worker?.ref();
    setTimeout(() => this.worker?.unref(), HOLD_MS_MAX).unref();
  }

  release() {
    this.held = Math.max(0, this.held - 1);
    if (this.held === 0) this.worker?.unref();
  }

  /** @param {ToWorker} message */
  post(message) {
    this.worker?.postMessage(message);
  }
}

module.exports = { watchdog, running, settings, margin };
