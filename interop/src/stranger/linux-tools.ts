import type { Report, Stranger } from '../stranger.ts';
import { versionOf } from './command.ts';
import { runRauc } from './rauc.ts';
import { runSwupdate } from './swupdate.ts';

export const rauc: Stranger = {
  name: 'rauc',
  source: 'Debian',
  deed: 'verifies the bundles we sign and signs bundles we verify, with drawn contents and signers',
  install: 'apt-get install rauc squashfs-tools',
  version: () => Promise.resolve(versionOf('rauc', ['--version'])),
  meet: (_world, report) => comparing(report, runRauc),
};

export const swupdate: Stranger = {
  name: 'swupdate',
  source: 'Debian',
  deed: 'judges the packages we sign as we judge those that OpenSSL signed, with drawn files and signers',
  install: 'apt-get install swupdate',
  version: () => Promise.resolve(versionOf('swupdate', ['--version'])),
  meet: (_world, report) => comparing(report, runSwupdate),
};

async function comparing(report: Report, compare: (report: Report) => Promise<boolean>): Promise<void> {
  if (!(await compare(report))) throw new Error('the tool is gone');
}
