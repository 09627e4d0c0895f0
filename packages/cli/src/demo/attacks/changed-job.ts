import { verifyReleaseManifest } from '@holdfast/crypto';
import { decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { withDatabase } from '../database.ts';
import { executionsEnded } from '../rollouts.ts';
import { type Stage, STORY_HUBS } from '../stage.ts';
import { release } from '../story/beginning.ts';
import { findingOf, type Trial } from '../trial.ts';

const VERSION = '7.30.0';

export const CHANGED_JOB: Trial = {
  name: 'changed-job',
  title: 'the job document is changed in the database while the device is away',
  expected: 'the server does not give it out, and the device would not believe it: the manifest is signed',
  async perform(stage) {
    const { serial } = STORY_HUBS.csr;
    const hub = stage.hub(serial);
    const releaseId = await release(stage, VERSION, 3, stage.firmware.newer.bytes);
    await hub.stop();
    const rollout = await stage.client.call('rollouts.create', { body: { releaseId, devices: [serial] } });
    const manifest = changeJob(stage, releaseId);
    const verdict = verifyReleaseManifest(encodeUtf8(manifest), stage.factory.trust.releaseRoot);
    const before = hub.events.length;
    hub.start();
    const [execution] = await executionsEnded(stage, rollout.id, 1);
    const staged = hub.events.slice(before).some(({ kind }) => kind === 'staged');
    const { firmware } = await stage.client.call('devices.show', { device: serial });
    const { outcome = 'open', reason = '' } = execution ?? {};
    return findingOf([
      ['server', `${outcome}, ${reason}`, reason === 'update.manifest_refused'],
      [
        'device, shown the document',
        verdict.kind === 'refused' ? verdict.reason : verdict.kind,
        verdict.kind === 'refused',
      ],
      ['installed', staged ? 'something' : 'nothing', !staged],
      ['runs', firmware?.version ?? '-', firmware?.version === stage.firmware.newer.version],
    ]);
  },
};

/** Another hash in the manifest, its signature left as it was. @returns the changed manifest as a device would get it */
function changeJob({ server }: Stage, releaseId: string): string {
  return withDatabase(server.dataFolder, (database) => {
    const row = database.prepare('SELECT job_id, document FROM jobs WHERE release_id = ?').get(releaseId);
    if (row === undefined) throw new HoldfastError('update.unknown_job', { release: releaseId });
    const document = JSON.parse(String(row['document'])) as { holdfast: { manifest: { payload: string } } };
    const { manifest } = document.holdfast;
    const payload = decodeUtf8(Buffer.from(manifest.payload, 'base64'));
    const changed = payload.replace(/[0-9a-f]{64}/, (hash) => hash.split('').reverse().join(''));
    manifest.payload = Buffer.from(changed).toString('base64');
    database
      .prepare('UPDATE jobs SET document = ? WHERE job_id = ?')
      .run(JSON.stringify(document), String(row['job_id']));
    return JSON.stringify(manifest);
  });
}
