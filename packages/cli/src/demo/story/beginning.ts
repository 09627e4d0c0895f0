import type { MqttConnection } from '@holdfast/device';
import { publish } from '../../factory/factory.ts';
import type { Hub } from '../hub.ts';
import { enrollmentOf, GROUP, PRODUCT, type Stage, STORY_HUBS, type StoryHub } from '../stage.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { prove, talk } from './prove.ts';

const KINDS = Object.keys(STORY_HUBS) as StoryHub[];

/** From an empty registry to three devices that are proven and online. */
export const BEGINNING: readonly Trial[] = [
  {
    name: 'factory',
    title: 'a factory makes three hubs: boot chain, first firmware, fuses, trust anchors',
    expected: 'every hub boots the older firmware, signed by the server as an MCUboot image',
    async perform(stage) {
      const { older } = stage.firmware;
      await release(stage, older.version, 1, older.bytes);
      const observations: Observation[] = [];
      for (const kind of KINDS) {
        const { serial, run } = STORY_HUBS[kind];
        // What two of them say to the server goes through a tap, for the search for secrets.
        const address = kind === 'csr' ? stage.address : stage.tapped;
        const hub = await stage.addHub(serial, older.version, { ...run, address, groups: [GROUP] });
        const { kind: mode, descriptor } = hub.made.device.boot();
        const isRight = mode === 'application' && descriptor.version === older.version;
        observations.push([serial, `${mode} ${descriptor.version}`, isRight]);
      }
      return findingOf(observations);
    },
  },
  {
    name: 'enroll',
    title: 'they enroll: by claim with CSR, by claim with keys, by EST',
    expected: 'one active certificate each, through three doors',
    async perform(stage) {
      const observations = await Promise.all(
        KINDS.map(async (kind): Promise<Observation> => {
          const { serial } = STORY_HUBS[kind];
          const claim = await stage.claim({ serials: [serial], autoRegister: false });
          await stage.hub(serial).enroll(enrollmentOf(kind, claim));
          const { certificates } = await stage.client.call('devices.show', { device: serial });
          const active = certificates.filter(({ state }) => state === 'active');
          const [only] = active;
          const keyOrigin = kind === 'keys' ? 'server' : 'device';
          const isRight = active.length === 1 && only?.keyOrigin === keyOrigin;
          return [serial, `${only?.door ?? 'nothing'}, key made by the ${only?.keyOrigin ?? '-'}`, isRight];
        }),
      );
      return findingOf(observations);
    },
  },
  {
    name: 'restricted-until-proven',
    title: 'with a good certificate but no proof they may only prove themselves',
    expected: 'their own topics refused before the evidence, open after it, on one connection',
    async perform(stage) {
      const observations = await Promise.all(KINDS.map((kind) => restrictedThenProven(stage, STORY_HUBS[kind].serial)));
      for (const kind of KINDS) stage.hub(STORY_HUBS[kind].serial).start();
      await Promise.all(KINDS.map((kind) => online(stage, stage.hub(STORY_HUBS[kind].serial))));
      return findingOf(observations);
    },
  },
];

async function restrictedThenProven(stage: Stage, serial: string): Promise<Observation> {
  const hub = stage.hub(serial);
  const identity = await hub.identity();
  const connection: MqttConnection = await stage.connectAs(identity);
  try {
    const before = await talk(connection, identity);
    const posture = await prove(connection, hub);
    const after = await talk(connection, identity);
    const isRight = before === 'notAuthorized' && posture === 'proven' && after === 'accepted';
    return [serial, `${before}, then ${posture}, then ${after}`, isRight];
  } finally {
    connection.close();
    await connection.closed;
  }
}

async function online(stage: Stage, hub: Hub): Promise<void> {
  await hub.until('proven', 0, (event) => event.kind === 'evidence' && event.reply.posture === 'proven', stage.signal);
}

/** Publishes firmware as a release of the product and keeps the signed image. @returns the release's id */
export async function release(
  stage: Stage,
  version: string,
  securityCounter: number,
  firmware: Uint8Array,
): Promise<string> {
  const id = await publish(stage.client, { product: PRODUCT, version, securityCounter, firmware });
  stage.images.set(version, await stage.client.call('releases.image', { release: id }));
  return id;
}
