import { findingOf, type Trial } from '../trial.ts';
import { prove } from './prove.ts';

/** Devices of the attacks: they enrolled and proved themselves like any other. */
export const EXTRA = {
  /** Runs the newer firmware; the attacker's own, and the bench on which images are flashed. */
  bench: 'hub-4',
  /** Runs the older firmware; overheard first, and the forger later. */
  old: 'hub-5',
} as const;

export const EXTRAS: Trial = {
  name: 'attackers',
  title: 'two more hubs enroll and prove themselves, for the attacks',
  expected: 'an insider is a proven device like any other',
  async perform(stage) {
    const { older, newer } = stage.firmware;
    const versions = { [EXTRA.bench]: newer.version, [EXTRA.old]: older.version };
    const claim = await stage.claim({ serials: Object.values(EXTRA), autoRegister: false });
    const postures: [string, string, boolean][] = [];
    for (const [serial, version] of Object.entries(versions)) {
      const hub = await stage.addHub(serial, version, {});
      const identity = await hub.enroll({ kind: 'fleet', claim, format: 'json', key: 'csr' });
      const connection = await stage.connectAs(identity);
      const posture = await prove(connection, hub);
      connection.close();
      await connection.closed;
      postures.push([serial, `${posture} on ${version}`, posture === 'proven']);
    }
    return findingOf(postures);
  },
};
