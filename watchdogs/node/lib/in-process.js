'use strict';
// The watch on the main thread itself, where there are no worker threads: only while the event loop turns.

const { Redactor } = require('./worker/redact.js');
const { Sender } = require('./worker/send.js');
const { Watch } = require('./worker/watch.js');

/**
 * @param {import('./watchdog.js').Settings} settings
 * @param {import('./slots.js').Slots} slots
 * @param {(places: import('./look.js').Place[]) => import('./look.js').Seen[]} look
 */
function watch(settings, slots, look) {
  const sender = new Sender(settings);
  const watch = new Watch({
    slots,
    sender,
    redactor: new Redactor(settings.redact),
    ask: (id, places) => setImmediate(() => watch.asks.answered(id, look(places))),
    interrupt: async () => null,
    ended: () => {},
  });
  sender.hello();
  return watch;
}

module.exports = { watch };
