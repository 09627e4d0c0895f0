import type { Stranger } from '../stranger.ts';
import { runOutsideSuite } from '../world/outside-suite.ts';
import { debianVersion, toolVersion } from '../world/run-tool.ts';

/** A token by others, its keys made by others: the addon is compiled when it is met. */
export const softhsm: Stranger = {
  name: 'softhsm2, opensc, pkcs11js',
  source: 'Debian',
  deed: 'hold the issuing key: every algorithm, 200 at once, a wrong PIN, the token away and back; openssl verifies',
  install: 'apt-get install softhsm2 opensc g++ make',
  version: async () => {
    const isThere = await Promise.all(['pkcs11-tool', 'g++', 'make'].map((name) => toolVersion(name, ['--version'])));
    return isThere.includes(undefined) ? undefined : debianVersion('softhsm2');
  },
  meet: (_world, report) => runOutsideSuite('softhsm', report),
};
