import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  type EspPolicy,
  type EspPublicKey,
  espPublicKey,
  judgeSecureBootV2,
} from '../../../../packages/crypto/src/esp32/index.ts';
import {
  type McubootPolicy,
  type McubootPublicKey,
  mcubootPublicKey,
} from '../../../../packages/crypto/src/mcuboot/index.ts';
import { sha256 } from '../../../../packages/crypto/src/primitives/hash.ts';
import type { ChipId, StrategyName } from '../../../../packages/crypto/src/virtual-chip/chips.ts';
import type { Fault } from '../../../../packages/crypto/src/virtual-chip/faults.ts';
import { espJudge, type ImageJudge, mcubootJudge } from '../../../../packages/crypto/src/virtual-chip/image-judge.ts';
import { createVirtualChip, type VirtualChip } from '../../../../packages/crypto/src/virtual-chip/virtual-chip.ts';
import { encodeHex, HoldfastError } from '../../../../packages/kernel/src/index.ts';
import { findEspChip } from '../../../../packages/wire/src/esp32/index.ts';
import { type StageCase, stagesOf } from './stage-trial.ts';

/** What a verifier is told beside the keys. */
export type TrialPolicy =
  | 'plain'
  | 'padded-signatures'
  | 'psoc64'
  | 'clear'
  | 'decrypting'
  | 'clear-with-key'
  | 'non-bootable'
  | 'esp-c3'
  | 'esp-c2'
  | 'esp-paged'
  | 'esp-one-block';

/** A slot to be judged. */
export interface VerifyCase {
  /** `esp-file`: a signed file that need be no application. */
  readonly format: 'mcuboot' | 'esp32' | 'esp32-c3' | 'esp-file';
  readonly slot: Uint8Array;
  readonly policy: TrialPolicy;
  readonly minCounter: number | undefined;
}

/** A chip to be driven. */
export interface ChipCase {
  readonly chip: ChipId;
  readonly strategy: StrategyName;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** Later, with the counter of `to`. */
  readonly later: Uint8Array;
  /** With a counter between. */
  readonly lower: Uint8Array;
}

export interface TrialInput {
  /** SubjectPublicKeyInfo of the keys the boot code trusts. */
  readonly mcubootKeys: readonly Uint8Array[];
  readonly espKeys: readonly Uint8Array[];
  readonly decryptionPem: string;
  readonly cases: readonly VerifyCase[];
  readonly chips: readonly ChipCase[];
  readonly stages: StageCase;
}

/** What this build of the boot code makes of the input, one line a case. */
export function observe(input: TrialInput): readonly string[] {
  const keys = keysOf(input);
  const verdicts = input.cases.map((each) => guarded(() => judged(keys, each)));
  const drives = input.chips.map((drive) => guarded(() => driven(drive, judgeOf(keys, formatOf(drive.chip), 'plain'))));
  return [...verdicts, ...drives, ...stagesOf(input.stages).map((stage) => guarded(stage))];
}

function guarded(act: () => string): string {
  try {
    return act();
  } catch (error) {
    return HoldfastError.is(error) ? `refused ${error.code}` : `throws ${String(error)}`;
  }
}

function formatOf(chip: ChipId): VerifyCase['format'] {
  return chip === 'esp32' || chip === 'esp32-c3' ? chip : 'mcuboot';
}

interface Keys {
  readonly mcuboot: readonly McubootPublicKey[];
  readonly esp: readonly EspPublicKey[];
  readonly decryptionKey: KeyObject;
}

function keysOf({ mcubootKeys, espKeys, decryptionPem }: TrialInput): Keys {
  return {
    mcuboot: mcubootKeys.map((spki) => mcubootPublicKey(spki)),
    esp: espKeys.map(espPublicKey),
    decryptionKey: createPrivateKey(decryptionPem),
  };
}

function mcubootPolicy(policy: TrialPolicy, decryptionKey: KeyObject): McubootPolicy {
  const policies: Readonly<Partial<Record<TrialPolicy, McubootPolicy>>> = {
    'padded-signatures': { paddedSignatures: true },
    psoc64: { headerFilling: true, vendorTypes: [0x81] },
    clear: { clear: true },
    decrypting: { decryptionKey },
    'clear-with-key': { clear: true, decryptionKey },
    'non-bootable': { nonBootable: true },
  };
  return policies[policy] ?? {};
}

function espPolicy(policy: TrialPolicy): EspPolicy {
  const [c3, c2] = [findEspChip('esp32-c3'), findEspChip('esp32-c2')];
  if (policy === 'esp-c3' && c3 !== undefined) return { chip: c3 };
  if (policy === 'esp-c2' && c2 !== undefined) return { chip: c2 };
  if (policy === 'esp-paged') return { securePage: 65_536 };
  return policy === 'esp-one-block' ? { maxBlocks: 1 } : {};
}

function judgeOf({ mcuboot, esp, decryptionKey }: Keys, format: VerifyCase['format'], policy: TrialPolicy): ImageJudge {
  if (format === 'mcuboot') return mcubootJudge(mcuboot, mcubootPolicy(policy, decryptionKey));
  const chip = findEspChip(format);
  if (chip === undefined) throw new TypeError(format);
  return espJudge(esp, chip);
}

function judged(keys: Keys, { format, policy, slot, minCounter }: VerifyCase): string {
  const terms = minCounter === undefined ? {} : { minCounter };
  if (format === 'esp-file') {
    const { covered, digest, key, app } = judgeSecureBootV2(slot, keys.esp, { ...espPolicy(policy), ...terms });
    const { segments, ...rest } = app ?? { segments: [] };
    const told = JSON.stringify({ ...rest, digest: undefined });
    return ['accepted', key.scheme, covered.length, encodeHex(digest), segments.length, told].join(' ');
  }
  const verdict = judgeOf(keys, format, policy)(slot, { address: 0x8000, ...terms });
  if (verdict.kind === 'refused') return `refused ${verdict.code}`;
  const { version, rank, securityCounter, size, digest, digestAlgorithm, payload, covered, authority } = verdict;
  const hashes = [payload, covered, authority].map((bytes) => encodeHex(sha256(bytes)).slice(0, 16));
  return ['accepted', version, rank, securityCounter, size, digestAlgorithm, encodeHex(digest), ...hashes].join(' ');
}

const EVIL = new Uint8Array(48).fill(0x66);

/** An update, a downgrade, flash replaced after each read, rot; everything a boot says, in one line. */
function driven({ chip: id, strategy, from, to, later, lower }: ChipCase, judge: ImageJudge): string {
  const smallest = Math.max(from.length, to.length, later.length, lower.length);
  const chip = createVirtualChip(id, { strategy, smallest, judge });
  const said: string[] = [];
  const boot = (faults: readonly Fault[] = []): void => void said.push(told(chip, faults));
  chip.provision(from);
  boot();
  const start = chip.save();
  for (let read = 1; read <= 12; read++) {
    chip.load(start);
    boot([{ kind: 'replace', read, address: chip.plan.primary.address + 40, bytes: EVIL }]);
    said.push(encodeHex(sha256(chip.flash.snapshot().subarray(0, chip.flash.size))).slice(0, 8));
    boot();
  }
  chip.load(start);
  const send = (image: Uint8Array): void => {
    said.push(chip.stage(image).kind);
    boot();
    chip.confirm();
    boot();
    boot();
  };
  const ruin = (slot: 'primary' | 'secondary'): void => {
    const flash = chip.flash.snapshot();
    flash.fill(0x33, chip.plan[slot].address + 40, chip.plan[slot].address + 44);
    chip.flash.restoreSnapshot(flash);
    boot();
    boot();
  };
  send(to);
  send(later);
  const kept = chip.save();
  for (const slot of ['primary', 'secondary'] as const) {
    chip.load(kept);
    ruin(slot);
  }
  chip.load(kept);
  send(lower);
  send(from);
  ruin('primary');
  ruin('secondary');
  said.push(chip.stage(to).kind);
  boot();
  return said.join('; ');
}

function told(chip: VirtualChip, faults: readonly Fault[]): string {
  const verdict = chip.boot(faults);
  const events = verdict.events.map((event) => JSON.stringify(event)).join();
  const what =
    verdict.kind === 'running'
      ? `${verdict.slot} ${verdict.image.version} ${verdict.state} ${verdict.securityCounter}`
      : verdict.kind === 'safe-mode'
        ? verdict.code
        : '';
  return `${verdict.kind} ${what} ${chip.securityCounter} ${events}`;
}
