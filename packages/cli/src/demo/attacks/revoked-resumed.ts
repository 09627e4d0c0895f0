import type { OutsiderLine } from '../outsider-line.ts';
import {
  ADMITTED,
  askHttps,
  type Credentials,
  credentialsOf,
  type Knock,
  type KnockOptions,
  knock,
  TLS_VERSIONS,
  type TlsVersion,
} from '../outsider.ts';
import type { Stage } from '../stage.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { until } from '../waiting.ts';

const DEVICE = 'stolen-2';

interface Door {
  readonly name: string;
  readonly knock: (stage: Stage, who: Credentials, options: KnockOptions) => Promise<Knock>;
  readonly admitted: string;
  /** Whether an answer is a refusal. */
  readonly isRefusal: (answer: string) => boolean;
}

const DOORS: readonly Door[] = [
  { name: 'MQTT', knock, admitted: ADMITTED, isRefusal: (answer) => answer === 'CONNACK notAuthorized' },
  {
    name: 'HTTPS',
    knock: askHttps,
    admitted: 'HTTP 404',
    isRefusal: (answer) => /^(HTTP 40[13]|no answer)/.test(answer),
  },
];

interface Ticket {
  readonly door: Door;
  readonly tls: TlsVersion;
  readonly session: Buffer;
  /** Whether a session resumed with such a ticket was served before the revocation: else the attack shows nothing. */
  readonly worked: boolean;
}

export const REVOKED_RESUMED: Trial = {
  name: 'revoked-resumed',
  title: 'a revoked device takes up its old TLS sessions again',
  expected: 'TLS 1.2 and 1.3 sessions resume without showing a certificate, and are refused all the same',
  async perform(stage) {
    const claim = await stage.claim({ serials: [DEVICE], autoRegister: true });
    const who = credentialsOf(await stage.enrollBare(claim, DEVICE));
    const tickets: Ticket[] = [];
    for (const door of DOORS) for (const tls of TLS_VERSIONS) tickets.push(await collect(stage, who, door, tls));
    await stage.client.call('devices.revoke', { device: DEVICE, body: { reason: 'keyCompromise' } });
    const observations: Observation[] = [];
    for (const { door, tls, session, worked } of tickets) {
      const { answer, resumed, line } = await door.knock(stage, who, { tls, session });
      await line.close();
      const before = worked ? 'served before' : 'not served before';
      const right = worked && resumed && door.isRefusal(answer);
      observations.push([`${door.name} ${tls}`, `${before}, ${resumed ? 'resumed' : 'not resumed'}, ${answer}`, right]);
    }
    return findingOf(observations);
  },
};

/** A ticket of a full handshake, after one that resumed was seen to be served. */
async function collect(stage: Stage, who: Credentials, door: Door, tls: TlsVersion): Promise<Ticket> {
  const full = await door.knock(stage, who, { tls });
  const session = await ticketOf(stage, full.line);
  await leave(stage, who, full.line);
  const resumed = await door.knock(stage, who, { tls, session });
  const worked = full.answer === door.admitted && resumed.resumed && resumed.answer === door.admitted;
  // TLS 1.3 wants a ticket used once; the one that is kept is new.
  const kept = await ticketOf(stage, resumed.line, session);
  await leave(stage, who, resumed.line);
  return { door, tls, session: kept, worked };
}

async function ticketOf(stage: Stage, line: OutsiderLine, fallback?: Buffer): Promise<Buffer> {
  return until('a session ticket', async () => line.ticket ?? fallback, stage);
}

/** Goes away and waits until the server has seen it, so that the next connection takes nothing over. */
async function leave(stage: Stage, { clientId }: Credentials, line: OutsiderLine): Promise<void> {
  await line.close();
  const isGone = async (): Promise<true | undefined> => {
    const { presence } = await stage.client.call('devices.show', { device: clientId });
    return presence.connected ? undefined : true;
  };
  await until(`${clientId} to be seen offline`, isGone, stage);
}
