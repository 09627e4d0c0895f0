import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mcubootPublicKey } from '../../../../packages/crypto/src/mcuboot/index.ts';
import { vectorKey, VECTOR_KEYS } from '../../../../packages/crypto/src/mcuboot/sample-images.ts';
import { encodeBootProgram } from '../../../../packages/crypto/src/virtual-chip/boot-program.ts';
import {
  makeTestKey,
  signTestBootloader,
  signTestImage,
  type TestKey,
} from '../../../../packages/crypto/src/virtual-chip/testing/images.ts';
import { imageWorld } from '../../../../packages/crypto/src/virtual-chip/testing/worlds.ts';
import type { Dice } from '../soak.ts';
import { espCases, espKeyFiles } from './esp-cases.ts';
import { MCUBOOT_POLICIES, mcubootCases, signSmall } from './mcuboot-cases.ts';
import { spkiOf } from './spki.ts';
import type { StageCase } from './stage-trial.ts';
import type { ChipCase, TrialInput, VerifyCase } from './verify-trial.ts';

const DECRYPTION = new URL('../../../../packages/wire/vectors/mcuboot/keys/enc-ec256-priv.pem', import.meta.url);

/** Images good and bad, signed by the unchanged code. */
export function makeCorpus(dice: Dice, extra: number): TrialInput {
  const key = makeTestKey();
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  return {
    mcubootKeys: [key.spki, ...VECTOR_KEYS.map((name) => mcubootPublicKey(vectorKey(name)).key.spki)],
    espKeys: [key.spki, ...[p384, ...espKeyFiles()].map(spkiOf)],
    decryptionPem: readFileSync(DECRYPTION, 'utf8'),
    cases: [...mcubootCases(key.privateKey), ...espCases(key, p384), ...drawnCases(dice, key, extra)],
    chips: chipCases(key),
    stages: stageCase(key),
  };
}

function stageCase(key: TestKey): StageCase {
  const boot = makeTestKey();
  const other = makeTestKey();
  const program = (payload: Uint8Array): Uint8Array => signTestImage(boot, { counter: 0, payload });
  return {
    bootKey: boot.spki,
    bootloader: signTestBootloader(boot, key),
    others: [
      signTestBootloader(other, key),
      signTestBootloader(boot, other),
      program(new Uint8Array(20)),
      program(encodeBootProgram([])),
      program(encodeBootProgram(Array.from({ length: 5 }, () => key.spki))),
    ],
    firmware: signTestImage(key, { version: '1.0.0', counter: 1 }),
  };
}

/** Changes that nobody thought of. */
function drawnCases(dice: Dice, key: TestKey, count: number): readonly VerifyCase[] {
  const image = signSmall(key.privateKey, { securityCounter: 5 });
  return Array.from({ length: count }, () => {
    const slot = image.slice();
    for (let changes = 1 + dice.below(3); changes > 0; changes--) slot[dice.below(slot.length)] = dice.below(256);
    const policy = MCUBOOT_POLICIES[dice.below(MCUBOOT_POLICIES.length)] ?? 'plain';
    return { format: 'mcuboot', slot, policy, minCounter: dice.below(7) };
  });
}

const WAYS = [
  ['stm32l4', 'swap-move'],
  ['stm32l4', 'swap-offset'],
  ['nrf52840', 'direct-xip'],
  ['lpc55s69', 'overwrite-only'],
  ['esp32-c3', 'esp-ota'],
  ['linux', 'linux-ab'],
] as const;

function chipCases(key: TestKey): readonly ChipCase[] {
  return WAYS.map(([chip, strategy]) => {
    const { sign } = imageWorld(chip, key);
    return {
      chip,
      strategy,
      from: sign({ version: '1.0.0', counter: 1 }),
      to: sign({ version: '2.0.0', counter: 3 }),
      later: sign({ version: '2.0.1', counter: 3 }),
      lower: sign({ version: '3.0.0', counter: 2 }),
    };
  });
}
