// An SMSC made of the npm package `smpp`, steered by lines of JSON on standard input, each answered
// by one line on standard output. It holds no code of Sampan's, and every octet that it reads or
// writes went through the package.
//
//   node server.js PORT SYSTEM_ID PASSWORD        (port 0 takes a free one)
'use strict';

const readline = require('readline');
const smpp = require('smpp');
const { split, Wholes } = require('./parts.js');

const [port, systemId, password] = process.argv.slice(2);

/** How long answers gather before they go out in a random order. */
const GATHER_MS = 3;
/** How long the answer to a submit_sm waits whose receipt goes ahead of it by another bind. */
const BEHIND_RECEIPT_MS = 20;
/** How long the second copy of a receipt waits, where it does not follow at once. */
const SECOND_COPY_MS = 200;
/** deliver_sm without an answer, over all binds; receipts that go ahead of an answer come on top. */
const DELIVERIES_MAX = 256;
/** The wait after a temporary error. */
const RETRY_MS = 20;

const counts = {
  binds: 0, refused: 0, unbinds: 0, enquired: 0, submits: 0, overtakes: 0,
  inFlightMax: 0, delivered: 0, deliveries: 0, temporary: 0, unexpected: 0,
  promised: 0, early: 0, twice: 0,
};
const booked = [];
const deliveries = [];
const sessions = new Set();
let holding = false;
let nextId = 1;

/** What is wrong with receipts: of how many one goes ahead of the submit_sm_resp, and one comes
 * twice; 0 is never. With `wholes`, messages are put together instead of kept part by part. */
let plan = { earlyEvery: 0, twiceEvery: 0, wholes: false };
const wholes = new Wholes();
const waiting = [];
let taken = 0;
let undelivered = 0;
let turn = 0;

// The package decodes texts; the octets that it decodes them from are kept beside.
const decode = smpp.filters.message.decode;
smpp.filters.message.decode = function (value, skipHeader) {
  if (Buffer.isBuffer(value)) this.octets = value.toString('hex');
  return decode.call(this, value, skipHeader);
};

function shuffled(list) {
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}

/** Answers what has gathered, in an order of its liking. */
function answer(bind) {
  bind.timer = null;
  const gathered = shuffled(bind.waiting.splice(0));
  let highest = 0;
  for (const { pdu, id, fate } of gathered) {
    if (pdu.sequence_number < highest) counts.overtakes += 1;
    highest = Math.max(highest, pdu.sequence_number);
    bind.session.send(pdu.response({ message_id: id }));
    if (fate.wanted && !fate.early) receipt(pdu, id);
    if (fate.twice) setTimeout(receipt, fate.secondAfterMs, pdu, id);
  }
}

/** What becomes of the receipt of a message. Of those that come twice, half are early as well. */
function fateOf(pdu) {
  if (!(pdu.registered_delivery & 1)) return { wanted: false };
  counts.promised += 1;
  const every = (period, shift) => period > 0 && counts.promised % period === shift;
  const round = plan.twiceEvery > 0 ? Math.floor(counts.promised / plan.twiceEvery) : 0;
  const fate = {
    wanted: true,
    early: every(plan.earlyEvery, 1),
    otherBind: counts.promised % 4 < 2,
    twice: every(plan.twiceEvery, round % 2 === 0 ? 1 : 2),
    secondAfterMs: round % 3 === 0 ? SECOND_COPY_MS : 0,
  };
  counts.early += fate.early ? 1 : 0;
  counts.twice += fate.twice ? 1 : 0;
  return fate;
}

function book(bind, pdu, id) {
  const { message, udh } = pdu.short_message;
  if (plan.wholes) {
    wholes.add({
      source: pdu.source_addr, destination: pdu.destination_addr, coding: pdu.data_coding, udh, message, id,
    });
    return;
  }
  booked.push({
    id,
    bind: bind.number,
    source: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
    destination: pdu.destination_addr,
    coding: pdu.data_coding,
    esmClass: pdu.esm_class,
    text: Buffer.isBuffer(message) ? null : message,
    octets: pdu.octets,
    header: udh ? udh.map((element) => element.toString('hex')) : [],
  });
}

function submitted(bind, pdu) {
  const id = `npm-${(nextId++).toString(16)}`;
  counts.submits += 1;
  book(bind, pdu, id);
  if (holding) return;
  const fate = fateOf(pdu);
  if (!fate.early) {
    gather(bind, { pdu, id, fate });
  } else if (fate.otherBind) {
    receipt(pdu, id, nextBind(bind));
    setTimeout(gather, BEHIND_RECEIPT_MS, bind, { pdu, id, fate });
  } else {
    receipt(pdu, id, bind);
    gather(bind, { pdu, id, fate });
  }
}

function gather(bind, unanswered) {
  bind.waiting.push(unanswered);
  counts.inFlightMax = Math.max(counts.inFlightMax, bind.waiting.length);
  bind.timer = bind.timer || setTimeout(answer, GATHER_MS, bind);
}

/** The bind whose turn it is, another one than `not` if there is one. */
function nextBind(not) {
  const bound = boundSessions();
  const others = bound.filter((own) => own !== not);
  const choice = others.length > 0 ? others : bound;
  turn += 1;
  return choice[turn % choice.length];
}

/** Sends what waits, as far as there is room. */
function pump() {
  while (taken < waiting.length && undelivered < DELIVERIES_MAX) {
    const bind = nextBind();
    if (!bind) return;
    taken += 1;
    send(bind, waiting[taken - 1]);
  }
  if (taken > 10_000) {
    waiting.splice(0, taken);
    taken = 0;
  }
}

/** Sends a deliver_sm, and again after a temporary error, as an SMSC does. */
function send(bind, delivery) {
  delivery.attempts += 1;
  undelivered += 1;
  bind.session.deliver_sm(delivery.pdu, (response) => {
    undelivered -= 1;
    delivery.statuses.push(response.command_status);
    if (response.command_status === smpp.ESME_ROK) counts.delivered += 1;
    else if (response.command_status === smpp.ESME_RX_T_APPN) {
      counts.temporary += 1;
      setTimeout(deliver, RETRY_MS, delivery);
    } else counts.unexpected += 1;
    pump();
  });
}

/** Delivers by a bind in its turn, or at once by the one given. */
function deliver(delivery, bind) {
  if (bind) {
    send(bind, delivery);
    return;
  }
  waiting.push(delivery);
  pump();
}

function deliverNew(kind, pdu, bind) {
  const delivery = { kind, pdu, attempts: 0, statuses: [] };
  if (!plan.wholes) deliveries.push(delivery);
  counts.deliveries += 1;
  deliver(delivery, bind);
}

function receipt(pdu, id, bind) {
  const text = `id:${id} sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 `
    + 'stat:DELIVRD err:000 text:';
  deliverNew('receipt', {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    data_coding: 0,
    short_message: text,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
  }, bind);
}

/** Brings long texts in parts, the parts of all of them in a random order. */
function bringLong(messages) {
  const references = new Map();
  const parts = messages.flatMap(({ source, destination, text }) => {
    // Each handset counts for itself, so that equal references of different ones are under way.
    const reference = (references.get(source) || 0) + 1;
    references.set(source, reference);
    return split(text, reference).map((part) => ({ source, destination, ...part }));
  });
  for (const { source, destination, coding, udh, message } of shuffled(parts)) {
    deliverNew('mo', {
      source_addr_ton: 1, source_addr_npi: 1, source_addr: source,
      dest_addr_ton: 3, dest_addr_npi: 0, destination_addr: destination,
      esm_class: smpp.ESM_CLASS.UDH_INDICATOR,
      data_coding: coding,
      short_message: { udh, message },
    });
  }
  return parts.length;
}

function bind(bound, pdu) {
  if (pdu.system_id !== systemId || pdu.password !== password) {
    counts.refused += 1;
    bound.session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
    return;
  }
  counts.binds += 1;
  bound.number = counts.binds;
  bound.bound = true;
  bound.session.send(pdu.response({ system_id: 'NPM', sc_interface_version: 0x34 }));
}

const server = smpp.createServer((session) => {
  const own = { session, bound: false, waiting: [], timer: null, number: 0 };
  sessions.add(own);
  for (const command of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(command, (pdu) => bind(own, pdu));
  }
  session.on('submit_sm', (pdu) => submitted(own, pdu));
  session.on('enquire_link', (pdu) => {
    counts.enquired += 1;
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    counts.unbinds += 1;
    own.bound = false;
    session.send(pdu.response());
    session.close();
  });
  session.on('unknown', () => { counts.unexpected += 1; });
  session.on('error', (error) => console.error(`session: ${error.message}`));
  session.on('close', () => {
    own.bound = false;
    clearTimeout(own.timer);
    sessions.delete(own);
  });
});
server.on('error', (error) => {
  console.error(`server: ${error.message}`);
  process.exit(1);
});

const boundSessions = () => [...sessions].filter((own) => own.bound);

const commands = {
  counts: () => ({ ...counts, bound: boundSessions().length }),
  books: () => ({ booked }),
  deliveries: () => ({
    deliveries: deliveries.map(({ kind, attempts, statuses }) => ({ kind, attempts, statuses })),
  }),
  hold: ({ on }) => {
    holding = on;
    return {};
  },
  mo: ({ source, destination, text }) => {
    deliverNew('mo', {
      source_addr_ton: 1, source_addr_npi: 1, source_addr: source,
      dest_addr_ton: 3, dest_addr_npi: 0, destination_addr: destination,
      data_coding: /^[\x20-\x7e]*$/.test(text) ? 0 : 8,
      short_message: text,
    });
    return {};
  },
  plan: (given) => {
    plan = { ...plan, ...given };
    return {};
  },
  // The wholes from one place on, and what is not whole.
  wholes: ({ from, count }) => ({
    wholes: wholes.whole.slice(from, from + count), open: wholes.open.size, faults: wholes.faults,
  }),
  moLong: ({ messages }) => ({ parts: bringLong(messages) }),
  // Each bind is asked for a sign of life; what it sent before that has been read by then.
  enquire: async () => {
    const statuses = await Promise.all(boundSessions().map((own) => new Promise((resolve) => {
      own.session.enquire_link((response) => resolve(response.command_status));
    })));
    return { statuses };
  },
  unbind: async () => {
    const statuses = await Promise.all(boundSessions().map((own) => new Promise((resolve) => {
      own.session.unbind((response) => {
        own.bound = false;
        own.session.close();
        resolve(response.command_status);
      });
    })));
    return { statuses };
  },
};

async function obey(line) {
  let reply;
  try {
    const { do: name, ...given } = JSON.parse(line);
    reply = await commands[name](given);
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  readline.createInterface({ input: process.stdin }).on('line', obey);
});
