'use strict';
// The way to the collector: one connection that is opened at start, since a first request on a small function takes longer
// than the margin (measured: 120 to 450 ms at 7 % of a processor, 2 ms afterwards). What cannot be delivered is printed to
// standard output, one JSON line an event, where the platform's log picks it up.

const { writeSync } = require('node:fs');
const { sayOnce } = require('../say.js');
const { now } = require('../slots.js');

/** @typedef {import('./event.js').Event} Event */

/** Posts that wait for their answer at a time. What comes meanwhile goes together in one; what is urgent has further ones. */
const POSTS_MAX = 4;
const URGENT_POSTS_MAX = 8;
/** What waits to be posted, in characters of JSON. Further events are printed. */
const QUEUE_CHARS_MAX = 8 * 1024 * 1024;
/** Of the time there is, the share for the first try. Its connection may be dead without a word, after a freeze. */
const FIRST_TRY = 0.4;
/** A log line that no transport cuts (CloudWatch takes 256 KiB); frames beyond are left out. */
const PRINTED_FRAMES_MAX = 32;
const HELLO_MS_MAX = 5000;

class Sender {
  /**
   * @param {{ endpoint: string, token: string | undefined }} settings
   * @param {(event: Event) => void} [print]
   */
  constructor(settings, print = printed) {
    this.url = new URL(`${settings.endpoint.replace(/\/+$/, '')}/v1/watchdog`);
    this.http = this.url.protocol === 'https:' ? require('node:https') : require('node:http');
    this.agent = new this.http.Agent({ keepAlive: true, maxSockets: URGENT_POSTS_MAX });
    this.headers = { 'content-type': 'application/json', ...(settings.token && { authorization: `Bearer ${settings.token}` }) };
    this.print = print;
    this.posts = 0;
    /** @type {Event[]} */
    this.queue = [];
    this.queuedChars = 0;
    /** @type {(() => void)[]} those who wait for the queue */
    this.queuers = [];
    this.queueGivesUpAt = Infinity;
  }

  /** Opens the connection with an empty list of events, and pays for whatever is slow the first time. */
  hello() {
    this.post('[]', HELLO_MS_MAX, this.agent).catch((error) => {
      sayOnce(`expected a collector at ${this.url.origin}, found ${error.message}; events are printed to standard output until there is one`);
    });
  }

  /**
   * Sends events, or prints them.
   *
   * @param {Event[]} events
   * @param {number} withinMs by then they are delivered or printed
   * @param {boolean} [isUrgent]
   * @returns {Promise<void>} settles then; never rejects
   */
  async send(events, withinMs, isUrgent = false) {
    if (events.length === 0) return;
    const giveUpAt = now() + withinMs;
    if (this.posts >= (isUrgent ? URGENT_POSTS_MAX : POSTS_MAX)) return this.later(events, giveUpAt);
    this.posts += 1;
    const isDelivered = await this.delivered(JSON.stringify(events), giveUpAt);
    this.posts -= 1;
    if (!isDelivered) events.forEach(this.print);
    await this.flush();
  }

  /** Sends what has come meanwhile. */
  async flush() {
    const [queue, queuers, left] = [this.queue.splice(0), this.queuers.splice(0), this.queueGivesUpAt - now()];
    this.queuedChars = 0;
    this.queueGivesUpAt = Infinity;
    await this.send(queue, left);
    queuers.forEach((wake) => wake());
  }

  /**
   * Keeps events until a post has had its answer.
   *
   * @param {Event[]} events
   * @param {number} giveUpAt
   * @returns {Promise<void>} settles when they were sent
   */
  later(events, giveUpAt) {
    this.queueGivesUpAt = Math.min(this.queueGivesUpAt, giveUpAt);
    for (const event of events) {
      this.queuedChars += JSON.stringify(event).length;
      if (this.queuedChars < QUEUE_CHARS_MAX) this.queue.push(event);
      else this.print(event);
    }
    return new Promise((resolve) => this.queuers.push(resolve));
  }

  /**
   * @param {string} body
   * @param {number} giveUpAt
   */
  async delivered(body, giveUpAt) {
    // The second try has a connection of its own. Sending the same event again is harmless.
    for (const [share, agent] of /** @type {const} */ ([[FIRST_TRY, this.agent], [1, false]])) {
      const left = giveUpAt - now();
      if (left <= 0) return false;
      const status = await this.post(body, left * share, agent).catch(() => 0);
      if (status >= 200 && status < 300) return true;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
        sayOnce(`expected the collector at ${this.url.origin} to take events, found status ${status}; they are printed to standard output`);
        return false;
      }
    }
    return false;
  }

  /**
   * @param {string} body
   * @param {number} withinMs
   * @param {import('node:http').Agent | false} agent
   * @returns {Promise<number>} the status of the answer
   */
  post(body, withinMs, agent) {
    return new Promise((resolve, reject) => {
      const headers = { ...this.headers, 'content-length': Buffer.byteLength(body) };
      const sent = this.http.request(this.url, { method: 'POST', agent: /** @type {any} */ (agent), headers });
      const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${Math.round(withinMs)} ms`)), withinMs).unref();
      // On the main thread, where it runs if there are no worker threads, it must not keep the process alive.
      sent.once('socket', (socket) => socket.unref());
      sent.once('close', () => {
        clearTimeout(timer);
        reject(new Error('a closed connection'));
      });
      sent.once('error', reject);
      sent.once('response', (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.end(body);
    });
  }
}

/**
 * Prints an event. Directly to the file: from a worker thread, `process.stdout` needs the main thread, which may be stuck.
 *
 * @param {Event} event
 */
function printed(event) {
  const { original_event: _, ...short } = event;
  const stacks = /** @type {{ frames: unknown[] }[] | undefined} */ (short.stacks);
  short.stacks = stacks?.map((stack) => ({ ...stack, frames: stack.frames.slice(-PRINTED_FRAMES_MAX) }));
  const line = Buffer.from(`${JSON.stringify(short)}\n`);
  const WRITES_MAX = 16;
  let done = 0;
  for (let writes = 0; done < line.length && writes < WRITES_MAX; writes += 1) {
    try {
      done += writeSync(1, line, done);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EAGAIN') return;
    }
  }
}

module.exports = { Sender };
