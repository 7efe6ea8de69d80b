'use strict';
// Takes secrets out of what leaves the process: values under sensitive names, also inside text (`?token=abc`) and inside JSON
// that is carried as text, and payment card numbers. The collector does the same once more (docs/wire/watchdog.md).

const REDACTED = '[redacted]';
/** Compared without case, `-`, `_`, `.` and spaces. */
const WORDS = ['authorization', 'cookie', 'password', 'passwd', 'token', 'secret', 'apikey'];
/** How deep JSON inside text inside JSON is followed. */
const NESTED_TEXT_MAX = 4;
/** A header in text: its value runs to the end of the line. */
const HEADER = /([\w-]{0,32}(?:authorization|cookie)[\w-]{0,32}"?\s*:\s*"?)[^\r\n"]+/gi;
/** 13 to 19 digits, in groups or not, that are no part of a longer word. */
const DIGITS = /(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])/g;

class Redactor {
  /** @param {string[]} words further words that make a name sensitive */
  constructor(words) {
    this.words = [...WORDS, ...words.map(plain)].filter(Boolean);
    const spelt = this.words.map((word) => [...word].map(escaped).join('[-_.]?')).join('|');
    /** A sensitive name and its value in text: `password=abc`, `"token": "abc"`. */
    this.named = new RegExp(`([\\w.-]{0,32}(?:${spelt})[\\w.-]{0,32}"?\\s*[=:]\\s*"?)[^\\s&,;"'}\\\\]+`, 'gi');
  }

  /**
   * @param {unknown} value plain JSON
   * @param {number} [depth]
   * @returns {unknown} a copy without secrets
   */
  clean(value, depth = NESTED_TEXT_MAX) {
    if (typeof value === 'string') return this.text(value, depth);
    if (typeof value === 'number') return isCard(String(value)) && value >= 1e14 ? REDACTED : value;
    if (Array.isArray(value)) return value.map((item) => this.clean(item, depth));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.member(name, member, depth)]));
  }

  /**
   * @param {string} name
   * @param {unknown} value
   * @param {number} depth
   */
  member(name, value, depth) {
    return value !== null && this.isSensitive(name) ? REDACTED : this.clean(value, depth);
  }

  /** @param {string} name */
  isSensitive(name) {
    const bare = plain(name);
    return this.words.some((word) => bare.includes(word));
  }

  /**
   * @param {string} text
   * @param {number} depth
   */
  text(text, depth) {
    if (depth > 0 && /^\s*[[{]/.test(text)) {
      try {
        return JSON.stringify(this.clean(JSON.parse(text), depth - 1));
      } catch {
        // No JSON after all: read as any other text.
      }
    }
    const named = text.replace(HEADER, `$1${REDACTED}`).replace(this.named, `$1${REDACTED}`);
    return named.replace(DIGITS, (digits) => (isCard(digits.replace(/[ -]/g, '')) ? REDACTED : digits));
  }
}

/** @param {string} letter */
function escaped(letter) {
  return letter.replace(/[^\w]/, '\\$&');
}

/** @param {string} name */
function plain(name) {
  return name.toLowerCase().replace(/[-_. ]/g, '');
}

/**
 * Whether the check digit fits (Luhn).
 *
 * @param {string} digits
 */
function isCard(digits) {
  if (!/^\d{13,19}$/.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]) * (at % 2 === 0 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

module.exports = { Redactor, REDACTED };
