'use strict';
// The one watchdog of a process, and the main thread's end of the line to its watcher. Started by the first wrapper, not by
// the import. What is loaded before the first request is as few files as can be: each takes a third of a millisecond.

const { profile, settings } = require('./config.js');

/** A bound on the watcher's memory, in MiB: it needs about 5. Beyond, it ends, and the function goes on without it. */
const HEAP_MB = 32;
/** How long the end of a process is put off until the end of its last slow request is told. Not on Lambda. */
const HOLD_MS_MAX = 1000;
/** Under this name the inspector finds `lookBlocked`. */
const LOOK_NAME = 'overrun.watchdog.look';

/** @typedef {{ frames: import('./stack.js').Frame[], seen: import('./look.js').Seen[] }} Interrupted what a blocked main thread says */
/** @typedef {{ type: 'ask', id: number, places: import('./look.js').Place[] } | { type: 'ended' }} ToMain */
/**
 * @typedef {{ type: 'profile', profile: import('./config.js').Profile }
 *   | { type: 'answer', id: number, seen: import('./look.js').Seen[] }
 *   | { type: 'closed', end: import('./requests.js').Closed }} ToWorker
 */

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
      require('./say.js').sayOnce(`could not start: ${error instanceof Error ? error.message : error}; nothing is watched. A bundler has to leave \`@overrun/watchdog\` external`);
      started = null;
    }
  }
  return started;
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
  const { Requests } = require('./requests.js');
  const { watchCalls } = require('./channels.js');
  const slots = new Slots();
  const link = new Link(set, slots, env);
  const requests = new Requests(slots, link);
  watchCalls(requests);
  // Last: it competes with this thread for as long as it starts.
  link.start(requests);
  return {
    requests,
    profile: (options, limitMs) => {
      const made = profile(set, options, env, limitMs);
      link.profile(made);
      return made;
    },
  };
}

/** The watcher, as the main thread sees it. */
class Link {
  /**
   * @param {import('./config.js').Settings} settings
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
    /** @type {import('./config.js').Profile[]} */
    this.profiles = [];
    this.held = 0;
  }

  /** @param {import('./requests.js').Requests} requests */
  start(requests) {
    this.requests = requests;
    try {
      this.worker = this.startWorker();
    } catch (error) {
      this.watchInProcess(error);
    }
  }

  startWorker() {
    const { Worker, isMainThread } = require('node:worker_threads');
    Object.defineProperty(globalThis, Symbol.for(LOOK_NAME), { value: this.lookBlocked.bind(this), configurable: true });
    const worker = new Worker(require('node:path').join(__dirname, 'worker', 'main.js'), {
      name: 'overrun-watchdog',
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

  /** @param {import('./config.js').Profile} profile */
  profile(profile) {
    this.profiles.push(profile);
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

module.exports = { watchdog, running };
