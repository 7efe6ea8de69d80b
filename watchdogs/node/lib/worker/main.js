'use strict';
// The worker thread: wakes when the main thread says so or its own timer is due.

const { parentPort, workerData } = require('node:worker_threads');
const { Slots } = require('../slots.js');
const { askBlocked } = require('./inspect.js');
const { Redactor } = require('./redact.js');
const { Sender } = require('./send.js');
const { Watch } = require('./watch.js');

/** @typedef {import('../watchdog.js').ToWorker} ToWorker */
/** @typedef {import('../watchdog.js').ToMain} ToMain */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {{ shared: Slots['shared'], settings: import('../watchdog.js').Settings, canInspect: boolean, lookName: string, profiles: import('../watchdog.js').Profile[] }} */
const { shared, settings, canInspect, lookName, profiles } = workerData;
const slots = new Slots(shared);
const sender = new Sender(settings);
const post = (/** @type {ToMain} */ message) => port.postMessage(message);
const watch = new Watch({
  slots,
  sender,
  redactor: new Redactor(settings.redact),
  ask: (id, places) => post({ type: 'ask', id, places }),
  interrupt: async (places, withinMs, isBack) => {
    const look = `globalThis[Symbol.for(${JSON.stringify(lookName)})](${JSON.stringify(places)})`;
    const said = canInspect ? await askBlocked(look, withinMs, isBack) : null;
    return said === null ? null : JSON.parse(said);
  },
  ended: () => post({ type: 'ended' }),
});

profiles.forEach((profile) => watch.profiles.set(profile.number, profile));
port.on('message', (/** @type {ToWorker} */ message) => {
  if (message.type === 'profile') watch.profiles.set(message.profile.number, message.profile);
  else if (message.type === 'answer') watch.asks.answered(message.id, message.seen);
  else watch.quietly(watch.closed(message.end));
});

function wake() {
  // Before looking: what is opened while we look changes the word and ends the wait at once.
  const waited = Atomics.waitAsync(slots.control, 0, Atomics.load(slots.control, 0));
  if (waited.async) waited.value.then(wake);
  else setImmediate(wake);
  watch.tick();
}

sender.hello();
// After the messages that came while this thread started: they say which functions there are.
setImmediate(wake);
