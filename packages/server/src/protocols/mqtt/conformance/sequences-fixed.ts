// Packets whose form is fixed, and those that only servers send or nobody may send.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import { PROPERTY_CASES, encoded, UNKNOWN_IDENTIFIERS } from './property-table.ts';
import {
  byte,
  ends,
  type Hex,
  lives,
  MALFORMED,
  packet,
  properties,
  PROTOCOL_ERROR,
  strange,
  VERSIONS,
} from './sequence.ts';

const NIBBLES = Array.from({ length: 16 }, (_, flags) => flags);

/** A body of each packet type that would do if the packet were allowed. */
const BODIES: readonly (readonly [name: string, first: number, body: Readonly<Record<MqttVersion, Hex>>])[] = [
  ['CONNACK', 0x20, { 4: '0000', 5: '000000' }],
  ['PUBLISH', 0x30, { 4: '00017078', 5: '0001700078' }],
  ['PUBACK', 0x40, { 4: '0001', 5: '0001' }],
  ['PUBREC', 0x50, { 4: '0001', 5: '0001' }],
  ['PUBREL', 0x62, { 4: '0001', 5: '0001' }],
  ['PUBCOMP', 0x70, { 4: '0001', 5: '0001' }],
  ['SUBSCRIBE', 0x82, { 4: '000100017000', 5: '00010000017000' }],
  ['SUBACK', 0x90, { 4: '000100', 5: '00010000' }],
  ['UNSUBSCRIBE', 0xa2, { 4: '0001000170', 5: '000100000170' }],
  ['UNSUBACK', 0xb0, { 4: '0001', 5: '00010000' }],
  ['PINGREQ', 0xc0, { 4: '', 5: '' }],
  ['PINGRESP', 0xd0, { 4: '', 5: '' }],
  ['DISCONNECT', 0xe0, { 4: '', 5: '00' }],
  ['AUTH', 0xf0, { 4: '', 5: '1800' }],
];

/** [MQTT-3.1.0-1]: nothing comes before CONNECT. */
function beforeConnect(): Sequence[] {
  const rows: Sequence[] = [];
  for (const version of VERSIONS) {
    for (const [group, first, body] of BODIES) {
      const whole = packet(first, body[version]);
      rows.push(strange({ group, name: `${byte(first)} [MQTT-3.1.0-1]`, version, sent: whole }));
      rows.push(strange({ group, name: `${byte(first)} empty before CONNECT`, version, sent: packet(first, '') }));
    }
    for (const first of NIBBLES) {
      const name = `${byte(first)} first packet`;
      rows.push(strange({ group: 'FORBIDDEN', name, version, sent: packet(first, '') }));
    }
  }
  return rows;
}

/** Packet type 0 is reserved (2.1.2). */
function forbidden(): Sequence[] {
  const group = 'FORBIDDEN';
  return VERSIONS.flatMap((version) =>
    NIBBLES.flatMap((first) => [
      ends({ group, name: byte(first), version, sent: packet(first, '') }, PROTOCOL_ERROR),
      ends({ group, name: `${byte(first)} long`, version, sent: packet(first, '00') }, PROTOCOL_ERROR),
    ]),
  );
}

/** CONNACK, SUBACK, UNSUBACK, PINGRESP and AUTH: a client does not send them, in whatever form. */
function fromServersOnly(): Sequence[] {
  const rows: Sequence[] = [];
  for (const version of VERSIONS) {
    for (const [group, first, body] of BODIES) {
      if (!['CONNACK', 'SUBACK', 'UNSUBACK', 'AUTH'].includes(group)) continue;
      const whole = body[version];
      for (const flags of NIBBLES) {
        // The acknowledgements of subscriptions are judged by their flags first, the others not at all.
        const reason = flags !== 0 && group.endsWith('UBACK') ? MALFORMED : PROTOCOL_ERROR;
        rows.push(ends({ group, name: byte(first | flags), version, sent: packet(first | flags, whole) }, reason));
      }
      for (let length = 0; length < whole.length; length += 2) {
        const name = `${byte(first)} short ${length / 2}`;
        rows.push(ends({ group, name, version, sent: packet(first, whole.slice(0, length)) }, PROTOCOL_ERROR));
      }
      rows.push(ends({ group, name: 'long', version, sent: packet(first, `${whole}00`) }, PROTOCOL_ERROR));
    }
  }
  return [...rows, ...reasonsOfServers(), ...propertiesOfServers()];
}

function reasonsOfServers(): Sequence[] {
  const rows: Sequence[] = [];
  for (let code = 0; code < 256; code++) {
    const name = `reason code ${byte(code)}`;
    const bodies = [
      ['CONNACK', 0x20, `00${byte(code)}00`],
      ['SUBACK', 0x90, `000100${byte(code)}`],
      ['UNSUBACK', 0xb0, `000100${byte(code)}`],
      ['AUTH', 0xf0, `${byte(code)}00`],
    ] as const;
    for (const [group, first, body] of bodies) {
      rows.push(ends({ group, name, version: 5, sent: packet(first, body) }, PROTOCOL_ERROR));
    }
  }
  for (let flags = 0; flags < 256; flags++) {
    const name = `flags ${byte(flags)}`;
    rows.push(ends({ group: 'CONNACK', name, version: 4, sent: packet(0x20, `${byte(flags)}00`) }, undefined));
    rows.push(ends({ group: 'CONNACK', name, version: 5, sent: packet(0x20, `${byte(flags)}0000`) }, PROTOCOL_ERROR));
  }
  return rows;
}

function propertiesOfServers(): Sequence[] {
  const all = [
    ...PROPERTY_CASES.map((row) => [row.name, encoded(row)] as const),
    ...PROPERTY_CASES.map((row) => [`${row.name} missing`, byte(row.id)] as const),
    ...UNKNOWN_IDENTIFIERS.map((id) => [`unknown-property ${id}`, `${id}01`] as const),
  ];
  return all.flatMap(([name, hex]) => {
    const props = properties(hex);
    const bodies = [
      ['CONNACK', 0x20, `0000${props}`],
      ['SUBACK', 0x90, `0001${props}00`],
      ['UNSUBACK', 0xb0, `0001${props}00`],
      ['AUTH', 0xf0, `18${props}`],
    ] as const;
    return bodies.map(([group, first, body]) =>
      ends(
        { group: `${group} PROPERTIES`, name: `with ${name}`, version: 5, sent: packet(first, body) },
        PROTOCOL_ERROR,
      ),
    );
  });
}

/** PINGREQ and PINGRESP are two bytes; with a length the byte stream cannot be followed and nothing is said. */
function pings(): Sequence[] {
  return VERSIONS.flatMap((version) =>
    NIBBLES.flatMap((flags) => {
      const request = { group: 'PINGREQ', name: byte(0xc0 | flags), version, sent: packet(0xc0 | flags, '') };
      const response = { group: 'PINGRESP', name: byte(0xd0 | flags), version, sent: packet(0xd0 | flags, '') };
      return [
        flags === 0 ? lives(request, 'd000') : ends(request, MALFORMED),
        ends(response, PROTOCOL_ERROR),
        ends({ ...request, name: `${request.name} long`, sent: packet(0xc0 | flags, '00') }, undefined),
        ends({ ...response, name: `${response.name} long`, sent: packet(0xd0 | flags, '00') }, undefined),
      ];
    }),
  );
}

/** DISCONNECT: any reason is taken (the client is leaving), any broken form is answered. */
function disconnects(): Sequence[] {
  const group = 'DISCONNECT';
  const rows: Sequence[] = [];
  for (const version of VERSIONS) {
    for (const flags of NIBBLES) {
      const sent = packet(0xe0 | flags, '');
      rows.push(ends({ group, name: byte(0xe0 | flags), version, sent }, flags === 0 ? undefined : MALFORMED));
    }
  }
  rows.push(ends({ group, name: 'long', version: 4, sent: 'e00100' }, undefined));
  for (let code = 0; code < 256; code++) {
    const rc = byte(code);
    rows.push(ends({ group, name: `RC=${rc}`, version: 5, sent: packet(0xe0, rc) }, undefined));
    rows.push(ends({ group, name: `RC=${rc} PL=0`, version: 5, sent: packet(0xe0, `${rc}00`) }, undefined));
  }
  rows.push(ends({ group, name: 'long', version: 5, sent: packet(0xe0, '000000') }, MALFORMED));
  rows.push(ends({ group, name: 'property length over the end', version: 5, sent: packet(0xe0, '0001') }, MALFORMED));
  return rows;
}

export function fixedSequences(): Sequence[] {
  return [...beforeConnect(), ...forbidden(), ...fromServersOnly(), ...pings(), ...disconnects()];
}
