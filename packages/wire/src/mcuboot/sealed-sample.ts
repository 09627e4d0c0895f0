import { draftMcubootImage, type McubootImageSpec, MCUBOOT_TLV, sealMcubootImage } from './index.ts';

/** A small sealed image whose hash and signature are placeholders: structure alone counts here. */
export function sealedSample(
  spec: Partial<McubootImageSpec> = {},
  payload = new Uint8Array(64).fill(0x5a),
): Uint8Array {
  const covered = draftMcubootImage(payload, {
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    headerSize: 32,
    padHeader: true,
    ...spec,
  });
  return sealMcubootImage(covered, {
    hash: 'sha256',
    digest: new Uint8Array(32),
    key: { form: 'hash', bytes: new Uint8Array(32) },
    signatureTlv: MCUBOOT_TLV.ed25519,
    signature: new Uint8Array(64),
  });
}
