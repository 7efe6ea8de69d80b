'use strict';
// Questions to the main thread. Its answer says what it is doing; how long it takes says whether its event loop turns.

const { now } = require('../slots.js');

/** Unanswered questions; a stuck main thread is not asked more often. */
const PENDING_MAX = 16;

/** @typedef {import('../look.js').Place} Place */
/** @typedef {import('../look.js').Seen} Seen */

class Asks {
  /** @param {(id: number, places: Place[]) => void} post */
  constructor(post) {
    this.post = post;
    this.last = 0;
    this.roundTripMs = 0;
    /** @type {Map<number, { askedAt: number, answer: (seen: Seen[]) => void }>} the oldest first */
    this.pending = new Map();
  }

  /**
   * @param {Place[]} places requests to tell of; none: only whether the loop turns
   * @returns {Promise<Seen[]>} stays open for as long as the main thread is stuck
   */
  ask(places) {
    return new Promise((answer) => {
      if (this.pending.size >= PENDING_MAX) return;
      this.last += 1;
      this.pending.set(this.last, { askedAt: now(), answer });
      this.post(this.last, places);
    });
  }

  /**
   * @param {number} id
   * @param {Seen[]} seen
   */
  answered(id, seen) {
    const asked = this.pending.get(id);
    if (asked === undefined) return;
    this.pending.delete(id);
    this.roundTripMs = now() - asked.askedAt;
    asked.answer(seen);
  }

  /** Whether the main thread still owes an answer. */
  get isWaiting() {
    return this.pending.size > 0;
  }

  /** @returns {number} for how long the event loop has not turned, at least; in ms */
  lagMs() {
    const [oldest] = this.pending.values();
    return oldest === undefined ? this.roundTripMs : now() - oldest.askedAt;
  }
}

module.exports = { Asks };
