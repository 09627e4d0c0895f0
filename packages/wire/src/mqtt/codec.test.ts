import { concatBytes, decodeHex, encodeHex, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ConnectPacket,
  decodePacket,
  encodeAck,
  encodeConnack,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSuback,
  encodeSubscribe,
  encodeUnsubscribe,
  faultReason,
  type FrameSink,
  FrameSplitter,
  type MqttPacket,
  type MqttVersion,
  PINGREQ,
} from './index.ts';

function decodeOne(bytes: Uint8Array, version: MqttVersion): MqttPacket {
  const packets = split([bytes], version);
  expect(packets).toHaveLength(1);
  return packets[0] as MqttPacket;
}

function split(chunks: readonly Uint8Array[], version: MqttVersion, maxPacketSize = 1_000_000): MqttPacket[] {
  const packets: MqttPacket[] = [];
  const splitter = new FrameSplitter(maxPacketSize);
  const sink: FrameSink = {
    frame(first, bytes, _start, body, end) {
      packets.push(decodePacket(first, bytes.subarray(body, end), version));
      return true;
    },
  };
  for (const chunk of chunks) splitter.push(chunk, sink);
  return packets;
}

const hex = (text: string) => decodeHex(text.replaceAll(' ', ''));

const connect5: Omit<ConnectPacket, 'kind'> = {
  version: 5,
  clean: true,
  keepAlive: 60,
  clientId: 'sensor-1',
  will: {
    topic: 'gone',
    payload: encodeUtf8('bye'),
    qos: 2,
    retain: true,
    properties: { willDelayInterval: 5, contentType: 'text/plain' },
  },
  userName: 'someone',
  password: Uint8Array.of(1, 0, 2),
  properties: {
    sessionExpiryInterval: 10,
    receiveMaximum: 3,
    userProperties: [
      ['a', '1'],
      ['a', '2'],
    ],
  },
};

const EXAMPLES: readonly (readonly [string, MqttVersion, Uint8Array])[] = [
  ['connect 5', 5, encodeConnect(connect5)],
  ['connect 3.1.1', 4, encodeConnect({ ...connect5, version: 4, properties: {}, will: undefined })],
  ['connack 3.1.1', 4, encodeConnack({ sessionPresent: true, reason: 0 }, 4)],
  ['connack 5', 5, encodeConnack({ sessionPresent: false, reason: 0x87, properties: { reasonString: 'no' } }, 5)],
  [
    'publish 5',
    5,
    encodePublish(
      {
        topic: 'a/b',
        payload: encodeUtf8('x'),
        qos: 1,
        packetId: 7,
        properties: {
          topicAlias: 3,
          subscriptionIdentifiers: [1, 200],
          responseTopic: 'r',
          correlationData: hex('00'),
        },
      },
      5,
    ),
  ],
  ['publish 3.1.1', 4, encodePublish({ topic: 'ä/𪛔', payload: new Uint8Array(200), retain: true }, 4)],
  ['puback', 5, encodeAck({ kind: 'puback', packetId: 1, reason: 0x10, properties: { reasonString: 'r' } }, 5)],
  ['pubrec', 4, encodeAck({ kind: 'pubrec', packetId: 65_535 }, 4)],
  ['pubrel', 5, encodeAck({ kind: 'pubrel', packetId: 2, reason: 0x92 }, 5)],
  ['pubcomp', 4, encodeAck({ kind: 'pubcomp', packetId: 2 }, 4)],
  [
    'subscribe 5',
    5,
    encodeSubscribe(
      {
        packetId: 9,
        subscriptions: [
          { text: '$share/g/a/#', qos: 1, retainAsPublished: true, retainHandling: 2 },
          { text: '+', qos: 2, noLocal: true },
        ],
        properties: { subscriptionIdentifiers: [268_435_455] },
      },
      5,
    ),
  ],
  ['subscribe 3.1.1', 4, encodeSubscribe({ packetId: 9, subscriptions: [{ text: 'a', qos: 0 }] }, 4)],
  ['suback', 5, encodeSuback({ kind: 'suback', packetId: 9, reasons: [0, 1, 0x87] }, 5)],
  ['unsubscribe', 5, encodeUnsubscribe({ packetId: 10, filters: ['a', 'b/+'] }, 5)],
  ['unsuback 3.1.1', 4, encodeSuback({ kind: 'unsuback', packetId: 9, reasons: [] }, 4)],
  ['unsuback 5', 5, encodeSuback({ kind: 'unsuback', packetId: 9, reasons: [0x11] }, 5)],
  ['pingreq', 4, PINGREQ],
  ['disconnect', 5, encodeReasonPacket({ kind: 'disconnect', reason: 0x98, properties: { serverReference: 's' } }, 5)],
  ['auth', 5, encodeReasonPacket({ kind: 'auth', reason: 0x18, properties: { authenticationMethod: 'm' } }, 5)],
];

/** Encodes what was decoded; the inverse of `decodePacket`. */
function encodeAgain(packet: MqttPacket, version: MqttVersion): Uint8Array {
  switch (packet.kind) {
    case 'connect':
      return encodeConnect(packet);
    case 'connack':
      return encodeConnack(packet, version);
    case 'publish':
      return encodePublish(packet, version);
    case 'subscribe':
      return encodeSubscribe(packet, version);
    case 'unsubscribe':
      return encodeUnsubscribe(packet, version);
    case 'suback':
    case 'unsuback':
      return encodeSuback(packet, version);
    case 'disconnect':
    case 'auth':
      return encodeReasonPacket(packet, version);
    case 'pingreq':
      return PINGREQ;
    case 'pingresp':
    case 'unsupported-protocol':
      throw new Error(packet.kind);
    default:
      return encodeAck(packet, version);
  }
}

describe('MQTT packets', () => {
  it('reads the CONNECT example of the MQTT 5 standard (figure 3-6)', () => {
    const header = '00 04 4D 51 54 54 05 CE 00 0A 05 11 00 00 00 0A'; // as printed
    const whole = hex(`10 1D ${header} 0000 00 0001 74 0001 70 0000 0000`);
    expect(decodeOne(whole, 5)).toMatchObject({
      keepAlive: 10,
      clean: true,
      will: { qos: 1, retain: false, topic: 't' },
      properties: { sessionExpiryInterval: 10 },
    });
  });

  it.each(EXAMPLES)('gives %s back as it was after decoding and encoding', (_name, version, bytes) => {
    expect(encodeHex(encodeAgain(decodeOne(bytes, version), version))).toBe(encodeHex(bytes));
  });

  it.each(EXAMPLES)(
    'answers every truncation of %s with a coded error or a shorter packet',
    (_name, version, bytes) => {
      for (let length = 2; length < bytes.length; length++) {
        const body = bytes.subarray(2, length);
        try {
          decodePacket(bytes[0] ?? 0, body, version);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }
    },
  );

  it('answers any bytes with packets or a coded error, whatever the chunks', () => {
    const start = fc.constantFrom(...EXAMPLES.map(([, , bytes]) => bytes));
    const mutation = fc.record({
      at: fc.nat(300),
      byte: fc.nat(255),
      cut: fc.nat(300),
      version: fc.constantFrom(4, 5),
    });
    fc.assert(
      fc.property(start, mutation, fc.uint8Array({ maxLength: 16 }), (example, { at, byte, cut, version }, tail) => {
        const bytes = concatBytes(example, tail);
        bytes[at % bytes.length] = byte;
        try {
          split([bytes.subarray(0, cut % bytes.length), bytes.subarray(cut % bytes.length)], version);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
          if (HoldfastError.is(error)) expect([0x81, 0x82, 0x95, undefined]).toContain(faultReason(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('FrameSplitter', () => {
  it('finds the same packets at every pair of cuts', () => {
    const stream = concatBytes(...EXAMPLES.filter(([, version]) => version === 5).map(([, , bytes]) => bytes));
    const whole = split([stream], 5).map((packet) => packet.kind);
    for (let first = 0; first <= stream.length; first += 3) {
      const second = Math.min(stream.length, first + 5);
      const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
      expect(split(chunks, 5).map((packet) => packet.kind)).toEqual(whole);
    }
    expect(
      split(
        [...stream].map((byte) => Uint8Array.of(byte)),
        5,
      ),
    ).toHaveLength(whole.length);
  });

  it('refuses a packet over the limit as soon as its header is there (CVE-2017-7651)', () => {
    expect(() => split([hex('10FFFFFF7F')], 5)).toThrowError(
      expect.objectContaining({ code: 'communication.mqtt_too_large' }),
    );
  });

  it('loses the framing at a remaining length of five bytes or in a longer form than needed', () => {
    for (const bytes of ['10FFFFFFFF7F', 'C08000', 'C0808000']) {
      expect(() => split([hex(bytes)], 5)).toThrowError(
        expect.objectContaining({ code: 'communication.mqtt_framing' }),
      );
    }
  });

  it('stops where the sink stops and tells how much it used', () => {
    const splitter = new FrameSplitter(100);
    expect(splitter.push(hex('C000C000'), { frame: () => false })).toBe(2);
  });
});
