// Long texts in parts and back, by the user data header "concatenated short messages" (3GPP TS
// 23.040, 9.2.3.24.1 and .8). Texts are coded and decoded by the package `smpp`; nothing of Sampan's
// is in here.
'use strict';

const { encodings } = require('smpp');

/** Octets of a part beside its header; GSM 03.38 travels with one septet per octet. */
const GSM_PART = 153;
const UCS2_PART = 134;

const CODINGS = { ASCII: 0, UCS2: 8 };

/** The parts of a text, none of which ends inside a character: [{ coding, udh, message }]. */
function split(text, reference) {
  const name = encodings.ASCII.match(text) ? 'ASCII' : 'UCS2';
  const room = name === 'ASCII' ? GSM_PART : UCS2_PART;
  const parts = [[]];
  let used = 0;
  // By code points: an emoji, two units of UCS-2, stays whole.
  for (const character of text) {
    const octets = encodings[name].encode(character);
    if (used + octets.length > room) {
      parts.push([]);
      used = 0;
    }
    parts[parts.length - 1].push(octets);
    used += octets.length;
  }
  return parts.map((octets, index) => ({
    coding: CODINGS[name],
    udh: Buffer.from([5, 0, 3, reference & 0xff, parts.length, index + 1]),
    message: Buffer.concat(octets),
  }));
}

/** What a part's header says; null for a message of one part. */
function concatenation(udh) {
  for (const element of udh || []) {
    if (element[0] === 0 && element[1] === 3) {
      return { reference: element[2], total: element[3], number: element[4] };
    }
    if (element[0] === 8 && element[1] === 4) {
      return { reference: element.readUInt16BE(2), total: element[4], number: element[5] };
    }
  }
  return null;
}

/** Messages as a handset shows them: one entry for each whole, in the order of their ends. */
class Wholes {
  constructor() {
    this.open = new Map();
    this.whole = [];
    this.faults = 0;
  }

  /** A message or part; `message` is the text, or the octets where the coding is none of texts. */
  add({ source, destination, coding, udh, message, id }) {
    const place = concatenation(udh);
    if (!place) {
      this.finish(destination, coding, [{ message, id }]);
      return;
    }
    const key = [source, destination, place.reference, place.total].join('/');
    const parts = this.open.get(key) || new Map();
    this.open.set(key, parts);
    const fits = place.number >= 1 && place.number <= place.total;
    if (!fits || parts.has(place.number)) this.faults += 1;
    parts.set(place.number, { message, id, coding });
    if (parts.size < place.total) return;
    this.open.delete(key);
    const numbers = [...parts.keys()].sort((one, other) => one - other);
    this.finish(destination, coding, numbers.map((number) => parts.get(number)));
  }

  finish(destination, coding, parts) {
    const bytes = parts.some(({ message }) => Buffer.isBuffer(message))
      ? Buffer.concat(parts.map(({ message }) => message))
      : Buffer.from(parts.map(({ message }) => message).join(''), 'utf8');
    this.whole.push([destination, coding, bytes.toString('hex'), parts.map(({ id }) => id)]);
  }
}

module.exports = { split, Wholes };
