'use strict';
// What main thread and watcher share about open requests: memory, since a message per request would cost more than the
// request may (3 µs and a wake-up of the other thread), and since a stuck main thread sends no messages.
//
// The main thread writes a slot and then opens it by its state. The watcher reads open slots when its timer is due. The
// state is the generation of the slot times four plus FREE, OPEN or TOLD: whoever replaces it atomically decides whether
// something is sent of the request, so no event is sent for a request that has ended, and none ends untold.

const FREE = 0;
const OPEN = 1;
/** The watcher has claimed it: it sends, or has sent, something. */
const TOLD = 2;

/** Requests that are watched at a time. Further ones run unwatched, which is said once. */
const SLOTS = 512;
/** The longest request ID that the collector takes. */
const ID_BYTES_MAX = 512;
/** The texts of a request, in this order, and how many bytes of each are kept. */
const TEXTS = /** @type {const} */ ([
  { name: 'id', bytes: ID_BYTES_MAX },
  { name: 'traceId', bytes: 128 },
  { name: 'method', bytes: 16 },
  { name: 'path', bytes: 512 },
]);
const TEXT_BYTES = TEXTS.reduce((sum, { bytes }) => sum + bytes, 0);

/** Generations wrap before the state leaves 32 bits. */
const GENERATIONS = 1 << 28;
/** Farther away than anything due, near enough for a timer: 12 days. */
const FAR_MS = 2 ** 30;

const NUMBERS = 4;
const [STARTED, BUDGET, NEAR, MARGIN] = [0, 1, 2, 3];
const PROFILE = TEXTS.length;
const LENGTHS = PROFILE + 1;

/** @typedef {{ id: string, traceId: string, method: string, path: string }} Texts */
/**
 * @typedef {object} Opened what the main thread says of a request
 * @property {number} startedAt ms, monotonic
 * @property {number} budgetMs what is left of the limit now
 * @property {number} nearMs after how long the first event is due
 * @property {number} marginMs
 * @property {number} profile which wrapper
 * @property {string} id empty: the watcher makes one up if it has to send something
 * @property {string} traceId empty when there is none, as the following
 * @property {string} method
 * @property {string} path
 */

class Slots {
  /** @param {{ memory: SharedArrayBuffer, base: number } | null} shared the other thread's, or null for a new one */
  constructor(shared = null) {
    const size = 8 + SLOTS * (4 + NUMBERS * 8 + LENGTHS * 4 + TEXT_BYTES);
    /** What the other thread is given. */
    this.shared = shared ?? { memory: new SharedArrayBuffer(size), base: now() };
    const { memory } = this.shared;
    /** [0] is changed to wake the watcher, [1] is when it wakes by itself. */
    this.control = new Int32Array(memory, 0, 2);
    this.numbers = new Float64Array(memory, this.control.byteLength, SLOTS * NUMBERS);
    this.state = new Int32Array(memory, end(this.numbers), SLOTS);
    this.lengths = new Int32Array(memory, end(this.state), SLOTS * LENGTHS);
    this.text = Buffer.from(memory, end(this.lengths), SLOTS * TEXT_BYTES);
    /** Main thread only: slots that are free again, the last one used on top; and the first that was never used. @type {number[]} */
    this.free = [];
    this.unused = 0;
  }

  /**
   * Main thread: opens a slot.
   *
   * @param {Opened} opened
   * @returns {{ slot: number, generation: number } | null} null when none is free or the ID is too long
   */
  open(opened) {
    if (this.free.length === 0 && this.unused < SLOTS) this.free.push(this.unused++);
    const slot = this.free.pop();
    if (slot === undefined) return null;
    const [n, l] = [slot * NUMBERS, slot * LENGTHS];
    this.numbers[n + STARTED] = opened.startedAt;
    this.numbers[n + BUDGET] = opened.budgetMs;
    this.numbers[n + NEAR] = opened.nearMs;
    this.numbers[n + MARGIN] = opened.marginMs;
    this.lengths[l + PROFILE] = opened.profile;
    let at = slot * TEXT_BYTES;
    for (let index = 0; index < TEXTS.length; index += 1) {
      const { name, bytes } = TEXTS[index];
      this.lengths[l + index] = opened[name] === '' ? 0 : this.text.write(opened[name], at, bytes, 'utf8');
      at += bytes;
    }
    const generation = ((this.state[slot] >> 2) + 1) % GENERATIONS;
    Atomics.store(this.state, slot, (generation << 2) | OPEN);
    return { slot, generation };
  }

  /**
   * Main thread: whether the watcher would look too late for something due at `at`, and has to be woken.
   *
   * @param {number} at
   */
  sleepsBeyond(at) {
    return ((Atomics.load(this.control, 1) - this.tick(at)) | 0) > 0;
  }

  /** Main thread: wakes the watcher. */
  wake() {
    Atomics.add(this.control, 0, 1);
    Atomics.notify(this.control, 0);
  }

  /**
   * Main thread: frees a slot.
   *
   * @param {number} slot
   * @returns {boolean} whether the watcher had claimed the request
   */
  close(slot) {
    const generation = this.state[slot] & ~3;
    const before = Atomics.exchange(this.state, slot, generation | FREE);
    this.free.push(slot);
    return (before & 3) === TOLD;
  }

  /**
   * Watcher: says when it wakes by itself.
   *
   * @param {number} at
   */
  sleepUntil(at) {
    Atomics.store(this.control, 1, this.tick(Math.min(at, now() + FAR_MS)));
  }

  /** Watcher: all requests that are open. */
  *opened() {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const state = Atomics.load(this.state, slot);
      if ((state & 3) === FREE) continue;
      const n = slot * NUMBERS;
      const [startedAt, budgetMs, nearMs, marginMs] = this.numbers.subarray(n, n + NUMBERS);
      const read = { slot, generation: state >> 2, startedAt, budgetMs, nearMs, marginMs };
      // It may have been closed and opened anew while it was read.
      if (Atomics.load(this.state, slot) >> 2 === read.generation) yield read;
    }
  }

  /**
   * Watcher: claims a request, so that its end will be told.
   *
   * @param {number} slot
   * @param {number} generation
   * @returns {Texts & { profile: number } | null} null when it has ended
   */
  claim(slot, generation) {
    const l = slot * LENGTHS;
    const read = { profile: this.lengths[l + PROFILE], id: '', traceId: '', method: '', path: '' };
    let at = slot * TEXT_BYTES;
    TEXTS.forEach(({ name, bytes }, index) => {
      read[name] = this.text.toString('utf8', at, at + this.lengths[l + index]);
      at += bytes;
    });
    const open = (generation << 2) | OPEN;
    return Atomics.compareExchange(this.state, slot, open, (generation << 2) | TOLD) === open ? read : null;
  }

  /**
   * Whether a request is still open.
   *
   * @param {number} slot
   * @param {number} generation
   */
  isOpen(slot, generation) {
    const state = Atomics.load(this.state, slot);
    return state >> 2 === generation && (state & 3) !== FREE;
  }

  /** @param {number} at */
  tick(at) {
    return Math.floor(at - this.shared.base) | 0;
  }
}

/** @param {NodeJS.TypedArray} array */
function end({ byteOffset, byteLength }) {
  return byteOffset + byteLength;
}

/** How often the watcher looks whether the event loop still turns, as a part of the budget. */
const LOOKS = 8;

/**
 * @param {number} budgetMs
 * @returns {number} after how long the watcher has to be awake for a request, ms
 */
function firstLookMs(budgetMs) {
  return budgetMs / LOOKS;
}

/**
 * Time as both threads count it: the monotonic clock has the same zero in every thread of a process, and does not jump when
 * the wall clock is set.
 *
 * @returns {number} ms
 */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

module.exports = { Slots, SLOTS, ID_BYTES_MAX, FAR_MS, firstLookMs, now };
