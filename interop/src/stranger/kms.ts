import type { Stranger } from '../stranger.ts';
import { runOutsideSuite } from '../world/outside-suite.ts';
import { versionOf } from './image-tools.ts';

/** A service that speaks as AWS KMS does, written by others. */
export const kms: Stranger = {
  name: 'moto (KMS)',
  source: 'PyPI',
  deed: 'holds the issuing key: every algorithm, a service that hangs and comes back; openssl verifies',
  install: "pip install 'moto[server]'",
  version: () => versionOf(['moto.server:main', 'moto']),
  meet: (_world, report) => runOutsideSuite('kms', report),
};
