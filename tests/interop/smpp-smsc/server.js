// An SMSC made of the npm package `smpp`, steered by lines of JSON on standard input, each answered
// by one line on standard output. It holds no code of Sampan's, and every octet that it reads or
// writes went through the package.
//
//   node server.js PORT SYSTEM_ID PASSWORD        (port 0 takes a free one)
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const [port, systemId, password] = process.argv.slice(2);

/** How long answers gather before they go out in a random order. */
const GATHER_MS = 3;

const counts = {
  binds: 0, refused: 0, unbinds: 0, enquired: 0, submits: 0, overtakes: 0,
  inFlightMax: 0, delivered: 0, deliveries: 0, temporary: 0, unexpected: 0,
};
const booked = [];
const deliveries = [];
const sessions = new Set();
let holding = false;
let nextId = 1;

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
  const waiting = shuffled(bind.waiting.splice(0));
  let highest = 0;
  for (const { pdu, id } of waiting) {
    if (pdu.sequence_number < highest) counts.overtakes += 1;
    highest = Math.max(highest, pdu.sequence_number);
    bind.session.send(pdu.response({ message_id: id }));
    if (pdu.registered_delivery & 1) receipt(pdu, id);
  }
}

function submitted(bind, pdu) {
  const id = `npm-${(nextId++).toString(16)}`;
  const { message, udh } = pdu.short_message;
  counts.submits += 1;
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
  if (holding) return;
  bind.waiting.push({ pdu, id });
  counts.inFlightMax = Math.max(counts.inFlightMax, bind.waiting.length);
  bind.timer = bind.timer || setTimeout(answer, GATHER_MS, bind);
}

/** Sends a deliver_sm by any bind, and again after a temporary error, as an SMSC does. */
function deliver(delivery) {
  const bind = [...sessions].find((candidate) => candidate.bound);
  if (!bind) return;
  delivery.attempts += 1;
  bind.session.deliver_sm(delivery.pdu, (response) => {
    delivery.statuses.push(response.command_status);
    if (response.command_status === smpp.ESME_ROK) counts.delivered += 1;
    else if (response.command_status === smpp.ESME_RX_T_APPN) {
      counts.temporary += 1;
      deliver(delivery);
    } else counts.unexpected += 1;
  });
}

function deliverNew(kind, pdu) {
  const delivery = { kind, pdu, attempts: 0, statuses: [] };
  deliveries.push(delivery);
  counts.deliveries += 1;
  deliver(delivery);
}

function receipt(pdu, id) {
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
  });
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
