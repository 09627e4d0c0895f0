import { ByteReader, ByteWriter } from '@holdfast/kernel';
import { TPM_GENERATED } from './constants.ts';
import { malformed, readSized, unsupported, writeSized } from './fields.ts';
import { type PcrSelection, readPcrSelections, writePcrSelections } from './pcr-selection.ts';

/** When, by the TPM's own count. A changed `resetCount` or `restartCount` means that the machine started again. */
export interface TpmClockInfo {
  /** Milliseconds the TPM was powered, over its life. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly safe: boolean;
}

interface AttestHead {
  readonly qualifiedSigner: Uint8Array;
  /** What the asker gave: a nonce. */
  readonly extraData: Uint8Array;
  readonly clockInfo: TpmClockInfo;
  readonly firmwareVersion: bigint;
}

/** TPMS_ATTEST of a quote or a certified object (TPM 2.0 part 2, 10.12.12). */
export type TpmAttest =
  | (AttestHead & {
      readonly kind: 'quote';
      readonly selections: readonly PcrSelection[];
      readonly pcrDigest: Uint8Array;
    })
  | (AttestHead & { readonly kind: 'certify'; readonly name: Uint8Array; readonly qualifiedName: Uint8Array });

const KINDS = { quote: 0x8018, certify: 0x8017 } as const;
const MAX_NAME = 66;
const MAX_DATA = 66;

/**
 * Decodes what a restricted key signed.
 *
 * @throws `wire.malformed` when it does not begin as only the TPM itself can begin something it signs
 * @throws `wire.unsupported` for other kinds of attestation; `wire.truncated`, `wire.trailing_bytes`, `wire.too_large`
 */
export function decodeTpmAttest(bytes: Uint8Array): TpmAttest {
  const reader = new ByteReader(bytes);
  if (reader.u32be('magic') !== TPM_GENERATED) throw malformed(reader, 'magic');
  const type = reader.u16be('type');
  if (type !== KINDS.quote && type !== KINDS.certify) throw unsupported(reader, 'type');
  const head = readHead(reader);
  const attest: TpmAttest =
    type === KINDS.quote
      ? {
          kind: 'quote',
          ...head,
          selections: readPcrSelections(reader),
          pcrDigest: readSized(reader, 'pcrDigest', 64),
        }
      : {
          kind: 'certify',
          ...head,
          name: readSized(reader, 'name', MAX_NAME),
          qualifiedName: readSized(reader, 'qualifiedName', MAX_NAME),
        };
  reader.end('attest');
  return attest;
}

export function encodeTpmAttest(attest: TpmAttest): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(192).u32be(TPM_GENERATED).u16be(KINDS[attest.kind]);
  writeSized(writeSized(writer, attest.qualifiedSigner), attest.extraData);
  const { clock, resetCount, restartCount, safe } = attest.clockInfo;
  writer
    .u64be(clock)
    .u32be(resetCount)
    .u32be(restartCount)
    .u8(safe ? 1 : 0)
    .u64be(attest.firmwareVersion);
  if (attest.kind === 'quote')
    return writeSized(writePcrSelections(writer, attest.selections), attest.pcrDigest).finish();
  return writeSized(writeSized(writer, attest.name), attest.qualifiedName).finish();
}

function readHead(reader: ByteReader): AttestHead {
  const qualifiedSigner = readSized(reader, 'qualifiedSigner', MAX_NAME);
  const extraData = readSized(reader, 'extraData', MAX_DATA);
  const clock = reader.u64be('clock');
  const resetCount = reader.u32be('resetCount');
  const restartCount = reader.u32be('restartCount');
  const safe = reader.u8('safe');
  if (safe > 1) throw malformed(reader, 'safe');
  return {
    qualifiedSigner,
    extraData,
    clockInfo: { clock, resetCount, restartCount, safe: safe === 1 },
    firmwareVersion: reader.u64be('firmwareVersion'),
  };
}
