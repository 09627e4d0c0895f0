import { vectorFile } from './sample-images.ts';

/** One image, and what others made of it. */
export interface McubootVector {
  readonly file: string;
  readonly want?: 'reject';
  readonly args?: readonly string[];
  readonly imgtool_verify?: boolean;
  readonly bootutil?: { readonly boots: boolean };
  /** File of the key that opens it, when it is encrypted. */
  readonly decrypt_key?: string;
}

/** Accepted by tool and boot code, refused here: zeros after the signature can be dropped or added by anyone. */
const STRICTER_HERE = ['padsig-p256.bin'];

export function mcubootVectors(): readonly McubootVector[] {
  return JSON.parse(new TextDecoder().decode(vectorFile('manifest.json'))) as readonly McubootVector[];
}

/** The strictest of the verdicts of tool and boot code. */
export function strictestVerdict(vector: McubootVector): 'accepted' | 'refused' {
  const allowed =
    vector.want !== 'reject' &&
    vector.imgtool_verify !== false &&
    vector.bootutil?.boots !== false &&
    !STRICTER_HERE.includes(vector.file);
  return allowed ? 'accepted' : 'refused';
}
