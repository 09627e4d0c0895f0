import type { Stranger } from '../stranger.ts';
import { runOutsideSuite } from '../world/outside-suite.ts';
import { versionOf } from './image-tools.ts';

/** A store that speaks S3, written by others: whoever holds the bucket sees sealed bytes alone. */
export const s3: Stranger = {
  name: 'moto (S3)',
  source: 'PyPI',
  deed: 'keeps sealed firmware: conformance suite, parts, broken uploads, a server that starts again',
  install: "pip install 'moto[server]'",
  version: () => versionOf(['moto.server:main', 'moto']),
  meet: (_world, report) => runOutsideSuite('s3', report),
};
