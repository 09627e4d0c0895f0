import { readFileSync } from 'node:fs';
import { verifyMcubootImage } from '@holdfast/crypto';
import {
  VECTOR_KEYS,
  vectorFile,
  vectorKey,
  vectorPublicKey,
} from '../../../packages/crypto/src/mcuboot/sample-images.ts';
import {
  type McubootVector,
  mcubootVectors,
  strictestVerdict,
} from '../../../packages/crypto/src/mcuboot/vector-manifest.ts';
import { WYCHEPROOF } from '../../../packages/crypto/src/primitives/testing/wycheproof.ts';
import { startBrokerProgram } from '../../../packages/server/src/protocols/mqtt/testing/broker-program.ts';
import { socketWire } from '../../../packages/server/src/protocols/mqtt/testing/socket-wire.ts';
import { loadSequences, playSequence } from '../../../packages/server/src/protocols/mqtt/testing/vectors.ts';
import { judgeLimboCase, type LimboCase } from '../conformance/limbo.ts';
import { expectEqual, check, type Report, type Stranger } from '../stranger.ts';

const LIMBO = new URL('../../../packages/crypto/vectors/x509/limbo-sample.json', import.meta.url);

/** For the cases that name no time. */
const LIMBO_NOW = Date.UTC(2026, 5, 1);

export const mqttSequences = kept('wire sequences of eclipse/mosquitto', '2.0.20', {
  deed: 'played over sockets against the MQTT core alone',
  meet: async (report) => {
    const program = await startBrokerProgram();
    try {
      for (const sequence of loadSequences()) {
        const fault = await playSequence(sequence, () => socketWire(program.port));
        report({ name: sequence.title, ok: fault === undefined, ...(fault === undefined ? {} : { detail: fault }) });
      }
    } finally {
      await program.stop();
    }
  },
});

export const limboSample = kept('sample of C2SP/x509-limbo', 'as kept', {
  deed: 'paths judged as the suite expects',
  meet: (report) => {
    type Expected = LimboCase & { readonly expected_result: 'SUCCESS' | 'FAILURE' };
    const { testcases } = JSON.parse(readFileSync(LIMBO, 'utf8')) as { readonly testcases: readonly Expected[] };
    for (const limbo of testcases) {
      const { verdict, reason } = judgeLimboCase(limbo, LIMBO_NOW);
      const ok = (verdict === 'accept') === (limbo.expected_result === 'SUCCESS');
      report({ name: limbo.id, ok, detail: reason });
    }
  },
});

export const mcubootImages = kept('images of imgtool, judged by bootutil', '2.4.0', {
  deed: 'get the strictest of the two verdicts; the encrypted ones decrypt to the payload',
  meet: async (report) => {
    for (const vector of mcubootVectors()) await check(report, vector.file, () => judgeImage(vector));
  },
});

export const wycheproof = kept('vectors of C2SP/wycheproof', 'testvectors_v1', {
  deed: 'signatures, authenticated encryption, key wrap, derivation and agreement',
  meet: (report) => {
    for (const { file, title, expected, run } of WYCHEPROOF) countSuite(report, `${file}, ${title}`, expected, run());
  },
});

function judgeImage(vector: McubootVector): void {
  const bytes = vectorFile(vector.file);
  const keys = VECTOR_KEYS.map(vectorPublicKey);
  if (vector.decrypt_key === undefined) {
    expectEqual(verifyMcubootImage(bytes, keys).kind, strictestVerdict(vector), 'verdict');
    return;
  }
  const decryptionKey = vectorKey(vector.decrypt_key.replace('.pem', ''));
  const verdict = verifyMcubootImage(bytes, keys, { decryptionKey });
  const payload = verdict.kind === 'accepted' ? Buffer.from(verdict.payload) : Buffer.alloc(0);
  const plain = Buffer.from(vectorFile('app.bin'));
  expectEqual(payload.subarray(0, plain.length).equals(plain), true, 'decrypts to the payload');
}

/** One line for each vector: those whose verdict fell as often as it must pass. */
function countSuite(
  report: Report,
  name: string,
  expected: Readonly<Record<string, number>>,
  counts: Readonly<Record<string, number>>,
): void {
  for (const verdict of new Set([...Object.keys(expected), ...Object.keys(counts)])) {
    const [should, is] = [expected[verdict] ?? 0, counts[verdict] ?? 0];
    for (let at = 0; at < Math.max(should, is); at++) {
      report({ name: `${name}: ${verdict}`, ok: at < Math.min(should, is), detail: `${is} instead of ${should}` });
    }
  }
}

interface KeptSuite {
  readonly deed: string;
  readonly meet: (report: Report) => Promise<void> | void;
}

/** Somebody else's suite that lies in this repository: never missing. */
function kept(name: string, version: string, suite: KeptSuite): Stranger {
  return {
    name,
    source: 'kept here',
    deed: suite.deed,
    install: 'git checkout -- packages',
    version: () => Promise.resolve(version),
    meet: async (_world, report) => {
      await suite.meet(report);
    },
  };
}
