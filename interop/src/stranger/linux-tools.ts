import type { Report, Stranger } from '../stranger.ts';
import { versionOf } from './command.ts';
import { runRauc } from './rauc.ts';
import { runSwupdate } from './swupdate.ts';

/** Each case starts the tool several times; swupdate takes a second a start. */
const CASES = { rauc: 12, swupdate: 5 } as const;

export const rauc: Stranger = {
  name: 'rauc',
  source: 'Debian',
  deed: 'verifies the bundles we sign and signs bundles we verify, with drawn contents and signers',
  install: 'apt-get install rauc squashfs-tools',
  version: () => Promise.resolve(versionOf('rauc', ['--version'])),
  meet: (_world, report) => comparing(report, runRauc, CASES.rauc),
};

export const swupdate: Stranger = {
  name: 'swupdate',
  source: 'Debian',
  deed: 'judges the packages we sign as we judge those that OpenSSL signed, with drawn files and signers',
  install: 'apt-get install swupdate',
  version: () => Promise.resolve(versionOf('swupdate', ['--version'])),
  meet: (_world, report) => comparing(report, runSwupdate, CASES.swupdate),
};

async function comparing(
  report: Report,
  compare: (report: Report, cases: number) => Promise<boolean>,
  cases: number,
): Promise<void> {
  if (!(await compare(report, cases))) throw new Error('the tool is gone');
}
