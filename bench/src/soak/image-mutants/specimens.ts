import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from '../../../../packages/wire/src/esp32/index.ts';
import { nsibFirmware } from '../../../../packages/wire/src/nordic/sample-firmware.ts';
import { decodePem } from '../../../../packages/wire/src/pem/index.ts';
import { decodeCertificate } from '../../../../packages/wire/src/x509/index.ts';
import {
  type ImageFormatName,
  ImageVerifier,
  type PolicyOf,
  prepareImage,
} from '../../../../packages/trust/src/boot/index.ts';
import {
  espV1Anatomy,
  espV2Anatomy,
  mcubootAnatomy,
  nsibAnatomy,
  nxpAnatomy,
  raucAnatomy,
  swuAnatomy,
  zipAnatomy,
} from './anatomy.ts';
import type { Anatomy, Specimen } from './specimen.ts';

const VECTORS = new URL('../../../../packages/wire/vectors/', import.meta.url);
const vector = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(new URL(name, VECTORS)));
const keyOf = (name: string): KeyObject => createPrivateKey(readFileSync(new URL(name, VECTORS)));
const certificate = (name: string) => decodeCertificate(vector(name));
const pemCertificate = (name: string) => decodeCertificate(decodePem(vector(name), 'CERTIFICATE'));

/** The public half, of either half. */
function spkiOf(name: string): Uint8Array {
  return Uint8Array.from(createPublicKey(readFileSync(new URL(name, VECTORS))).export({ type: 'spki', format: 'der' }));
}

interface Source<Name extends ImageFormatName> {
  readonly format: Name;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly keys: readonly Uint8Array[];
  readonly policy?: PolicyOf<Name>;
  readonly anatomy: (bytes: Uint8Array) => Anatomy;
  readonly repair?: (bytes: Uint8Array) => void;
}

function specimen<Name extends ImageFormatName>(source: Source<Name>): Specimen {
  const { format, name, bytes, keys, policy, anatomy, repair } = source;
  const verifier = new ImageVerifier(format, keys);
  return {
    format,
    name,
    bytes,
    anatomy: anatomy(bytes),
    verify: (mutant) => verifier.verify(mutant, policy),
    ...(repair === undefined ? {} : { repair }),
  };
}

/** The images of each format, made by the vendors' tools where there are any. */
export function makeSpecimens(): readonly Specimen[] {
  return [...mcuboot(), ...encrypted(), ...esp(), ...nordic(), ...nxp(), ...psoc64(), ...linux()];
}

const MCUBOOT = [
  'full-root-ec-p256',
  'full-root-rsa-3072',
  'full-root-ed25519',
  'plain-root-ec-p384',
  'plain-root-rsa-2048',
  'pure-root-ed25519',
  'padded-confirmed-p256',
] as const;
const ROOTS = ['rsa-2048', 'rsa-3072', 'ec-p256', 'ec-p384', 'ed25519'].map((name) => `mcuboot/keys/root-${name}.pem`);

function mcuboot(): Specimen[] {
  const keys = ROOTS.map(spkiOf);
  return MCUBOOT.map((name) => {
    const bytes = vector(`mcuboot/${name}.bin`);
    const repair = (mutant: Uint8Array): void => setMcubootHash(bytes, mutant);
    return specimen({ format: 'mcuboot', name, bytes, keys, anatomy: mcubootAnatomy, repair });
  });
}

function encrypted(): Specimen[] {
  const keys = ROOTS.map(spkiOf);
  return ['enc-ec256-128', 'enc-rsa2048-256', 'enc-x25519-128'].map((name) =>
    specimen({
      format: 'mcuboot',
      name: `encrypted ${name}`,
      bytes: vector(`mcuboot/enc-${name}.bin`),
      keys,
      policy: { decryptionKey: keyOf(`mcuboot/keys/${name.replace(/-\d+$/, '')}-priv.pem`) },
      anatomy: mcubootAnatomy,
    }),
  );
}

const HASH_TLVS: ReadonlyMap<number, string> = new Map([
  [0x10, 'sha256'],
  [0x11, 'sha384'],
  [0x12, 'sha512'],
]);

/** Writes the hash of what a changed image covers where the original has its hash. */
function setMcubootHash(original: Uint8Array, mutant: Uint8Array): void {
  const unprotected = mcubootAnatomy(original).parts.filter(({ name }) => name === 'unprotected TLV');
  const covered = (unprotected[0]?.start ?? 0) - 4;
  for (const { start, end } of unprotected) {
    const algorithm = HASH_TLVS.get(original[start] ?? 0);
    if (algorithm === undefined) continue;
    mutant.set(createHash(algorithm).update(mutant.subarray(0, covered)).digest(), start + 4);
    if (end - start < 36) throw new Error('hash');
  }
}

function esp(): Specimen[] {
  const v2 = ['rsa3072', 'ecdsa192', 'ecdsa256'].map((name) =>
    specimen({
      format: 'esp32-v2',
      name,
      bytes: vector(`esp32/sbv2-${name}.bin`),
      keys: [spkiOf(`esp32/${name}.pem`)],
      anatomy: espV2Anatomy,
      repair: setEspDigests,
    }),
  );
  const bytes = vector('esp32/sbv1.bin');
  return [
    ...v2,
    specimen({ format: 'esp32-v1', name: 'sbv1', bytes, keys: [spkiOf('esp32/sbv1.pem')], anatomy: espV1Anatomy }),
  ];
}

function setEspDigests(mutant: Uint8Array): void {
  const sector = mutant.length - 4096;
  const data = new DataView(mutant.buffer, mutant.byteOffset);
  const digest = createHash('sha256').update(mutant.subarray(0, sector)).digest();
  for (let at = sector; at < sector + 3 * 1216; at += 1216) {
    if (mutant[at] !== 0xe7) continue;
    mutant.set(digest, at + 4);
    data.setUint32(at + 1196, crc32(mutant.subarray(at, at + 1196)), true);
  }
}

function nordic(): Specimen[] {
  const packages = ['app', 'app-sha', 'app-ecdsa'].map((name) => {
    const bytes = vector(`nordic/${name}.zip`);
    return specimen({
      format: 'nrf5-dfu',
      name,
      bytes,
      keys: [spkiOf('nordic/key.pem')],
      anatomy: zipAnatomy,
      repair: (mutant) => setZipSums(bytes, mutant),
    });
  });
  return [...packages, nsib()];
}

function setZipSums(original: Uint8Array, mutant: Uint8Array): void {
  const data = new DataView(mutant.buffer, mutant.byteOffset);
  const was = new DataView(original.buffer, original.byteOffset);
  for (const part of zipAnatomy(original).parts.filter(({ name }) => name === 'entry')) {
    const local = was.getUint32(part.start + 42, true);
    const from = local + 30 + was.getUint16(part.start + 28, true);
    const sum = crc32(mutant.subarray(from, from + was.getUint32(part.start + 20, true)));
    data.setUint32(part.start + 16, sum, true);
    data.setUint32(local + 14, sum, true);
  }
}

/** No tool signs and verifies these outside a build: ours does. */
function nsib(): Specimen {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const publicKeySpki = Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
  const prepared = prepareImage('nsib', nsibFirmware(), {}, { publicKeySpki });
  const bytes = prepared.finish(sign('sha256', prepared.request.message, privateKey));
  return specimen({
    format: 'nsib',
    name: 'nrf5340',
    bytes,
    keys: [publicKeySpki],
    anatomy: (image) => nsibAnatomy(image, 0x200),
    repair(mutant) {
      const block = mutant.length - 176;
      mutant.set(createHash('sha256').update(mutant.subarray(0, block)).digest(), block + 16);
    },
  });
}

function nxp(): Specimen[] {
  const roots = [0, 1, 2, 3].map((index) => certificate(`nxp/root${index}.der`).spki.raw);
  const image = (name: string): Specimen =>
    specimen({
      format: 'nxp-lpc55',
      name,
      bytes: vector(`nxp/${name}.bin`),
      keys: roots,
      anatomy: (bytes) =>
        nxpAnatomy(bytes, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0x28, true), [0x20, 0x28]),
    });
  const binary = (name: string): Specimen =>
    specimen({
      format: 'nxp-lpc55',
      name: `SB2.1 ${name}`,
      bytes: vector(`nxp/${name}.sb2`),
      keys: roots,
      anatomy: (bytes) => nxpAnatomy(bytes, 208, [28, 32, 40]),
    });
  return [image('single'), image('chain'), image('one'), binary('sb8008')];
}

function psoc64(): Specimen[] {
  return ['boot', 'upgrade'].map((name) => {
    const bytes = vector(`psoc64/${name}.bin`);
    return specimen({
      format: 'psoc64',
      name,
      bytes,
      keys: [spkiOf('psoc64/key.pem')],
      anatomy: mcubootAnatomy,
      repair: (mutant) => setMcubootHash(bytes, mutant),
    });
  });
}

function linux(): Specimen[] {
  const rauc = ['ec', 'rsa'].map((name) =>
    specimen({
      format: 'rauc',
      name,
      bytes: vector(`rauc/${name}.raucb`),
      keys: [],
      policy: { anchors: [pemCertificate('rauc/ca.pem')] },
      anatomy: raucAnatomy,
    }),
  );
  const swu = ['ec', 'rsa', 'raw-pkcs1', 'raw-pss'].map((name) =>
    specimen({
      format: 'swupdate',
      name,
      bytes: vector(`swupdate/${name}.swu`),
      keys: name.startsWith('raw') ? [spkiOf('swupdate/rsa.pem')] : [],
      policy: { anchors: [pemCertificate('swupdate/ca.pem')] },
      anatomy: swuAnatomy,
    }),
  );
  return [...rauc, ...swu];
}
