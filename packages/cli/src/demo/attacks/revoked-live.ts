import { ADMITTED, askHttps, credentialsOf, knock } from '../outsider.ts';
import { findingOf, type Trial } from '../trial.ts';

const DEVICE = 'stolen-1';
const WITHIN_MS = 5000;

/** The device of this attack; it stays revoked. */
export const REVOKED_DEVICE = DEVICE;

export const REVOKED_LIVE: Trial = {
  name: 'revoked-live',
  title: 'a device is revoked while it is connected',
  expected: 'MQTT ends with DISCONNECT 0x98, HTTPS ends too, and it does not get in again',
  async perform(stage) {
    const { clock, client } = stage;
    const claim = await stage.claim({ serials: [DEVICE], autoRegister: true });
    const who = credentialsOf(await stage.enrollBare(claim, DEVICE));
    const https = await askHttps(stage, who);
    const mqtt = await knock(stage, who);
    const began = clock.monotonicMs();
    await client.call('devices.revoke', { device: DEVICE, body: { reason: 'keyCompromise' } });
    await Promise.all([mqtt.line.closed(), https.line.closed()]);
    const ms = Math.round(Math.max(mqtt.line.closedAt ?? 0, https.line.closedAt ?? 0) - began);
    const again = await knock(stage, who);
    await again.line.close();
    return findingOf([
      ['before', `${mqtt.answer}, ${https.answer}`, mqtt.answer === ADMITTED && https.answer === 'HTTP 404'],
      ['MQTT', mqtt.line.ending, mqtt.line.ending === 'DISCONNECT 0x98'],
      ['both cut after', `${ms} ms`, ms < WITHIN_MS],
      ['next connection', again.answer, again.answer === 'CONNACK notAuthorized'],
    ]);
  },
};
