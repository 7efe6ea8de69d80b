'use strict';
// The main thread's end of the line to the watcher.

const path = require('node:path');
const { sayOnce } = require('./say.js');

/** A bound on the watcher's memory, in MiB: it needs about 5. Beyond, it ends, and the function goes on without it. */
const HEAP_MB = 32;
/** How long the end of a process is put off until the end of its last slow request is told. Not on Lambda. */
const HOLD_MS_MAX = 1000;
/** Under this name the inspector finds `look` while the main thread is paused. */
const LOOK_NAME = 'overrun.watchdog.look';

/** @typedef {{ type: 'ask', id: number, places: import('./look.js').Place[] } | { type: 'ended' }} ToMain */
/**
 * @typedef {{ type: 'profile', profile: import('./config.js').Profile }
 *   | { type: 'answer', id: number, seen: import('./look.js').Seen[] }
 *   | { type: 'closed', end: import('./requests.js').Closed }} ToWorker
 */

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
    Object.defineProperty(globalThis, Symbol.for(LOOK_NAME), {
      value: (/** @type {import('./look.js').Place[]} */ places) => JSON.stringify(this.look(places)),
      configurable: true,
    });
    const worker = new Worker(path.join(__dirname, 'worker', 'main.js'), {
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
    sayOnce(`no worker thread (${why}); a blocked event loop will not be seen. A bundler has to leave \`@overrun/watchdog\` external`);
    this.worker = undefined;
    const { Watch } = require('./worker/watch.js');
    const { Sender } = require('./worker/send.js');
    const { Redactor } = require('./worker/redact.js');
    const sender = new Sender(this.settings);
    const watch = new Watch({
      slots: this.slots,
      sender,
      redactor: new Redactor(this.settings.redact),
      ask: (id, places) => setImmediate(() => watch.asks.answered(id, this.look(places))),
      inspect: async () => null,
      ended: () => {},
    });
    this.profiles.forEach((profile) => watch.profiles.set(profile.number, profile));
    this.inProcess = watch;
    sender.hello();
    watch.tick();
  }

  /** @param {import('./look.js').Place[]} places */
  look(places) {
    if (this.requests === undefined) return [];
    // Loaded when a request is slow: it is no part of a cold start.
    return require('./look.js').look(this.requests, this.settings.originalEvent, places);
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

module.exports = { Link };
