// Exchanges: what is acknowledged how, and what is said when it is not.
import type { MqttVersion, Qos } from '@holdfast/wire/mqtt';
import type { Sequence } from '../testing/vectors.ts';
import { byte, field, flow, type Hex, packet, properties, VERSIONS } from './sequence.ts';

const group = 'FLOW';
const TOPIC = field('70');
const MESSAGE = '6d657373616765';

type Steps = Sequence['msgs'];

const send = (payload: Hex) => ({ type: 'send', payload }) as const;
const recv = (payload: Hex) => ({ type: 'recv', payload }) as const;

const none = (version: MqttVersion): Hex => (version === 5 ? properties('') : '');

function subscribed(version: MqttVersion, qos: Qos): Steps {
  return [
    send(packet(0x82, `1234${none(version)}${TOPIC}${byte(qos)}`)),
    recv(packet(0x90, `1234${none(version)}${byte(qos)}`)),
  ];
}

function message(version: MqttVersion, qos: Qos, mid: Hex): Hex {
  return packet(0x30 | (qos << 1), TOPIC + (qos === 0 ? '' : mid) + none(version) + MESSAGE);
}

/** Another client publishes; this one gets it with the identifier 1. */
function delivered(version: MqttVersion, qos: Qos): Steps {
  return [
    ...subscribed(version, qos),
    { type: 'publish', topic: 'p', payload: 'message', qos },
    recv(message(version, qos, '0001')),
  ];
}

const PUBACK = send('40020001');
const PUBREC = send('50020001');
const PUBREL = recv('62020001');
const PUBCOMP = send('70020001');
/** A PUBREL of the client that nothing waits for is answered. */
const STRAY_PUBREL = [send('62020001'), recv('70020001')] as const;
const ANSWERED: Steps = [send('c000'), recv('d000')];

interface Exchange {
  readonly name: string;
  readonly qos: Qos;
  readonly steps: Steps;
  readonly ends?: boolean;
}

/** What a subscriber may say of a message, and what not (4.3.2, 4.3.3). */
const DELIVERIES: readonly Exchange[] = [
  { name: 'QoS 0 receive ok', qos: 0, steps: [] },
  { name: 'QoS 0 PUBLISH-PUBACK', qos: 0, steps: [PUBACK] },
  { name: 'QoS 1 receive ok', qos: 1, steps: [PUBACK] },
  { name: 'QoS 1 not acknowledged', qos: 1, steps: ANSWERED },
  { name: 'QoS 1 PUBLISH-PUBACK-PUBACK', qos: 1, steps: [PUBACK, PUBACK] },
  { name: 'QoS 1 PUBLISH-PUBREC', qos: 1, steps: [PUBREC], ends: true },
  { name: 'QoS 1 PUBLISH-PUBCOMP', qos: 1, steps: [PUBCOMP], ends: true },
  { name: 'QoS 1 PUBLISH-PUBREL', qos: 1, steps: STRAY_PUBREL },
  { name: 'QoS 1 PUBACK of another', qos: 1, steps: [send('40020002'), PUBACK] },
  { name: 'QoS 2 receive ok', qos: 2, steps: [PUBREC, PUBREL, PUBCOMP] },
  { name: 'QoS 2 not acknowledged', qos: 2, steps: ANSWERED },
  { name: 'QoS 2 half way', qos: 2, steps: [PUBREC, PUBREL, ...ANSWERED] },
  { name: 'QoS 2 PUBLISH-PUBREC-PUBREL-PUBREC', qos: 2, steps: [PUBREC, PUBREL, PUBREC, PUBREL] },
  { name: 'QoS 2 PUBCOMP twice', qos: 2, steps: [PUBREC, PUBREL, PUBCOMP, PUBCOMP] },
  { name: 'QoS 2 PUBLISH-PUBACK', qos: 2, steps: [PUBACK], ends: true },
  { name: 'QoS 2 PUBLISH-PUBCOMP', qos: 2, steps: [PUBCOMP], ends: true },
  { name: 'QoS 2 PUBLISH-PUBREL', qos: 2, steps: STRAY_PUBREL },
  { name: 'QoS 2 PUBLISH-PUBREC-PUBREL-PUBACK', qos: 2, steps: [PUBREC, PUBREL, PUBACK], ends: true },
];

/** MQTT 5 says why; 3.1.1 hears nothing. */
function deliveries(version: MqttVersion): Sequence[] {
  return DELIVERIES.map(({ name, qos, steps, ends = false }) => {
    const told = ends && version === 5 ? [recv('e00182')] : [];
    return flow(group, name, version, [...delivered(version, qos), ...steps, ...told], ends);
  });
}

/** PUBREC with a reason of 0x80 or more ends the exchange: the identifier is free again (4.3.3). */
function refusals(): Sequence[] {
  return [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99].map((reason) =>
    flow(group, `QoS 2 PUBLISH-PUBREC ${byte(reason)}`, 5, [
      ...delivered(5, 2),
      send(`50030001${byte(reason)}`),
      send('70020001'),
      ...ANSWERED,
    ]),
  );
}

/** What a publisher says, and what it is answered. */
function publications(version: MqttVersion): Sequence[] {
  const nobody = version === 5 ? '4003123410' : '40021234';
  const one = send(message(version, 1, '1234'));
  const two = send(message(version, 2, '1234'));
  const again = send(message(version, 2, '1234').replace(/^34/, '3c'));
  const pubrec = recv('50021234');
  const pubrel = send('62021234');
  const pubcomp = recv('70021234');
  const rows: readonly (readonly [string, Steps])[] = [
    ['QoS 1 send ok', [one, recv(nobody)]],
    ['QoS 1 send, identifier used again', [one, recv(nobody), one, recv(nobody)]],
    ['QoS 2 send ok', [two, pubrec, pubrel, pubcomp]],
    ['QoS 2 send, repeated with DUP', [two, pubrec, again, pubrec, pubrel, pubcomp]],
    ['QoS 2 send, repeated without DUP', [two, pubrec, two, pubrec, pubrel, pubcomp]],
    ['QoS 2 send, PUBREL repeated', [two, pubrec, pubrel, pubcomp, pubrel, pubcomp]],
    ['QoS 2 send, identifier used again', [two, pubrec, pubrel, pubcomp, two, pubrec, pubrel, pubcomp]],
    ['QoS 2 send, two at once', [two, send(message(version, 2, '1235')), pubrec, recv('50021235'), pubrel, pubcomp]],
    ['QoS 2 send never released', [two, pubrec, ...ANSWERED]],
  ];
  return rows.map(([name, steps]) => flow(group, name, version, steps));
}

/** A client hears its own message: before the acknowledgement or after, the standard leaves open; here before. */
function toOneself(version: MqttVersion): Sequence[] {
  const acknowledged = recv('40021234');
  return [
    flow(group, 'QoS 0 self receive ok', version, [
      ...subscribed(version, 1),
      send(message(version, 0, '')),
      recv(message(version, 0, '')),
    ]),
    flow(group, 'QoS 1 sent, QoS 0 self receive', version, [
      ...subscribed(version, 0),
      send(message(version, 1, '1234')),
      recv(message(version, 0, '')),
      acknowledged,
    ]),
    flow(group, 'after UNSUBSCRIBE nothing is received', version, [
      ...subscribed(version, 0),
      send(packet(0xa2, `1234${none(version)}${TOPIC}`)),
      recv(packet(0xb0, version === 5 ? '12340000' : '1234')),
      send(message(version, 0, '')),
      ...ANSWERED,
    ]),
  ];
}

export function flowSequences(): Sequence[] {
  return [
    ...VERSIONS.flatMap((version) => [...deliveries(version), ...publications(version), ...toOneself(version)]),
    ...refusals(),
  ];
}
