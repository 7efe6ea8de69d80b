'use strict';
// The watch itself: when something is due, what is told then. Runs in a worker thread, so that it goes on when the main
// thread is stuck; on the main thread only where there are no worker threads.

const { sayOnce } = require('../say.js');
const { FAR_MS, firstLookMs, now, SLOTS } = require('../slots.js');
const { Asks } = require('./asks.js');
const { cpuMs, told, running, withSeen, tracepoints, closed, mainThread } = require('./event.js');

/** How long an event waits for what the main thread says. A loop that turns answers within 1 ms. */
const NEAR_MISS_PATIENCE_MS = 50;
const FIRED_PATIENCE_MS = 15;
/** A loop that has not turned for so long is called blocked. An idle one was up to 112 ms late where more processes wanted to run. */
const BLOCKED_MS = 250;
/** The same for one that stands in code that was found. */
const BLOCKED_WITH_STACK_MS = 100;
/** Delivery ends, or is given up, within this share of what is left until the deadline. */
const SEND_SHARE = 0.6;
/** The stack of a blocked main thread is waited for within this share of it. */
const INTERRUPT_SHARE = 0.75;
const SEND_MS_MIN = 50;
const SEND_MS_MAX = 5000;
const CLOSED_SEND_MS = 2000;

/** @typedef {import('./event.js').Event} Event */
/** @typedef {import('./event.js').Told} Told */
/** @typedef {import('../look.js').Seen} Seen */
/** @typedef {import('../watchdog.js').Profile} Profile */
/**
 * @typedef {object} Watched an open request
 * @property {number} slot
 * @property {number} generation
 * @property {number} startedAt
 * @property {number} budgetMs
 * @property {number} deadline
 * @property {number} marginMs
 * @property {number} nearAt
 * @property {number} fireAt
 * @property {number} lookAt
 * @property {number} cpuMs what the process had used when the request was first seen, an eighth of its budget in at most
 * @property {boolean} isNear whether the first event was due already
 * @property {boolean} isFired
 * @property {boolean} isClosed whether its end was told
 * @property {Told | null} told set once something is to be told of it
 */
/** @typedef {Watched & { told: Told }} Claimed */
/**
 * @typedef {object} Around
 * @property {import('../slots.js').Slots} slots
 * @property {import('./send.js').Sender} sender
 * @property {import('./redact.js').Redactor} redactor
 * @property {(places: import('../look.js').Place[], withinMs: number, isBack: Promise<unknown>) => Promise<import('../watchdog.js').Interrupted | null>} interrupt
 * @property {(id: number, places: import('../look.js').Place[]) => void} ask
 * @property {() => void} ended a request's end was told
 */

class Watch {
  /** @param {Around} around */
  constructor(around) {
    this.around = around;
    this.slots = around.slots;
    this.asks = new Asks(around.ask);
    /** @type {Map<number, Profile>} */
    this.profiles = new Map();
    /** @type {Map<number, Watched>} by slot and generation */
    this.watched = new Map();
    /** @type {NodeJS.Timeout | undefined} */
    this.timer = undefined;
  }

  /** Looks what is due, and sleeps until something is. */
  tick() {
    const at = now();
    const due = { look: false, near: /** @type {Watched[]} */ ([]), fire: /** @type {Watched[]} */ ([]) };
    for (const one of this.opened()) sort(one, at, due);
    if (due.near.length > 0) this.quietly(this.nearMiss(due.near));
    if (due.fire.length > 0) this.quietly(this.fire(due.fire));
    if (due.look && !this.asks.isWaiting) this.quietly(this.asks.ask([]));
    this.sleep();
  }

  sleep() {
    // Twice: what is opened in between saw the old time and did not wake us.
    this.slots.sleepUntil(this.nextDue());
    const next = this.nextDue();
    this.slots.sleepUntil(next);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tick(), Math.min(Math.max(0, next - now()), FAR_MS)).unref();
  }

  nextDue() {
    let next = Infinity;
    for (const one of this.opened()) next = Math.min(next, dueAt(one));
    return next;
  }

  /** @returns {Watched[]} all open requests; what has ended untold is forgotten */
  opened() {
    const open = [];
    /** @type {Set<number>} */
    const keys = new Set();
    for (const read of this.slots.opened()) {
      const key = keyOf(read);
      keys.add(key);
      let one = this.watched.get(key);
      if (one === undefined) {
        const { startedAt, budgetMs, nearMs, marginMs } = read;
        const deadline = startedAt + budgetMs;
        const times = { nearAt: startedAt + nearMs, fireAt: deadline - marginMs, lookAt: startedAt + firstLookMs(budgetMs) };
        one = { ...read, ...times, deadline, cpuMs: cpuMs(), isNear: false, isFired: false, isClosed: false, told: null };
        this.watched.set(key, one);
      }
      open.push(one);
    }
    for (const [key, one] of this.watched) if (!keys.has(key) && one.told === null) this.watched.delete(key);
    return open;
  }

  /**
   * Claims requests, so that their end will be told too.
   *
   * @param {Watched[]} due
   * @returns {Claimed[]} those that have not ended
   */
  claim(due) {
    return due.filter(/** @returns {one is Claimed} */ (one) => {
      if (one.told !== null) return this.slots.isOpen(one.slot, one.generation);
      const claimed = this.slots.claim(one.slot, one.generation);
      if (claimed !== null) one.told = told(one, claimed, this.profiles.get(claimed.profile), this.around.redactor);
      return claimed !== null;
    });
  }

  /** @param {Watched[]} due */
  async nearMiss(due) {
    const claimed = this.claim(due);
    if (claimed.length === 0) return;
    const asked = this.asks.ask(claimed.map(place));
    const seen = await within(asked, NEAR_MISS_PATIENCE_MS);
    await this.tell('near_miss', claimed, seen, null);
    if (seen === null) this.late(asked, claimed, false);
  }

  /** @param {Watched[]} due */
  async fire(due) {
    const claimed = this.claim(due);
    if (claimed.length === 0) return;
    const asked = this.asks.ask(claimed.map(place));
    const seen = await within(asked, FIRED_PATIENCE_MS);
    // Sent before the main thread is interrupted: that may take long, and may yield nothing.
    const sent = this.tell('fired', claimed, seen, null);
    if (seen === null) {
      const left = Math.min(...claimed.map((one) => one.deadline - now()));
      const interrupted = await this.around.interrupt(claimed.map(place), INTERRUPT_SHARE * left, asked);
      if (interrupted !== null) await this.tell('fired', claimed, interrupted.seen, interrupted.frames);
      this.late(asked, claimed, interrupted === null);
    }
    await sent;
  }

  /**
   * Sends what an answer says that came too late for its event.
   *
   * @param {Promise<Seen[]>} asked
   * @param {Claimed[]} claimed
   * @param {boolean} again whether `fired` is sent once more
   */
  late(asked, claimed, again) {
    const tell = async (/** @type {Seen[]} */ seen) => {
      const known = claimed.filter((one) => seen.some(({ slot }) => slot === one.slot));
      if (again) return this.tell('fired', known, seen, null);
      return this.around.sender.send(known.flatMap((one) => sections(one, seen)), SEND_MS_MAX);
    };
    this.quietly(asked.then(tell));
  }

  /**
   * @param {'near_miss' | 'fired'} kind
   * @param {Claimed[]} claimed
   * @param {Seen[] | null} seen what the main thread said; null: nothing
   * @param {import('../stack.js').Frame[] | null} frames where it was found
   */
  tell(kind, claimed, seen, frames) {
    const open = claimed.filter((one) => this.slots.isOpen(one.slot, one.generation) && now() < one.deadline);
    const lagMs = this.asks.lagMs();
    const events = open.flatMap((one) => {
      one.told.isSent = true;
      const own = seen?.find(({ slot }) => slot === one.slot);
      const event = running(kind, one.told, lagMs);
      const more = own ? withSeen(event, own, this.around.redactor) : event;
      const isBlocked = lagMs >= (frames === null ? BLOCKED_MS : BLOCKED_WITH_STACK_MS) || undefined;
      const stacks = isBlocked || frames !== null ? mainThread(isBlocked, frames ?? []) : undefined;
      return [{ ...more, stacks }, ...sections(one, seen), ...this.answered(one, own)];
    });
    const left = Math.min(...open.map((one) => one.deadline - now()));
    return this.around.sender.send(events, Math.min(Math.max(SEND_SHARE * left, SEND_MS_MIN), SEND_MS_MAX), kind === 'fired');
  }

  /**
   * The end of a request whose handler has answered, while something keeps the loop from ending.
   *
   * @param {Claimed} one
   * @param {Seen | undefined} seen
   * @returns {Event[]}
   */
  answered(one, seen) {
    if (seen?.answered_at === undefined || one.isClosed) return [];
    one.isClosed = true;
    return [closed(one.told, 'ok', Date.parse(seen.answered_at))];
  }

  /**
   * Tells that a claimed request has ended, unless it ended before anything was sent of it.
   *
   * @param {import('../requests.js').Closed} end
   */
  async closed(end) {
    const one = this.watched.get(keyOf(end));
    this.watched.delete(keyOf(end));
    if (one?.told?.isSent) {
      const events = tracepoints(one.told, end.tracepoints);
      if (!one.isClosed) events.push(closed(one.told, end.outcome, end.at));
      await this.around.sender.send(events, CLOSED_SEND_MS);
    }
    this.around.ended();
  }

  /** @param {Promise<unknown>} work */
  quietly(work) {
    work.catch((error) => sayOnce(`internal: ${error instanceof Error ? error.message : error}`));
  }
}

/** @param {{ slot: number, generation: number }} of */
function keyOf({ slot, generation }) {
  return generation * SLOTS + slot;
}

/** @param {{ slot: number, generation: number }} of */
function place({ slot, generation }) {
  return { slot, generation };
}

/**
 * @param {Watched} one
 * @param {number} at
 * @param {{ look: boolean, near: Watched[], fire: Watched[] }} due
 */
function sort(one, at, due) {
  if (one.isFired) return;
  if (at >= one.fireAt) {
    one.isFired = true;
    // After the deadline it is no alarm: the timer outlived its request, as after freeze and thaw.
    if (at < one.deadline) due.fire.push(one);
  } else if (at >= one.nearAt && !one.isNear) {
    one.isNear = true;
    due.near.push(one);
  } else if (at >= one.lookAt) {
    due.look = true;
  }
  if (at >= one.lookAt) one.lookAt = at + firstLookMs(one.budgetMs);
}

/** @param {Watched} one */
function dueAt(one) {
  return one.isFired ? Infinity : Math.min(one.fireAt, one.isNear ? Infinity : one.nearAt, one.lookAt);
}

/**
 * @param {Claimed} one
 * @param {Seen[] | null} seen
 */
function sections(one, seen) {
  const own = seen?.find(({ slot }) => slot === one.slot);
  return tracepoints(one.told, own?.tracepoints ?? []);
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @param {number} ms
 * @returns {Promise<T | null>} null when it is not there in time
 */
function within(answer, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, null);
    timer.unref();
    answer.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

module.exports = { Watch };
