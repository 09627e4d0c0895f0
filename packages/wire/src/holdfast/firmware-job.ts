import type { JsonValue } from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';

/** `operation` of a firmware job; handlers of stock AWS clients are chosen by this word. */
export const FIRMWARE_OPERATION = 'firmware';

/** What a Holdfast device reads from a firmware job. Nothing in it is trusted but the signed manifest. */
export interface FirmwareJob {
  /** DSSE envelope object around the release manifest (`wire/manifest`). */
  readonly manifest: JsonValue;
  /** MQTT stream id, at most 44 characters (the classic FreeRTOS agent's buffer). */
  readonly streamName: string;
  readonly fileId: number;
  /** HTTPS address on the device listener, for ranged GET. */
  readonly url: string;
  /** Bytes of the whole signed file. */
  readonly size: number;
}

/** Members of `afr_ota` that FreeRTOS agents and the AWS job parser require, all always present. */
export interface FreeRtosOta {
  readonly filePath: string;
  readonly certificateFile: string;
  /** Base64 DER ECDSA signature over the whole file. */
  readonly signature: string;
}

/** @see FreeRTOS ota_private.h; AWS Jobs library job_parser.c */
export function encodeFirmwareJob(job: FirmwareJob, ota: FreeRtosOta): JsonValue {
  const { manifest, streamName, fileId, url, size } = job;
  return {
    operation: FIRMWARE_OPERATION,
    holdfast: { manifest, streamName, fileId, url, size },
    afr_ota: {
      protocols: ['MQTT', 'HTTP'],
      streamname: streamName,
      files: [
        {
          filepath: ota.filePath,
          filesize: size,
          fileid: fileId,
          certfile: ota.certificateFile,
          fileType: 0,
          update_data_url: url,
          auth_scheme: 'aws.s3.presigned',
          attr: 0,
          'sig-sha256-ecdsa': ota.signature,
        },
      ],
    },
  };
}

/**
 * The Holdfast part of a job document.
 *
 * @returns undefined when the document is not a firmware job with a Holdfast part
 * @throws `wire.malformed` when it is one, with a wrong member
 */
export function decodeFirmwareJob(document: JsonValue): FirmwareJob | undefined {
  const fields = new JsonFields(document, 'job');
  if (!fields.has('holdfast') || fields.raw('operation') !== FIRMWARE_OPERATION) return undefined;
  const part = fields.object('holdfast');
  return {
    manifest: part.raw('manifest'),
    streamName: part.text('streamName', { pattern: /^[A-Za-z0-9_-]{1,44}$/ }),
    fileId: part.integer('fileId', { max: 255 }),
    url: part.text('url', { pattern: /^https:\/\//, max: 2048 }),
    size: part.integer('size', { min: 1, max: 0xffffffff }),
  };
}
