import { type ErrorCode, HoldfastError, isJsonObject, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { decodeFirmwareJob, encodeFirmwareJob } from '@holdfast/wire/holdfast';
import type { JobRecord, ReleaseRecord } from '../ports/index.ts';

export type JobDocument = { readonly [key: string]: JsonValue };

const MAX_CHARACTERS = 32_768; // AWS IoT service model, JobDocument.

/** @throws `update.bad_document` */
export function encodeJobDocument(document: JsonValue): string {
  const text = JSON.stringify(document);
  if (!isJsonObject(document) || text.length > MAX_CHARACTERS) {
    throw new HoldfastError('update.bad_document', { characters: text.length });
  }
  return text;
}

/** A release's stream holds one file. */
export const FIRMWARE_FILE_ID = 0;

/** What a device is asked to do with a release; its manifest alone is what the device believes. */
export function firmwareDocument(release: ReleaseRecord, url: string): JsonValue {
  return encodeFirmwareJob(
    {
      manifest: parseStrictJson(release.manifest),
      streamName: release.streamId,
      fileId: FIRMWARE_FILE_ID,
      url,
      size: release.imageLength,
    },
    { filePath: 'firmware.bin', certificateFile: 'release.pem', signature: release.fileSignature },
  );
}

export type DocumentVerdict =
  | { readonly kind: 'sound'; readonly document: JobDocument }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** Judges a manifest envelope against what is stored of its release. */
export interface ManifestJudge {
  /** @returns the code of the first thing that does not hold, undefined when all does */
  refusalOf(release: ReleaseRecord, manifest: JsonValue): Promise<ErrorCode | undefined>;
}

const REFUSED: DocumentVerdict = { kind: 'refused', code: 'update.manifest_refused' };

/**
 * Reads a job's document for a device. The row is never trusted more than the signed manifest in it: whoever can write
 * to the store can change a document, but not sign one.
 */
export async function verifyJobDocument(
  job: JobRecord,
  release: ReleaseRecord | undefined,
  judge: ManifestJudge,
): Promise<DocumentVerdict> {
  const document = parseDocument(job.document);
  if (document === undefined) return REFUSED;
  if (job.releaseId === undefined) return { kind: 'sound', document };
  const firmware = firmwareOf(document);
  if (release === undefined || firmware === undefined) return REFUSED;
  const { streamName, fileId, size, manifest } = firmware;
  if (streamName !== release.streamId || fileId !== FIRMWARE_FILE_ID || size !== release.imageLength) return REFUSED;
  const code = await judge.refusalOf(release, manifest);
  return code === undefined ? { kind: 'sound', document } : { kind: 'refused', code };
}

function parseDocument(text: string): JobDocument | undefined {
  try {
    const value = parseStrictJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return undefined;
  }
}

function firmwareOf(document: JobDocument): ReturnType<typeof decodeFirmwareJob> {
  try {
    return decodeFirmwareJob(document);
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return undefined;
  }
}
