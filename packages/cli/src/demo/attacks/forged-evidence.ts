import { createPublicKey } from 'node:crypto';
import {
  type Attester,
  type DiceKey,
  deriveDiceKey,
  diceId,
  issueAnchorCertificate,
  issueLayerCertificate,
  type LayerMeasurement,
  layerInputs,
} from '@holdfast/crypto';
import { type BootResult, HoldfastRequests, JobsClient, type MqttConnection } from '@holdfast/device';
import { decodeBase64Url, decodeHex, HoldfastError, systemRandom } from '@holdfast/kernel';
import type { Hub } from '../hub.ts';
import { executionsEnded } from '../rollouts.ts';
import { PRODUCT, type Stage } from '../stage.ts';
import { EXTRA } from '../story/extras.ts';
import { findingOf, type Observation, type Trial } from '../trial.ts';
import { until } from '../waiting.ts';

const FORGED = 'posture.evidence_forged';

export const FORGED_EVIDENCE: Trial = {
  name: 'forged-evidence',
  title: 'old firmware says SUCCEEDED and forges the evidence of the new one',
  expected: 'every forgery refused; the update waits for proof, and honest evidence ends it as rolled back',
  async perform(stage) {
    const hub = stage.hub(EXTRA.old);
    const releaseId = await newerRelease(stage);
    const rollout = await stage.client.call('rollouts.create', { body: { releaseId, devices: [hub.id] } });
    const connection = await stage.connectAs(await hub.identity());
    try {
      const taken = await claimSuccess(stage, connection, hub);
      const boot = hub.made.device.boot();
      const observations: Observation[] = [['its SUCCEEDED', taken, taken === 'taken']];
      for (const [what, forgery] of Object.entries(await forgeries(stage, releaseId, boot))) {
        const answer = await offer(connection, hub, forgery);
        observations.push([what, answer, answer === FORGED]);
      }
      const { executions } = await stage.client.call('rollouts.show', { rollout: rollout.id });
      const { status = '-', awaitingProof = false } = executions[0] ?? {};
      // What it really runs: to the update this means that it went back.
      const honest = await offer(connection, hub, boot);
      const [ended] = await executionsEnded(stage, rollout.id, 1);
      const { firmware } = await stage.client.call('devices.show', { device: hub.id });
      return findingOf([
        ...observations,
        [
          'update meanwhile',
          awaitingProof ? `${status}, awaiting proof` : status,
          status === 'IN_PROGRESS' && awaitingProof,
        ],
        ['honest evidence', honest, honest === 'proven'],
        ['update then', ended?.outcome ?? 'open', ended?.outcome === 'rolled-back'],
        ['known to run', firmware?.version ?? '-', firmware?.version === stage.firmware.older.version],
      ]);
    } finally {
      connection.close();
    }
  },
};

async function newerRelease({ client, firmware }: Stage): Promise<string> {
  const { rows } = await client.call('releases.list', {});
  return rows.find(({ product, version }) => product === PRODUCT && version === firmware.newer.version)?.id ?? '';
}

/** The device's word that it is done. @returns whether the server took it */
async function claimSuccess(stage: Stage, connection: MqttConnection, hub: Hub): Promise<string> {
  const jobs = new JobsClient(connection, hub.id, systemRandom);
  const job = await until('the job', () => jobs.startNext(), stage);
  return jobs.finish(job.jobId, 'SUCCEEDED', { version: stage.firmware.newer.version });
}

async function offer(connection: MqttConnection, { id, made }: Hub, boot: BootResult): Promise<string> {
  try {
    return (await new HoldfastRequests(connection, id).prove(boot, made.profile.ueid)).posture;
  } catch (error) {
    if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
    return String(error.details['code']);
  }
}

/** Everything old firmware can try: it holds its own leaf key and chain, and may write what it likes. */
async function forgeries(stage: Stage, releaseId: string, boot: BootResult): Promise<Record<string, BootResult>> {
  const { image } = await stage.client.call('releases.show', { release: releaseId });
  const { version } = stage.firmware.newer;
  const descriptor = { ...boot.descriptor, version, securityCounter: 2, bootState: 'confirmed' } as const;
  const digest = decodeHex(String(image['measurement']));
  const inputs = layerInputs(digest, digest, descriptor, 'normal');
  const measured: LayerMeasurement = { inputs, descriptor, digest, digestAlgorithm: 'sha256', layer: 2 };
  const [leaf, bootloader, anchor] = boot.attester.chain;
  if (leaf === undefined || bootloader === undefined || anchor === undefined) throw new TypeError('a short chain');
  const own = leafKeyOf(boot.attester);
  const made = deriveDiceKey(systemRandom.bytes(32));
  const forgedLeaf = issueLayerCertificate(own, made, measured, 'leaf');
  const forged = (chain: readonly Uint8Array[]): BootResult => ({
    ...boot,
    descriptor,
    attester: { privateKey: made.privateKey, chain },
  });
  return {
    'claims alone': { ...boot, descriptor },
    'a leaf it signed itself': forged([forgedLeaf, bootloader, anchor]),
    'a further layer': forged([forgedLeaf, leaf, bootloader, anchor]),
    'a chain of its own': forged(chainOf(made, measured)),
    'a token of a device that runs it': stage.hub(EXTRA.bench).made.device.boot(),
  };
}

function leafKeyOf({ privateKey }: Attester): DiceKey {
  const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const point = Uint8Array.of(4, ...decodeBase64Url(x), ...decodeBase64Url(y));
  return { privateKey, point, id: diceId(point) };
}

/** Anchor, bootloader and leaf under a secret that is not in the fuses. */
function chainOf(leaf: DiceKey, measured: LayerMeasurement): readonly Uint8Array[] {
  const anchor = deriveDiceKey(systemRandom.bytes(32));
  const bootloader = deriveDiceKey(systemRandom.bytes(32));
  return [
    issueLayerCertificate(bootloader, leaf, measured, 'leaf'),
    issueLayerCertificate(anchor, bootloader, { ...measured, layer: 1 }, 'layer'),
    issueAnchorCertificate(anchor),
  ];
}
